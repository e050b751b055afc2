//! Builds of what ships: the server, and the page's code, style and files.
//!
//! `cargo xtask build` makes the small and fast one, with `--quick` one that is made soon. What people get from either
//! does the same. `cargo xtask dist` makes of it what operators download: one program with the page inside, packed with
//! what belongs to it.

mod cargo;
mod commit;
mod compress;
#[cfg(feature = "dist")]
mod dist;
mod page;
mod progress;
mod stamp;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

use crate::cargo::Build;
use crate::progress::Progress;

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Made soon, for whoever runs it on this machine.
    Quick,
    /// Small and fast.
    Release,
}

/// Where things are.
pub struct Paths {
    /// Of the repository.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// What browsers fetch.
    pub site: PathBuf,
}

impl Paths {
    fn find(profile: Profile) -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package has a parent")?.to_owned();
        let target = cargo::target_directory(&root)?;
        let site = target.join(match profile {
            Profile::Quick => "site-quick",
            Profile::Release => "site",
        });
        Ok(Self { root, target, site })
    }

    /// The folder of the page's code and style.
    pub fn pkg(&self) -> PathBuf {
        self.site.join("pkg")
    }

    /// A program that npm installed.
    pub fn npm_program(&self, name: &str) -> Result<Command> {
        let program = self.root.join("node_modules/.bin").join(name);
        if !program.exists() {
            bail!("{} is missing: run scripts/setup.sh", program.display());
        }
        Ok(Command::new(program))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (task, profile): (fn(Profile) -> Result<()>, _) = match arguments[..] {
        ["build"] => (build, Profile::Release),
        ["build", "--quick"] => (build, Profile::Quick),
        ["dist"] => (dist, Profile::Release),
        ["dist", "--quick"] => (dist, Profile::Quick),
        _ => {
            eprintln!("usage: cargo xtask build|dist [--quick]");
            return ExitCode::from(2);
        }
    };
    match task(profile) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", arguments[0]);
            ExitCode::FAILURE
        }
    }
}

/// Builds both halves at the same time: cargo waits for single crates often enough that one has what the other leaves.
fn build(profile: Profile) -> Result<()> {
    let paths = Paths::find(profile)?;
    let progress = Progress::new();
    let page = Build::page(profile, &paths);
    let server = Build::server(profile, &paths);
    progress.expect(&[(page.name, page.count()?), (server.name, server.count()?)]);
    let site = std::thread::scope(|scope| {
        let page = scope.spawn(|| page.run(&progress).and_then(|()| page::make(profile, &paths, &progress)));
        let server = scope.spawn(|| server.run(&progress));
        let made = page.join().expect("no panic");
        server.join().expect("no panic").and(made)
    });
    progress.end();
    site?;
    progress.say(&format!("done: {} and {}", server.program().display(), paths.site.display()));
    Ok(())
}

#[cfg(feature = "dist")]
fn dist(profile: Profile) -> Result<()> {
    build(profile)?;
    dist::make(profile, &Paths::find(profile)?)
}

/// Starts this anew with what packing takes, which builds do without.
#[cfg(not(feature = "dist"))]
fn dist(_: Profile) -> Result<()> {
    let mut command = cargo::cargo(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--profile",
        "xtask",
        "--package",
        "xtask",
        "--features",
        "dist",
        "--",
    ]);
    let status = command.args(env::args().skip(1)).status().context("cargo did not start")?;
    if !status.success() {
        bail!("it could not be packed");
    }
    Ok(())
}

/// Empties a folder, which is made where it is not there.
pub fn empty_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

/// Runs a program to its end; what it says is shown where it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} did not start"))?;
    if !output.status.success() {
        bail!("{program} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// All files in a folder and in those in it, in no order.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}
