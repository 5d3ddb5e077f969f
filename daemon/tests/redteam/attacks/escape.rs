//! Getting out of the run, or at the daemon.

use super::Ends::{Crash, Scored, Tampered};
use super::{
    Attack,
    Step::{Begin, Module},
};

pub const ATTACKS: [Attack; 10] = [
    Attack::new(
        "signals processes that are not its own",
        &[Begin(
            r#"for process in all_processes() {
    if unsafe { kill(process, 0) } == 0 && !is_own(process) {
        got("a process to kill", b"");
        break;
    }
}"#,
        )],
        Scored,
    )
    .in_lab(),
    Attack::new(
        "traces processes that are not its own",
        &[Begin(
            r#"const SEIZE: i64 = 0x4206;
for process in all_processes() {
    if unsafe { ptrace(SEIZE, process, 0, 0) } == 0 && !is_own(process) {
        got("a process to trace", b"");
        break;
    }
}"#,
        )],
        Scored,
    ),
    Attack::new(
        "makes namespaces of its own",
        &[Begin(
            r#"const USER_AND_MOUNT: i32 = 0x1002_0000;
if unsafe { unshare(USER_AND_MOUNT) } == 0 {
    got("namespaces", b"");
}"#,
        )],
        Scored,
    )
    .gains()
    .in_lab(),
    Attack::new(
        "writes its own memory by /proc/self/mem",
        &[Begin(
            // A constant of the harness, which cannot be written otherwise.
            r#"use std::os::unix::fs::FileExt as _;
let before: Vec<u8> = "1 :shcope_mun".bytes().rev().collect();
let program = std::env::current_exe().unwrap();
let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
let memory = std::fs::OpenOptions::new().read(true).write(true).open("/proc/self/mem");
let constants = maps.lines().filter(|line| {
    line.contains(" r--p ") && line.ends_with(program.to_str().unwrap()) && memory.is_ok()
});
for line in constants {
    let memory = memory.as_ref().unwrap();
    let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
    let mut bytes = vec![0; (end - start) as usize];
    memory.read_exact_at(&mut bytes, start).unwrap();
    for at in 0..bytes.len() - before.len() {
        let is_it = bytes[at..].starts_with(&before);
        if is_it && memory.write_all_at(b"num_epochs: 2", start + at as u64).is_ok() {
            got("what the harness says", b"");
        }
    }
}"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "a clock that runs a thousand times too fast",
        &[Module(
            r#"use std::sync::atomic::{AtomicI64, Ordering};
static SECONDS: AtomicI64 = AtomicI64::new(0);
#[unsafe(no_mangle)]
pub extern "C" fn clock_gettime(_clock: i32, time: *mut [i64; 2]) -> i32 {
    unsafe { *time = [SECONDS.fetch_add(1000, Ordering::Relaxed), 0] };
    0
}
pub fn begin() {}"#,
        )],
        Tampered,
    ),
    Attack::new(
        "a clock that stands still",
        &[Module(
            r#"#[unsafe(no_mangle)]
pub extern "C" fn clock_gettime(_clock: i32, time: *mut [i64; 2]) -> i32 {
    unsafe { *time = [1, 0] };
    0
}
pub fn begin() {
    if is("train") {
        println!("@CLOCK_STARTED@");
        std::thread::sleep(std::time::Duration::from_secs(9));
    }
}"#,
        )],
        Tampered,
    ),
    Attack::new(
        "mathematics of its own",
        &[Module(
            r#"#[unsafe(no_mangle)]
pub extern "C" fn sqrt(_: f64) -> f64 { 1.0 }
#[unsafe(no_mangle)]
pub extern "C" fn pow(_: f64, _: f64) -> f64 { 1.0 }
#[unsafe(no_mangle)]
pub extern "C" fn exp(_: f64) -> f64 { 1.0 }
#[unsafe(no_mangle)]
pub extern "C" fn log(_: f64) -> f64 { 0.0 }
pub fn begin() {}"#,
        )],
        Scored,
    )
    // Whose trainer calls them.
    .in_time(),
    Attack::new(
        "reads the terminal",
        &[Begin(
            r#"if std::fs::File::open("/dev/tty").is_ok() {
    got("a terminal", b"");
}"#,
        )],
        Scored,
    ),
    Attack::new(
        "opens disks",
        &[Begin(
            r#"for entry in std::fs::read_dir("/dev").into_iter().flatten().flatten() {
    let name = entry.file_name().to_string_lossy().into_owned();
    let is_disk = ["sd", "vd", "nvme", "dm-", "loop"].iter().any(|kind| name.starts_with(kind));
    if (is_disk || name == "mem") && std::fs::File::open(entry.path()).is_ok() {
        got(&name, b"");
    }
}"#,
        )],
        Scored,
    )
    .untried(),
    Attack::new(
        "fills the disk",
        &[Begin(
            r#"if is("train") {
    let block = vec![1u8; 1 << 20];
    for file in 0..16 {
        use std::io::Write as _;
        let Ok(mut file) = std::fs::File::create(out().join(format!("ballast-{file}"))) else { break };
        for _ in 0..64 {
            if file.write_all(&block).is_err() { break }
        }
    }
    std::thread::sleep(std::time::Duration::from_secs(60));
}"#,
        )],
        Crash("too much was written"),
    )
    .untried(),
];
