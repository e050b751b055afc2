//! Set-up of the first account: by a token that only the log has, for an hour and once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How long the token counts.
const COUNTS_FOR: Duration = Duration::from_secs(3_600);

/// The token's hash, as long as it counts.
#[derive(Default)]
pub struct Setup(Mutex<Option<([u8; 32], Instant)>>);

impl Setup {
    /// A new token, in place of any other. It is for the log alone.
    pub fn begin(&self) -> String {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        self.set(Some((Sha256::digest(&token).into(), Instant::now())));
        token
    }

    /// Whether a token is the one, and counts still.
    pub fn check(&self, token: &str) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((hash, begun)) = &*kept else { return false };
        let said: [u8; 32] = Sha256::digest(token).into();
        begun.elapsed() < COUNTS_FOR && bool::from(said.ct_eq(hash))
    }

    /// It counts no more: there is an account.
    pub fn end(&self) {
        self.set(None);
    }

    fn set(&self, to: Option<([u8; 32], Instant)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_counts_once_and_only_the_newest_does() {
        let setup = Setup::default();
        assert!(!setup.check("") && !setup.check("guess"));
        let (old, new) = (setup.begin(), setup.begin());
        assert!(new.len() == 22 && setup.check(&new) && !setup.check(&old));
        setup.end();
        assert!(!setup.check(&new));
        let begun = Instant::now().checked_sub(COUNTS_FOR).expect("it runs for longer");
        setup.set(Some((Sha256::digest(&new).into(), begun)));
        assert!(!setup.check(&new), "an hour later");
    }
}
