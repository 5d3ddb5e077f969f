//! Which machine the session runs on, and whether it is the one that it was on.

use std::collections::BTreeMap;
use std::fs;
use std::thread::available_parallelism;

use tracing::warn;

use super::Session;
use crate::experiment::{Entry, Machine};
use crate::failure::Failure;
use crate::task::{Places, expand_paths};

impl Session {
    /// Writes down the machine where it is not the one that is known. What was measured on another one
    /// is measured again here before anything is compared with it.
    pub(super) async fn record_machine(&mut self) -> Result<(), Failure> {
        let Some(machine) = self.machine() else { return Ok(()) };
        match self.history.machine.as_deref() {
            Some(known) if *known == machine => return Ok(()),
            Some(known) => warn!(
                "another machine than before: {}; the incumbent is measured on it first",
                known.changes(&machine)
            ),
            None => {}
        }
        self.record(Entry::Machine { machine }).await
    }

    fn machine(&self) -> Option<Machine> {
        let (gpus, driver) = self.gpus.names()?;
        let repository = self.settings.locations.repo.to_string_lossy().into_owned();
        let places = Places::from([("repository", repository)]);
        // The place that a link leads to tells versions apart, which its name does not.
        let real = |path: String| match fs::canonicalize(&path) {
            Ok(real) => real.to_string_lossy().into_owned(),
            Err(_) => path,
        };
        let paths = expand_paths(&self.task.paths, &places);
        let software: BTreeMap<_, _> =
            paths.into_iter().map(|(name, path)| (name, real(path))).collect();
        let cores = available_parallelism().map_or(1, usize::from);
        Some(Machine { gpus, driver, processor: processor(), cores, software })
    }
}

/// As Linux names the first one.
fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "an unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}
