//! What a prediction read of the files that all runs read stays in memory, where the next candidate's
//! training could find it: before anything of another candidate runs, it is made the same again.

use tracing::debug;

use super::Session;
use super::work::Work;
use crate::clock;
use crate::runner::level_pages;
use crate::sandbox::{covers, shared};

impl Session {
    /// Before a run in a sandbox. What an earlier life left is not known, so that its first run finds
    /// the same as all others.
    pub(super) async fn level_pages_for(&mut self, work: Work) {
        match work {
            Work::Predict | Work::HoldOut => self.is_level = false,
            Work::Build | Work::Smoke | Work::Train if !self.is_level => {
                self.level_pages().await;
                self.is_level = true;
            }
            Work::Build | Work::Smoke | Work::Train | Work::Canary => {}
        }
    }

    /// What the task names is what every run maps; it is to be there without asking the disk.
    async fn level_pages(&self) {
        let (training, predicting) = (self.places(Work::Train), self.places(Work::Predict));
        let sandboxes =
            self.sandbox(Work::Train, &training).zip(self.sandbox(Work::Predict, &predicting));
        let Some((one, other)) = sandboxes else { return };
        let places = shared(&one, &other);
        let wanted = self.of_the_task(&training).into_iter().filter(|path| covers(&places, path));
        let wanted = wanted.collect();
        let began = clock::now();
        let levelled = self.aside(move || level_pages(&places, &wanted)).await;
        let seconds = began.elapsed().as_secs_f64();
        debug!(?levelled, seconds, "what is in memory is as before any prediction");
    }
}
