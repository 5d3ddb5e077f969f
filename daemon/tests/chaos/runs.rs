//! How often the trainer ran, by a file that every training opens: the one sign that a run in a sandbox
//! can give without leaving anything behind.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

pub struct Runs {
    watch: Inotify,
    seen: Cell<usize>,
}

impl Runs {
    /// Makes the file and watches it.
    pub fn watch(file: &Path) -> Self {
        fs::write(file, "").unwrap();
        let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
        // Two openings in a row would be told as one; with what closes them between, they are not.
        let both = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_CLOSE;
        watch.add_watch(file, both).unwrap();
        Self { watch, seen: Cell::new(0) }
    }

    /// Trainings ever begun.
    pub fn count(&self) -> usize {
        loop {
            match self.watch.read_events() {
                Ok(events) => {
                    let opened = events.iter().filter(|e| e.mask.contains(AddWatchFlags::IN_OPEN));
                    self.seen.set(self.seen.get() + opened.count());
                }
                Err(Errno::EAGAIN) => return self.seen.get(),
                Err(errno) => panic!("cannot watch: {errno}"),
            }
        }
    }
}
