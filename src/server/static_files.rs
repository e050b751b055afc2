//! The page's files: script, WebAssembly, styles, icons; from one directory, or from inside the program.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
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
use tower_http::services::fs::{Backend, DefaultServeDirFallback};

use super::embedded::{Embedded, EmbeddedError};
use crate::app::Assets;
use crate::app::address::BasePath;

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
    Unreadable { path: PathBuf, error: io::Error },
    #[error("the page's files inside {}: {error}", path.display())]
    Embedded { path: PathBuf, error: EmbeddedError },
}

/// The page's files, with the addresses under which pages load them.
#[derive(Clone)]
pub struct Site {
    files: Files,
    versions: Arc<BTreeMap<String, Version>>,
    /// The names of the files of each part.
    parts: Arc<BTreeMap<String, Vec<String>>>,
    /// The name of all code together. It is part of the address of each, so that code of two builds
    /// never meets, whatever fetches it by whatever name.
    code: Arc<str>,
    build: Arc<str>,
}

/// Where the files are.
#[derive(Clone)]
enum Files {
    Directory(Arc<Path>),
    Embedded(Embedded),
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
    /// Opens the directory that the setting names, or else what is inside the executable, or else `site` beside the
    /// executable or beside its directory (`target/release/lockstep` finds `target/site`), and reads what pages load.
    pub fn open(setting: Option<&Path>, executable: &Path) -> Result<Self, SiteError> {
        let files = Files::find(setting, executable)?;
        let names = HASHED.into_iter().chain(PLAIN).map(str::to_owned);
        let names = names
            .chain(files.pkg()?.into_iter().map(|name| format!("{PKG}{name}")).filter(|name| is_code(name)));
        let mut versions = BTreeMap::new();
        for name in names {
            // Charts are an extra that a build may lack; the page says so by itself.
            if let Some(version) = files.version(&name)? {
                versions.insert(name, version);
            }
        }
        let manifest = files.read(MANIFEST)?.unwrap_or_default();
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
        Ok(Self { files, versions: Arc::new(versions), parts: Arc::new(parts), code, build })
    }

    /// The name of all files together: another one where any of them is another.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// The service worker of this build, below a base path.
    pub fn worker(&self, base: &BasePath) -> String {
        let address = |(name, version): (&String, &Version)| {
            (base.to(&self.address(name)), version.integrity.clone().into())
        };
        let files: serde_json::Map<_, _> = self.versions.iter().map(address).collect();
        let build = json!({
            "id": &*self.build, "base": base.as_str(), "suffix": base.suffix(), "shell": base.to(SHELL), "files": files,
        });
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

    /// The addresses of what a page below a base path loads; `nonce` is for its scripts.
    pub fn assets(&self, base: &BasePath, nonce: String) -> Assets {
        let address = |name: &str| base.to(&self.address(name));
        Assets {
            css: address(CSS),
            js: address(JS),
            wasm: address(WASM),
            charts_js: address(CHARTS_JS),
            charts_css: address(CHARTS_CSS),
            loader: self
                .versions
                .keys()
                .find(|name| name.starts_with(LOADER_PREFIX))
                .map(|name| address(name)),
            pages: self.part(base, PAGES),
            contents: self.part(base, CONTENTS),
            nonce,
        }
    }

    /// The addresses of the files of a part, below a base path.
    fn part(&self, base: &BasePath, name: &str) -> Vec<String> {
        let files = self.parts.get(name).into_iter().flatten().map(|file| format!("{PKG}{file}.wasm"));
        files
            .filter(|file| self.versions.contains_key(file))
            .map(|file| base.to(&self.address(&file)))
            .collect()
    }

    /// Answers a request for a file: compressed as it lies there, cached for good where the address
    /// carries the hash of what is in it. Never with HTML; a file that is not there is a plain 404.
    pub async fn serve(&self, mut request: Request) -> Response {
        let cache = if self.is_current(request.uri()) { IMMUTABLE } else { NO_CACHE };
        if let Some(name) = self.code_name(request.uri().path()) {
            *request.uri_mut() =
                Uri::try_from(name).expect("a name that was found among the files is a path");
        }
        let mut response = match &self.files {
            Files::Directory(root) => answer(ServeDir::new(root), request).await,
            Files::Embedded(files) => answer(ServeDir::with_backend("", files.clone()), request).await,
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
        let unchanged = || self.files.changed(name) == version.changed;
        (code.is_some() || hash == Some(&version.hash)) && unchanged()
    }
}

impl Files {
    fn find(setting: Option<&Path>, executable: &Path) -> Result<Self, SiteError> {
        if setting.is_none() {
            let embedded = Embedded::open(executable);
            let fails = |error| SiteError::Embedded { path: executable.to_owned(), error };
            if let Some(embedded) = embedded.map_err(fails)? {
                return Ok(Self::Embedded(embedded));
            }
        }
        let beside = executable.parent().into_iter().flat_map(|dir| [dir.join("site"), dir.join("../site")]);
        let looked: Vec<PathBuf> = setting.map_or_else(|| beside.collect(), |dir| vec![dir.to_owned()]);
        match looked.iter().find(|dir| dir.join(&JS[1..]).is_file()) {
            Some(root) => Ok(Self::Directory(root.as_path().into())),
            None => Err(SiteError::NotFound(looked)),
        }
    }

    /// The names of the files beside the page's script.
    fn pkg(&self) -> Result<Vec<String>, SiteError> {
        match self {
            Self::Embedded(files) => {
                let in_pkg = |name: &str| name.strip_prefix(&PKG[1..]).map(str::to_owned);
                Ok(files.names().filter_map(in_pkg).collect())
            }
            Self::Directory(root) => {
                let path = root.join(&PKG[1..]);
                let name = |entry: io::Result<std::fs::DirEntry>| Ok(entry?.file_name().into_string().ok());
                let names = std::fs::read_dir(&path)
                    .and_then(|all| all.filter_map(|one| name(one).transpose()).collect());
                names.map_err(|error| SiteError::Unreadable { path, error })
            }
        }
    }

    /// A file as it is now; `None` where it is not there.
    fn version(&self, name: &str) -> Result<Option<Version>, SiteError> {
        let changed = self.changed(name);
        Ok(self.read(name)?.map(|bytes| {
            let digest = Sha256::digest(bytes);
            let integrity = format!("sha256-{}", STANDARD.encode(digest));
            Version { hash: short(&digest), integrity, changed }
        }))
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, SiteError> {
        match self {
            Self::Embedded(files) => Ok(files.get(&name[1..]).map(|file| Cow::Borrowed(&file[..]))),
            Self::Directory(root) => {
                let path = root.join(&name[1..]);
                let read = path.is_file().then(|| std::fs::read(&path)).transpose();
                Ok(read.map_err(|error| SiteError::Unreadable { path, error })?.map(Cow::Owned))
            }
        }
    }

    /// When a file changed last; `None` where that cannot be known, or cannot happen.
    fn changed(&self, name: &str) -> Option<SystemTime> {
        match self {
            Self::Embedded(_) => None,
            Self::Directory(root) => {
                std::fs::metadata(root.join(&name[1..])).and_then(|about| about.modified()).ok()
            }
        }
    }
}

/// Answers with a file, in the encoding that was asked for where it lies there compressed.
async fn answer<B: Backend>(files: ServeDir<DefaultServeDirFallback, B>, request: Request) -> Response {
    let files = files.append_index_html_on_directories(false).precompressed_br().precompressed_gzip();
    match files.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
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

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
