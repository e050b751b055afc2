//! Tickets: that somebody has just given the right password of an account, and is to give a code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::dashboard::UserId;
use crate::server::access::directory::Account;

/// How long a ticket counts.
const COUNTS_FOR_MS: u64 = 5 * 60_000;
/// Bytes of a ticket that is looked at: an id, a number and a signature, with room.
const MAX_BYTES: usize = 200;

/// Signs tickets with a key that ends with the process. Times are milliseconds of a clock that is never set.
pub struct Tickets {
    key: Hmac<Sha256>,
}

impl Default for Tickets {
    fn default() -> Self {
        let key = rand::random::<[u8; 32]>();
        Self { key: Hmac::new_from_slice(&key).expect("HMAC takes keys of any length") }
    }
}

impl Tickets {
    /// A ticket of an account, which its next password makes void.
    pub fn issue(&self, account: &Account, now_ms: u64) -> String {
        let expires = now_ms + COUNTS_FOR_MS;
        let signature = self.signed(account, expires).finalize().into_bytes();
        format!("{}.{expires}.{}", account.id, URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether a ticket was issued for an account as it is now, and counts still.
    pub fn is_valid(&self, ticket: &str, account: &Account, now_ms: u64) -> bool {
        let Some(Parts { account: named, expires, signature }) = read(ticket) else { return false };
        let is_signed = self.signed(account, expires).verify_slice(&signature).is_ok();
        is_signed && named == account.id && now_ms < expires
    }

    fn signed(&self, account: &Account, expires: u64) -> Hmac<Sha256> {
        let mac = self.key.clone().chain_update(account.id.as_str());
        // No id has a zero in it, and the number is always as long.
        let mac = mac.chain_update([0]).chain_update(expires.to_be_bytes());
        mac.chain_update(account.password.as_deref().unwrap_or_default())
    }
}

/// What a ticket says, whoever wrote it.
struct Parts {
    account: UserId,
    expires: u64,
    signature: Vec<u8>,
}

fn read(ticket: &str) -> Option<Parts> {
    let mut parts = ticket.split('.');
    let (account, expires, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if ticket.len() > MAX_BYTES || parts.next().is_some() {
        return None;
    }
    Some(Parts {
        account: UserId::new(account).ok()?,
        expires: expires.parse().ok()?,
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
    })
}

/// The account that a ticket names, whether it is valid or not.
pub fn account_of(ticket: &str) -> Option<UserId> {
    read(ticket).map(|parts| parts.account)
}
