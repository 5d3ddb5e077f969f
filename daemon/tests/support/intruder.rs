//! Tries what its arguments say, `what:where[:where]`, and prints for each `ok` or why not.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, truncate};

const PAGE: usize = 4096;

fn main() {
    for attempt in std::env::args().skip(1) {
        let mut parts = attempt.splitn(3, ':');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (what, place, other) = (next(), next(), next());
        match attempted(&what, &place, &other) {
            Ok(told) => println!("{attempt} = ok{told}"),
            Err(error) => println!("{attempt} = {error}"),
        }
    }
}

fn attempted(what: &str, place: &str, other: &str) -> io::Result<String> {
    let done = |()| String::new();
    match what {
        "read" => read(place).map(done),
        "list" => fs::read_dir(place)?.next().transpose().map(|_| String::new()),
        "write" => fs::write(place, "mine").map(done),
        "append" => File::options().append(true).open(place)?.write_all(b"more").map(done),
        "count" => match fs::read_to_string(place)? {
            text if text.is_empty() => Err(io::Error::other("nothing is in it")),
            _ => Ok(String::new()),
        },
        "attribute" => attribute(place).map(done),
        "attributes" => attributes(place).map(done),
        "extents" => extents(place).map(done),
        "put-out" => put_out(place).map(done),
        "page-out" => page_out(place).map(done),
        "in-memory" => in_memory(place).map(done),
        "read-if-there" => read_if_there(place).map(done),
        "truncate" => Ok(done(truncate(place, 0)?)),
        "chmod" => fs::set_permissions(place, fs::Permissions::from_mode(0o777)).map(done),
        "chmod-open" => {
            File::open(place)?.set_permissions(fs::Permissions::from_mode(0o777)).map(done)
        }
        "touch" => File::open(place)?.set_modified(SystemTime::UNIX_EPOCH).map(done),
        "rename" => fs::rename(place, other).map(done),
        "remove" => fs::remove_file(place).map(done),
        "directory" => fs::create_dir(place).map(done),
        "hard-link" => fs::hard_link(place, other).map(done),
        "read-link" => {
            symlink(place, other)?;
            read(other).map(done)
        }
        "tcp" => TcpStream::connect(address(place)).map(|_| String::new()),
        "udp" => {
            UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", address(place)).map(|_| String::new())
        }
        "unix" => UnixStream::connect(place).map(|_| String::new()),
        "pair" => UnixStream::pair().map(|_| String::new()),
        "pair-send" => UnixDatagram::pair()?.0.send_to(b"x", place).map(|_| String::new()),
        "ptrace" => trace(pid(place)).map(done),
        "memory" => peek(pid(place)).map(done),
        "signal" => Ok(done(kill(Pid::from_raw(pid(place)), Signal::SIGCONT)?)),
        "mount" => {
            Ok(done(mount(Some("t"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>)?))
        }
        "unshare" => Ok(done(unshare(CloneFlags::CLONE_NEWUSER)?)),
        "ring" => ring().map(done),
        "unmark" => Ok(done(setrlimit(Resource::RLIMIT_LOCKS, 0, 0)?)),
        "run" => output(&mut Command::new(place)),
        "shell" => output(Command::new("/bin/sh").args(["-c", place])),
        "uid" => Ok(format!(" {}", geteuid())),
        "capabilities" => capabilities(),
        "environment" => {
            let names: Vec<_> =
                std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            Ok(format!(" {}", names.join(" ")))
        }
        "files" => open_files(),
        "telltale" => {
            println!("score: 1.0");
            Ok(String::new())
        }
        "fill" => fill(place, other.parse().expect("bytes")).map(done),
        "orphan" => Command::new("setsid").args(["sleep", "3600"]).spawn().map(|_| String::new()),
        "hang" => {
            std::thread::sleep(Duration::from_secs(3600));
            Ok(String::new())
        }
        unknown => panic!("what is {unknown}?"),
    }
}

fn read(path: &str) -> io::Result<()> {
    File::open(path)?.read(&mut [0; 16]).map(drop)
}

fn attribute(path: &str) -> io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: both names are terminated, and one byte is read of the value.
    let result =
        unsafe { libc::setxattr(path.as_ptr(), c"user.x".as_ptr(), c"x".as_ptr().cast(), 1, 0) };
    Ok(Errno::result(result).map(drop)?)
}

/// Whether its attributes can be asked for.
fn attributes(path: &str) -> io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the path is terminated, and nothing is written where there is no room.
    let result = unsafe { libc::listxattr(path.as_ptr(), std::ptr::null_mut(), 0) };
    Ok(Errno::result(result).map(drop)?)
}

/// Where on the disk a file lies.
fn extents(path: &str) -> io::Result<()> {
    const FS_IOC_FIEMAP: libc::Ioctl = 0xc020_660b;
    let file = File::open(path)?;
    // Start, length, flags, extents mapped, room for extents, nothing: how many there are.
    let mut request = [0u64, u64::MAX, 0, 0];
    // SAFETY: the request is as long as it has to be, and asks for no extent itself.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP, request.as_mut_ptr()) };
    Ok(Errno::result(result).map(drop)?)
}

/// Puts the pages of a file out of memory.
fn put_out(path: &str) -> io::Result<()> {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    Ok(posix_fadvise(File::open(path)?, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?)
}

/// The first page of a file, as memory of this process.
fn mapped<T>(path: &str, work: impl FnOnce(*mut libc::c_void) -> io::Result<T>) -> io::Result<T> {
    let (file, none) = (File::open(path)?, std::ptr::null_mut());
    let (protection, kind) = (libc::PROT_READ, libc::MAP_PRIVATE);
    // SAFETY: a new mapping, which is never written and goes with the process.
    let at = unsafe { libc::mmap(none, PAGE, protection, kind, file.as_raw_fd(), 0) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { work(at) }
}

fn page_out(path: &str) -> io::Result<()> {
    mapped(path, |at| {
        // SAFETY: the page is mapped, and its content stays what it is.
        let result = unsafe { libc::madvise(at, PAGE, libc::MADV_PAGEOUT) };
        Ok(Errno::result(result).map(drop)?)
    })
}

fn in_memory(path: &str) -> io::Result<()> {
    mapped(path, |at| {
        let mut told = 0u8;
        // SAFETY: one byte is written for one page.
        let result = unsafe { libc::mincore(at, PAGE, &raw mut told) };
        Ok(Errno::result(result).map(drop)?)
    })
}

fn read_if_there(path: &str) -> io::Result<()> {
    let (file, mut byte) = (File::open(path)?, 0u8);
    let part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: writes one byte.
    let result =
        unsafe { libc::preadv2(file.as_raw_fd(), &raw const part, 1, 0, libc::RWF_NOWAIT) };
    Ok(Errno::result(result).map(drop)?)
}

/// Addresses hold colons, which divide arguments.
fn address(port: &str) -> String {
    format!("127.0.0.1:{port}")
}

fn pid(text: &str) -> i32 {
    text.parse().expect("a process id")
}

fn output(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().replace('\n', " ");
    let failed = || io::Error::other(format!("{}: {text}", output.status));
    output.status.success().then(|| format!(" {text}")).ok_or_else(failed)
}

fn trace(pid: i32) -> io::Result<()> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: a seized process goes on; it is let go when this one ends.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, none, none) };
    Ok(Errno::result(result).map(drop)?)
}

/// Reads a word of another process where this one has its own program.
fn peek(pid: i32) -> io::Result<()> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let start = maps.split('-').next().and_then(|at| usize::from_str_radix(at, 16).ok());
    let mut word = [0u8; 8];
    let local = libc::iovec { iov_base: word.as_mut_ptr().cast(), iov_len: 8 };
    let at = start.unwrap_or(0x40_0000) as *mut libc::c_void;
    let remote = libc::iovec { iov_base: at, iov_len: 8 };
    // SAFETY: writes eight bytes to the word.
    let result =
        unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    Ok(Errno::result(result).map(drop)?)
}

fn ring() -> io::Result<()> {
    let mut parameters = [0u8; 120];
    // SAFETY: io_uring_setup reads and writes 120 bytes; the descriptor is ours.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: as above.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

fn capabilities() -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let sets = status.lines().filter(|line| line.starts_with("Cap") || line.starts_with("NoNew"));
    Ok(format!(" {}", sets.map(|line| line.replace(":\t", "=")).collect::<Vec<_>>().join(" ")))
}

/// Descriptors beyond the standard ones, apart from the one that looks.
fn open_files() -> io::Result<String> {
    let open = (3..256).filter(|fd| {
        // SAFETY: asks for flags only.
        unsafe { libc::fcntl(*fd, libc::F_GETFD) >= 0 }
    });
    let own = File::open("/dev/null")?.as_raw_fd();
    Ok(format!(" {}", open.filter(|fd| *fd != own).count()))
}

/// Files of a mebibyte each.
fn fill(directory: &str, mebibytes: u32) -> io::Result<()> {
    (0..mebibytes).try_for_each(|n| fs::write(format!("{directory}/{n}"), vec![1; 1 << 20]))
}
