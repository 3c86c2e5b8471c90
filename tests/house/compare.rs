//! Secrets are compared in constant time. Time itself is not measured here: whoever compares says how in the source, so the
//! source is read. A comparison with `==` near a word for a secret is either on the list below, with its reason, or wrong.

use super::{root, sources};

/// What secrets and their hashes are called.
const WORDS: &[&str] = &[
    "secret",
    "hash",
    "token",
    "code",
    "verifier",
    "challenge",
    "mark",
    "password",
    "signature",
    "cookie",
    "ticket",
    "mac",
    "digest",
    "phc",
    "letters",
    "proof",
    "thumbprint",
];

/// Where secrets are known: the other floors hold none longer than it takes to hand them on.
const FLOORS: &[&str] = &["pillarbox-oauth", "pillarbox-web", "pillarbox"];

/// Part of a line → why `==` is right there.
const FINE: &[(&str, &str)] = &[
    (".len() ==", "a length is no secret"),
    ("Use::Mark", "which kind of key, not a key"),
    ("Passwords::", "a setting"),
    ("ErrorCode::", "a word of the protocol"),
    ("StatusCode::", "a word of the protocol"),
    (
        "bound.jkt != proof.thumbprint",
        "both are hashes of a public key",
    ),
    (
        "proof.ath.as_deref() != Some(&*hash)",
        "the hash of the token that came in the same request",
    ),
    (
        "&*session.token == token",
        "names a connection in the log, and only one's own are looked through",
    ),
    ("*one.token == *only", "names a connection in the log"),
    (
        "password != form::get(&form, \"again\")",
        "the same person typed both in one form",
    ),
    (
        "OwnerProof::Password(old) if old == password",
        "the same person typed both in one form",
    ),
    (
        "rp != digest(&SHA256, expected.rp_id",
        "the hash of our own name, which everybody knows",
    ),
    (
        "found.purpose == *purpose",
        "what a challenge is good for; it was found by the hash of what only its browser holds",
    ),
    (
        "password != form::get(&body, \"again\")",
        "the same person typed both in one form",
    ),
    ("name == MARK", "the name of a parameter"),
    (
        "(mine.deed, mine.proof()) ==",
        "which kind of thing was shown, not the thing",
    ),
];

/// Where a secret, or its hash, is held against what somebody sent: file, and how often.
const SITES: &[(&str, usize)] = &[
    ("pillarbox-oauth/src/answers.rs", 1),
    ("pillarbox-oauth/src/client.rs", 1),
    ("pillarbox-oauth/src/device.rs", 2),
    ("pillarbox-oauth/src/factor.rs", 1),
    ("pillarbox-oauth/src/introspect.rs", 1),
    ("pillarbox-oauth/src/invites.rs", 1),
    ("pillarbox-oauth/src/opaque.rs", 2),
    ("pillarbox-oauth/src/people.rs", 1),
    ("pillarbox-oauth/src/scram.rs", 1),
    ("pillarbox-oauth/src/recent.rs", 1),
    ("pillarbox-oauth/src/redeem.rs", 1),
    ("pillarbox-oauth/src/token.rs", 1),
    ("pillarbox-oauth/src/totp.rs", 1),
];

/// Sources of these floors, without their tests, as path below `crates/` and text.
fn watched() -> Vec<(String, String)> {
    let crates = root().join("crates");
    let below = sources()
        .into_iter()
        .filter_map(|(path, text)| Some((path.strip_prefix(&crates).ok()?.to_owned(), text)));
    let watched = below.filter(|(path, _)| {
        let floor = path.iter().next().and_then(|floor| floor.to_str());
        let is_test = path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs" || part == "fuzz.rs");
        floor.is_some_and(|floor| FLOORS.contains(&floor)) && !is_test && !path.ends_with("look.rs")
    });
    watched
        .map(|(path, text)| {
            let text = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or("")
                .to_owned();
            (path.to_string_lossy().into_owned(), text)
        })
        .collect()
}

/// A text that stands in the source is no secret.
fn is_literal(word: &str) -> bool {
    let word = word.trim_start_matches(['&', '*', '(']);
    word.trim_start_matches("some(")
        .trim_start_matches('b')
        .starts_with('"')
}

/// The operands of every `==` and `!=` of a line, but for comparisons with what stands in the source.
fn operands(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let beside = |at: usize| [at.checked_sub(1), Some(at + 1)];
    let found = words
        .iter()
        .enumerate()
        .filter(|(_, word)| matches!(**word, "==" | "!="));
    let both = found.map(|(at, _)| {
        let both = beside(at).into_iter().flatten();
        both.filter_map(|at| words.get(at).map(|word| word.to_lowercase()))
            .collect::<Vec<_>>()
    });
    both.filter(|both| !both.iter().any(|word| is_literal(word)))
        .flatten()
        .collect()
}

#[test]
fn secrets_are_compared_in_constant_time() {
    let mut wrong = Vec::new();
    for (path, text) in watched() {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let secret = |word: &String| WORDS.iter().any(|secret| word.contains(secret));
            let fine = FINE.iter().any(|(part, _)| line.contains(part));
            if !line.starts_with("//") && !fine && operands(line).iter().any(secret) {
                wrong.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "compare with opaque::same, or say in tests/house/compare.rs why not:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_known_comparison_of_a_secret_is_still_there() {
    let watched = watched();
    for (path, least) in SITES {
        let text = watched.iter().find(|(other, _)| other == path);
        let text = &text.unwrap_or_else(|| panic!("{path} is gone")).1;
        let count = text.matches("same(").count() + text.matches("ct_eq(").count();
        assert!(count >= *least, "{path}: {count} of {least} are left");
    }
}

#[test]
fn what_is_fine_is_still_there() {
    let watched = watched();
    for (part, why) in FINE {
        let used = watched.iter().any(|(_, text)| text.contains(part));
        assert!(used, "{part:?} ({why}) is nowhere: take it off the list");
    }
}
