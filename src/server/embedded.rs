//! The page's files inside the program: a ZIP archive behind its code, which `cargo xtask dist` puts there.
//!
//! Systems read a program from its beginning and archives are read from their end, so that one file is both:
//! `unzip -l lockstep` lists what is inside. Nothing has to be compiled again for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::{Ready, ready};
use std::io::{self, Cursor, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs::{self, Backend};
use zip::ZipArchive;
use zip::result::ZipError;

/// The archive's comment, with which a file ends that has one inside: others are not searched for it.
pub const COMMENT: &str = "Lockstep's page";
/// Bytes that all files of a page may have. They are held in memory; a page has 5 MB.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
const NANOSECONDS: u32 = 1_000_000_000;

/// Why what is inside cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the archive cannot be read: {0}. Is the program whole? `sha256sum --check` tells.")]
    Archive(#[from] ZipError),
    #[error("there are {0} bytes or more, and no more than {MAX_BYTES} are taken")]
    TooLarge(u64),
}

/// The files, by their path from the page's root.
#[derive(Clone)]
pub struct Embedded {
    entries: Arc<BTreeMap<String, Entry>>,
}

/// A file as it is served.
#[derive(Clone)]
struct Entry {
    bytes: Bytes,
    modified: SystemTime,
}

impl Embedded {
    /// True where a program ends as one does with a page inside.
    pub fn is_in(executable: &Path) -> bool {
        File::open(executable).and_then(|mut file| ends_with_archive(&mut file)).unwrap_or(false)
    }

    /// Reads the files out of a program; `None` where there are none inside. Errors where they are damaged.
    pub fn open(executable: &Path) -> Result<Option<Self>, EmbeddedError> {
        // A program that may be run need not be readable.
        let Ok(mut file) = File::open(executable) else { return Ok(None) };
        if !ends_with_archive(&mut file)? {
            return Ok(None);
        }
        let built = file.metadata()?.modified().unwrap_or(UNIX_EPOCH);
        let mut archive = ZipArchive::new(io::BufReader::new(file))?;
        let (mut entries, mut left) = (BTreeMap::new(), MAX_BYTES);
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index)?;
            let too_large = || EmbeddedError::TooLarge((MAX_BYTES - left).saturating_add(entry.size()));
            left = left.checked_sub(entry.size()).ok_or_else(too_large)?;
            let mut bytes = Vec::with_capacity(usize::try_from(entry.size()).unwrap_or(0));
            // Its checksum is compared at its end.
            entry.read_to_end(&mut bytes)?;
            let modified = modified(built, entry.crc32());
            entries.insert(entry.name().to_owned(), Entry { bytes: bytes.into(), modified });
        }
        Ok(Some(Self { entries: Arc::new(entries) }))
    }

    /// The paths of all files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// What is in a file.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.entries.get(name).map(|entry| &entry.bytes)
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let name = path.strip_prefix(".").unwrap_or(path).to_str();
        name.and_then(|name| self.entries.get(name)).cloned().ok_or(io::ErrorKind::NotFound.into())
    }
}

fn ends_with_archive(file: &mut File) -> io::Result<bool> {
    let mut end = [0; COMMENT.len()];
    let length = file.seek(SeekFrom::End(0))?;
    if length < end.len() as u64 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-(end.len() as i64)))?;
    file.read_exact(&mut end)?;
    file.rewind()?;
    Ok(end == *COMMENT.as_bytes())
}

/// A time for the entity tag, which is made of it and the size: the program's own, with a fraction that tells apart
/// what differs, because all files of a release have one time.
fn modified(built: SystemTime, crc32: u32) -> SystemTime {
    let seconds = built.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    UNIX_EPOCH + Duration::new(seconds, crc32 % NANOSECONDS)
}

impl Backend for Embedded {
    type File = OpenEntry;
    type Metadata = EntryMetadata;
    type OpenFuture = Ready<io::Result<OpenEntry>>;
    type MetadataFuture = Ready<io::Result<EntryMetadata>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        ready(
            self.entry(&path)
                .map(|entry| OpenEntry { metadata: entry.metadata(), bytes: Cursor::new(entry.bytes) }),
        )
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        ready(self.entry(&path).map(|entry| entry.metadata()))
    }
}

impl Entry {
    fn metadata(&self) -> EntryMetadata {
        EntryMetadata { bytes: self.bytes.len() as u64, modified: self.modified }
    }
}

/// What is known of a file without its bytes.
#[derive(Clone, Copy)]
pub struct EntryMetadata {
    bytes: u64,
    modified: SystemTime,
}

impl fs::Metadata for EntryMetadata {
    fn is_dir(&self) -> bool {
        false
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.modified)
    }

    fn len(&self) -> u64 {
        self.bytes
    }
}

/// A file that is being sent; all who get it share its bytes.
pub struct OpenEntry {
    bytes: Cursor<Bytes>,
    metadata: EntryMetadata,
}

impl fs::File for OpenEntry {
    type Metadata = EntryMetadata;
    type MetadataFuture<'a> = Ready<io::Result<EntryMetadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.metadata))
    }
}

impl AsyncRead for OpenEntry {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_read(cx, buffer)
    }
}

impl AsyncSeek for OpenEntry {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.bytes).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.bytes).poll_complete(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// A program with these files inside.
    fn program(files: &[(&str, &str)]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"\x7fELF code").expect("written");
        let mut archive = ZipWriter::new(file.as_file_mut());
        for (name, text) in files {
            archive.start_file(*name, SimpleFileOptions::default()).expect("begins");
            archive.write_all(text.as_bytes()).expect("written");
        }
        archive.set_comment(COMMENT).expect("it fits");
        archive.finish().expect("ends");
        file
    }

    #[test]
    fn files_behind_a_program_are_found() {
        let program = program(&[("pkg/lockstep.js", "let a"), ("favicon.svg", "<svg/>")]);
        assert!(Embedded::is_in(program.path()));
        let files = Embedded::open(program.path()).expect("reads").expect("has some");
        assert_eq!(files.names().collect::<Vec<_>>(), ["favicon.svg", "pkg/lockstep.js"]);
        assert_eq!(files.get("pkg/lockstep.js").expect("there"), "let a");
        assert!(files.get("pkg").is_none() && files.get("./favicon.svg").is_none());
    }

    #[test]
    fn a_program_without_files_is_not_searched() {
        for text in ["", "short", "a program of some length, and nothing behind it"] {
            let mut program = tempfile::NamedTempFile::new().expect("a file");
            program.write_all(text.as_bytes()).expect("written");
            assert!(!Embedded::is_in(program.path()));
            assert!(Embedded::open(program.path()).expect("reads").is_none());
        }
    }

    #[test]
    fn a_byte_that_changed_is_an_error() {
        let program = program(&[("pkg/lockstep.js", "let answer = 42")]);
        let mut bytes = std::fs::read(program.path()).expect("reads");
        let at = bytes.windows(2).position(|two| two == b"42").expect("stored as it is");
        bytes[at] = b'5';
        std::fs::write(program.path(), bytes).expect("written");
        let error = Embedded::open(program.path()).err().expect("refused").to_string();
        assert!(error.contains("checksum"), "{error}");
    }

    #[test]
    fn files_of_one_size_and_time_are_told_apart() {
        let program = program(&[("a.js", "let a"), ("b.js", "let b")]);
        let files = Embedded::open(program.path()).expect("reads").expect("has some");
        let time = |name| files.entry(Path::new(name)).expect("there").modified;
        assert_ne!(time("./a.js"), time("./b.js"));
        assert_eq!(time("a.js"), time("./a.js"));
    }
}
