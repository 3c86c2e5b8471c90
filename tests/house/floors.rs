//! The walls of the house, held against `cargo metadata`: which floor may use which, which libraries and licences may
//! come in, and that the documents cite what the code cites.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // a test says what it found by failing

mod compare;
mod threats;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// ARCHITECTURE.md, "The floors": floor → the floors it may use.
const FLOORS: &[(&str, &[&str])] = &[
    ("pillarbox-wire", &[]),
    ("pillarbox-message", &[]),
    ("pillarbox-store", &["message"]),
    ("pillarbox-oauth", &["store"]),
    ("pillarbox-delivery", &["wire", "message", "store"]),
    (
        "pillarbox-protocols",
        &["wire", "message", "store", "oauth", "delivery"],
    ),
    ("pillarbox-web", &["store", "oauth"]),
    ("pillarbox-client", &["wire", "message"]),
    (
        "pillarbox",
        &[
            "wire",
            "message",
            "store",
            "oauth",
            "delivery",
            "protocols",
            "web",
            "client",
        ],
    ),
    ("pillarbox-tests", &[]),
];

/// What a floor has never heard of, as third-party crates.
const UNHEARD: &[(&str, &[&str])] = &[
    ("pillarbox-wire", &["tokio", "rustls", "axum", "fjall"]),
    ("pillarbox-message", &["tokio", "rustls", "axum", "fjall"]),
    ("pillarbox-store", &["rustls", "axum", "hyper", "url"]),
    (
        "pillarbox-oauth",
        &["axum", "hyper", "askama", "fjall", "rustls"],
    ),
    ("pillarbox-delivery", &["axum", "hyper", "askama", "fjall"]),
    (
        "pillarbox-protocols",
        &[
            "rustls",
            "tokio-rustls",
            "axum",
            "hyper",
            "fjall",
            "socket2",
        ],
    ),
    ("pillarbox-web", &["rustls", "fjall", "hickory-resolver"]),
];

const FORBIDDEN: &[&str] = &[
    "openssl",
    "openssl-sys",
    "native-tls",
    "ring",
    "sieve-rs",
    "viadkim",
    "viaspf",
    "async-std",
];
const ONCE: &[&str] = &[
    "rustls",
    "aws-lc-sys",
    "aws-lc-rs",
    "hyper",
    "tokio",
    "hickory-proto",
];
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "OpenSSL",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
    "MIT-0",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn cargo(words: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args(words)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn metadata() -> Value {
    let text = cargo(&[
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--no-deps",
    ]);
    serde_json::from_str(&text).unwrap()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().unwrap().iter()
}

/// Names a package depends on at run time (not for its tests).
fn uses(package: &Value) -> BTreeSet<&str> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|d| d["kind"].is_null())
        .map(|d| d["name"].as_str().unwrap())
        .collect()
}

#[test]
fn every_floor_uses_only_what_lies_below_it() {
    let metadata = metadata();
    let ours: BTreeMap<_, _> = packages(&metadata)
        .filter(|p| p["source"].is_null())
        .map(|p| (p["name"].as_str().unwrap(), p))
        .collect();
    let table: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        table.keys().collect::<Vec<_>>(),
        "a floor is missing from the table"
    );
    for (name, package) in &ours {
        let allowed: BTreeSet<String> = table[name]
            .iter()
            .map(|f| format!("pillarbox-{f}"))
            .collect();
        for used in uses(package)
            .into_iter()
            .filter(|used| used.starts_with("pillarbox"))
        {
            assert!(allowed.contains(used), "{name} must not use {used}");
        }
    }
}

#[test]
fn no_floor_has_heard_of_what_lies_above_it() {
    let metadata = metadata();
    for (name, unheard) in UNHEARD {
        let package = packages(&metadata).find(|p| p["name"] == *name).unwrap();
        let uses = uses(package);
        for other in *unheard {
            assert!(!uses.contains(other), "{name} must not know {other}");
        }
    }
}

#[test]
fn folder_names_are_crate_names_and_every_manifest_takes_the_common_lints() {
    let metadata = metadata();
    for package in packages(&metadata).filter(|p| p["source"].is_null()) {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap();
        let name = package["name"].as_str().unwrap();
        assert!(
            folder == name || name == "pillarbox-tests",
            "{name} lies in {folder}"
        );
        assert_eq!(package["license"], "MIT OR Apache-2.0", "{name}");
        let text = std::fs::read_to_string(manifest).unwrap();
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{name} does not take the workspace's lints"
        );
        for dependency in package["dependencies"].as_array().unwrap() {
            assert!(
                dependency["source"].is_null()
                    || text.contains(&format!(
                        "{}.workspace = true",
                        dependency["name"].as_str().unwrap()
                    ))
                    || text.contains(&format!(
                        "{} = {{ workspace = true",
                        dependency["name"].as_str().unwrap()
                    )),
                "{name} states a version of {} by itself",
                dependency["name"]
            );
        }
    }
}

#[test]
fn the_dependencies_are_permissive_registered_and_single() {
    // `cargo tree` and not `cargo metadata`: only the former leaves out what no feature turns on.
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--locked",
        "--offline",
        "--edges=all",
        "--prefix=none",
        "--format={p}|{l}",
    ]);
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines().filter(|line| line.contains('|')) {
        let (package, licence) = line.split_once('|').unwrap();
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap_or_default());
        versions.entry(name).or_default().insert(version);
        assert!(!FORBIDDEN.contains(&name), "{name} must stay out");
        assert!(
            !package.contains("(http"),
            "{package} comes from a repository"
        );
        assert!(
            permissive(licence.trim_end_matches(" (*)")),
            "{name} is licensed {licence:?}"
        );
    }
    for name in ONCE {
        let count = versions.get(name).map_or(0, BTreeSet::len);
        assert!(count <= 1, "{name} is there twice: {:?}", versions[name]);
    }
    let crypto = versions["aws-lc-rs"].first();
    assert_eq!(
        crypto,
        Some(&"v1.18.2"),
        "see ARCHITECTURE.md, Dependencies, before moving aws-lc-rs"
    );
    assert!(
        versions.len() < 335,
        "{} crates: the house has grown, argue for it",
        versions.len()
    );
}

/// One way through an SPDX expression (OR of ANDs, as crates write them) must be permissive.
fn permissive(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" OR ")
        .any(|all| all.split(" AND ").all(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn every_dependency_of_the_workspace_is_used_and_justified() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = text
        .split("[workspace.dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    let metadata = metadata();
    let used: BTreeSet<&str> = packages(&metadata)
        .filter(|p| p["source"].is_null())
        .flat_map(|p| {
            p["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|d| d["name"].as_str().unwrap())
        })
        .collect();
    for line in table.lines().filter(|l| l.contains(" = ")) {
        let name = line.split(" = ").next().unwrap().trim();
        assert!(
            name.starts_with("pillarbox-") || used.contains(name),
            "{name} is in the workspace's table and used by nobody"
        );
        assert!(
            name.starts_with("pillarbox-") || line.contains('#'),
            "{name} is not justified in its line"
        );
    }
}

/// Rust files of the house, with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![
        root().join("crates"),
        root().join("tests"),
        root().join("fuzz"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().unwrap() != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs" || e == "t") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// Numbers after "RFC " in a text.
fn cited(text: &str) -> BTreeSet<u32> {
    let after = text.match_indices("RFC ").map(|(at, _)| &text[at + 4..]);
    after
        .filter_map(|t| {
            t[..t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len())]
                .parse()
                .ok()
        })
        .collect()
}

#[test]
fn every_cited_rfc_is_in_the_index_and_every_yes_is_cited() {
    let index = std::fs::read_to_string(root().join("docs/rfc.md")).unwrap();
    let rows = index
        .lines()
        .filter(|l| l.starts_with("| ") && l[2..].starts_with(|c: char| c.is_ascii_digit()));
    let mut listed = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let number: u32 = cells.next().unwrap().parse().unwrap();
        let state = cells.nth(1).unwrap().to_owned();
        assert!(
            ["yes", "partly", "no"].contains(&state.as_str()),
            "RFC {number} is {state:?}"
        );
        listed.insert(number, state);
    }
    let mut everywhere = BTreeSet::new();
    for (path, text) in sources() {
        for number in cited(&text) {
            assert!(
                listed.contains_key(&number),
                "{} cites RFC {number}, docs/rfc.md does not list it",
                path.display()
            );
            everywhere.insert(number);
        }
    }
    for (number, state) in listed {
        assert!(
            state != "yes" || everywhere.contains(&number),
            "docs/rfc.md says yes to RFC {number}; no code or test cites it"
        );
    }
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate_and_every_module_says_what_it_is_for() {
    for (path, text) in sources() {
        if path.extension().is_some_and(|e| e == "t") {
            continue;
        }
        let name = path.file_name().unwrap();
        if (name == "lib.rs" || name == "main.rs") && path.parent().unwrap().ends_with("src") {
            assert!(
                text.contains("#![forbid(unsafe_code)]"),
                "{}",
                path.display()
            );
        }
        if !path.components().any(|c| c.as_os_str() == "corpus") {
            assert!(
                text.starts_with("//!") || text.starts_with("#!["),
                "{} does not open with what it is for",
                path.display()
            );
        }
    }
}

/// Time and chance are arguments below the program: the lint that says so stands in every crate there.
#[test]
fn every_floor_below_the_program_forbids_clocks_and_chance() {
    let file = |floor: &str| root().join("crates").join(floor).join("clippy.toml");
    let rule = std::fs::read_to_string(file("pillarbox-wire")).unwrap();
    assert!(rule.contains("std::time::SystemTime::now"));
    let above = ["pillarbox", "pillarbox-client", "pillarbox-tests"];
    for (floor, _) in FLOORS.iter().filter(|(floor, _)| !above.contains(floor)) {
        let own = std::fs::read_to_string(file(floor)).unwrap_or_default();
        assert_eq!(own, rule, "crates/{floor}/clippy.toml");
    }
}
