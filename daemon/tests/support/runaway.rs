//! Ways of a trainer to get away: from its deadline, its parent, its memory, its disk.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

const IGNORES_TERM: &str = "trap '' TERM; while :; do sleep 1; done";
const MIB: usize = 1 << 20;

pub fn hang() -> ! {
    std::thread::sleep(Duration::from_secs(3600));
    panic!("nobody ended it");
}

/// It ignores TERM itself, and so does a child in its group that keeps the pipe open.
pub fn ignore_term() -> ! {
    let script = format!("trap '' TERM; ({IGNORES_TERM}) & {IGNORES_TERM}");
    let failed = Command::new("sh").args(["-c", &script]).exec();
    panic!("no shell: {failed}");
}

/// Leaves the session twice, ignores TERM, and holds the pipe.
pub fn leave_an_orphan() {
    start("setsid", &["setsid", "sh", "-c", IGNORES_TERM]).expect("setsid to start");
}

/// One that nothing ties to its run: no environment, no directory, no open file of it.
pub fn leave_a_bare_orphan() {
    let mut orphan = Command::new("setsid");
    orphan.args(["setsid", "sh", "-c", IGNORES_TERM]).env_clear().current_dir("/");
    orphan.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    orphan.spawn().map(drop).expect("setsid to start");
}

/// Sends its parent a signal, and leaves an orphan to tell of it.
pub fn signal_init(signal: &str) -> ! {
    leave_an_orphan();
    start("sh", &["-c", &format!("kill -{signal} {}", parent_id())]).expect("a shell");
    hang();
}

/// Starts so many processes, each in a session of its own, and waits; goes on when it is refused.
pub fn fork(times: usize) -> ! {
    for _ in 0..times {
        let _ = start("setsid", &["sleep", "3600"]);
    }
    hang();
}

/// Takes memory and uses it, up to an end that is beyond any limit of a test.
pub fn take_memory(mib: usize) -> ! {
    let mut taken = Vec::new();
    for step in 0..mib / 16 {
        taken.push(vec![u8::try_from(step % 255).expect("small") + 1; 16 * MIB]);
    }
    hang();
}

/// Takes memory as files without a name, mapped nowhere.
pub fn take_memfds(mib: usize) -> ! {
    let mut taken = Vec::new();
    for _ in 0..mib / 16 {
        let file = memfd_create("taken", MFdFlags::empty()).expect("a file in memory");
        let mut file = fs::File::from(file);
        file.write_all(&vec![1; 16 * MIB]).expect("its own file");
        taken.push(file);
    }
    hang();
}

/// So much of one line, of empty `lines`, of `pairs` that a footer could go on with, or of `bytes` that
/// are no text.
pub fn flood(mib: usize, of: &str) {
    let part: &[u8] = match of {
        "lines" => b"\n\n\n\n",
        "pairs" => b"a:b\n",
        "bytes" => b"\xff\xff\xff\xff",
        _ => b"xxxx",
    };
    let block = part.repeat(1024);
    let mut out = std::io::stdout().lock();
    for _ in 0..mib * MIB / block.len() {
        out.write_all(&block).expect("a pipe");
    }
    out.write_all(b"\n").expect("a pipe");
}

/// Writes one file until it is stopped.
pub fn fill(run: &Path) {
    fill_up_to(usize::MAX, run);
}

/// Writes one file of this size, or until it is stopped.
pub fn fill_up_to(mib: usize, run: &Path) {
    let mut file = fs::File::create(run.join("endless")).expect("a run directory");
    let block = vec![0; MIB];
    for _ in 0..mib {
        if file.write_all(&block).is_err() {
            return;
        }
    }
}

/// Fills the disk with a file that has no name any more, talks while nothing else can be written, and
/// gives the room back: at once, or when it is stopped.
pub fn fill_unlinked(run: &Path, stays: bool) {
    let path = run.join("nameless");
    let mut file = fs::File::create(&path).expect("a run directory");
    fs::remove_file(path).expect("its own file");
    let block = vec![0; MIB];
    while file.write_all(&block).is_ok() {}
    for line in 0..2000 {
        println!("nothing but this can be written {line}");
    }
    if stays {
        hang();
    }
}

fn start(program: &str, arguments: &[&str]) -> std::io::Result<()> {
    Command::new(program).args(arguments).spawn().map(drop)
}
