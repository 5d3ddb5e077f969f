//! What the daemon tells the service manager that started it. [sd_notify(3)]
//!
//! Datagrams to the socket that the manager names: a few lines, so no crate. Without a manager
//! everything here does nothing.
//!
//! The watchdog is fed by the state loop and by nothing else: [`Service::alive`] when it moves,
//! [`Service::during`] what it waits for. A [`Service`] is not `Sync`, so that no task
//! or thread of its own can feed for a loop that has stopped.

use std::cell::Cell;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

/// How long a manager that reads nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The daemon's side of the protocol.
#[derive(Debug)]
pub struct Service {
    manager: Option<Manager>,
}

/// Why the manager cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Neither a path nor an abstract name.
    #[error("NOTIFY_SOCKET={0:?} is neither an absolute path nor an abstract name (@…)")]
    Address(String),
    /// The operating system gives no socket for it.
    #[error("cannot talk to the service manager at {address}")]
    Socket {
        /// As given.
        address: String,
        /// Why.
        source: io::Error,
    },
}

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Watchdog>,
}

#[derive(Debug)]
struct Watchdog {
    /// Half the interval after which the manager gives the daemon up.
    period: Duration,
    /// When it is to be fed next.
    due: Cell<Instant>,
}

impl Service {
    /// Takes the values of NOTIFY_SOCKET (a path, or `@` and an abstract name) and of the watchdog
    /// interval (WATCHDOG_USEC, where WATCHDOG_PID is ours). Without a socket there is no manager.
    ///
    /// # Errors
    /// The socket's name cannot be understood, or no socket can be had.
    pub fn from_environment(
        notify_socket: Option<&str>,
        watchdog: Option<Duration>,
    ) -> Result<Self, ServiceError> {
        let manager = notify_socket.map(|name| Manager::new(name, watchdog)).transpose()?;
        Ok(Self { manager })
    }

    /// The session is open and the loop begins.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// What the daemon does now, in one line for people.
    pub fn status(&self, text: &str) {
        self.tell(&format!("STATUS={}", text.replace('\n', " ")));
    }

    /// The daemon ends, because it was asked to or cannot go on.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The loop moves, or waits knowingly. Sends at most every half watchdog interval, so it may
    /// be called as often as one likes.
    pub fn alive(&self) {
        let Some(watchdog) = self.watchdog() else { return };
        let now = Instant::now();
        if now >= watchdog.due.get() {
            let fed = self.tell("WATCHDOG=1");
            // What did not arrive is sent again well before the manager loses its patience.
            let pause = if fed { watchdog.period } else { PATIENCE.min(watchdog.period) };
            watchdog.due.set(now + pause);
        }
    }

    /// Feeds the watchdog for as long as it is polled; never ends. Select it beside what the loop
    /// waits for: when their thread is blocked or frozen, nothing is sent.
    pub async fn feed(&self) -> ! {
        loop {
            self.alive();
            match self.watchdog() {
                Some(watchdog) => sleep_until(watchdog.due.get()).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Does work that should take this long at most, and feeds the watchdog from the same task
    /// for so long. What takes longer is still waited for, but unfed: it hangs, and the manager is
    /// to find out.
    pub async fn during<T>(&self, most: Duration, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            _ = timeout(most, self.feed()) => warn!(?most, "something takes too long"),
        }
        work.await
    }

    fn watchdog(&self) -> Option<&Watchdog> {
        self.manager.as_ref()?.watchdog.as_ref()
    }

    /// Whether the manager was told. One that cannot be is no reason to stop; it will act as it
    /// sees fit.
    fn tell(&self, text: &str) -> bool {
        let Some(manager) = &self.manager else { return false };
        let sent = manager.socket.send_to_addr(text.as_bytes(), &manager.address);
        if let Err(error) = &sent {
            warn!(%error, text, "the service manager was not told");
        }
        sent.is_ok()
    }
}

impl Manager {
    fn new(name: &str, watchdog: Option<Duration>) -> Result<Self, ServiceError> {
        let failed = |source| ServiceError::Socket { address: name.to_owned(), source };
        let address = match name.strip_prefix('@') {
            Some(hidden) if !hidden.is_empty() => SocketAddr::from_abstract_name(hidden),
            None if name.starts_with('/') => SocketAddr::from_pathname(name),
            _ => return Err(ServiceError::Address(name.to_owned())),
        };
        let socket = UnixDatagram::unbound().map_err(failed)?;
        socket.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let due = Cell::new(Instant::now());
        let watchdog = watchdog.map(|interval| Watchdog { period: interval / 2, due });
        Ok(Self { socket, address: address.map_err(failed)?, watchdog })
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
