//! Throttle of guesses: who fails waits, longer each time, by account and by address.
//!
//! Nobody is locked out for good, and who is signed in notices nothing. It reads no clock: times come in, as
//! milliseconds of one that is never set.

use std::hash::Hash;
use std::net::IpAddr;

use hashlink::LruCache;

use crate::dashboard::UserId;

/// Failures of one account before anybody waits.
const FREE_FAILURES: u32 = 5;
/// The first wait; each failure doubles it.
const FIRST_WAIT_MS: u64 = 1_000;
const LONGEST_WAIT_MS: u64 = 15 * 60_000;
/// How long after the last failure an account begins anew.
const FORGET_AFTER_MS: u64 = 60 * 60_000;
/// Tries of one address in a minute that were not right.
const TRIES_A_MINUTE: u32 = 20;
const MINUTE_MS: u64 = 60_000;
/// Accounts, and addresses, that are told apart. Beyond that those are forgotten that were seen longest ago.
const MAX_KEYS: usize = 10_000;

/// What is guessed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GuessTarget {
    /// The password of an account, by its folded mail address, whether there is one or not.
    Password(String),
    /// The second factor of an account.
    SecondFactor(UserId),
    /// The password of a link, by the link's id.
    Link(String),
    /// The code that a screen shows, by the account that types it.
    Pairing(UserId),
    /// The token of the first admin.
    Setup,
    /// A code of invitations and of new passwords.
    Code,
    /// The name or the mail address of an account, by somebody who wishes to be called so.
    NameOrEmail,
}

#[derive(Default)]
struct Failures {
    count: u32,
    last_ms: u64,
    /// Until when nothing is tried.
    until_ms: u64,
}

#[derive(Default)]
struct Tries {
    count: u32,
    begun_ms: u64,
}

/// What has been tried of late.
pub struct Throttle {
    failures: LruCache<GuessTarget, Failures>,
    tries: LruCache<IpAddr, Tries>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { failures: LruCache::new(MAX_KEYS), tries: LruCache::new(MAX_KEYS) }
    }
}

/// The value of a key, which is used by that.
fn used<'c, K: Clone + Eq + Hash, V: Default>(cache: &'c mut LruCache<K, V>, key: &K) -> &'c mut V {
    if !cache.contains_key(key) {
        cache.insert(key.clone(), V::default());
    }
    cache.get_mut(key).expect("it is there, or was just put there")
}

impl Throttle {
    /// Counts a try from an address (a network, of IPv6) as one that failed, until it is known to be right. Errors with how many milliseconds to wait; nothing is to be
    /// looked up then.
    pub fn begin(&mut self, guessed: &GuessTarget, address: IpAddr, now_ms: u64) -> Result<(), u64> {
        let tries = used(&mut self.tries, &address);
        if tries.count == 0 || now_ms.saturating_sub(tries.begun_ms) >= MINUTE_MS {
            *tries = Tries { count: 0, begun_ms: now_ms };
        }
        if tries.count >= TRIES_A_MINUTE {
            return Err((tries.begun_ms + MINUTE_MS).saturating_sub(now_ms).max(1));
        }
        tries.count += 1;
        // A code that is guessed is as long as a key, and its wait would be everybody's.
        if matches!(guessed, GuessTarget::Setup | GuessTarget::Code | GuessTarget::NameOrEmail) {
            return Ok(());
        }
        let failures = used(&mut self.failures, guessed);
        if now_ms < failures.until_ms {
            return Err(failures.until_ms - now_ms);
        }
        if now_ms.saturating_sub(failures.last_ms) >= FORGET_AFTER_MS {
            *failures = Failures::default();
        }
        // From here on: of many at once each counts, before it is known what comes of it.
        failures.count += 1;
        failures.last_ms = now_ms;
        if let Some(doublings) = failures.count.checked_sub(FREE_FAILURES) {
            let wait = FIRST_WAIT_MS.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX));
            failures.until_ms = now_ms + wait.min(LONGEST_WAIT_MS);
        }
        Ok(())
    }

    /// Takes one try back, which was no guess. The failures before it count on.
    pub fn withdraw(&mut self, guessed: &GuessTarget, address: IpAddr) {
        if let Some(failures) = self.failures.get_mut(guessed) {
            failures.count = failures.count.saturating_sub(1);
            failures.until_ms = 0;
        }
        self.give_back(address);
    }

    /// Notes that a try was right: the next one who fails begins anew, and the address has it back. Many people
    /// may be behind one.
    pub fn succeeded(&mut self, guessed: &GuessTarget, address: IpAddr) {
        self.failures.remove(guessed);
        self.give_back(address);
    }

    fn give_back(&mut self, address: IpAddr) {
        if let Some(tries) = self.tries.get_mut(&address) {
            tries.count = tries.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(n))
    }

    fn ada() -> GuessTarget {
        GuessTarget::Password("ada@example.com".to_owned())
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_bound_and_never_for_good() {
        let mut throttle = Throttle::default();
        let mut now = 1_000_000;
        for n in 0..FREE_FAILURES {
            throttle.begin(&ada(), address(n), now).expect("free");
        }
        let mut waits = Vec::new();
        for n in 0..13 {
            let wait = throttle.begin(&ada(), address(100 + n), now).expect_err("it waits");
            waits.push(wait / 1_000);
            now += wait;
            throttle.begin(&ada(), address(200 + n), now).expect("it waited");
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        let other = GuessTarget::Password("bob@example.com".to_owned());
        throttle.begin(&other, address(1), now).expect("others wait for nobody");
        throttle.succeeded(&ada(), address(1));
        throttle.begin(&ada(), address(1), now).expect("whoever knew it begins anew");
    }

    #[test]
    fn tries_that_are_under_way_count_and_come_back_where_they_were_right_or_nothing_was_looked_at() {
        let mut throttle = Throttle::default();
        for n in 0..FREE_FAILURES {
            throttle.begin(&ada(), address(n), 5_000).expect("free");
        }
        assert_eq!(
            throttle.begin(&ada(), address(90), 5_000),
            Err(FIRST_WAIT_MS),
            "nothing is known of any yet"
        );
        throttle.withdraw(&ada(), address(0));
        throttle.begin(&ada(), address(91), 5_000).expect("one less");
        throttle.succeeded(&ada(), address(91));
        for n in 0..3 * TRIES_A_MINUTE {
            throttle.begin(&GuessTarget::Code, address(7), 5_000 + u64::from(n)).expect("right each time");
            throttle.succeeded(&GuessTarget::Code, address(7));
        }
    }

    #[test]
    fn an_address_has_so_many_tries_a_minute_whatever_it_guesses() {
        let mut throttle = Throttle::default();
        for n in 0..TRIES_A_MINUTE {
            throttle.begin(&GuessTarget::Password(n.to_string()), address(1), 5_000).expect("free");
        }
        assert_eq!(throttle.begin(&GuessTarget::Setup, address(1), 25_000), Err(40_000));
        throttle.begin(&GuessTarget::Setup, address(2), 25_000).expect("another address");
        throttle.begin(&GuessTarget::Setup, address(1), 65_000).expect("a minute later");
    }

    #[test]
    fn s10_memory_is_bounded_and_who_is_guessed_at_now_is_not_forgotten() {
        let mut throttle = Throttle::default();
        let mut now = 1_000_000;
        for n in 0..20 {
            // Those that wait do not count.
            now += 2 * LONGEST_WAIT_MS.min(1_000 << n);
            throttle.begin(&ada(), address(n), now).expect("it waited");
        }
        for n in 0..3 * MAX_KEYS as u32 {
            now += 10;
            let _ = throttle.begin(&GuessTarget::Password(n.to_string()), address(n), now);
            if n % 1_000 == 0 {
                assert!(throttle.begin(&ada(), address(n), now).is_err(), "it waits still");
            }
        }
        assert_eq!((throttle.failures.len(), throttle.tries.len()), (MAX_KEYS, MAX_KEYS));
    }
}
