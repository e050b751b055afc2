//! What operators download: a tarball with one program that has the page inside, and what belongs to it.
//!
//! The same commit, compiled by the same compiler in the same place, gives the same bytes: entries are sorted, and all
//! times are the commit's.

mod page_inside;
mod sbom;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::cargo::{Build, NAME};
use crate::{Paths, Profile, commit, empty_folder, files, stamp};

/// Files of the repository that are packed as they are, or folders of them.
const AS_THEY_ARE: [&str; 6] =
    ["CHANGELOG.md", "LICENSE", "README.md", "THIRD-PARTY-NOTICES", "docs", "packaging"];
/// Hashes of files, as `sha256sum --check` reads them.
const SUMS: &str = "SHA256SUMS";
const SBOM: &str = "sbom.cdx.json";
/// Seconds since 1970 that all files of a release carry (<https://reproducible-builds.org/specs/source-date-epoch/>).
const SOURCE_DATE: &str = "SOURCE_DATE_EPOCH";

/// A file of the tarball.
struct Packed {
    name: String,
    mode: u32,
    bytes: Vec<u8>,
}

/// Packs what was built.
pub fn make(profile: Profile, paths: &Paths) -> Result<()> {
    let time = source_date(&paths.root)?;
    let metadata = crate::cargo::metadata(&paths.root)?;
    let version =
        metadata["packages"].as_array().into_iter().flatten().find(|package| package["name"] == NAME);
    let version =
        version.and_then(|package| package["version"].as_str()).context("cargo knows no version")?;
    let name = format!("{NAME}-{version}-{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let sbom = sbom::write(&paths.root, i64::try_from(time)?)?;

    let program = Build::server(profile, paths).program();
    let program = fs::read(&program).with_context(|| format!("{} cannot be read", program.display()))?;
    let mut packed = vec![
        Packed { name: NAME.to_owned(), mode: 0o755, bytes: page_inside::append(program, &paths.site)? },
        Packed { name: SBOM.to_owned(), mode: 0o644, bytes: sbom.clone() },
    ];
    for name in AS_THEY_ARE {
        add(&mut packed, &paths.root, &paths.root.join(name))?;
    }
    packed.sort_by(|a, b| a.name.cmp(&b.name));
    let sums = packed.iter().map(|file| sum(&file.name, &file.bytes)).collect::<String>();
    packed.push(Packed { name: SUMS.to_owned(), mode: 0o644, bytes: sums.into_bytes() });

    let folder = paths.target.join(match profile {
        Profile::Quick => "dist-quick",
        Profile::Release => "dist",
    });
    empty_folder(&folder)?;
    let made =
        [(format!("{name}.tar.gz"), tarball(&name, &packed, time)?), (format!("{name}.cdx.json"), sbom)];
    let sums = made.iter().map(|(name, bytes)| sum(name, bytes)).collect::<String>();
    for (name, bytes) in &made {
        fs::write(folder.join(name), bytes)?;
    }
    fs::write(folder.join(SUMS), &sums)?;
    eprintln!("dist: {}", folder.display());
    eprint!("{sums}");
    Ok(())
}

/// The time of the commit in seconds since 1970, or what the environment says.
fn source_date(root: &Path) -> Result<u64> {
    let told = std::env::var(SOURCE_DATE).ok();
    let time = told.or_else(|| commit::git(root, &["log", "-1", "--format=%ct"]));
    let time = time.with_context(|| format!("outside of a repository {SOURCE_DATE} has to be set"))?;
    time.parse().with_context(|| format!("{SOURCE_DATE} is not a number of seconds: {time:?}"))
}

/// Adds a file of the repository, or all that is in a folder. Scripts stay ones that can be started.
fn add(packed: &mut Vec<Packed>, root: &Path, path: &Path) -> Result<()> {
    let all = if path.is_dir() { files(path)? } else { vec![path.to_owned()] };
    for file in all {
        let bytes = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = file.strip_prefix(root)?.to_str().context("a name that is no text")?.to_owned();
        let mode = if bytes.starts_with(b"#!") { 0o755 } else { 0o644 };
        packed.push(Packed { name, mode, bytes });
    }
    Ok(())
}

fn tarball(folder: &str, packed: &[Packed], time: u64) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for Packed { name, mode, bytes } in packed {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_mtime(time);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

fn sum(name: &str, bytes: &[u8]) -> String {
    format!("{}  {name}\n", stamp::hex(Sha256::new_with_prefix(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_tarball() {
        let file =
            |name: &str| Packed { name: name.to_owned(), mode: 0o644, bytes: name.as_bytes().to_vec() };
        let make = |time| tarball("lockstep", &[file("LICENSE"), file("lockstep")], time).expect("packs");
        assert_eq!(make(1_764_000_000), make(1_764_000_000));
        assert_ne!(make(1_764_000_000), make(1_764_000_001));
    }
}
