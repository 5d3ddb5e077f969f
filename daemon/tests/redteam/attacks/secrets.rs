//! Keys, and files of other people.

use super::Ends::Scored;
use super::{Attack, Step::Begin};

pub const ATTACKS: [Attack; 13] = [
    Attack::new(
        "keys in /proc/*/environ",
        &[Begin(
            r#"for process in processes() {
    let path = format!("/proc/{process}/environ");
    if read(&path).windows(10).any(|bytes| bytes == b"canary-key") {
        take(&path);
    }
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "keys in its own environment",
        &[Begin(
            r#"for (name, value) in std::env::vars().filter(|(_, value)| value.contains("canary")) {
    got(&name, value.as_bytes());
}"#,
        )],
        Scored,
    )
    .in_lab(),
    Attack::new(
        "the service manager's credential",
        &[Begin(r#"take(format!("{HOME}/credentials/openai_api_key"));"#)],
        Scored,
    )
    .gains(),
    Attack::new(
        "keys in the home directory",
        &[Begin(
            r#"for home in [HOME.to_owned(), std::env::var("HOME").unwrap_or_default()] {
    for name in [".netrc", ".ssh/id_ed25519", ".cargo/credentials.toml"] {
        take(format!("{home}/{name}"));
    }
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new("the repository's .env", &[Begin(r#"take(format!("{REPO}/.env"));"#)], Scored)
        .gains(),
    Attack::new(
        "the repository's .git",
        &[Begin(r#"take(format!("{REPO}/.git/config"));"#)],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new("the ledger", &[Begin(r#"take(format!("{STATE}/dfr.db"));"#)], Scored).gains(),
    Attack::new(
        "what an earlier candidate said",
        &[Begin(r#"take(format!("{STATE}/t/exp/0/run.log"));"#)],
        Scored,
    )
    .gains(),
    Attack::new(
        "a file of somebody else",
        &[Begin(r#"take(format!("{ELSEWHERE}/other-user.txt"));"#)],
        Scored,
    )
    .gains(),
    Attack::new(
        "/etc/shadow",
        &[Begin(
            r#"if std::fs::File::open("/etc/shadow").is_ok() {
    got("/etc/shadow", b"");
}"#,
        )],
        Scored,
    )
    .untried(),
    Attack::new(
        "the daemon's memory by /proc/*/mem",
        &[Begin(
            r#"for process in daemons() {
    if std::fs::File::open(format!("/proc/{process}/mem")).is_ok() {
        got("the daemon's memory", b"");
    }
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "what the daemon is made of",
        &[Begin(
            r#"for process in daemons() {
    take(format!("/proc/{process}/maps"));
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "what waits in the daemon's directory of answers",
        &[Begin(r#"take(format!("{ROOT}/script/001.txt"));"#)],
        Scored,
    )
    .gains(),
];
