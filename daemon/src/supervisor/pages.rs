//! What a prediction read of the files that all runs read stays in memory, where the next candidate's
//! training could find it: before anything of another candidate runs, it is made the same again.

use std::io;

use tracing::debug;

use super::Session;
use super::sandboxes::of_the_task;
use super::work::Work;
use crate::clock;
use crate::runner::level_pages;
use crate::sandbox::{covers, shared};

impl Session {
    /// Before a run in a sandbox. The slot knows whether anything was predicted since: an earlier life
    /// may have been the one that did.
    ///
    /// # Errors
    /// The slot cannot be told that a prediction begins.
    pub(super) async fn level_pages_for(&self, work: Work) -> io::Result<()> {
        match work {
            Work::Predict | Work::HoldOut => self.slot.set_level(false),
            Work::Build | Work::Smoke | Work::Train if !self.slot.is_level() => {
                self.level_pages().await;
                // Where it cannot be written down it is done again.
                let _ = self.slot.set_level(true);
                Ok(())
            }
            Work::Build | Work::Smoke | Work::Train | Work::Canary => Ok(()),
        }
    }

    /// What the task names is what every run maps; it is to be there without asking the disk.
    async fn level_pages(&self) {
        let (training, predicting) = (self.places(Work::Train), self.places(Work::Predict));
        let sandboxes =
            self.sandbox(Work::Train, &training).zip(self.sandbox(Work::Predict, &predicting));
        let Some((one, other)) = sandboxes else { return };
        let places = shared(&one, &other);
        let wanted =
            of_the_task(&self.task, &training).into_iter().filter(|path| covers(&places, path));
        let wanted = wanted.collect();
        let began = clock::now();
        let levelled = self.aside(move || level_pages(&places, &wanted)).await;
        let seconds = began.elapsed().as_secs_f64();
        debug!(?levelled, seconds, "what is in memory is as before any prediction");
    }
}
