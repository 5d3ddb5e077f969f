//! What a service manager hears of a whole session, and what it does not hear of a frozen one.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal::{SIGCONT, SIGSTOP, SIGTERM};

use crate::environment::{Daemon, TestEnvironment, reply};
use crate::openai::{Answer, Server};

/// The watchdog's interval.
const INTERVAL: Duration = Duration::from_millis(200);
/// Long enough for any machine; a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(90);

/// The manager's end of the socket that the daemon is told of.
struct Manager(UnixDatagram);

impl Manager {
    fn of(environment: &TestEnvironment, session: &mut Command) -> Self {
        let path = environment.path("notify");
        session.env("NOTIFY_SOCKET", &path);
        session.env("WATCHDOG_USEC", INTERVAL.as_micros().to_string());
        Self(UnixDatagram::bind(path).unwrap())
    }

    /// The next message, when one comes in that time.
    fn within(&self, patience: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    /// Listens until a message says this.
    #[track_caller]
    fn hears(&self, line: &str) {
        loop {
            let message = self.within(LONG).unwrap_or_else(|| panic!("never heard {line}"));
            if message.lines().any(|said| said == line) {
                return;
            }
        }
    }

    /// Everything that is still to be heard, until it is silent for many intervals.
    fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.within(20 * INTERVAL)).collect()
    }
}

/// A session whose first candidate trains until it is ended.
fn training<'a>(environment: &'a TestEnvironment) -> (Manager, Daemon<'a>) {
    let hangs = reply("hangs", &[("mode = ok", "mode = hang")]);
    let script = environment.script(&[hangs]);
    let mut session = environment.session(&["--proposer", &script]);
    let manager = Manager::of(environment, &mut session);
    (manager, environment.start(&mut session))
}

#[test]
fn a_session_is_ready_lives_and_stops() {
    let environment = TestEnvironment::new();
    let (manager, mut daemon) = training(&environment);
    manager.hears("READY=1");
    // Through a phase in which the daemon does nothing but wait.
    daemon.wait_for_training(1);
    for _ in 0..10 {
        manager.hears("WATCHDOG=1");
    }
    daemon.signal(SIGTERM);
    manager.hears("STOPPING=1");
    daemon.wait().code(0);
    assert!(!manager.rest().iter().any(|said| said.contains("READY")));
}

#[test]
fn a_frozen_daemon_is_silent_until_it_moves_again() {
    let environment = TestEnvironment::new();
    let (manager, mut daemon) = training(&environment);
    manager.hears("READY=1");
    daemon.wait_for_training(1);
    manager.hears("WATCHDOG=1");
    daemon.signal(SIGSTOP);
    // What was on its way is read; then nothing comes any more.
    manager.rest();
    assert_eq!(manager.within(20 * INTERVAL), None);
    daemon.signal(SIGCONT);
    manager.hears("WATCHDOG=1");
    daemon.signal(SIGTERM);
    daemon.wait().code(0);
}

#[test]
fn a_wait_for_the_endpoint_is_told() {
    let environment = TestEnvironment::new();
    let server = Server::start([Answer::error(401, "revoked")]);
    let mut session = environment.session(&["--proposer", "llm", "--model", "m"]);
    session.env("OPENAI_API_KEY", "sk-1").env("OPENAI_BASE_URL", server.base_url());
    let manager = Manager::of(&environment, &mut session);
    let daemon = environment.start(&mut session);
    let why = format!("{} refuses the key: status 401: revoked", server.base_url());
    manager.hears(&format!("STATUS=paused: the endpoint does not answer: {why}"));
    // It is alive, and waits as it should.
    manager.hears("WATCHDOG=1");
    daemon.signal(SIGTERM);
    daemon.wait().code(0);
    server.finish();
}

#[test]
fn children_are_told_nothing_of_the_manager() {
    let environment = TestEnvironment::new();
    let (manager, mut daemon) = training(&environment);
    manager.hears("READY=1");
    daemon.wait_for_training(1);
    let ours = format!("NOTIFY_SOCKET={}", environment.path("notify").display());
    let mut seen = 0;
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let told = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let cwd = std::fs::read_link(entry.path().join("cwd"));
        if cwd.is_ok_and(|cwd| cwd.starts_with(environment.path("cache"))) {
            assert!(!String::from_utf8_lossy(&told).contains(&ours), "{entry:?}");
            seen += 1;
        }
    }
    assert!(seen > 0, "no trainer was looked at");
    daemon.signal(SIGTERM);
    daemon.wait().code(0);
}
