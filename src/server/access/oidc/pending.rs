//! Sign-ins that wait for the provider's answer: in a signed cookie of the browser that began them.
//!
//! The cookie has a random id, where to go on to, and until when it counts. What the provider is sent follows from the id
//! and a secret of this deployment, so that no cookie shows it.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hashlink::LruCache;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// How long a provider's answer is waited for.
pub const LASTS_MS: u64 = 10 * 60_000;
/// Bytes of a cookie's value that are looked at: the longest path to go on to, in base64, with room.
const MAX_COOKIE_BYTES: usize = 3_500;
/// Ids that are known to have been used. Beyond that those are forgotten that were used longest ago; their codes the
/// provider does not take again.
const MAX_USED: usize = 10_000;
const ID_BYTES: usize = 16;

/// What a provider is sent, and what it has to send back.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    pub state: String,
    pub nonce: String,
    /// Of PKCE: the provider is sent its hash first.
    pub verifier: String,
}

impl Handshake {
    /// Whether an answer has the state that was sent.
    pub fn has_state(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }
}

/// A sign-in that was begun.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    id: String,
    /// The path of this server to go on to.
    pub to: String,
    /// Unix milliseconds.
    until: u64,
}

/// Sign-ins of one deployment that wait.
pub struct PendingSignIns {
    key: Hmac<Sha256>,
    used: Mutex<LruCache<String, ()>>,
}

impl PendingSignIns {
    /// Takes the secret that signs the cookies.
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Self { key, used: Mutex::new(LruCache::new(MAX_USED)) }
    }

    /// Begins a sign-in: the cookie's value, and what the provider is sent.
    pub fn begin(&self, to: &str, now: u64) -> (String, Handshake) {
        let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; ID_BYTES]>());
        let handshake = self.handshake(&id);
        let pending = Pending { id, to: to.to_owned(), until: now + LASTS_MS };
        let claim = serde_json::to_vec(&pending).expect("texts and a number are JSON");
        let claim = URL_SAFE_NO_PAD.encode(claim);
        let signature = self.mac("cookie", &claim);
        (format!("{claim}.{signature}"), handshake)
    }

    /// The sign-in of a cookie; `None` where it was not made here, or is over.
    pub fn open(&self, cookie: &str, now: u64) -> Option<(Pending, Handshake)> {
        let (claim, signature) = cookie.split_once('.').filter(|_| cookie.len() <= MAX_COOKIE_BYTES)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.keyed("cookie", claim).verify_slice(&signature).ok()?;
        let pending: Pending = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claim).ok()?).ok()?;
        let handshake = self.handshake(&pending.id);
        (now < pending.until).then_some((pending, handshake))
    }

    /// Uses a sign-in up; false where it was before.
    pub fn take(&self, pending: &Pending) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(pending.id.clone(), ()).is_none()
    }

    fn handshake(&self, id: &str) -> Handshake {
        let part = |use_| self.mac(use_, id);
        Handshake { state: part("state"), nonce: part("nonce"), verifier: part("verifier") }
    }

    /// 43 characters that only this deployment can tell.
    fn mac(&self, use_: &str, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.keyed(use_, text).finalize().into_bytes())
    }

    fn keyed(&self, use_: &str, text: &str) -> Hmac<Sha256> {
        self.key.clone().chain_update(use_).chain_update([0]).chain_update(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_795_000_000_000;

    #[test]
    fn a7_what_was_begun_is_known_again_for_ten_minutes_and_once() {
        let all = PendingSignIns::new(&[7; 32]);
        let (cookie, sent) = all.begin("/d/abc?from=1", NOW);
        let (pending, handshake) = all.open(&cookie, NOW + LASTS_MS - 1).expect("known");
        assert_eq!(pending.to, "/d/abc?from=1");
        assert!(handshake == sent && handshake.has_state(&sent.state));
        assert!(all.take(&pending) && !all.take(&pending));
        assert_eq!(all.open(&cookie, NOW + LASTS_MS).map(|(pending, _)| pending), None);
        assert_eq!(PendingSignIns::new(&[8; 32]).open(&cookie, NOW).map(|(pending, _)| pending), None);
    }

    #[test]
    fn a7_each_has_a_state_a_nonce_and_a_verifier_of_its_own_which_the_cookie_does_not_show() {
        let all = PendingSignIns::new(&[7; 32]);
        let (cookie, one) = all.begin("/", NOW);
        let (_, other) = all.begin("/", NOW);
        let parts =
            [one.state.clone(), one.nonce, one.verifier, other.state.clone(), other.nonce, other.verifier];
        let claim = URL_SAFE_NO_PAD.decode(cookie.split('.').next().expect("a claim")).expect("base64");
        let claim = String::from_utf8(claim).expect("text");
        for (n, part) in parts.iter().enumerate() {
            assert_eq!(part.len(), 43);
            assert!(!parts[..n].contains(part) && !claim.contains(part.as_str()), "{claim}");
        }
        for wrong in ["", &one.state[1..], &other.state] {
            assert!(!all.open(&cookie, NOW).expect("known").1.has_state(wrong));
        }
    }

    #[test]
    fn s10_the_longest_path_fits_and_more_is_not_looked_at() {
        let all = PendingSignIns::new(&[7; 32]);
        let (cookie, _) = all.begin(&format!("/{}", "x".repeat(1_999)), NOW);
        assert!(all.open(&cookie, NOW).is_some(), "{}", cookie.len());
        let (cookie, _) = all.begin(&"x".repeat(MAX_COOKIE_BYTES), NOW);
        assert!(all.open(&cookie, NOW).is_none());
        for _ in 0..MAX_USED + 10 {
            let (cookie, _) = all.begin("/", NOW);
            assert!(all.take(&all.open(&cookie, NOW).expect("known").0));
        }
        assert_eq!(all.used.lock().expect("not poisoned").len(), MAX_USED);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        /// Neither what is like a cookie nor one with a bit of it turned was begun here.
        #[test]
        fn a7_forged_cookies_are_none(
            claim in "[A-Za-z0-9_-]{0,120}",
            mac in "[A-Za-z0-9_-]{43}",
            bit in 0_usize..256,
            junk in ".{0,80}",
            until in any::<u64>(),
        ) {
            let all = PendingSignIns::new(&[7; 32]);
            let (cookie, _) = all.begin("/", NOW);
            let (own, signature) = cookie.split_once('.').expect("two parts");
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
            bytes[bit / 8] ^= 1 << (bit % 8);
            let longer = serde_json::to_vec(&Pending { id: "x".to_owned(), to: "/".to_owned(), until });
            let longer = URL_SAFE_NO_PAD.encode(longer.expect("JSON"));
            for forged in [
                format!("{claim}.{mac}"),
                format!("{own}.{}", URL_SAFE_NO_PAD.encode(bytes)),
                format!("{own}.{mac}"),
                format!("{longer}.{signature}"),
                format!("{own}A.{signature}"),
                format!("{own}."),
                junk,
            ] {
                prop_assert!(all.open(&forged, NOW).is_none());
            }
        }
    }
}
