//! TLS of the server itself: a certificate out of files, which may be replaced while it serves.

use std::convert::Infallible;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use super::config::TlsFiles;

/// How often it is looked whether the files are others.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Bytes of one of the files: a long chain many times over.
const MAX_BYTES: u64 = 1024 * 1024;
/// The protocol that is spoken above TLS.
const ALPN: &[u8] = b"http/1.1";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{setting}: {} cannot be read: {error}", path.display())]
    Unreadable { setting: &'static str, path: PathBuf, error: std::io::Error },
    #[error("{setting}: {} has more than {MAX_BYTES} bytes.", path.display())]
    TooLong { setting: &'static str, path: PathBuf },
    #[error("tls_cert: {} has no certificate in PEM (`-----BEGIN CERTIFICATE-----`).", .0.display())]
    NoCertificate(PathBuf),
    #[error(
        "tls_key: {} has no private key in PEM that is not encrypted (`-----BEGIN PRIVATE KEY-----`).", .0.display()
    )]
    NoKey(PathBuf),
    #[error("tls_cert, tls_key: the key in {} is not that of the certificate in {}.", key.display(), cert.display())]
    Mismatch { cert: PathBuf, key: PathBuf },
    #[error("tls_cert, tls_key: {} and {} cannot be used: {error}.", cert.display(), key.display())]
    Unusable { cert: PathBuf, key: PathBuf, error: rustls::Error },
}

/// What is in the two files.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// The certificate of the server as it is now.
pub struct Tls {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
    /// As they were at the start.
    first: Contents,
}

impl Tls {
    /// Reads the files that the settings name.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let first = read(&files)?;
        let config = RwLock::new(parse(&files, &first)?);
        Ok(Self { files, config, first })
    }

    /// What begins TLS on a connection, with the certificate that holds now.
    pub fn acceptor(&self) -> TlsAcceptor {
        // Nothing panics while it holds this.
        TlsAcceptor::from(self.config.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Takes the files anew whenever they are others, for ever. Those that cannot be used leave the certificate as it
    /// is; connections that are open keep theirs.
    pub async fn follow(&self) -> Infallible {
        let mut seen = Some(self.first.clone());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let files = self.files.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || read(&files)).await else { continue };
            if read.as_ref().ok() == seen.as_ref() {
                continue;
            }
            let made = read.as_ref().map_err(ToString::to_string);
            let made = made.and_then(|now| parse(&self.files, now).map_err(|error| error.to_string()));
            match made {
                Ok(config) => {
                    *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
                    tracing::info!(cert = %self.files.cert.display(), "the certificate was replaced");
                }
                Err(error) => tracing::error!("the certificate stays as it was: {error}"),
            }
            seen = read.ok();
        }
    }
}

fn read(files: &TlsFiles) -> Result<Contents, TlsError> {
    Ok(Contents { cert: read_file("tls_cert", &files.cert)?, key: read_file("tls_key", &files.key)? })
}

fn read_file(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |error| TlsError::Unreadable { setting, path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(TlsError::TooLong { setting, path: path.to_owned() });
    }
    Ok(bytes)
}

fn parse(TlsFiles { cert, key }: &TlsFiles, contents: &Contents) -> Result<Arc<ServerConfig>, TlsError> {
    let no_certificate = |_: pem::Error| TlsError::NoCertificate(cert.clone());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.cert).collect();
    let chain = chain.map_err(no_certificate)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(cert.clone()));
    }
    let private = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| TlsError::NoKey(key.clone()))?;
    let made = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
    let mut config = made.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { cert: cert.clone(), key: key.clone() },
        error => TlsError::Unusable { cert: cert.clone(), key: key.clone(), error },
    })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}
