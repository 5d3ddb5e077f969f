//! Somebody to talk to, on the loopback and in the file system; whoever does is written down.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait for what a caller has to say.
const PATIENCE: Duration = Duration::from_millis(500);
/// Enough for a call that was made to be taken and written down.
const SETTLES: Duration = Duration::from_millis(60);

/// Listeners of every kind; they listen until the test ends.
pub struct Listeners {
    calls: Calls,
    /// Where to call.
    pub tcp: u16,
    /// Where to send to.
    pub udp: u16,
}

#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn note(&self, way: &str, said: &[u8]) {
        let said = String::from_utf8_lossy(said);
        self.0.lock().unwrap().push(format!("{way}: {said}"));
    }

    /// Hears out everybody who comes.
    fn hear(&self, way: &'static str, mut next: impl FnMut() -> Vec<u8> + Send + 'static) {
        let calls = self.clone();
        std::thread::spawn(move || {
            loop {
                calls.note(way, &next());
            }
        });
    }
}

impl Listeners {
    /// Listens at free ports, at two sockets in a directory, and at a name without a file.
    pub fn open(directory: &Path, shared: &str) -> Self {
        let calls = Calls::default();
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ports = [tcp.local_addr(), udp.local_addr()].map(|address| address.unwrap().port());
        calls.hear("tcp", move || {
            let (mut caller, _) = tcp.accept().unwrap();
            caller.set_read_timeout(Some(PATIENCE)).unwrap();
            all_of(&mut caller)
        });
        calls.hear("udp", move || datagram(|buffer| udp.recv(buffer)));
        let name = SocketAddr::from_abstract_name(shared).unwrap();
        let [in_file, unnamed] = [
            UnixListener::bind(directory.join("stream")).unwrap(),
            UnixListener::bind_addr(&name).unwrap(),
        ];
        for (way, listener) in [("unix stream", in_file), ("abstract socket", unnamed)] {
            calls.hear(way, move || {
                let (mut caller, _) = listener.accept().unwrap();
                caller.set_read_timeout(Some(PATIENCE)).unwrap();
                all_of(&mut caller)
            });
        }
        let socket = UnixDatagram::bind(directory.join("datagram")).unwrap();
        calls.hear("unix datagram", move || datagram(|buffer| socket.recv(buffer)));
        Self { calls, tcp: ports[0], udp: ports[1] }
    }

    /// Who called since this was last asked, and what they said.
    pub fn heard(&self) -> Vec<String> {
        std::thread::sleep(SETTLES);
        std::mem::take(&mut *self.calls.0.lock().unwrap())
    }
}

fn all_of(caller: &mut impl std::io::Read) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = caller.take(1 << 16).read_to_end(&mut said);
    said
}

fn datagram(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let length = receive(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}
