//! Second factor of an account: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.
//!
//! It reads no clock: times come in.

mod steps;
mod tickets;

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use hashlink::LruCache;
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Secret, Totp};

pub use self::steps::{Admission, Proof, SetUp};
use self::tickets::Tickets;
use super::sessions::SessionHash;
use crate::dashboard::UserId;

/// Bytes of the key that an app shares with the server, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
const DIGITS: u8 = 6;
/// How long one code lasts.
const STEP_S: u64 = 30;
/// Steps by which the clock of a phone may be wrong.
const SKEW: u16 = 1;
/// Under which apps list the account.
const ISSUER: &str = "Lockstep";
/// Recovery codes that are made at once.
pub const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code, of 5 random bits each.
const RECOVERY_CHARS: usize = 16;
/// Base32 in small letters: none of its digits looks like one of its letters.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters of a typed code that are looked at: those of a recovery code, and one too many.
const MAX_TYPED_CHARS: usize = RECOVERY_CHARS + 1;
/// Set-ups that are under way. Of more, the one begins anew that was looked at longest ago.
const MAX_SETUPS: usize = 10_000;

/// Key of an authenticator app, from which it computes its codes.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(pub [u8; SECRET_BYTES]);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

impl TotpSecret {
    fn generate() -> Self {
        Self(rand::random())
    }

    /// The step that a code is of: that of a time in Unix seconds, or the one before or after. `None` for a wrong code.
    pub fn step_of(&self, code: &str, at_s: u64) -> Option<u64> {
        self.totp("").check(code, at_s)
    }

    /// As apps take it where it is typed: base32 in groups of four.
    pub fn in_groups(&self) -> String {
        let text = Secret::new_stack(self.0).to_base32();
        grouped(&text, ' ')
    }

    /// As apps take it from a picture: an `otpauth` address that names whose it is.
    pub fn address(&self, email: &str) -> String {
        self.totp(email).to_url().expect("an issuer and an account name without colons make an address")
    }

    fn totp(&self, email: &str) -> Totp {
        Builder::new()
            .with_digits(DIGITS)
            .with_step_duration(STEP_S)
            .with_skew(SKEW)
            .with_secret(Secret::new_stack(self.0))
            .with_issuer(Some(ISSUER))
            // A colon separates the two.
            .with_account_name(email.replace(':', "_"))
            .build()
            .expect("six digits and 160 bits are what RFC 4226 asks for")
    }
}

/// SHA-256 of a recovery code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecoveryHash(pub [u8; 32]);

impl RecoveryHash {
    /// Of a code without what separates its groups; `None` for what is none.
    fn of(code: &str) -> Option<Self> {
        let code = code.to_ascii_lowercase();
        let is_one = code.len() == RECOVERY_CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte));
        is_one.then(|| Self(Sha256::digest(&code).into()))
    }
}

/// What a code was that counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    App,
    Recovery,
}

/// Second factor of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    pub account: UserId,
    pub secret: TotpSecret,
    /// When the app gave its first right code, Unix milliseconds.
    pub confirmed_at: u64,
    /// The newest step whose code counted: codes of it and of earlier ones count no more.
    pub last_step: u64,
    /// Those that are left.
    pub recovery: BTreeSet<RecoveryHash>,
}

impl SecondFactor {
    /// The factor after a code was used, at a time in Unix seconds. `None` for a code that is wrong, or was used.
    fn after(&self, typed: &str, at_s: u64) -> Option<(Self, Counted)> {
        let code = cleaned(typed);
        if let Some(step) = self.secret.step_of(&code, at_s) {
            return (step > self.last_step).then(|| (Self { last_step: step, ..self.clone() }, Counted::App));
        }
        let mut after = self.clone();
        let is_left = RecoveryHash::of(&code).is_some_and(|hash| after.recovery.remove(&hash));
        is_left.then_some((after, Counted::Recovery))
    }

    /// New recovery codes in place of those of before. What is shown once, and the factor that has their hashes.
    fn with_new_recovery_codes(self) -> (Self, Vec<String>) {
        let random_char = |byte: u8| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]);
        let make = || rand::random::<[u8; RECOVERY_CHARS]>().map(random_char).iter().collect::<String>();
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| make()).collect();
        let recovery = codes.iter().filter_map(|code| RecoveryHash::of(code)).collect();
        (Self { recovery, ..self }, codes.iter().map(|code| grouped(code, '-')).collect())
    }
}

/// A code without what separates its groups, and not much longer than the longest one.
fn cleaned(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(MAX_TYPED_CHARS).collect()
}

/// ASCII in groups of four.
fn grouped(text: &str, separator: char) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            out.push(separator);
        }
        out.push(c);
    }
    out
}

/// Second factors of all accounts, and what is under way.
pub struct SecondFactors {
    by_account: HashMap<UserId, SecondFactor>,
    /// Keys that were shown and not confirmed yet, by the session that they were shown to.
    setups: LruCache<SessionHash, TotpSecret>,
    tickets: Tickets,
    /// True where nobody gets on with a password alone.
    is_required: bool,
}

impl Default for SecondFactors {
    fn default() -> Self {
        Self::restore([])
    }
}

impl SecondFactors {
    /// Takes what the store has.
    pub fn restore(factors: impl IntoIterator<Item = SecondFactor>) -> Self {
        Self {
            by_account: factors.into_iter().map(|factor| (factor.account.clone(), factor)).collect(),
            setups: LruCache::new(MAX_SETUPS),
            tickets: Tickets::default(),
            is_required: false,
        }
    }

    fn put(&mut self, factor: SecondFactor) {
        self.by_account.insert(factor.account.clone(), factor);
    }

    pub(super) fn forget(&mut self, account: &UserId) {
        self.by_account.remove(account);
    }
}

#[cfg(test)]
mod tests;
