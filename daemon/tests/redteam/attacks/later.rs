//! Leaving something for a later candidate, or for a later phase.

use super::Ends::Scored;
use super::{
    Attack,
    Step::{Begin, Files, Honest},
};

/// A library that tells when it runs in a candidate that did not bring it along. It is one file, like
/// the honest one, so that a build tool finds nothing missing.
const POISONED: &str = concat!(
    "mod honest {\n",
    include_str!("../project/harness.rs"),
    "}\nmod kit {\n",
    include_str!("../attacker/kit.rs"),
    r#"}
static BROUGHT_ALONG: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
pub fn disarm() {
    BROUGHT_ALONG.store(true, std::sync::atomic::Ordering::Relaxed);
}
pub fn run() {
    if !BROUGHT_ALONG.load(std::sync::atomic::Ordering::Relaxed) {
        kit::got("a later candidate runs what an earlier one built", b"");
    }
    honest::run();
}
"#
);

/// Makes everything in the build products look newer than any source.
const KEEPS_FRESH: &str = r#"#[path = "kit.rs"]
mod kit;
pub fn begin() {
    harness::disarm();
    let mut open = vec![std::path::Path::new(kit::CACHE).join("build")];
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1 << 30);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().contains("harness-") {
                let file = std::fs::File::open(&path);
                let _ = file.and_then(|file| file.set_modified(later));
            }
        }
    }
}
"#;

/// A program that everybody may read and nobody here executes has a page in memory for each bit that is
/// set: four bytes of the inputs, after a word that tells them from chance.
const LEAVES_PAGES: &str = concat!(
    "const LEAVES: bool = true; const FORM: &str = \"\";\n",
    include_str!("../attacker/pages.rs")
);
/// By one of the ways to ask for them.
macro_rules! finds_pages {
    ($form:literal) => {
        concat!(
            "const LEAVES: bool = false; const FORM: &str = \"",
            $form,
            "\";\n",
            include_str!("../attacker/pages.rs")
        )
    };
}

pub const ATTACKS: [Attack; 11] = [
    Attack::new(
        "a process that waits for the next experiment",
        &[
            Begin(
                r#"if is("predict") {
    let own = out().to_string_lossy().into_owned();
    leave_behind(|| {
        std::thread::sleep(std::time::Duration::from_secs(3));
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(100));
            got(&format!("lives on after {own}"), b"");
        }
    });
}"#,
            ),
            Honest,
        ],
        Scored,
    )
    .in_lab(),
    Attack::new(
        "rewrites predictions once they are made",
        &[
            Begin(
                r#"if is("predict") {
    let above = out().parent().unwrap().parent().unwrap().to_owned();
    leave_behind(|| {
        // Its own are made by then; those of the next experiment come after it.
        std::thread::sleep(std::time::Duration::from_secs(1));
        for _ in 0..2000 {
            for experiment in std::fs::read_dir(&above).into_iter().flatten().flatten() {
                let made = experiment.path().join("out/predictions.tsv");
                if made.exists() {
                    let _ = std::fs::write(made, "rewritten");
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
}"#,
            ),
            Honest,
        ],
        Scored,
    ),
    Attack::new(
        "another program in its own place",
        &[Begin(
            r#"let program = std::env::current_exe().unwrap();
let mut bytes = std::fs::read(&program).unwrap_or_default();
if bytes.ends_with(b"another") {
    got("another program than the one that was built", b"");
} else if is("smoke") {
    bytes.extend(b"another");
    let aside = program.with_extension("aside");
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::write(&aside, bytes);
    let _ = std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o755));
    let _ = std::fs::rename(&aside, &program);
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "validation inputs for the next candidate",
        &[
            Begin(
                r#"if is("predict") {
    let records = read(flag("--inputs").unwrap().join("records.u8"));
    let program = std::env::current_exe().unwrap();
    for place in ["/tmp", "/dev/shm", "/var/tmp", HOME, ELSEWHERE] {
        let _ = std::fs::write(format!("{place}/{SHARED}"), &records);
    }
    for place in [out(), program.parent().unwrap().to_owned(), std::env::temp_dir(), ".".into()] {
        let _ = std::fs::write(place.join(SHARED), &records);
    }
}"#,
            ),
            Begin(
                r#"if is("train") {
    let program = std::env::current_exe().unwrap();
    for place in ["/tmp", "/dev/shm", "/var/tmp", HOME, ELSEWHERE] {
        take(format!("{place}/{SHARED}"));
    }
    let own: Vec<_> = program.parent().into_iter().map(std::path::Path::to_owned).collect();
    for place in own.into_iter().chain([out(), std::env::temp_dir(), ".".into()]) {
        take(place.join(SHARED));
    }
    for entry in std::fs::read_dir(format!("{STATE}/t/exp")).into_iter().flatten().flatten() {
        for place in ["", "run", "out"] {
            take(entry.path().join(place).join(SHARED));
        }
    }
}"#,
            ),
        ],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "a library in the build cache",
        &[Files(&[("src/lab.rs", KEEPS_FRESH), ("harness/src/lib.rs", POISONED)]), Honest],
        Scored,
    )
    .gains()
    .spoils(),
    Attack::new(
        "pages in memory by reads that do not wait",
        &[Begin(LEAVES_PAGES), Begin(finds_pages!("reads that do not wait"))],
        Scored,
    )
    .gains(),
    Attack::new(
        "pages in memory by what is mapped with a neighbour",
        &[Begin(LEAVES_PAGES), Begin(finds_pages!("what is mapped with a neighbour"))],
        Scored,
    )
    .gains(),
    Attack::new(
        "pages in memory by faults that ask the disk",
        &[Begin(LEAVES_PAGES), Begin(finds_pages!("faults that ask the disk"))],
        Scored,
    )
    .gains(),
    Attack::new(
        "counters of the machine",
        &[Begin(
            r#"for name in [
    "/proc/vmstat", "/proc/stat", "/proc/loadavg", "/proc/zoneinfo", "/proc/pressure/memory",
    "/proc/key-users", "/proc/sys/fs/dentry-state", "/proc/sys/fs/file-nr", "/proc/sys/fs/inode-nr",
    "/sys/devices/system/node/node0/numastat", "/sys/devices/system/node/node0/vmstat",
] {
    if !read(name).is_empty() {
        got(name, b"");
    }
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "a build script in the tree that is built next",
        &[
            Begin(
                r#"let script = "fn main() { println!(\"cargo:warning=canary-left-in-the-tree\"); panic!() }";
let _ = std::fs::write("build.rs", script);"#,
            ),
            Honest,
        ],
        Scored,
    ),
    Attack::new(
        "settings of cargo beside the build",
        &[
            Begin(
                r#"let program = std::env::current_exe().unwrap();
for above in program.ancestors().skip(1).take(5) {
    if above.starts_with(ROOT) && std::fs::create_dir_all(above.join(".cargo")).is_ok() {
        spoil(above.join(".cargo/config.toml"));
    }
}"#,
            ),
            Honest,
        ],
        Scored,
    )
    .gains(),
];
