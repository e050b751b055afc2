//! Builds of what ships: the server, and the page's code, style and files.
//!
//! `cargo run --package xtask -- build` makes the small and fast one, with `--quick` one that is made soon. What people
//! get from either does the same.

mod cargo;
mod compress;
mod page;
mod progress;

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
    let profile = match arguments[..] {
        ["build"] => Profile::Release,
        ["build", "--quick"] => Profile::Quick,
        _ => {
            eprintln!("usage: cargo run --package xtask -- build [--quick]");
            return ExitCode::from(2);
        }
    };
    match build(profile) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("build: {error:#}");
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
