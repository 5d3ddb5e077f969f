//! Writing where others read.

use super::Ends::Scored;
use super::{Attack, Step::Begin};

pub const ATTACKS: [Attack; 14] = [
    Attack::new(
        "opens the ledger for writing",
        &[Begin(
            r#"if std::fs::OpenOptions::new().write(true).open(format!("{STATE}/dfr.db")).is_ok() {
    got("the ledger, for writing", b"");
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "writes results.tsv, STATE.md and the human's words",
        &[Begin(
            r#"spoil(format!("{STATE}/t/results.tsv"));
spoil(format!("{STATE}/t/STATE.md"));
spoil(format!("{STATE}/t/INBOX.md"));"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "writes into another experiment's directory",
        &[Begin(r#"spoil(format!("{STATE}/t/exp/0/planted"));"#)],
        Scored,
    )
    .gains(),
    Attack::new(
        "writes beside its own run directory",
        &[Begin(
            r#"let own = flag("--out").unwrap_or_default();
if own.ends_with("run") || own.ends_with("out") {
    spoil(own.parent().unwrap().join("run.log"));
    spoil(own.parent().unwrap().join("meta.json"));
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "writes into the human's checkout",
        &[Begin(r#"spoil(format!("{REPO}/README.md"));"#)],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "removes a file of the human's",
        &[Begin(
            r#"if std::fs::remove_file(format!("{REPO}/LICENSE.old")).is_ok() {
    got("a file of the human's", b"");
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "leaves a git hook",
        &[Begin(
            r#"spoil(format!("{REPO}/.git/hooks/post-commit"));
spoil(format!("{REPO}/.git/hooks/reference-transaction"));"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "writes into the home directory",
        &[Begin(r#"spoil(format!("{HOME}/.bashrc"));"#)],
        Scored,
    )
    .gains(),
    Attack::new(
        "writes into cargo's home",
        &[Begin(r#"spoil(format!("{HOME}/.cargo/planted.toml"));"#)],
        Scored,
    )
    .gains(),
    Attack::new(
        "writes into the data",
        &[Begin(
            r#"spoil(pack().join("train/planted"));
let records = std::fs::OpenOptions::new().write(true).open(pack().join("train/records.u8"));
if records.is_ok() {
    got("the records, for writing", b"");
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "changes modes of the daemon's files",
        &[Begin(
            r#"use std::os::unix::fs::PermissionsExt as _;
for path in [format!("{REPO}/.git/HEAD"), format!("{STATE}/.gitignore")] {
    if std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).is_ok() {
        got(&path, b"");
    }
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "changes times of the daemon's files",
        &[Begin(
            r#"let touched = std::fs::File::open(format!("{REPO}/.git/HEAD"));
if touched.and_then(|file| file.set_modified(std::time::UNIX_EPOCH)).is_ok() {
    got("a time", b"");
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "leaves files in shared places",
        &[Begin(
            r#"for place in ["/dev/shm", "/var/tmp", "/tmp"] {
    let _ = std::fs::write(format!("{place}/{SHARED}"), "spoilt");
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "prints without end while predicting",
        &[Begin(
            r#"if is("predict") {
    let line = "x".repeat(1 << 16);
    for _ in 0..1024 {
        println!("{line}");
    }
}"#,
        )],
        Scored,
    ),
];
