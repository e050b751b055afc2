//! Hashes of random secrets, such as tokens in cookies and codes in links: the names under which what they open is kept.
//!
//! Who reads a hash opens nothing by it. The secrets are too long to be guessed, so that one pass of SHA-256 is enough.

use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

/// What secrets open, and how long they are.
pub trait SecretKind {
    const BYTES: usize;
}

/// SHA-256 of a secret of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash<K>([u8; 32], PhantomData<K>);

impl<K: SecretKind> SecretHash<K> {
    pub const fn new(hash: [u8; 32]) -> Self {
        Self(hash, PhantomData)
    }

    /// A new secret as text, which is for whom it lets in alone, and its hash.
    pub fn generate() -> (String, Self) {
        let mut secret = vec![0; K::BYTES];
        rand::rng().fill(&mut secret[..]);
        (URL_SAFE_NO_PAD.encode(&secret), Self::new(Sha256::digest(secret).into()))
    }

    /// Of a secret as text; `None` for what is none.
    pub fn of(secret: &str) -> Option<Self> {
        let secret = URL_SAFE_NO_PAD.decode(secret).ok().filter(|secret| secret.len() == K::BYTES)?;
        Some(Self::new(Sha256::digest(secret).into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text, for an address.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub fn from_text(text: &str) -> Option<Self> {
        Some(Self::new(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Short {}

    impl SecretKind for Short {
        const BYTES: usize = 16;
    }

    #[test]
    fn a_secret_is_known_by_its_hash_and_a_hash_is_no_secret() {
        let (secret, hash) = SecretHash::<Short>::generate();
        assert_eq!((secret.len(), SecretHash::of(&secret)), (22, Some(hash)));
        assert_eq!(SecretHash::<Short>::from_text(&hash.to_text()), Some(hash));
        assert_ne!(SecretHash::<Short>::generate().0, secret, "each is another one");
        for other in ["", &secret[1..], &format!("{secret}="), &format!("{secret}AAAA"), &hash.to_text()] {
            assert_eq!(SecretHash::<Short>::of(other), None, "{other}");
        }
    }
}
