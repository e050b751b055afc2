//! Set-up of the first account: by a token that only the log has, for an hour and once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How long the token counts.
const COUNTS_FOR: Duration = Duration::from_secs(3_600);

/// The token's hash, and when it was made.
type Kept = Option<([u8; 32], Instant)>;

/// The token's hash, as long as it counts.
#[derive(Default)]
pub struct Setup(Mutex<Kept>);

fn is_it(kept: &Kept, token: &str) -> bool {
    let Some((hash, begun)) = kept else { return false };
    let said: [u8; 32] = Sha256::digest(token).into();
    begun.elapsed() < COUNTS_FOR && bool::from(said.ct_eq(hash))
}

impl Setup {
    /// A new token, in place of any other. It is for the log alone.
    pub fn begin(&self) -> String {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        self.set(Some((Sha256::digest(&token).into(), Instant::now())));
        token
    }

    /// Whether a token is the one, and counts still.
    pub fn check(&self, token: &str) -> bool {
        is_it(&self.kept(), token)
    }

    /// The same; it counts no more after that.
    pub fn take(&self, token: &str) -> bool {
        let mut kept = self.kept();
        let is_it = is_it(&kept, token);
        if is_it {
            *kept = None;
        }
        is_it
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, to: Kept) {
        *self.kept() = to;
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
        assert!(!setup.take(&old) && setup.take(&new) && !setup.take(&new));
        assert!(!setup.check(&new));
        let begun = Instant::now().checked_sub(COUNTS_FOR).expect("it runs for longer");
        setup.set(Some((Sha256::digest(&new).into(), begun)));
        assert!(!setup.check(&new), "an hour later");
    }
}
