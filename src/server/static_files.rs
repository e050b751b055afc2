//! The page's files: script, WebAssembly, styles, icons; served from one directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::Request;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::app::Assets;

const JS: &str = "/pkg/lockstep.js";
const WASM: &str = "/pkg/lockstep.wasm";
const CSS: &str = "/pkg/lockstep.css";
const CHARTS_JS: &str = "/vendor/uPlot.iife.min.js";
const CHARTS_CSS: &str = "/vendor/uPlot.min.css";
/// What a page loads by name, with the hash of what is in it.
const HASHED: [&str; 5] = [JS, WASM, CSS, CHARTS_JS, CHARTS_CSS];
/// Characters of a content hash in an address: 72 bits.
const HASH_CHARS: usize = 12;

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Why there is nothing to serve.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error(
        "the page's files are not there. Looked for {JS} in: {}. Build them with `cargo leptos build`, or say \
         where they are with --site-root.", list(.0)
    )]
    NotFound(Vec<PathBuf>),
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
}

/// The directory of the page's files.
#[derive(Clone)]
pub struct Site {
    root: Arc<Path>,
    versions: Arc<BTreeMap<&'static str, Version>>,
}

/// A file as it was at the start.
#[derive(Clone, PartialEq)]
struct Version {
    hash: String,
    changed: Option<SystemTime>,
}

impl Site {
    /// Opens the directory that the setting names, or else `site` beside the executable or beside its
    /// directory (`target/release/lockstep` finds `target/site`), and reads what pages load.
    pub fn open(setting: Option<&Path>, executable: &Path) -> Result<Self, SiteError> {
        let beside = executable.parent().into_iter().flat_map(|dir| [dir.join("site"), dir.join("../site")]);
        let looked: Vec<PathBuf> = setting.map_or_else(|| beside.collect(), |dir| vec![dir.to_owned()]);
        let found = looked.iter().find(|dir| dir.join(&JS[1..]).is_file());
        let Some(root) = found else { return Err(SiteError::NotFound(looked)) };
        let mut versions = BTreeMap::new();
        for name in HASHED {
            let path = root.join(&name[1..]);
            // Charts are an extra that a build may lack; the page says so by itself.
            if path.is_file() {
                let version = Version::read(&path).map_err(|error| SiteError::Unreadable { path, error })?;
                versions.insert(name, version);
            }
        }
        Ok(Self { root: root.as_path().into(), versions: Arc::new(versions) })
    }

    /// The addresses of what a page loads; `nonce` is for its scripts.
    pub fn assets(&self, nonce: String) -> Assets {
        let address = |name: &str| match self.versions.get(name) {
            Some(version) => format!("{name}?v={}", version.hash),
            None => name.to_owned(),
        };
        Assets {
            css: address(CSS),
            js: address(JS),
            wasm: address(WASM),
            charts_js: address(CHARTS_JS),
            charts_css: address(CHARTS_CSS),
            nonce,
        }
    }

    /// Answers a request for a file: compressed as it lies there, cached for good where the address
    /// carries the hash of what is in it. Never with HTML; a file that is not there is a plain 404.
    pub async fn serve(&self, request: Request) -> Response {
        let cache = if self.is_current(request.uri()) { IMMUTABLE } else { NO_CACHE };
        let files = ServeDir::new(&*self.root)
            .append_index_html_on_directories(false)
            .precompressed_br()
            .precompressed_gzip();
        let mut response = match files.oneshot(request).await {
            Ok(response) => response.map(axum::body::Body::new),
            Err(never) => match never {},
        };
        if response.status() == StatusCode::NOT_FOUND {
            response = (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
        }
        let cache = if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            cache
        } else {
            HeaderValue::from_static("no-store")
        };
        response.headers_mut().insert(CACHE_CONTROL, cache);
        response
    }

    /// Whether an address names a file by the hash of what is in it now. A file that was built anew
    /// since the start has no address that says so, until the server starts again.
    fn is_current(&self, uri: &Uri) -> bool {
        let hash = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("v=")));
        let Some(version) = self.versions.get(uri.path()) else { return false };
        let unchanged = || changed(&self.root.join(&uri.path()[1..])) == version.changed;
        hash == Some(&version.hash) && unchanged()
    }
}

impl Version {
    fn read(path: &Path) -> std::io::Result<Self> {
        let changed = changed(path);
        let mut hash = URL_SAFE_NO_PAD.encode(Sha256::digest(std::fs::read(path)?));
        hash.truncate(HASH_CHARS);
        Ok(Self { hash, changed })
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|about| about.modified()).ok()
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
