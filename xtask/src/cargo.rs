//! Builds by cargo, with a count of the crates that are done.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::progress::Progress;
use crate::{Paths, Profile, commit};

/// The name of the target that browsers run.
const WASM: &str = "wasm32-unknown-unknown";
/// What the crate's files are called.
pub const NAME: &str = "lockstep";

/// One of the two halves.
pub struct Build {
    pub name: &'static str,
    arguments: Vec<String>,
    /// For the compiler, after all others, when it makes the last crate.
    compiler: Vec<&'static str>,
    features: &'static str,
    platform: Option<&'static str>,
    root: PathBuf,
    /// Of its own: two builds in one directory wait for each other.
    target: PathBuf,
    profile: &'static str,
    /// For what it compiles in.
    commit: Option<String>,
}

impl Build {
    /// The page's code. Small before fast, in the release: this is what a visitor waits for.
    pub fn page(profile: Profile, paths: &Paths) -> Self {
        let (features, profile, compiler) = match profile {
            Profile::Quick => ("hydrate", "quick-page", vec![]),
            // Relocations are what the module is cut in parts by. Names of the newer kind pack a little better.
            Profile::Release => (
                "hydrate,split",
                "wasm-release",
                vec!["-Clink-args=--emit-relocs", "-Csymbol-mangling-version=v0"],
            ),
        };
        // As a cdylib alone: for a library that is made as rlib too, cargo leaves out optimisation across crates.
        let arguments = ["rustc", "--lib", "--crate-type", "cdylib", "--target", WASM];
        let arguments = arguments.map(str::to_owned).to_vec();
        let (root, target) = (paths.root.clone(), paths.target.join("front"));
        Self {
            name: "page",
            arguments,
            compiler,
            features,
            platform: Some(WASM),
            root,
            target,
            profile,
            commit: None,
        }
    }

    pub fn server(profile: Profile, paths: &Paths) -> Self {
        let profile = match profile {
            Profile::Quick => "quick",
            Profile::Release => "release",
        };
        let arguments = ["build", "--bin", NAME].map(str::to_owned).to_vec();
        let (root, target) = (paths.root.clone(), paths.target.clone());
        Self {
            name: "server",
            arguments,
            compiler: vec![],
            features: "ssr,oidc",
            platform: None,
            root,
            target,
            profile,
            commit: commit::name(&paths.root),
        }
    }

    /// The program or the module that it makes.
    pub fn program(&self) -> PathBuf {
        match self.platform {
            Some(platform) => self.target.join(platform).join(self.profile).join(format!("{NAME}.wasm")),
            None => self.target.join(self.profile).join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX)),
        }
    }

    /// How many packages it compiles, about.
    pub fn count(&self) -> Result<usize> {
        let mut command = cargo(&self.root);
        command.args(["tree", "--locked", "--package", NAME, "--edges", "normal,build", "--prefix", "none"]);
        command.args(["--no-default-features", "--features", self.features]);
        command.args(self.platform.iter().flat_map(|platform| ["--target", platform]));
        let output = command.output().context("cargo did not start")?;
        if !output.status.success() {
            bail!("cargo tree failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let name = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
        Ok(text.lines().map(name).collect::<HashSet<_>>().len())
    }

    /// Compiles it. Errors and warnings go to standard error as they come.
    pub fn run(&self, progress: &Progress) -> Result<()> {
        let mut command = cargo(&self.root);
        command.args(&self.arguments).args(["--locked", "--package", NAME, "--profile", self.profile]);
        command.args(["--no-default-features", "--features", self.features]);
        command
            .args(["--message-format", "json-render-diagnostics", "--quiet", "--target-dir"])
            .arg(&self.target);
        if !self.compiler.is_empty() {
            command.arg("--").args(&self.compiler);
        }
        // Part of what is compiled in: under another name the framework, and with it the server, would be built anew.
        command.env("LEPTOS_OUTPUT_NAME", NAME);
        command.envs(self.commit.iter().map(|commit| (commit::COMMIT, commit)));
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cargo did not start")?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for line in BufReader::new(stderr.expect("it is piped")).lines().map_while(Result::ok) {
                    progress.say(&line);
                }
            });
            let mut done = HashSet::new();
            for line in BufReader::new(stdout.expect("it is piped")).lines().map_while(Result::ok) {
                let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
                let id = message["package_id"].as_str().filter(|_| message["reason"] == "compiler-artifact");
                if id.is_some_and(|id| done.insert(id.to_owned())) {
                    progress.count(self.name, done.len());
                }
            }
        });
        if !child.wait().context("cargo did not end")?.success() {
            bail!("the {} could not be compiled", self.name);
        }
        progress.finish(self.name);
        Ok(())
    }
}

/// Cargo, as it runs this.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Where cargo builds, whatever says so.
pub fn target_directory(root: &Path) -> Result<PathBuf> {
    Ok(metadata(root)?["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?
        .into())
}

/// What cargo knows of the packages here.
pub fn metadata(root: &Path) -> Result<Value> {
    let output = cargo(root)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cargo did not start")?;
    serde_json::from_slice(&output.stdout).context("cargo metadata says nothing")
}
