//! Questions that may never be answered: each is asked on a thread of its own and waited for only
//! so long; while one hangs no other is asked.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// It hangs, or an earlier one still does.
    Silent,
    /// There was nobody to ask: no thread, or it panicked.
    Broken(io::Error),
}

pub(super) struct Patience<T> {
    longest: Duration,
    hanging: Mutex<Option<Receiver<T>>>,
}

impl<T: Send + 'static> Patience<T> {
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, hanging: Mutex::new(None) }
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// The answer, if it comes in time. One that comes after that is dropped: it is old.
    pub(super) fn ask(
        &self,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let mut hanging = self.hanging.lock().unwrap_or_else(PoisonError::into_inner);
        if hanging.as_ref().is_some_and(|late| matches!(late.try_recv(), Err(TryRecvError::Empty)))
        {
            return Err(Unanswered::Silent);
        }
        let (answer, receiver) = sync_channel(1);
        // Nobody may be waiting any more.
        let ask = move || drop(answer.send(question()));
        thread::Builder::new().name("nvml".to_owned()).spawn(ask).map_err(Unanswered::Broken)?;
        match receiver.recv_timeout(self.longest) {
            Ok(answer) => {
                *hanging = None;
                Ok(answer)
            }
            Err(RecvTimeoutError::Timeout) => {
                *hanging = Some(receiver);
                Err(Unanswered::Silent)
            }
            Err(RecvTimeoutError::Disconnected) => {
                *hanging = None;
                Err(Unanswered::Broken(io::Error::other("the question panicked")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn while_one_hangs_no_other_is_asked() {
        let patience = Patience::new(Duration::from_millis(20));
        let asked = Arc::new(AtomicU32::new(0));
        let (release, held) = sync_channel::<()>(0);
        let count = asked.clone();
        let hang = move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = held.recv();
            1
        };
        assert!(matches!(patience.ask(hang), Err(Unanswered::Silent)));
        for _ in 0..3 {
            let count = asked.clone();
            let more = move || {
                count.fetch_add(1, Ordering::SeqCst);
                2
            };
            assert!(matches!(patience.ask(more), Err(Unanswered::Silent)));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        drop(release);
        // The late answer comes in its own time, and is not taken for a new one.
        let after = std::iter::repeat_with(|| patience.ask(|| 3)).find_map(Result::ok);
        assert_eq!(after, Some(3));
    }

    #[test]
    fn a_panic_is_no_silence() {
        let patience = Patience::<u32>::new(Duration::from_secs(30));
        let panicked = patience.ask(|| panic!("as meant by this test"));
        assert!(matches!(panicked, Err(Unanswered::Broken(_))));
        assert!(matches!(patience.ask(|| 1), Ok(1)));
    }
}
