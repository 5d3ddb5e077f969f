//! The architecture, checked by reading the sources: arrows between packages, one owner for each
//! outside library, pure rooms that stay pure, and the manners of files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Package (its directory) and the packages of this workspace it may depend on.
const ARROWS: [(&str, &[&str]); 10] = [
    ("trainer/contract", &[]),
    ("trainer/export", &["dfr-contract"]),
    ("trainer/harness", &["dfr-contract"]),
    ("trainer/lab", &["dfr-contract", "dfr-harness"]),
    ("trainer/media", &["dfr-codecs", "dfr-contract", "dfr-kernels"]),
    ("trainer/media/codecs", &[]),
    ("trainer/media/kernels", &[]),
    ("trainer", &["dfr-contract", "dfr-export", "dfr-harness", "dfr-lab"]),
    ("trainer/tool", &["dfr-contract", "dfr-export", "dfr-media"]),
    ("daemon", &["dfr-contract"]),
];

/// What only some rooms of the daemon may name.
const OWNERS: [(&str, &[&str]); 21] = [
    ("async_openai::", &["proposer/llm"]),
    ("clap::", &["arguments.rs"]),
    ("dotenvy::", &["settings/"]),
    ("env::var", &["settings/"]),
    ("git2::", &["repository/"]),
    ("globset::", &["patch/"]),
    ("handlebars::", &["prompt"]),
    ("http::", &["proposer/llm"]),
    ("jiff::", &["clock.rs"]),
    ("landlock::{", &["runner/confine/landlock.rs"]),
    ("memchr::", &["runner/"]),
    ("nalgebra::", &["proposer/playbook/surrogate.rs", "simulate/terrain.rs"]),
    ("nix::", &["disk", "runner/"]),
    ("nvml_wrapper::", &["device/nvml.rs"]),
    ("process::Command", &["runner/"]),
    ("reqwest::", &["proposer/llm"]),
    ("seccompiler::", &["runner/confine/system_calls.rs"]),
    ("similar::", &["patch/"]),
    ("sqlx::", &["ledger/"]),
    ("statrs::", &["experiment/certificate.rs", "proposer/playbook/surrogate.rs"]),
    ("tracing_subscriber::", &["telemetry.rs"]),
];

/// Rooms, and corners of rooms, that compute and touch nothing.
const PURE: [&str; 12] = [
    "curve",
    "device/gate",
    "device/health",
    "experiment",
    "look",
    "patch",
    "price",
    "prompt",
    "proposer/llm/refusal",
    "proposer/patience",
    "report",
    "sandbox",
];
const EFFECTS: [&str; 7] = [
    "std::fs",
    "std::net",
    "std::process::",
    "tokio::",
    "SystemTime::now",
    "Instant::now",
    "env::",
];

/// Rooms with effects: each may import pure rooms, none may import another of these.
const ADAPTERS: [&str; 11] = [
    "device",
    "disk",
    "ledger",
    "notebook",
    "proposer",
    "repository",
    "runner",
    "scorer",
    "service",
    "settings",
    "telemetry",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn sources(below: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(below)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.ends_with("target") && !name.contains("patch_scenarios") {
                open.push(path);
            } else if name.ends_with(".rs") {
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {below}");
    found
}

/// Code without its tests and without comment lines.
fn production(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room_sources() -> Vec<(String, String)> {
    let strip = |(name, text): (String, String)| {
        let name = name.strip_prefix("daemon/src/").map(str::to_owned)?;
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        (!is_test).then(|| (name, production(&text)))
    };
    sources("daemon/src").into_iter().filter_map(strip).collect()
}

fn room(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or_default()
}

fn is_in(name: &str, place: &str) -> bool {
    name.strip_prefix(place).is_some_and(|rest| rest.starts_with(['/', '.']))
}

/// Whether the word stands there as a path of its own: `unix::` does not name `nix::`.
fn names(text: &str, word: &str) -> bool {
    let inside = |at: usize| text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| !inside(at))
}

#[track_caller]
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn packages_depend_along_the_arrows() {
    let mut violations = Vec::new();
    for (package, allowed) in ARROWS {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        // Tests may look anywhere.
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        let named = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        for name in named.filter(|name| name.starts_with("dfr-") && !allowed.contains(name)) {
            violations.push(format!("{package} must not depend on {name}"));
        }
    }
    none(&violations);
}

#[test]
fn each_outside_library_has_one_owner() {
    let mut violations = Vec::new();
    for (name, text) in room_sources() {
        for (library, owners) in OWNERS {
            let owned = owners.iter().any(|owner| name.starts_with(owner));
            if names(&text, library) && !owned {
                violations.push(format!("{name} names {library}, which belongs to {owners:?}"));
            }
        }
    }
    none(&violations);
}

#[test]
fn pure_rooms_touch_nothing() {
    let mut violations = Vec::new();
    for (name, text) in room_sources() {
        if !PURE.iter().any(|pure| is_in(&name, pure)) {
            continue;
        }
        let effects = EFFECTS.iter().map(|effect| (*effect).to_owned());
        let rooms = ADAPTERS.iter().map(|adapter| format!("crate::{adapter}"));
        let allowed = |word: &str| word == "crate::ledger" || word == "crate::proposer";
        for word in effects.chain(rooms).filter(|word| text.contains(word.as_str())) {
            // Plain data of an adapter may be printed or prompted; its handles may not be held. A
            // pure file knows the room it is in.
            let is_home = word == format!("crate::{}", room(&name));
            let is_shown = allowed(&word) && ["report", "prompt"].contains(&room(&name));
            if !(is_home || is_shown) {
                violations.push(format!("{name} is pure and must not name {word}"));
            }
        }
    }
    none(&violations);
}

#[test]
fn adapters_do_not_know_each_other() {
    let mut violations = Vec::new();
    for (name, text) in room_sources() {
        let here = room(&name);
        if !ADAPTERS.contains(&here) {
            continue;
        }
        for other in ADAPTERS.iter().filter(|other| **other != here) {
            if text.contains(&format!("crate::{other}::")) {
                violations.push(format!("{name} must not name crate::{other}"));
            }
        }
    }
    none(&violations);
}

#[test]
fn the_contract_is_pure() {
    let mut violations = Vec::new();
    for (name, text) in sources("trainer/contract/src") {
        let text = production(&text);
        for word in ["std::fs", "std::env", "std::net", "std::process", "tokio", "tch::"] {
            if text.contains(word) {
                violations.push(format!("{name} must not name {word}"));
            }
        }
    }
    none(&violations);
}

#[test]
fn every_file_says_what_it_is_and_stays_small() {
    let mut violations = Vec::new();
    for (name, text) in sources("daemon").into_iter().chain(sources("trainer")) {
        let is_test = name.contains("tests");
        if !text.starts_with("//!") && !is_test {
            violations.push(format!("{name} begins without a //! header"));
        }
        if text.lines().count() > 700 && !is_test {
            violations.push(format!("{name} has two rooms in it: {} lines", text.lines().count()));
        }
    }
    none(&violations);
}

/// A rule that finds nothing anywhere would pass for ever.
#[test]
fn the_rules_can_fail() {
    let everywhere: String = room_sources().into_iter().map(|(_, text)| text).collect();
    for (library, _) in OWNERS {
        assert!(names(&everywhere, library), "nobody names {library}: is the rule still right?");
    }
    for place in PURE {
        assert!(room_sources().iter().any(|(name, _)| is_in(name, place)), "{place} is not there");
    }
    let code = production("use std::fs;\n// use git2::x;\n#[cfg(test)]\nuse nix::y;");
    assert_eq!(code, "use std::fs;");
    assert!(names("a::nix::b", "nix::") && !names("use unix::b", "nix::"));
}
