//! The software bill of materials: all that is in the program and in its page, in CycloneDX's JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::external_models::uri::{Purl, Uri};
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::external_reference::{
    ExternalReference, ExternalReferenceType, ExternalReferences,
};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{License, LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::models::property::{Properties, Property};
use cyclonedx_bom::models::tool::{Tool, Tools};
use cyclonedx_bom::validation::Validate as _;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cargo::{self, NAME};
use crate::commit;

/// What is built for whom: the features of a half, and the platform, `None` for this one.
const HALVES: [(&str, Option<&str>); 2] =
    [("ssr,oidc", None), ("hydrate,split", Some("wasm32-unknown-unknown"))];
/// Of npm, in the page.
const NPM: [&str; 1] = ["uplot"];
/// The package that has SQLite's sources in it.
const SQLITE: &str = "libsqlite3-sys";

/// Components by their reference, each with the references of what it is made with.
type Graph = BTreeMap<String, (Component, BTreeSet<String>)>;

/// Lists it. `time` is in seconds since 1970.
pub fn write(root: &Path, time: i64) -> Result<Vec<u8>> {
    let checksums = checksums(&fs::read_to_string(root.join("Cargo.lock"))?)?;
    let mut graph = Graph::new();
    for (features, platform) in HALVES {
        add_half(&mut graph, &metadata(root, features, platform)?, &checksums)?;
    }
    let own = graph.keys().find(|name| name.starts_with(&format!("{NAME}@"))).cloned();
    let own = own.context("cargo does not name the program itself")?;
    for name in NPM {
        let component = npm(root, name)?;
        let reference = component.bom_ref.clone().expect("each has one");
        graph.get_mut(&own).expect("it was found there").1.insert(reference.clone());
        graph.insert(reference, (component, BTreeSet::new()));
    }
    let dependencies = graph.iter().map(|(name, (_, needs))| Dependency {
        dependency_ref: name.clone(),
        dependencies: needs.iter().cloned().collect(),
    });
    let dependencies = Dependencies(dependencies.collect());
    let (mut program, _) = graph.remove(&own).expect("it was found there");
    program.component_type = Classification::Application;
    let commit = commit::name(root).map(|commit| Property::new("lockstep:commit", &commit));
    program.properties = commit.map(|commit| Properties(vec![commit]));
    let bom = Bom {
        spec_version: SpecVersion::V1_5,
        // A random one by default, with which no two runs would make the same.
        serial_number: None,
        metadata: Some(Metadata {
            timestamp: Some(OffsetDateTime::from_unix_timestamp(time)?.format(&Rfc3339)?.try_into()?),
            tools: Some(Tools::List(vec![Tool::new("CycloneDX", "cyclonedx-bom", "0.8")])),
            component: Some(program),
            ..Metadata::default()
        }),
        components: Some(Components(graph.into_values().map(|(component, _)| component).collect())),
        dependencies: Some(dependencies),
        ..Bom::default()
    };
    let result = bom.validate_version(SpecVersion::V1_5);
    if !result.passed() {
        bail!("the bill of materials does not fit CycloneDX 1.5: {result:?}");
    }
    let mut json = Vec::new();
    bom.output_as_json_v1_5(&mut json)?;
    json.push(b'\n');
    Ok(json)
}

fn metadata(root: &Path, features: &str, platform: Option<&str>) -> Result<Value> {
    let host = host()?;
    let mut command = cargo::cargo(root);
    command.args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--no-default-features",
        "--features",
        features,
    ]);
    command.args(["--filter-platform", platform.unwrap_or(&host)]);
    let output = command.output().context("cargo did not start")?;
    if !output.status.success() {
        bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata says nothing")
}

/// The platform that the compiler runs on and builds for.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc did not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}

/// Adds what a half is made of: reached from the program without what only tests or build scripts use.
fn add_half(graph: &mut Graph, metadata: &Value, checksums: &BTreeMap<String, String>) -> Result<()> {
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let by_id = |all: &Value| -> BTreeMap<String, Value> {
        array(all).into_iter().filter_map(|one| Some((one["id"].as_str()?.to_owned(), one))).collect()
    };
    let (packages, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let reference = |id: &str| -> Result<String> {
        let package = packages.get(id).with_context(|| format!("cargo does not know {id}"))?;
        Ok(format!("{}@{}", text(package, "name")?, text(package, "version")?))
    };
    let mut left = vec![text(&metadata["resolve"], "root")?.to_owned()];
    let mut seen: BTreeSet<String> = left.iter().cloned().collect();
    while let Some(id) = left.pop() {
        let package = packages.get(&id).with_context(|| format!("cargo does not know {id}"))?;
        let name = reference(&id)?;
        let (_, needs) = match graph.entry(name.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert((crate_of(package, &name, checksums.get(&name))?, BTreeSet::new()))
            }
        };
        let mut inside = None;
        if text(package, "name")? == SQLITE {
            let sqlite = sqlite(package)?;
            needs.extend(sqlite.bom_ref.clone());
            inside = Some(sqlite);
        }
        for dependency in array(&nodes[&id]["deps"]) {
            // The kind of what is compiled in has no name.
            if array(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                let id = text(&dependency, "pkg")?.to_owned();
                needs.insert(reference(&id)?);
                if seen.insert(id.clone()) {
                    left.push(id);
                }
            }
        }
        if let Some(component) = inside {
            graph.insert(component.bom_ref.clone().expect("each has one"), (component, BTreeSet::new()));
        }
    }
    Ok(())
}

fn crate_of(package: &Value, reference: &str, checksum: Option<&String>) -> Result<Component> {
    let (name, version) = (text(package, "name")?, text(package, "version")?);
    let mut component = component("cargo", name, version, package["license"].as_str(), reference)?;
    component.hashes = checksum.map(|checksum| {
        Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(checksum.clone()) }])
    });
    component.external_references = package["repository"].as_str().map(|address| {
        ExternalReferences(vec![ExternalReference::new(ExternalReferenceType::Vcs, Uri::new(address))])
    });
    Ok(component)
}

/// What is inside of the package that brings SQLite: scanners know it by its own name.
fn sqlite(package: &Value) -> Result<Component> {
    let manifest = Path::new(text(package, "manifest_path")?);
    let header = manifest.with_file_name("sqlite3").join("sqlite3.h");
    let header =
        fs::read_to_string(&header).with_context(|| format!("{} cannot be read", header.display()))?;
    let version = header.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION "));
    let version = version.context("sqlite3.h names no version")?.trim().trim_matches('"');
    component("generic", "sqlite", version, Some("blessing"), &format!("sqlite@{version}"))
}

fn npm(root: &Path, name: &str) -> Result<Component> {
    let file = root.join("node_modules").join(name).join("package.json");
    let text_of = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let package: Value = serde_json::from_slice(&text_of)?;
    let version = text(&package, "version")?;
    component("npm", name, version, package["license"].as_str(), &format!("{name}@{version}"))
}

fn component(
    kind: &str,
    name: &str,
    version: &str,
    licence: Option<&str>,
    reference: &str,
) -> Result<Component> {
    let mut component = Component::new(Classification::Library, name, version, Some(reference.to_owned()));
    component.purl = Some(Purl::new(kind, name, version)?);
    component.licenses = licence.map(|licence| {
        // Older packages write a slash where the list of licences has OR.
        Licenses(vec![match SpdxExpression::parse_lax(licence.to_owned()) {
            Ok(expression) => LicenseChoice::Expression(expression),
            Err(_) => LicenseChoice::License(License::named_license(licence)),
        }])
    });
    Ok(component)
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value[name].as_str().with_context(|| format!("{name} is missing"))
}

/// The SHA-256 of packages as they are downloaded, by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<String, String>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock cannot be read")?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock names no packages")?;
    let line = |package: &toml::Value| {
        let text = |name: &str| package.get(name)?.as_str();
        Some((format!("{}@{}", text("name")?, text("version")?), text("checksum")?.to_owned()))
    };
    Ok(packages.iter().filter_map(line).collect())
}
