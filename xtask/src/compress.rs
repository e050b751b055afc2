//! Compressed copies of the site's files, beside them, which the server sends as they are.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{Profile, files};

/// How hard brotli tries: its most, and what is done in a moment.
const BEST: i32 = 11;
const QUICK: i32 = 5;

/// Writes `.br` and `.gz` beside each file of a folder and of those in it, on all cores.
pub fn folder(folder: &Path, profile: Profile) -> Result<()> {
    let files = largest_first(folder)?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(file, profile).with_context(|| format!("{} cannot be compressed", file.display()))?;
        }
        Ok(())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })
}

fn one(file: &Path, profile: Profile) -> Result<()> {
    let bytes = fs::read(file)?;
    let beside = |ending: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let quality = if profile == Profile::Quick { QUICK } else { BEST };
    let parameters = BrotliEncoderParams { quality, ..BrotliEncoderParams::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut bytes.as_slice(), &mut packed, &parameters)?;
    fs::write(beside(".br"), packed)?;
    let level = if profile == Profile::Quick { Compression::fast() } else { Compression::best() };
    let mut gzip = GzEncoder::new(Vec::new(), level);
    gzip.write_all(&bytes)?;
    fs::write(beside(".gz"), gzip.finish()?)?;
    Ok(())
}

/// The largest first, so that no core ends with the one that takes longest.
fn largest_first(folder: &Path) -> Result<Vec<PathBuf>> {
    let size = |path: PathBuf| Ok((fs::metadata(&path)?.len(), path));
    let mut found = files(folder)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
    found.sort_unstable();
    Ok(found.into_iter().rev().map(|(_, path)| path).collect())
}
