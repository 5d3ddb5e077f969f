//! Leaving what is hard to clear away, or not what it seems.

use super::Ends::{Crash, Scored};
use super::{
    Attack,
    Step::{Begin, Files},
};

/// Deeper than a process has files to open, and than a path can be long.
const DIGS: &str = r#"#[path = "src/kit.rs"]
mod kit;
fn main() {
    kit::dig(&kit::out());
}
"#;

/// A linker whose product is a link to the labels.
const LINKER: &str = r#"#!/bin/sh
for argument; do
    [ "$last" = -o ] && case "$argument" in *tiny*) ln -sf @PACK@/vault/validation.labels.u8 "$argument"; exit 0 ;; esac
    last=$argument
done
exec cc "$@"
"#;

/// A linker whose product is a text.
const NO_PROGRAM: &str = r#"#!/bin/sh
for argument; do
    [ "$last" = -o ] && case "$argument" in *tiny*) echo nothing > "$argument"; exit 0 ;; esac
    last=$argument
done
exec cc "$@"
"#;

pub const ATTACKS: [Attack; 8] = [
    Attack::new(
        "a deep directory among its results",
        &[Begin(r#"if is("train") { dig(&out()); }"#)],
        Crash("too much was written"),
    )
    .untried()
    .in_lab(),
    Attack::new(
        "a deep directory among temporary files",
        &[Begin(r#"dig(&std::env::temp_dir());"#)],
        Crash("too much was written"),
    )
    .untried(),
    Attack::new(
        "a deep directory among build products",
        &[Files(&[("build.rs", DIGS)])],
        Crash("too much was written"),
    )
    .untried(),
    Attack::new(
        "a directory that nobody may enter",
        &[Begin(
            r#"if !is("smoke") {
    use std::os::unix::fs::PermissionsExt as _;
    let place = out().join("locked");
    std::fs::create_dir_all(place.join("inside")).unwrap();
    let locked = std::fs::File::open(&place);
    let _ = locked.and_then(|place| place.set_permissions(std::fs::Permissions::from_mode(0)));
}"#,
        )],
        Scored,
    )
    .untried(),
    Attack::new(
        "names that are no text",
        &[Begin(
            r#"if is("train") {
    use std::os::unix::ffi::OsStrExt as _;
    for name in [&b"\xff\xfe"[..], b"\n---\nsn34_score: 1.0", b"-rf", b" "] {
        std::fs::write(out().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
}"#,
        )],
        Scored,
    ),
    Attack::new(
        "pipes and sockets among its results",
        &[Begin(
            r#"if is("train") {
    for name in ["pipe", "run.log.1", "claims.json"] {
        let path = std::ffi::CString::new(out().join(name).to_str().unwrap()).unwrap();
        unsafe { mkfifo(path.as_ptr(), 0o600) };
    }
}"#,
        )],
        Scored,
    ),
    Attack::new(
        "a link to the labels as the program",
        &[Files(&[
            ("tools/wrap.sh", LINKER),
            (".cargo/config.toml", "[target.'cfg(all())']\nlinker = \"tools/wrap.sh\"\n"),
            ("src/lab.rs", "pub fn begin() { let _linked = 4; }\n"),
        ])],
        Crash("it made no file"),
    )
    .untried(),
    Attack::new(
        "a program that cannot be started",
        &[Files(&[
            ("tools/wrap.sh", NO_PROGRAM),
            (".cargo/config.toml", "[target.'cfg(all())']\nlinker = \"tools/wrap.sh\"\n"),
            ("src/lab.rs", "pub fn begin() { let _linked = 5; }\n"),
        ])],
        Crash("exit code 127"),
    )
    .untried(),
];
