//! What browsers fetch: the page's module and its parts, their script, the style, and files as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;

use crate::cargo::{Build, NAME};
use crate::progress::Progress;
use crate::stamp::Stamp;
use crate::{Paths, Profile, compress, empty_folder, run};

/// The script that fetches parts of the module, under the name that the compiled module knows it by.
const LOADER: &str = "__wasm_split.______________________.js";
/// What Leptos keeps for hydrating an erased view bit by bit, which this page never does.
const NEVER_CALLED: &str = r"^(_RINvNvX\w+tachys|_ZN\d+_\$LT\$T\$u20\$as\$u20\$tachys).*IntoAny.*8into_any13hydrate_async(17h|[A-Za-z])";
/// More makes it smaller before it is compressed, and larger after.
const WASM_OPT: [&str; 3] = ["-O1", "--enable-bulk-memory", "--enable-nontrapping-float-to-int"];

/// Makes the site of the module that cargo built, where it is not there yet.
pub fn make(profile: Profile, paths: &Paths, progress: &Progress) -> Result<()> {
    let module = Build::page(profile, paths).program();
    let stamp = Stamp::read(profile, paths, &module)?;
    if stamp.holds(&paths.site) {
        return Ok(());
    }
    let pkg = paths.pkg();
    empty_folder(&paths.site)?;
    fs::create_dir_all(&pkg)?;
    copy_folder(&paths.root.join("public"), &paths.site)?;
    style(paths)?;
    match profile {
        Profile::Quick => bind(&module, &pkg, false)?,
        Profile::Release => {
            progress.say("build: the page is cut in parts and made small");
            let cut = paths.target.join("front").join("cut");
            fs::create_dir_all(&cut)?;
            let light = cut.join(format!("{NAME}.wasm"));
            fs::copy(&module, &light)?;
            empty_functions(paths, &light)?;
            let mut modules = split(&light, &cut.join("main.wasm"), &pkg)?;
            bind(&cut.join("main.wasm"), &pkg, true)?;
            modules.push(pkg.join(format!("{NAME}.wasm")));
            optimise(paths, &modules)?;
            minify(paths, &[pkg.join(format!("{NAME}.js")), pkg.join(LOADER)])?;
        }
    }
    compress::folder(&paths.site, profile)?;
    stamp.keep(&paths.site)
}

/// Joins the style's parts.
fn style(paths: &Paths) -> Result<()> {
    let mut sass = paths.npm_program("sass")?;
    sass.args(["--no-source-map", "--style=compressed"]).arg(paths.root.join("style/main.scss"));
    run(sass.arg(paths.pkg().join(format!("{NAME}.css"))))
}

/// Empties functions that are never called, so that what only they reach goes in the steps after this one.
fn empty_functions(paths: &Paths, module: &Path) -> Result<()> {
    let mut node = Command::new("node");
    run(node.arg(paths.root.join("scripts/empty-functions.mjs")).arg(module).arg(NEVER_CALLED))
}

/// Cuts a module in one that all need at once, and parts that are fetched later: these are what comes back.
fn split(module: &Path, main: &Path, pkg: &Path) -> Result<Vec<PathBuf>> {
    let bytes = fs::read(module)?;
    let (main_module, link) = (format!("./{NAME}.js"), format!("./{LOADER}"));
    let mut options = wasm_split_cli_support::Options::new(&bytes);
    options.output_dir = pkg;
    options.main_out_path = main;
    options.main_module = &main_module;
    options.link_name = &link;
    let split = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("{error:?}"))?;
    let manifest = serde_json::to_string_pretty(&split.prefetch_map)?;
    fs::write(pkg.join("__wasm_split_manifest.json"), manifest)?;
    Ok(split.split_modules)
}

/// Writes the module as the page loads it, and its script.
fn bind(module: &Path, pkg: &Path, is_split: bool) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.web(true)?.typescript(false).out_name(NAME).input_path(module);
    // The parts call what the linker exported, by its names.
    bindgen.keep_lld_exports(is_split).demangle(!is_split);
    bindgen.generate(pkg)?;
    // As Leptos asks for it.
    fs::rename(pkg.join(format!("{NAME}_bg.wasm")), pkg.join(format!("{NAME}.wasm")))?;
    Ok(())
}

fn optimise(paths: &Paths, modules: &[PathBuf]) -> Result<()> {
    for module in modules {
        let mut wasm_opt = paths.npm_program("wasm-opt")?;
        run(wasm_opt.args(WASM_OPT).arg(module).arg("-o").arg(module))?;
    }
    Ok(())
}

fn minify(paths: &Paths, scripts: &[PathBuf]) -> Result<()> {
    for script in scripts {
        let mut esbuild = paths.npm_program("esbuild")?;
        esbuild.arg(script).args(["--minify", "--format=esm", "--log-level=error", "--allow-overwrite"]);
        let mut outfile = std::ffi::OsString::from("--outfile=");
        outfile.push(script);
        run(esbuild.arg(outfile))?;
    }
    Ok(())
}

/// Copies what is in a folder, links resolved.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let (path, target) = (entry?.path(), to);
        let target = target.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target).with_context(|| format!("{} cannot be copied", path.display()))?;
        }
    }
    Ok(())
}
