//! The threat model names tests. Each of them exists, and every attack of RFC 9700 has its row.

use super::root;
use std::collections::BTreeSet;

const DOCUMENT: &str = "docs/explain/threat-model.md";

fn document() -> String {
    std::fs::read_to_string(root().join(DOCUMENT)).unwrap()
}

/// `file::name` in backticks; a file is named from the root, from `tests/` or from `crates/`.
fn named(text: &str) -> BTreeSet<(String, String)> {
    let code = text.split('`').skip(1).step_by(2);
    let pairs = code.filter_map(|code| code.split_once("::"));
    pairs
        .filter(|(file, _)| file.ends_with(".py") || file.ends_with(".rs"))
        .map(|(file, name)| (file.to_owned(), name.to_owned()))
        .collect()
}

#[test]
fn every_test_the_threat_model_names_exists() {
    let named = named(&document());
    assert!(named.len() >= 60, "it names {} tests", named.len());
    let mut missing = Vec::new();
    for (file, name) in named {
        let places = ["", "tests/", "crates/"];
        let text = places
            .iter()
            .find_map(|place| std::fs::read_to_string(root().join(place).join(&file)).ok());
        let there = text.is_some_and(|text| {
            text.contains(&format!("def {name}(")) || text.contains(&format!("fn {name}("))
        });
        if !there {
            missing.push(format!("{file}::{name}"));
        }
    }
    assert!(missing.is_empty(), "{DOCUMENT} names {missing:#?}");
}

#[test]
fn every_attack_of_rfc_9700_has_its_row() {
    let text = document();
    for number in 1..=17 {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| 4.{number} ")));
        let row = row.unwrap_or_else(|| panic!("section 4.{number} has no row"));
        assert!(
            row.contains("::") || row.contains("not ours"),
            "section 4.{number} names neither a test nor a reason: {row}"
        );
    }
}

#[test]
fn no_attack_is_tried_in_vain() {
    // A test that nobody knows what it is for protects nothing for long: every file of attacks is named.
    let text = document();
    for entry in std::fs::read_dir(root().join("tests/attacks")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("test_") {
            assert!(
                text.contains(&format!("attacks/{name}")),
                "{name} is not named"
            );
        }
    }
}
