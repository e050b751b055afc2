//! Pairings: screens that show a code and wait until somebody types it.
//!
//! They are in memory alone: after a restart a screen shows another code. They read no clock: times come in, as
//! milliseconds of one that is never set.

use std::net::IpAddr;

use hashlink::LruCache;
use rand::Rng as _;
use subtle::ConstantTimeEq as _;

use crate::app::screens::CODE_CHARS;
use crate::server::access::Requester;
use crate::server::access::secret_hash::{SecretHash, SecretKind};
use crate::server::access::sessions::shown_agent;
use crate::server::peer::PeerAddr;

/// Characters of codes: no vowels, so that they make no words, and nothing that is taken for an O or an I.
pub const CODE_ALPHABET: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ23456789";
/// How long a code counts.
pub const COUNTS_FOR_MS: u64 = 10 * 60_000;
/// Pairings that wait. Beyond that those are forgotten whose screens were seen longest ago.
pub const MAX_PAIRINGS: usize = 1_000;
/// Those among them of one address (a network, of IPv6), and of one IPv6 site. Beyond that its own are forgotten: whoever
/// has many addresses takes nobody else's place.
const MAX_OF_NETWORK: usize = 100;
const MAX_OF_SITE: usize = 200;
/// Characters that are read of what somebody typed as a code: all of it, with something between each two.
const MAX_TYPED_CHARS: usize = 4 * CODE_CHARS;

/// Secret of a screen: the token in its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScreenSecret {}

impl SecretKind for ScreenSecret {
    const BYTES: usize = 32;
}

/// SHA-256 of a screen's token: the name under which it is kept.
pub type ScreenHash = SecretHash<ScreenSecret>;

/// What a screen shows that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    pub code: String,
    pub expires_in_ms: u64,
}

/// A device that asked for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub address: IpAddr,
    /// What its browser calls itself.
    pub agent: String,
}

impl Device {
    pub fn of(from: &Requester) -> Self {
        Self { address: from.address, agent: shown_agent(&from.agent) }
    }

    fn peer(&self) -> PeerAddr {
        PeerAddr(self.address)
    }
}

struct Pending {
    code: String,
    device: Device,
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
    /// Begins one of a device, with its token.
    pub fn begin(&mut self, device: Device, now_ms: u64) -> (String, Pairing) {
        let (network, site) = (device.peer().network(), device.peer().site());
        self.make_room(MAX_OF_NETWORK, |other| other.peer().network() == network);
        self.make_room(MAX_OF_SITE, |other| other.peer().site() == site);
        let (token, hash) = ScreenHash::generate();
        let code = loop {
            let code = random_code();
            if self.0.iter().all(|(_, pending)| pending.code != code) {
                break code;
            }
        };
        let pending = Pending { code, device, begun_ms: now_ms, is_claimed: false };
        let pairing = pending.shown(now_ms);
        self.0.insert(hash, pending);
        (token, pairing)
    }

    /// Forgets those that were seen longest ago of devices that are meant, so that one more is not too many of them.
    fn make_room(&mut self, most: usize, is_meant: impl Fn(&Device) -> bool) {
        let meant = self.0.iter().filter(|(_, pending)| is_meant(&pending.device));
        let meant: Vec<ScreenHash> = meant.map(|(hash, _)| *hash).collect();
        for hash in meant.iter().take((meant.len() + 1).saturating_sub(most)) {
            self.0.remove(hash);
        }
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

    /// Claims the one that shows a code, as somebody typed it, with its device. Nobody else can until it is given back.
    pub fn claim(&mut self, typed: &str, now_ms: u64) -> Option<(ScreenHash, Device)> {
        let hash = self.waiting(typed, now_ms)?;
        let pending = self.0.get_mut(&hash)?;
        pending.is_claimed = true;
        Some((hash, pending.device.clone()))
    }

    /// The device that shows a code, as somebody typed it, and when it asked for it.
    pub fn device(&self, typed: &str, now_ms: u64) -> Option<(Device, u64)> {
        let pending = self.0.peek(&self.waiting(typed, now_ms)?)?;
        Some((pending.device.clone(), pending.begun_ms))
    }

    fn waiting(&self, typed: &str, now_ms: u64) -> Option<ScreenHash> {
        let typed = normalized(typed)?;
        let mut found = None;
        // Each is compared, and whole: how long that takes tells nothing of the codes.
        for (hash, pending) in self.0.iter() {
            let is_it = bool::from(pending.code.as_bytes().ct_eq(typed.as_bytes()));
            if is_it && pending.counts(now_ms) && !pending.is_claimed {
                found = Some(*hash);
            }
        }
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
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn begin(pairings: &mut Pairings, now_ms: u64) -> (String, Pairing) {
        begin_at(pairings, now_ms, "192.0.2.1")
    }

    fn begin_at(pairings: &mut Pairings, now_ms: u64, address: &str) -> (String, Pairing) {
        let address = address.parse().expect("an address");
        pairings.begin(Device { address, agent: "TV".to_owned() }, now_ms)
    }

    #[test]
    fn a_code_counts_for_ten_minutes_and_once() {
        let mut pairings = Pairings::default();
        let (token, pairing) = begin(&mut pairings, 1_000);
        assert_eq!((pairing.code.len(), pairing.expires_in_ms), (CODE_CHARS, COUNTS_FOR_MS));
        let shown = pairings.find(&token, 61_000).expect("it waits");
        assert_eq!((&shown.code, shown.expires_in_ms), (&pairing.code, COUNTS_FOR_MS - 60_000));
        let (first, rest) = pairing.code.split_at(3);
        let typed = format!(" {}-{} ", first.to_ascii_lowercase(), rest);
        let (device, begun_ms) = pairings.device(&typed, 61_000).expect("it is the one");
        assert_eq!((device.agent.as_str(), begun_ms), ("TV", 1_000));
        let (hash, claimed) = pairings.claim(&typed, 61_000).expect("it is the one");
        assert_eq!(claimed, device);
        assert_eq!(Some(hash), ScreenHash::of(&token));
        assert_eq!(pairings.claim(&pairing.code, 61_000), None, "somebody is at it");
        assert_eq!(pairings.device(&pairing.code, 61_000), None);
        assert!(pairings.find(&token, 61_000).is_some(), "the screen waits for them");
        pairings.give_back(&hash);
        assert_eq!(pairings.claim(&pairing.code, 61_000), Some((hash, device)));
        pairings.end(&hash);
        assert_eq!((pairings.claim(&pairing.code, 61_000), pairings.find(&token, 61_000)), (None, None));
        let (token, pairing) = begin(&mut pairings, 1_000);
        assert_eq!(pairings.claim(&pairing.code, 1_000 + COUNTS_FOR_MS), None);
        assert_eq!(pairings.find(&token, 1_000 + COUNTS_FOR_MS), None);
    }

    #[test]
    fn s10_so_many_wait_and_the_screen_that_was_seen_longest_ago_begins_anew() {
        let mut pairings = Pairings::default();
        let (first, second) = (begin(&mut pairings, 0).0, begin(&mut pairings, 0).0);
        for n in 2..MAX_PAIRINGS {
            begin_at(&mut pairings, n as u64, &format!("198.51.100.{}", n % 200));
        }
        assert!(pairings.find(&first, 5_000).is_some());
        begin_at(&mut pairings, 5_000, "203.0.113.1");
        assert_eq!(pairings.0.len(), MAX_PAIRINGS);
        assert!(pairings.find(&first, 5_000).is_some() && pairings.find(&second, 5_000).is_none());
    }

    #[test]
    fn s10_whoever_has_many_addresses_takes_no_place_of_others() {
        let mut pairings = Pairings::default();
        let (tv, far) = (begin(&mut pairings, 0).0, begin_at(&mut pairings, 0, "2001:db8:2::1").0);
        for n in 0..2 * MAX_PAIRINGS {
            begin_at(&mut pairings, 1, &format!("2001:db8:1:{n:x}::1"));
            begin_at(&mut pairings, 1, "198.51.100.1");
        }
        assert_eq!(pairings.0.len(), 2 + MAX_OF_SITE + MAX_OF_NETWORK);
        assert!(pairings.find(&tv, 2).is_some() && pairings.find(&far, 2).is_some());
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
            let (token, pairing) = begin(&mut pairings, 0);
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
