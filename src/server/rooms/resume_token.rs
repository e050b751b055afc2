//! Resume tokens: the server's word that one of its logs had a revision, of that time. A client gives it
//! back when it resumes, so nobody can make up a history that a log does not have.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::dashboard::DashboardId;

/// The store's secret behind the tokens.
pub const SECRET: &str = "resume";
/// Bytes of the signature: 128 bits.
const SIGNATURE: usize = 16;

/// Signs the revisions of one dashboard's logs.
pub struct ResumeTokens(Hmac<Sha256>);

impl ResumeTokens {
    pub fn new(secret: &[u8; 32], dashboard: &DashboardId) -> Self {
        let key = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        // An id has no byte 0, nor has an epoch.
        Self(key.chain_update(dashboard.as_str()).chain_update([0]))
    }

    /// The token of a log's revision, whose commit was made at this time (Unix milliseconds).
    pub fn token(&self, epoch: &str, revision: u64, at: u64) -> String {
        let signature = self.sign(epoch, revision, at).finalize().into_bytes();
        format!("{at}.{}", URL_SAFE_NO_PAD.encode(&signature[..SIGNATURE]))
    }

    /// When the commit at that revision was made; `None` for a token that this server did not give for it.
    pub fn read(&self, epoch: &str, revision: u64, token: &str) -> Option<u64> {
        let (at, signature) = token.split_once('.')?;
        let (at, signature) = (at.parse().ok()?, URL_SAFE_NO_PAD.decode(signature).ok()?);
        let long = signature.len() == SIGNATURE;
        let signed = long && self.sign(epoch, revision, at).verify_truncated_left(&signature).is_ok();
        signed.then_some(at)
    }

    fn sign(&self, epoch: &str, revision: u64, at: u64) -> Hmac<Sha256> {
        let numbers = [revision.to_be_bytes(), at.to_be_bytes()].concat();
        self.0.clone().chain_update(epoch).chain_update([0]).chain_update(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_for_one_revision_of_one_log() {
        let id = |id| DashboardId::new(id).expect("an id");
        let tokens = ResumeTokens::new(&[7; 32], &id("d1"));
        let token = tokens.token("e1", 5, 1_795_000_000_000);
        assert_eq!(tokens.read("e1", 5, &token), Some(1_795_000_000_000));
        for (epoch, revision) in [("e1", 6), ("e2", 5)] {
            assert_eq!(tokens.read(epoch, revision, &token), None);
        }
        let later = token.replacen("1795", "1796", 1);
        for made_up in
            ["", ".", "5", "1795000000000.", "1795000000000.AAAAAAAAAAAAAAAAAAAAAA", &token[..30], &later]
        {
            assert_eq!(tokens.read("e1", 5, made_up), None, "{made_up}");
        }
        assert_eq!(ResumeTokens::new(&[7; 32], &id("d2")).read("e1", 5, &token), None);
        assert_eq!(ResumeTokens::new(&[8; 32], &id("d1")).read("e1", 5, &token), None);
    }
}
