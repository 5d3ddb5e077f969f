//! Standard error, written by a thread of its own: a terminal that nobody reads (Ctrl-S, a hung
//! connection) must not stop deadlines, signals and heartbeats. What does not fit is dropped; the
//! log files have it.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Writes that may wait for the terminal.
const WAITING_MOST: usize = 1024;
/// How long the end of the program waits for the terminal.
const LAST_WAIT: Duration = Duration::from_millis(500);

enum Message {
    Bytes(Vec<u8>),
    Done(SyncSender<()>),
}

static QUEUE: LazyLock<SyncSender<Message>> = LazyLock::new(|| queue(io::stderr()));

/// Standard error as a writer that never waits and never fails.
#[derive(Clone, Copy, Debug)]
pub struct Terminal;

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = QUEUE.try_send(Message::Bytes(bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits, not for long, until all that was written has come out.
pub fn finish() {
    let (done, wait) = sync_channel(1);
    if QUEUE.try_send(Message::Done(done)).is_ok() {
        let _ = wait.recv_timeout(LAST_WAIT);
    }
}

fn queue(mut to: impl Write + Send + 'static) -> SyncSender<Message> {
    let (sender, receiver): (_, Receiver<Message>) = sync_channel(WAITING_MOST);
    std::thread::spawn(move || {
        for message in receiver {
            match message {
                // A terminal that has gone is no reason to stop.
                Message::Bytes(bytes) => drop(to.write_all(&bytes)),
                Message::Done(done) => drop(done.send(())),
            }
        }
    });
    sender
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Blocks for ever once it has been asked to write.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(0)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_that_is_not_read_stops_nobody() {
        let (_never, stuck) = sync_channel(1);
        let sender = queue(Stuck(stuck));
        let sent = (0..2 * WAITING_MOST)
            .filter(|_| sender.try_send(Message::Bytes(b"x".to_vec())).is_ok())
            .count();
        assert!(sent <= WAITING_MOST + 1, "{sent}");
    }

    #[test]
    fn everything_comes_out_in_order() {
        let shared = Shared::default();
        let sender = queue(shared.clone());
        for text in ["a", "b", "c"] {
            sender.send(Message::Bytes(text.into())).unwrap();
        }
        let (done, wait) = sync_channel(1);
        sender.send(Message::Done(done)).unwrap();
        wait.recv().unwrap();
        assert_eq!(*shared.0.lock().unwrap(), b"abc");
    }
}
