//! The third-party notices name what `Cargo.lock` and `package.json` name: each package in the version that is
//! used, with a text for its licence.

#![cfg(feature = "ssr")]

use std::collections::BTreeSet;

use lockstep::server::notices::NOTICES;

const AGAIN: &str = "run `node scripts/notices.mjs` (after scripts/setup.sh) and commit THIRD-PARTY-NOTICES";

/// The `name version` of each line of a section.
fn section(title: &str) -> BTreeSet<String> {
    let after = NOTICES.split_once(&format!("\n# {title}\n")).expect("the section is there").1;
    let lines =
        after.lines().take_while(|line| !line.starts_with("# ")).filter_map(|line| line.strip_prefix("- "));
    lines.map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn the_notices_are_those_of_the_packages_that_are_used() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).expect("reads");
    let lock: toml::Table = read("Cargo.lock").parse().expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let label = |one: &toml::Value| {
        format!("{} {}", one["name"].as_str().expect("a name"), one["version"].as_str().expect("a version"))
    };
    let mut used: BTreeSet<String> = packages
        .iter()
        .filter(|one| !matches!(one["name"].as_str(), Some("lockstep" | "xtask")))
        .map(label)
        .collect();
    let package: serde_json::Value = serde_json::from_str(&read("package.json")).expect("JSON");
    used.insert(format!("uplot {}", package["dependencies"]["uplot"].as_str().expect("a version")));

    let (shipped, others) = (
        section("In the program and its page"),
        section("Only for other machines, for building, or for testing"),
    );
    let named: BTreeSet<String> = shipped.union(&others).cloned().collect();
    let missing: Vec<_> = used.difference(&named).collect();
    let gone: Vec<_> = named.difference(&used).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not named: {missing:?}; not used any more: {gone:?}; {AGAIN}"
    );
    assert!(shipped.is_disjoint(&others), "{AGAIN}");
    for dependency in ["axum ", "leptos ", "sqlx ", "yrs ", "wasm-bindgen "] {
        assert!(shipped.iter().any(|one| one.starts_with(dependency)), "{dependency}ships");
    }
    for tool in ["proptest ", "tempfile "] {
        assert!(others.iter().any(|one| one.starts_with(tool)), "{tool}does not ship");
    }
}

#[test]
fn every_package_that_ships_has_a_text() {
    let texts = NOTICES.split_once("\n# Texts\n").expect("the section is there").1;
    let heads: String =
        texts.split(&"-".repeat(100)).map(|one| one.split("\n\n").next().unwrap_or_default()).collect();
    let heads = heads.split_whitespace().collect::<Vec<_>>().join(" ");
    for package in section("In the program and its page") {
        let at = |after: char| heads.contains(&format!(" {package}{after}"));
        assert!(at(',') || at(':'), "{package} has no text");
    }
}
