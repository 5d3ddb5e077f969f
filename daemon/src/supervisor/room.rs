//! Room on the disks: enough before anything starts, and how much of it a run may take.

use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::Session;
use super::wait::Postponed;
use super::work::Work;
use crate::disk::{self, Ballast};
use crate::experiment::Pause;
use crate::failure::{Failure, OrFailure as _};
use crate::ledger::LedgerError;
use crate::notebook::Notebook;
use crate::runner::{ResourceLimits, settle_space, written_bytes};
use crate::sandbox::Sandbox;
use crate::settings::Settings;

/// The most that a prediction may write, temporary files included: the caches of compiled kernels are
/// the largest of them.
pub(super) const PREDICTION_BYTES: u64 = 1 << 30;

/// Does what a session cannot begin without; where the disk is full, without the ballast. Says of how
/// many bytes that was, too.
pub(super) async fn making_room<T>(
    notebook: &Notebook,
    act: impl AsyncFn() -> Result<T, Failure>,
) -> Result<(T, u64), Failure> {
    if !is_full(notebook) {
        match act().await {
            Err(failure) if is_full_disk(&failure) => {}
            done => return done.map(|done| (done, 0)),
        }
    }
    let given_up = Ballast::new(notebook.ballast(), 0).release().or_outside()?;
    act().await.map(|done| (done, given_up))
}

/// Whether there is less room than all the rest of a start takes.
fn is_full(notebook: &Notebook) -> bool {
    let state_dir = notebook.root().parent().unwrap_or(notebook.root());
    let probed = notebook.probe().or_outside();
    matches!(disk::free_mib(state_dir), Ok(0))
        || probed.is_err_and(|failure| failure.is_full_disk())
}

fn is_full_disk(failure: &Failure) -> bool {
    let is_ledgers = matches!(failure.error.downcast_ref(), Some(LedgerError::DiskFull { .. }));
    is_ledgers || failure.is_full_disk()
}

impl Session {
    /// Makes room where a candidate's build has left none: nothing needs the rest of it once its
    /// program is kept.
    pub(super) async fn have_room(&self) -> Result<(), Failure> {
        let Err(full) = self.check_disks() else { return Ok(()) };
        let is_needed = self.built.is_some() && self.task.commands.product.is_none();
        if is_needed {
            return Err(full);
        }
        let slot = self.slot.clone();
        self.aside(move || slot.give_up_target()).await.or_outside()?;
        self.check_settled_disks().await
    }

    /// Whether there is room but for what a run that failed wrote: nobody needs that, and it is what
    /// the run did, not the machine.
    pub(super) async fn have_room_after(&self, work: Work) -> Result<(), Failure> {
        if self.check_disks().is_ok() {
            return Ok(());
        }
        if let Err(failure) = self.clear_output(work).await {
            warn!("what it wrote stays for now: {:#}", failure.error);
        }
        match self.check_settled_disks().await {
            Ok(()) => Ok(()),
            Err(_) => self.have_room().await,
        }
    }

    /// Looks again after something was removed, whose space may come back late.
    async fn check_settled_disks(&self) -> Result<(), Failure> {
        let places: Vec<_> = self.free_mib()?.into_iter().map(|(place, _)| place).collect();
        let least = floor_mib(&self.settings) << 20;
        self.aside(move || settle_space(&places, least)).await;
        self.check_disks()
    }

    fn check_disks(&self) -> Result<(), Failure> {
        let floor_mib = floor_mib(&self.settings);
        for (place, free_mib) in self.free_mib()? {
            if free_mib < floor_mib {
                let place = place.display();
                let why = format!(
                    "{free_mib} MiB are free at {place}, {floor_mib} are needed (floor_mib)"
                );
                return Err(Postponed { cause: Pause::Disk, why, after: None }).or_outside();
            }
        }
        Ok(())
    }

    /// What a run in a sandbox may use: of the free space no more than leaves half of the floor, so
    /// that it is ended, and named, before it stands in everybody's way. Predictions are small.
    pub(super) async fn allowance(
        &self,
        work: Work,
        sandbox: &Sandbox,
    ) -> Result<ResourceLimits, Failure> {
        let written: Vec<_> = sandbox.writable.iter().cloned().collect();
        let written = self.aside(move || written_bytes(&written)).await;
        let floor_mib = floor_mib(&self.settings);
        let spare = |free_mib: u64| (free_mib - free_mib.min(floor_mib) / 2) << 20;
        let spare = self.free_mib()?.into_iter().map(|(_, free_mib)| spare(free_mib)).min();
        let most = written.saturating_add(spare.unwrap_or(u64::MAX));
        let least = |limit: Option<u64>, most: u64| Some(limit.map_or(most, |cap| cap.min(most)));
        let mut limits = self.resources;
        limits.directory_bytes = least(limits.directory_bytes, most);
        limits.free_bytes = Some((floor_mib / 2) << 20);
        if matches!(work, Work::Predict | Work::HoldOut) {
            limits.directory_bytes = least(limits.directory_bytes, PREDICTION_BYTES);
            limits.file_bytes = least(limits.file_bytes, PREDICTION_BYTES);
        }
        Ok(limits)
    }

    /// Where anything is written, and what is free there.
    fn free_mib(&self) -> Result<Vec<(PathBuf, u64)>, Failure> {
        let places = [self.notebook.root(), &self.settings.locations.cache, self.slot.root()];
        let free = |place: &Path| Ok((place.to_owned(), disk::free_mib(place)?));
        places.into_iter().map(free).collect::<io::Result<_>>().or_outside()
    }
}

/// Free space below which nothing new is started, in MiB.
pub(super) fn floor_mib(settings: &Settings) -> u64 {
    settings.runs.floor_mib.unwrap_or(disk::FLOOR_MIB)
}
