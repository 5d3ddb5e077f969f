//! The preloaded library that makes calls of the daemon fail, or kills it at one of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::night::Night;

/// Where the count of calls is written, and the file whose presence frees the disk.
const LOG: &str = "faults.log";
const SPACE: &str = "space";

/// What happens at one call, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Count,
    Kill(u32),
    KillAfter(u32),
    DiskFull(u32),
    Broken(u32),
}

impl Fault {
    fn told(self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Kill(n) => format!("kill:{n}"),
            Self::KillAfter(n) => format!("kill-after:{n}"),
            Self::DiskFull(n) => format!("enospc:{n}"),
            Self::Broken(n) => format!("eio:{n}"),
        }
    }
}

/// Compiles the library once for this process.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = directory.join("faults.so");
        // Tests that run at the same time must not see half of it.
        let unfinished = directory.join(format!("faults-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/faults.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", source, "-ldl"]);
        let status = compiler.arg("-o").arg(&unfinished).status().unwrap();
        assert!(status.success(), "cc {source}: {status}");
        fs::rename(unfinished, &library).unwrap();
        library
    })
}

/// Makes a command of the daemon suffer a fault in its repository, its state or its build slot.
pub fn inflict(night: &Night, command: &mut Command, fault: Fault) {
    let path = |name: &str| night.environment.path(name);
    let _ = fs::remove_file(path(LOG));
    let under = format!("{}:{}", path("repo").display(), path("cache").display());
    command
        .env("LD_PRELOAD", library())
        .env("FAULT", fault.told())
        .env("FAULT_UNDER", under)
        .env("FAULT_UNTIL", path(SPACE))
        .env("FAULT_LOG", path(LOG));
}

/// The disk has space again.
pub fn free_space(night: &Night) {
    night.environment.write(SPACE, "");
}

/// The calls of the last daemon, `CALL PATH` each, with paths from the test's own directory.
pub fn calls(night: &Night) -> Vec<String> {
    let root = format!("{}/", night.environment.path("").display()).replace("//", "/");
    let text = night.environment.peek(LOG);
    let call = |line: &str| line.split_once(' ').map(|(_, call)| call.replace(&root, ""));
    text.lines().filter_map(call).collect()
}
