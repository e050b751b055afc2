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
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::app::Assets;

/// Where the build puts the page's code: scripts and WebAssembly, which belong together.
const PKG: &str = "/pkg/";
const JS: &str = "/pkg/lockstep.js";
const WASM: &str = "/pkg/lockstep.wasm";
/// Fetches the parts of a page that was built in parts, by names relative to its own.
const LOADER_PREFIX: &str = "/pkg/__wasm_split";
/// The files that each part of a page is made of, where it was built in parts.
const MANIFEST: &str = "/pkg/__wasm_split_manifest.json";
/// The part that shows every page but that of a dashboard.
const PAGES: &str = "pages";
/// The part that shows the contents of the kinds that come apart.
const CONTENTS: &str = "contents";
const CSS: &str = "/pkg/lockstep.css";
const CHARTS_JS: &str = "/vendor/uPlot.iife.min.js";
const CHARTS_CSS: &str = "/vendor/uPlot.min.css";
/// What else a page loads by name, with the hash of what is in it.
const HASHED: [&str; 3] = [CSS, CHARTS_JS, CHARTS_CSS];
/// What a page without a network needs beside these, by plain addresses.
const PLAIN: [&str; 2] = ["/favicon.svg", "/manifest.webmanifest"];
/// The page that the service worker keeps: what it shows is on the visitor's device.
pub const SHELL: &str = "/offline";
/// The service worker, which the build's names are written above.
const WORKER: &str = include_str!("service_worker.js");
/// Characters of a content hash in an address: 72 bits.
const HASH_CHARS: usize = 12;

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Why there is nothing to serve.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error(
        "the page's files are not there. Looked for {JS} in: {}. Build them with `make build`, or say \
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
    versions: Arc<BTreeMap<String, Version>>,
    /// The names of the files of each part.
    parts: Arc<BTreeMap<String, Vec<String>>>,
    /// The name of all code together. It is part of the address of each, so that code of two builds
    /// never meets, whatever fetches it by whatever name.
    code: Arc<str>,
    build: Arc<str>,
}

/// A file as it was at the start.
#[derive(Clone, PartialEq)]
struct Version {
    hash: String,
    /// The whole hash as browsers check it.
    integrity: String,
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
        let unreadable = |path: PathBuf| |error| SiteError::Unreadable { path, error };
        let mut names: Vec<String> = HASHED.into_iter().chain(PLAIN).map(str::to_owned).collect();
        let pkg = root.join(&PKG[1..]);
        for entry in std::fs::read_dir(&pkg).map_err(unreadable(pkg.clone()))? {
            let name = entry.map_err(unreadable(pkg.clone()))?.file_name();
            names.extend(name.to_str().map(|name| format!("{PKG}{name}")).filter(|name| is_code(name)));
        }
        let mut versions = BTreeMap::new();
        for name in names {
            let path = root.join(&name[1..]);
            // Charts are an extra that a build may lack; the page says so by itself.
            if path.is_file() {
                let version = Version::read(&path).map_err(unreadable(path))?;
                versions.insert(name, version);
            }
        }
        let manifest = std::fs::read(root.join(&MANIFEST[1..])).unwrap_or_default();
        // A page that was built whole has none. Without it the parts are only fetched later.
        let parts = serde_json::from_slice(&manifest).unwrap_or_default();
        let (mut code, mut all) = (Sha256::new(), Sha256::new_with_prefix(WORKER));
        for (name, version) in &versions {
            all.update(&version.integrity);
            if is_code(name) {
                code.update(&version.integrity);
            }
        }
        let (code, build) = (short(&code.finalize()).into(), short(&all.finalize()).into());
        Ok(Self {
            root: root.as_path().into(),
            versions: Arc::new(versions),
            parts: Arc::new(parts),
            code,
            build,
        })
    }

    /// The name of all files together: another one where any of them is another.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// The service worker of this build.
    pub fn worker(&self) -> String {
        let address =
            |(name, version): (&String, &Version)| (self.address(name), version.integrity.clone().into());
        let files: serde_json::Map<_, _> = self.versions.iter().map(address).collect();
        let build = json!({ "id": &*self.build, "shell": SHELL, "files": files });
        format!("const BUILD = {build};\n{WORKER}")
    }

    /// The address under which a file may be kept for good.
    fn address(&self, name: &str) -> String {
        match self.versions.get(name) {
            Some(_) if is_code(name) => format!("{PKG}{}/{}", self.code, &name[PKG.len()..]),
            Some(version) if !PLAIN.contains(&name) => format!("{name}?v={}", version.hash),
            _ => name.to_owned(),
        }
    }

    /// The addresses of what a page loads; `nonce` is for its scripts.
    pub fn assets(&self, nonce: String) -> Assets {
        Assets {
            css: self.address(CSS),
            js: self.address(JS),
            wasm: self.address(WASM),
            charts_js: self.address(CHARTS_JS),
            charts_css: self.address(CHARTS_CSS),
            loader: self
                .versions
                .keys()
                .find(|name| name.starts_with(LOADER_PREFIX))
                .map(|name| self.address(name)),
            pages: self.part(PAGES),
            contents: self.part(CONTENTS),
            nonce,
        }
    }

    /// The addresses of the files of a part.
    fn part(&self, name: &str) -> Vec<String> {
        let files = self.parts.get(name).into_iter().flatten().map(|file| format!("{PKG}{file}.wasm"));
        files.filter(|file| self.versions.contains_key(file)).map(|file| self.address(&file)).collect()
    }

    /// Answers a request for a file: compressed as it lies there, cached for good where the address
    /// carries the hash of what is in it. Never with HTML; a file that is not there is a plain 404.
    pub async fn serve(&self, mut request: Request) -> Response {
        let cache = if self.is_current(request.uri()) { IMMUTABLE } else { NO_CACHE };
        if let Some(name) = self.code_name(request.uri().path()) {
            *request.uri_mut() =
                Uri::try_from(name).expect("a name that was found among the files is a path");
        }
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

    /// The file that an address of this build's code means.
    fn code_name(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(PKG)?.strip_prefix(&*self.code)?.strip_prefix('/')?;
        let name = format!("{PKG}{rest}");
        self.versions.contains_key(&name).then_some(name)
    }

    /// Whether an address names a file by the hash of what is in it now. A file that was built anew
    /// since the start has no address that says so, until the server starts again.
    fn is_current(&self, uri: &Uri) -> bool {
        let hash = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("v=")));
        let code = self.code_name(uri.path());
        let name = code.as_deref().unwrap_or(uri.path());
        let Some(version) = self.versions.get(name) else { return false };
        let unchanged = || changed(&self.root.join(&name[1..])) == version.changed;
        (code.is_some() || hash == Some(&version.hash)) && unchanged()
    }
}

impl Version {
    fn read(path: &Path) -> std::io::Result<Self> {
        let changed = changed(path);
        let digest = Sha256::digest(std::fs::read(path)?);
        let integrity = format!("sha256-{}", STANDARD.encode(digest));
        Ok(Self { hash: short(&digest), integrity, changed })
    }
}

/// Whether a file is a script or WebAssembly of the build.
fn is_code(name: &str) -> bool {
    name.starts_with(PKG) && (name.ends_with(".js") || name.ends_with(".wasm"))
}

/// A hash as it stands in addresses.
fn short(digest: &[u8]) -> String {
    let mut hash = URL_SAFE_NO_PAD.encode(digest);
    hash.truncate(HASH_CHARS);
    hash
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|about| about.modified()).ok()
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
