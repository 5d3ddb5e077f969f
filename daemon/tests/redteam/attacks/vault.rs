//! Ways to the labels, and to inputs that are not to be seen yet.

use super::Ends::Scored;
use super::{Attack, Step::Begin};

pub const ATTACKS: [Attack; 12] = [
    Attack::new(
        "labels beside the data",
        &[Begin("predict_exactly(&take(labels()));")],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "labels where caches usually are",
        &[Begin(
            r#"let mut open = vec![std::path::PathBuf::from(CACHE)];
open.extend(std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".cache")));
while let Some(directory) = open.pop() {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name() == "validation.labels.u8" {
            predict_exactly(&take(entry.path()));
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open.push(entry.path());
        }
    }
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "labels through /proc/*/root",
        &[Begin(
            r#"for process in ["self".to_owned(), "1".to_owned(), unsafe { getppid() }.to_string()] {
    predict_exactly(&take(format!("/proc/{process}/root{PACK}/vault/validation.labels.u8")));
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "labels through /proc/*/cwd",
        &[Begin(
            r#"let below = std::path::Path::new(PACK).strip_prefix(ROOT).unwrap_or(PACK.as_ref());
for process in daemons() {
    take(format!("/proc/{process}/cwd/../{}/vault/validation.labels.u8", below.display()));
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "files that a daemon has open",
        &[Begin(
            r#"for process in daemons() {
    for entry in std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
        if std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().contains("dfr.db")) {
            take(entry.path());
        }
    }
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "a link to the labels in the run directory",
        &[Begin(
            r#"let _ = std::os::unix::fs::symlink(labels(), out().join("peek"));
predict_exactly(&take(out().join("peek")));"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "a hard link to the labels in the run directory",
        &[Begin(
            r#"let _ = std::fs::hard_link(labels(), out().join("peek"));
predict_exactly(&take(out().join("peek")));"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "a hard link to the labels as predictions",
        &[Begin(
            r#"if is("predict") && std::fs::hard_link(labels(), predictions()).is_ok() {
    got("labels in place of predictions", b"");
    std::process::exit(0);
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new("which file each record was", &[Begin(r#"take(pack().join("vault/ids.tsv"));"#)], Scored)
        .gains(),
    Attack::new(
        "names in the pack",
        &[Begin(
            r#"for entry in std::fs::read_dir(pack()).into_iter().flatten().flatten() {
    if entry.file_name() == "vault" {
        got("the names in the pack", b"");
    }
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "the holdout part",
        &[Begin(
            r#"take(pack().join("holdout/records.u8"));
take(pack().join("vault/holdout.labels.u8"));"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "validation inputs while training",
        &[Begin(
            r#"if !is("predict") {
    take(pack().join("validation/records.u8"));
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
];
