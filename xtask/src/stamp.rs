//! What a site was made of, so that it is made again only where something of that changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::{Paths, Profile, files};

/// The steps themselves.
const STEPS: [&str; 2] = [include_str!("page.rs"), include_str!("compress.rs")];
/// What they read beside the module, with the versions of what they run.
const READ: [&str; 5] = ["public", "style", "scripts/empty-functions.mjs", "Cargo.lock", "package-lock.json"];

/// A hash of all that a site is made of, and of what was made.
#[derive(Debug, PartialEq)]
pub struct Stamp {
    inputs: String,
    file: PathBuf,
}

impl Stamp {
    /// Reads what a site is made of now.
    pub fn read(profile: Profile, paths: &Paths, module: &Path) -> Result<Self> {
        let mut hash = Sha256::new_with_prefix(format!("{profile:?}"));
        for step in STEPS {
            add(&mut hash, step.as_bytes());
        }
        add_file(&mut hash, module)?;
        for name in READ {
            add_all(&mut hash, &paths.root.join(name))?;
        }
        Ok(Self { inputs: hex(hash), file: paths.site.with_extension("stamp") })
    }

    /// True where the site was made of just that, and is as it was made.
    pub fn holds(&self, site: &Path) -> bool {
        let kept = fs::read_to_string(&self.file).ok();
        kept.is_some_and(|kept| self.line(site).is_ok_and(|now| now == kept))
    }

    /// Notes that the site is made of it now.
    pub fn keep(&self, site: &Path) -> Result<()> {
        fs::write(&self.file, self.line(site)?)
            .with_context(|| format!("{} cannot be written", self.file.display()))
    }

    fn line(&self, site: &Path) -> Result<String> {
        let mut hash = Sha256::new();
        add_all(&mut hash, site)?;
        Ok(format!("{} {}\n", self.inputs, hex(hash)))
    }
}

/// A file, or all that is in a folder.
fn add_all(hash: &mut Sha256, path: &Path) -> Result<()> {
    if path.is_file() {
        return add_file(hash, path);
    }
    let mut all = files(path)?;
    all.sort_unstable();
    for file in all {
        add(hash, file.strip_prefix(path).unwrap_or(&file).as_os_str().as_encoded_bytes());
        add_file(hash, &file)?;
    }
    Ok(())
}

fn add_file(hash: &mut Sha256, path: &Path) -> Result<()> {
    add(hash, &fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?);
    Ok(())
}

/// With its length, so that what stands beside each other is not taken for something else.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// A hash as `sha256sum` writes it.
pub fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_holds_until_it_or_what_it_is_made_of_changes() {
        let root = std::env::temp_dir().join(format!("lockstep-stamp-{}", std::process::id()));
        let paths = Paths { root: root.clone(), target: root.join("target"), site: root.join("target/site") };
        for folder in ["public", "style", "scripts", "target/site/pkg"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        for file in ["style/main.scss", "scripts/empty-functions.mjs", "Cargo.lock", "package-lock.json"] {
            fs::write(root.join(file), file).expect("written");
        }
        let (module, made) = (root.join("target/page.wasm"), root.join("target/site/pkg/page.js"));
        fs::write(&module, "module").expect("written");
        fs::write(&made, "made").expect("written");
        let stamp = |profile| Stamp::read(profile, &paths, &module).expect("reads");
        let release = stamp(Profile::Release);
        assert!(!release.holds(&paths.site), "nothing was made yet");
        release.keep(&paths.site).expect("written");
        assert!(stamp(Profile::Release).holds(&paths.site));
        assert!(!stamp(Profile::Quick).holds(&paths.site), "another profile");
        fs::write(root.join("style/main.scss"), "changed").expect("written");
        assert!(!stamp(Profile::Release).holds(&paths.site), "another style");
        stamp(Profile::Release).keep(&paths.site).expect("written");
        fs::write(&made, "truncated").expect("written");
        assert!(!stamp(Profile::Release).holds(&paths.site), "what was made is another");
        fs::remove_dir_all(&root).expect("removed");
    }
}
