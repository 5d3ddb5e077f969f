//! Nights side by side: a session waits for disks and processes more than it computes.

use std::sync::Mutex;

/// Threads for the long forms, which have the machine to themselves.
pub fn many() -> usize {
    2 * std::thread::available_parallelism().unwrap().get()
}

/// Does something with each item, in order as workers come free.
pub fn each<T: Send>(items: Vec<T>, workers: usize, work: impl Fn(T) + Sync) {
    let items = Mutex::new(items.into_iter());
    let take = || items.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| std::iter::from_fn(take).for_each(&work));
        }
    });
}
