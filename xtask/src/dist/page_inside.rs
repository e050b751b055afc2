//! The page behind a program's code, as a ZIP archive of files that are not packed again: the server sends them as they
//! lie there. `src/server/embedded.rs` reads it.

use std::fs;
use std::io::{Cursor, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::files;

/// What the server looks for at its own end.
const COMMENT: &str = "Lockstep's page";

/// The program with all files of a site behind it.
pub fn append(program: Vec<u8>, site: &Path) -> Result<Vec<u8>> {
    let mut whole = Cursor::new(program);
    whole.seek(SeekFrom::End(0))?;
    let mut archive = ZipWriter::new(whole);
    // Its clock begins in 1980 and counts by twos without a zone: none of it is read.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut all = files(site)?;
    all.sort_unstable();
    for file in all {
        let name = file.strip_prefix(site)?.to_str().context("a name that is no text")?;
        archive.start_file(name, options)?;
        archive.write_all(&fs::read(&file)?)?;
    }
    archive.set_comment(COMMENT)?;
    Ok(archive.finish()?.into_inner())
}
