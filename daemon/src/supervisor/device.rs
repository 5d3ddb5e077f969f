//! Whether the next thing may start: GPUs that are free and sound.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::Session;
use super::build::Ground;
use super::wait::{Postponed, doubled};
use super::work::Work;
use crate::device::gate::{Floor, admission, harm};
use crate::device::health::{Event, Health, PROBE_MOST, Step};
use crate::device::{self, DeviceError, Devices, Gpu, Visible};
use crate::experiment::{DeviceState, Entry, Pause, RunOutcome};
use crate::failure::{Failure, OrFailure as _};
use crate::runner::{Report, Taint};
use crate::session::NewSession;
use crate::settings::Settings;

/// What a session writes down of whether it began with a GPU.
pub(super) const GPU: &str = "gpu";
/// How often a driver is asked after a run, until it answers.
const LOOKS: u32 = 5;
/// Longest time for the canary, start-up included.
const CANARY_S: u64 = 120;

/// The GPUs of a session.
pub(super) struct Gpus {
    devices: Arc<dyn Devices>,
    /// What an idle one has in use; unknown until it was seen idle, in this life or before.
    floor: Option<Floor>,
    /// Of those that were seen idle in earlier lives.
    known: Floor,
    health: Health,
    /// The first fault since they were last healthy.
    fault: Option<String>,
    /// What the end of the last run asked for before the next one.
    owed: Option<Step>,
    /// As they were before the last run.
    before: Vec<Gpu>,
    pub(super) has_gpu: bool,
    /// A part of one, which the driver tells nothing of.
    is_slice: bool,
}

impl Gpus {
    /// Looks for the first time. A session that began with a GPU does not go on without one: scores
    /// of so many steps compare with none of fewer.
    pub(super) async fn open(settings: &Settings, began: Option<&NewSession>) -> Self {
        let (library, visible) = (settings.nvml.clone(), settings.visible_gpus.as_deref());
        let began_with = began.is_some_and(|began| began.settings[GPU].as_bool() == Some(true));
        let is_slice = visible.is_some_and(|list| list.trim_start().starts_with("MIG-"));
        let visible = Visible::parse(visible);
        let open = move || device::open(library, visible, began_with);
        let opened = tokio::task::spawn_blocking(open).await;
        let opened = opened.expect("a look at the GPUs does not panic");
        let mut gpus = Self {
            devices: opened.devices,
            floor: None,
            known: Floor::default(),
            health: Health::default(),
            fault: None,
            owed: None,
            before: Vec::new(),
            has_gpu: began_with,
            is_slice,
        };
        match opened.first {
            Ok(first) => gpus.before = first,
            Err(error) => drop(gpus.on(Event::from(&error))),
        }
        for gpu in &gpus.before {
            info!(uuid = gpu.uuid, driver = gpu.driver, "device: {} {}", gpu.index, gpu.name);
        }
        gpus.has_gpu |= !gpus.before.is_empty() || gpus.health != Health::Healthy;
        if is_slice {
            warn!(
                "device: a MIG slice, of which the driver does not tell who uses it; no run waits for \
                 it to be free"
            );
        } else if !gpus.has_gpu {
            warn!("device: no NVIDIA GPU; training runs on the CPU");
        }
        gpus
    }

    /// Product names of those that were seen, and the version of their driver; nothing while it is not
    /// known which there are.
    pub(super) fn names(&self) -> Option<(Vec<String>, String)> {
        let names: Vec<_> = self.before.iter().map(|gpu| gpu.name.clone()).collect();
        let driver = self.before.first().map_or_else(String::new, |gpu| gpu.driver.clone());
        let is_known = !names.is_empty() && names.iter().all(|name| !name.is_empty());
        (!self.has_gpu || is_known).then_some((names, driver))
    }

    /// Takes in what earlier lives learned of them.
    pub(super) fn recall(&mut self, known: &DeviceState) {
        self.known = Floor::from(known.floor_mib.clone());
        if let Some(why) = known.fault.clone().filter(|_| self.health == Health::Healthy) {
            warn!(why, "device: in doubt since an earlier life; a canary comes first");
            self.on(Event::Fault(why));
        }
    }

    async fn look(&self) -> Result<Vec<Gpu>, DeviceError> {
        let devices = Arc::clone(&self.devices);
        let looked = tokio::task::spawn_blocking(move || devices.look()).await;
        looked.expect("a look at the GPUs does not panic")
    }

    /// The same after a run, which a driver that fails for a moment must not cost its end. One that is
    /// silent was waited for already.
    async fn look_again(&self, pause: Duration) -> Result<Vec<Gpu>, DeviceError> {
        for _ in 1..LOOKS {
            match self.look().await {
                seen @ (Ok(_) | Err(DeviceError::Silent { .. })) => return seen,
                Err(error) => {
                    warn!(%error, "device: the driver fails; it is asked again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
        self.look().await
    }

    /// What keeps a run from starting now, if anything does.
    async fn obstacle(&mut self) -> Option<Event> {
        let gpus = match self.look().await {
            Ok(gpus) if gpus.is_empty() && self.has_gpu => {
                let why = "the GPU that the session began with is not there".to_owned();
                return Some(Event::Fault(why));
            }
            Ok(gpus) => gpus,
            Err(error) => return Some(Event::from(&error)),
        };
        let admitted = match &self.floor {
            Some(floor) => Event::of_admission(&admission(&gpus, floor, &[])),
            None => match self.known.again(&gpus) {
                Ok(floor) => {
                    self.floor = Some(floor);
                    None
                }
                Err(refused) => Event::of_admission(&refused),
            },
        };
        self.before = gpus;
        admitted
    }

    fn on(&mut self, event: Event) -> Step {
        let fault = self.fault.take().or_else(|| event.fault());
        let (health, step) = self.health.on(event);
        self.health = health;
        self.fault = fault.filter(|_| health != Health::Healthy);
        step
    }
}

impl Session {
    /// Lets through what may start now. Nothing is started, and no token spent, on a disk without
    /// room or a GPU that is in use or sick. Returns whether what was decided still stands: a canary
    /// takes the slot from what was built there.
    pub(super) async fn admit(&mut self) -> Result<bool, Failure> {
        let built = self.built.clone();
        self.have_room().await?;
        let owed = self.gpus.owed.take();
        let mut step = owed.unwrap_or_else(|| self.gpus.on(Event::Waited));
        loop {
            step = match step {
                Step::GoOn => match self.gpus.obstacle().await {
                    None => return self.remember_gpus().await.map(|()| self.built == built),
                    Some(event) => self.learn(event).await?,
                },
                Step::Canary => match self.canary().await? {
                    Some(event) => self.learn(event).await?,
                    None => return Ok(false),
                },
                Step::Pause { why, waits } => {
                    let times = waits.saturating_sub(1);
                    let after = Some(doubled(self.settings.probe, times, PROBE_MOST));
                    return Err(Postponed { cause: Pause::Device, why, after }).or_outside();
                }
            }
        }
    }

    /// Whether [`Self::admit`] would let something through now, as far as a look tells.
    pub(super) async fn is_clear(&mut self) -> bool {
        self.have_room().await.is_ok() && self.gpus.obstacle().await.is_none()
    }

    /// Takes in what happened to the GPUs, and says what follows.
    async fn learn(&mut self, event: Event) -> Result<Step, Failure> {
        let step = self.gpus.on(event);
        self.remember_gpus().await?;
        Ok(step)
    }

    /// Writes down what the next life must know of the GPUs, where it is something new.
    async fn remember_gpus(&mut self) -> Result<(), Failure> {
        let mut known = self.history.device.clone();
        known.floor_mib.extend(self.gpus.floor.iter().flat_map(|floor| floor.mib().clone()));
        known.fault.clone_from(&self.gpus.fault);
        if known == self.history.device {
            return Ok(());
        }
        self.record(Entry::Device { known }).await
    }

    /// Lets the base commit's canary compute its checksum; nothing when a human stopped it. A task
    /// without a canary is judged by what the driver says alone.
    async fn canary(&mut self) -> Result<Option<Event>, Failure> {
        if self.command(Work::Canary).is_none() {
            return Ok(Some(Event::CanaryPassed));
        }
        info!("the canary is let in: the base commit computes what is known");
        self.built = None;
        let was_warm = self.is_warm();
        let log = self.notebook.root().join("canary.log");
        let Some(mut report) = self.build_canary(&log).await? else { return Ok(None) };
        let is_failed = matches!(report.outcome, RunOutcome::Crashed { .. } | RunOutcome::TimedOut);
        if was_warm && is_failed {
            self.start_over().await?;
            let Some(again) = self.build_canary(&log).await? else { return Ok(None) };
            report = again;
        }
        if report.outcome == RunOutcome::Finished {
            report = self.execute(Work::Canary, &log, self.limits(CANARY_S)).await?;
            self.tested("canary", &report).await?;
        }
        let event = Event::of_canary(&report.outcome, &report.tail, self.gpus.has_gpu);
        match &event {
            Some(Event::CanaryPassed) => info!("the canary lives"),
            event => warn!(?event, "the canary"),
        }
        Ok(event)
    }

    /// Counts the time on the device of what is no run of a trainer.
    pub(super) async fn tested(&mut self, what: &str, report: &Report) -> Result<(), Failure> {
        let (what, seconds) = (what.to_owned(), report.elapsed.as_secs_f64());
        self.record(Entry::Tested { what, seconds }).await
    }

    /// Builds the base commit; nothing when a human stopped it.
    async fn build_canary(&mut self, log: &Path) -> Result<Option<Report>, Failure> {
        let base = self.trusted.clone();
        if self.lay_ground(&base).await? == Ground::Stopped {
            return Ok(None);
        }
        let limits = self.limits(self.build_s());
        self.execute(Work::Build, log, limits).await.map(Some)
    }

    /// What the machine did to a run that ended: why it is worth nothing, if it is. Unharmed, it
    /// shows that the GPUs work.
    pub(super) async fn harmed(
        &mut self,
        work: Work,
        report: &Report,
    ) -> Result<Option<String>, Failure> {
        let why = self.harm(work, report).await?;
        if why.is_none() {
            self.gpus.owed = Some(self.learn(Event::RunEnded).await?);
        }
        Ok(why)
    }

    /// The same for a step that is too short to show that the GPUs work.
    pub(super) async fn harm(
        &mut self,
        work: Work,
        report: &Report,
    ) -> Result<Option<String>, Failure> {
        let after = self.gpus.look_again(self.settings.look).await;
        let seen = match &after {
            Ok(after) => harm(&self.gpus.before, after),
            Err(error) => Some(error.to_string()),
        };
        let why = match seen {
            Some(why) => Some(self.fault(why).await?),
            None if report.outcome.is_device_fault() => {
                self.confirmed(last_line(&report.tail)).await?
            }
            None => None,
        };
        match why {
            Some(why) => Ok(Some(why)),
            None => Ok(self.spoilt(work, report).await),
        }
    }

    /// What a program says of the device, if it is believed.
    pub(super) async fn confirmed(&mut self, said: &str) -> Result<Option<String>, Failure> {
        match self.is_a_lie().await? {
            true => Ok(None),
            false => self.fault(format!("the device failed: {said}")).await.map(Some),
        }
    }

    async fn fault(&mut self, why: String) -> Result<String, Failure> {
        self.gpus.owed = Some(self.learn(Event::Fault(why.clone())).await?);
        Ok(why)
    }

    /// Whether a program in a sandbox says that the device failed, and nothing else does: neither the
    /// driver nor the canary. To be believed would be worth another training to a candidate.
    async fn is_a_lie(&mut self) -> Result<bool, Failure> {
        if self.sealed().is_none() {
            return Ok(false);
        }
        let has_device = self.gpus.has_gpu || self.gpus.is_slice;
        Ok(!has_device || self.canary().await? == Some(Event::CanaryPassed))
    }

    /// What the rest of the machine did to a run: it slept, somebody stopped it, or its disks are full,
    /// and not of what the run wrote itself.
    pub(super) async fn spoilt(&self, work: Work, report: &Report) -> Option<String> {
        if report.tainted == Some(Taint::DiskFilled) {
            return Some(Taint::DiskFilled.to_string());
        }
        // A run that takes all memory stops the daemon too, and one with its own room fills that.
        if matches!(report.outcome, RunOutcome::Crashed { cause: Some(cause), .. } if cause.is_excess())
        {
            return None;
        }
        if let Some(taint) = report.tainted {
            return Some(taint.to_string());
        }
        // What the trainer said last, its footer too, may be what is missing. A run that can take the
        // log's room is not believed: it would be trained again, and could choose among its trainings.
        if let Some(error) = &report.log_error
            && (report.is_log_reserved || self.have_room_after(work).await.is_err())
        {
            return Some(format!("no room for its log: {error}"));
        }
        match report.outcome {
            RunOutcome::Finished => None,
            _ => self.have_room_after(work).await.err().map(|full| full.error.to_string()),
        }
    }
}

/// The last thing that a program said.
pub(super) fn last_line(tail: &str) -> &str {
    tail.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output")
}

/// How long a step of the loop may take beyond its own limit before it counts as hung.
pub(super) const SLACK: Duration = Duration::from_secs(60);
