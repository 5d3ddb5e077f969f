use super::*;
use std::sync::mpsc;
use tempfile::TempDir;

const INTERVAL: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Long enough for any machine; a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(60);

/// The manager's end of the socket.
struct Listener {
    socket: UnixDatagram,
    name: String,
    _directory: TempDir,
}

impl Listener {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { socket, name: path.to_str().unwrap().to_owned(), _directory: directory }
    }

    fn service(&self, watchdog: Option<Duration>) -> Service {
        Service::from_environment(Some(&self.name), watchdog).unwrap()
    }

    /// What has come in until now.
    fn heard(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.next().ok()).collect()
    }

    /// The next message, when one comes in that time.
    fn within(&self, patience: Duration) -> Option<String> {
        self.socket.set_nonblocking(false).unwrap();
        self.socket.set_read_timeout(Some(patience)).unwrap();
        self.next().ok()
    }

    fn next(&self) -> io::Result<String> {
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer)?;
        Ok(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }
}

#[tokio::test]
async fn the_manager_hears_each_turn_of_a_life() {
    let listener = Listener::new();
    let service = listener.service(None);
    service.ready();
    service.status("experiment 3:\ntraining");
    service.alive();
    service.stopping();
    assert_eq!(listener.heard(), ["READY=1", "STATUS=experiment 3: training", "STOPPING=1"]);
}

#[tokio::test]
async fn an_abstract_socket_is_one_too() {
    let name = format!("dfr-service-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    Service::from_environment(Some(&format!("@{name}")), None).unwrap().ready();
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
}

#[tokio::test]
async fn a_name_that_is_no_socket_is_refused_and_no_name_is_no_manager() {
    for name in ["relative/path", "@", "vsock:2:1234"] {
        let error = Service::from_environment(Some(name), Some(INTERVAL)).unwrap_err();
        assert!(matches!(&error, ServiceError::Address(given) if given == name), "{error}");
    }
    let alone = Service::from_environment(None, Some(INTERVAL)).unwrap();
    alone.ready();
    assert_eq!(alone.during(INTERVAL, async { 7 }).await, 7);
}

#[tokio::test]
async fn a_manager_that_has_gone_stops_nobody_and_one_that_comes_back_is_heard() {
    let listener = Listener::new();
    let service = listener.service(None);
    std::fs::remove_file(&listener.name).unwrap();
    service.ready();
    let again = UnixDatagram::bind(&listener.name).unwrap();
    service.stopping();
    let mut buffer = [0; 64];
    let length = again.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"STOPPING=1");
    assert!(listener.heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_moves_feeds_at_most_every_half_interval() {
    let listener = Listener::new();
    let service = listener.service(Some(INTERVAL));
    let mut fed = 0;
    for _ in 0..3600 {
        service.alive();
        fed += listener.heard().len();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(fed, 120);
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_an_hour_is_fed_and_nothing_is_sent_after_it() {
    let listener = Listener::new();
    let service = listener.service(Some(INTERVAL));
    let mut fed = Vec::new();
    let hour = async {
        for _ in 0..3600 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            fed.extend(listener.heard());
        }
    };
    service.during(2 * HOUR, hour).await;
    assert_eq!(fed[..120], vec!["WATCHDOG=1"; 120]);
    listener.heard();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(listener.heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_that_did_not_arrive_is_sent_again_soon() {
    let listener = Listener::new();
    let service = listener.service(Some(INTERVAL));
    let away = format!("{}.away", listener.name);
    std::fs::rename(&listener.name, &away).unwrap();
    service.alive();
    std::fs::rename(&away, &listener.name).unwrap();
    service.during(HOUR, tokio::time::sleep(2 * PATIENCE)).await;
    assert_eq!(listener.heard(), ["WATCHDOG=1"]);
}

/// A phase that hangs beyond its own deadline is a daemon that does not move.
#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_it_may_is_waited_for_and_not_fed() {
    let listener = Listener::new();
    let service = listener.service(Some(INTERVAL));
    let hangs = service.during(Duration::from_secs(100), tokio::time::sleep(HOUR));
    tokio::pin!(hangs);
    assert!(timeout(HOUR / 2, &mut hangs).await.is_err());
    assert_eq!(listener.heard(), vec!["WATCHDOG=1"; 4]);
    hangs.await;
    assert!(listener.heard().is_empty());
}

/// The feeder goes by what was sent last, so that no gap is longer than half an interval.
#[tokio::test(start_paused = true)]
async fn the_feeder_goes_by_what_the_loop_has_sent() {
    let listener = Listener::new();
    let service = listener.service(Some(INTERVAL));
    tokio::time::sleep(Duration::from_secs(29)).await;
    service.alive();
    service.during(HOUR, tokio::time::sleep(Duration::from_secs(29))).await;
    assert_eq!(listener.heard().len(), 1);
    service.during(HOUR, tokio::time::sleep(Duration::from_secs(2))).await;
    assert_eq!(listener.heard().len(), 1);
}

#[test]
fn a_blocked_thread_feeds_nothing_until_it_moves_again() {
    let listener = Listener::new();
    let interval = Duration::from_millis(20);
    let service = listener.service(Some(interval));
    let (block, blocked) = mpsc::channel::<()>();
    let (free, freed) = mpsc::channel::<()>();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = stop.clone();
    let daemon = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(service.during(HOUR, async move {
            while !asked.load(std::sync::atomic::Ordering::Relaxed) {
                if blocked.try_recv().is_ok() {
                    freed.recv().unwrap();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }));
    });
    for _ in 0..3 {
        assert_eq!(listener.within(LONG).as_deref(), Some("WATCHDOG=1"));
    }
    block.send(()).unwrap();
    // What was on its way is read; then there is silence for many intervals.
    while listener.within(10 * interval).is_some() {}
    assert_eq!(listener.within(20 * interval), None);
    free.send(()).unwrap();
    assert_eq!(listener.within(LONG).as_deref(), Some("WATCHDOG=1"));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    daemon.join().unwrap();
}
