//! Pairings: screens that show a code and wait until somebody types it.
//!
//! They are in memory alone: after a restart a screen shows another code. They read no clock: times come in, as
//! milliseconds of one that is never set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hashlink::LruCache;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::app::screens::CODE_CHARS;

/// Characters of codes: no vowels, so that they make no words, and nothing that is taken for an O or an I.
pub const CODE_ALPHABET: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ23456789";
/// How long a code counts.
pub const COUNTS_FOR_MS: u64 = 10 * 60_000;
/// Pairings that wait. Beyond that those are forgotten whose screens were seen longest ago.
pub const MAX_PAIRINGS: usize = 1_000;
/// Characters that are read of what somebody typed as a code: all of it, with something between each two.
const MAX_TYPED_CHARS: usize = 4 * CODE_CHARS;
const TOKEN_BYTES: usize = 32;

/// SHA-256 of a screen's token: the name under which it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScreenHash(pub [u8; 32]);

impl ScreenHash {
    /// Of a token as it stands in the cookie; `None` for what is none.
    pub fn of(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| bytes.len() == TOKEN_BYTES)?;
        Some(Self(Sha256::digest(bytes).into()))
    }
}

/// What a screen shows that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    pub code: String,
    pub expires_in_ms: u64,
}

struct Pending {
    code: String,
    begun_ms: u64,
    /// True while an approval is being stored.
    is_claimed: bool,
}

impl Pending {
    fn counts(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.begun_ms) < COUNTS_FOR_MS
    }

    fn shown(&self, now_ms: u64) -> Pairing {
        let expires_in_ms = (self.begun_ms + COUNTS_FOR_MS).saturating_sub(now_ms);
        Pairing { code: self.code.clone(), expires_in_ms }
    }
}

/// All that wait.
pub struct Pairings(LruCache<ScreenHash, Pending>);

impl Default for Pairings {
    fn default() -> Self {
        Self(LruCache::new(MAX_PAIRINGS))
    }
}

impl Pairings {
    /// Begins one, with its token.
    pub fn begin(&mut self, now_ms: u64) -> (String, Pairing) {
        let bytes: [u8; TOKEN_BYTES] = rand::random();
        let code = loop {
            let code = random_code();
            if self.0.iter().all(|(_, pending)| pending.code != code) {
                break code;
            }
        };
        let pending = Pending { code, begun_ms: now_ms, is_claimed: false };
        let pairing = pending.shown(now_ms);
        self.0.insert(ScreenHash(Sha256::digest(bytes).into()), pending);
        (URL_SAFE_NO_PAD.encode(bytes), pairing)
    }

    /// The one of a token that counts still.
    pub fn find(&mut self, token: &str, now_ms: u64) -> Option<Pairing> {
        let hash = ScreenHash::of(token)?;
        let pending = self.0.get(&hash)?;
        if !pending.counts(now_ms) && !pending.is_claimed {
            self.0.remove(&hash);
            return None;
        }
        Some(pending.shown(now_ms))
    }

    /// Claims the one that shows a code, as somebody typed it. Nobody else can until it is given back.
    pub fn claim(&mut self, typed: &str, now_ms: u64) -> Option<ScreenHash> {
        let typed = normalized(typed)?;
        let mut found = None;
        // Each is compared, and whole: how long that takes tells nothing of the codes.
        for (hash, pending) in self.0.iter() {
            let is_it = bool::from(pending.code.as_bytes().ct_eq(typed.as_bytes()));
            if is_it && pending.counts(now_ms) && !pending.is_claimed {
                found = Some(*hash);
            }
        }
        self.0.get_mut(&found?)?.is_claimed = true;
        found
    }

    /// Gives back one whose approval came to nothing.
    pub fn give_back(&mut self, hash: &ScreenHash) {
        if let Some(pending) = self.0.get_mut(hash) {
            pending.is_claimed = false;
        }
    }

    /// Forgets one that was approved.
    pub fn end(&mut self, hash: &ScreenHash) {
        self.0.remove(hash);
    }
}

fn random_code() -> String {
    let mut random = rand::rng();
    let character = |_| char::from(CODE_ALPHABET[random.random_range(0..CODE_ALPHABET.len())]);
    (0..CODE_CHARS).map(character).collect()
}

/// A code as it was typed, in any case, and with spaces or hyphens between.
fn normalized(typed: &str) -> Option<String> {
    if typed.len() > MAX_TYPED_CHARS {
        return None;
    }
    let meant = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let code: String = meant.map(|c| c.to_ascii_uppercase()).collect();
    let fits = code.len() == CODE_CHARS && code.bytes().all(|byte| CODE_ALPHABET.contains(&byte));
    fits.then_some(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_counts_for_ten_minutes_and_once() {
        let mut pairings = Pairings::default();
        let (token, pairing) = pairings.begin(1_000);
        assert_eq!((pairing.code.len(), pairing.expires_in_ms), (CODE_CHARS, COUNTS_FOR_MS));
        let shown = pairings.find(&token, 61_000).expect("it waits");
        assert_eq!((&shown.code, shown.expires_in_ms), (&pairing.code, COUNTS_FOR_MS - 60_000));
        let (first, rest) = pairing.code.split_at(3);
        let typed = format!(" {}-{} ", first.to_ascii_lowercase(), rest);
        let hash = pairings.claim(&typed, 61_000).expect("it is the one");
        assert_eq!(Some(hash), ScreenHash::of(&token));
        assert_eq!(pairings.claim(&pairing.code, 61_000), None, "somebody is at it");
        assert!(pairings.find(&token, 61_000).is_some(), "the screen waits for them");
        pairings.give_back(&hash);
        assert_eq!(pairings.claim(&pairing.code, 61_000), Some(hash));
        pairings.end(&hash);
        assert_eq!((pairings.claim(&pairing.code, 61_000), pairings.find(&token, 61_000)), (None, None));
        let (token, pairing) = pairings.begin(1_000);
        assert_eq!(pairings.claim(&pairing.code, 1_000 + COUNTS_FOR_MS), None);
        assert_eq!(pairings.find(&token, 1_000 + COUNTS_FOR_MS), None);
    }

    #[test]
    fn s10_so_many_wait_and_the_screen_that_was_seen_longest_ago_begins_anew() {
        let mut pairings = Pairings::default();
        let (first, second) = (pairings.begin(0).0, pairings.begin(0).0);
        for n in 2..MAX_PAIRINGS as u64 {
            pairings.begin(n);
        }
        assert!(pairings.find(&first, 5_000).is_some());
        pairings.begin(5_000);
        assert_eq!(pairings.0.len(), MAX_PAIRINGS);
        assert!(pairings.find(&first, 5_000).is_some() && pairings.find(&second, 5_000).is_none());
    }

    #[test]
    fn a_code_is_made_of_characters_that_nobody_mistakes() {
        for code in (0..200).map(|_| random_code()) {
            assert_eq!(normalized(&code).as_ref(), Some(&code));
            assert!(!code.contains(['A', 'E', 'I', 'O', 'U', 'Y', '0', '1']), "{code}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        /// Neither what is like a token or a code nor one with a bit or a character changed pairs, or is, a screen.
        #[test]
        fn forged_tokens_and_codes_are_none(
            text in "[A-Za-z0-9_-]{43}",
            bit in 0_usize..256,
            at in 0..CODE_CHARS,
            other in 0..CODE_ALPHABET.len(),
            junk in ".{0,60}",
        ) {
            let mut pairings = Pairings::default();
            let (token, pairing) = pairings.begin(0);
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("a token");
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut code = pairing.code.clone().into_bytes();
            code[at] = CODE_ALPHABET[other];
            let code = String::from_utf8(code).expect("ASCII");
            for forged in [text, URL_SAFE_NO_PAD.encode(bytes), junk.clone(), format!("{token}="), format!("{token}A")] {
                prop_assert_ne!(ScreenHash::of(&forged), ScreenHash::of(&token));
                prop_assert_eq!(pairings.find(&forged, 0), None);
            }
            for forged in [junk, format!("{}{}", pairing.code, "B"), pairing.code[1..].to_owned()] {
                prop_assert_eq!(pairings.claim(&forged, 0), None);
            }
            prop_assert_eq!(pairings.claim(&code, 0).is_some(), code == pairing.code);
        }
    }
}
