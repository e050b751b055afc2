//! The files of the certificate with which the server speaks TLS.

use std::path::PathBuf;

use super::secret::check_permissions;
use super::{ConfigError, Found};

const CERT: &str = "tls_cert";
const KEY: &str = "tls_key";

/// Where a certificate and its key are, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and behind it those that lead to one that browsers trust.
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Found {
    /// Both files or none. With a key that others may read comes a warning.
    pub(super) fn tls(&mut self) -> Result<Option<TlsFiles>, ConfigError> {
        let path = |name| self.parse(name, "a path", |text| Some(self.dir.join(text)));
        let needs = |set, needs| match self.get(set) {
            Some((place, _)) => Err(ConfigError::Needs { place, needs }),
            None => Ok(None),
        };
        match (path(CERT)?, path(KEY)?) {
            (Some(cert), Some(key)) => {
                // One that is not there stops the start, which says so.
                let metadata = std::fs::metadata(&key).ok();
                self.warnings.extend(metadata.and_then(|metadata| check_permissions(&key, &metadata)));
                Ok(Some(TlsFiles { cert, key }))
            }
            (Some(_), None) => needs(CERT, KEY),
            (None, Some(_)) => needs(KEY, CERT),
            (None, None) => Ok(None),
        }
    }
}
