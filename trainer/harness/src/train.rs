//! The training loop: it owns clock, data and bookkeeping, and asks the recipe for the rest.

mod standing;

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use dfr_contract::CLOCK_STARTED;
use dfr_contract::footer::Claims;
use dfr_contract::resumed::Resumed;
use rand_chacha::ChaCha8Rng;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use crate::clock::{BudgetClock, RunningClock};
use crate::feed::{self, Batch, Feed, FeedError, Plan, Source};
use crate::layout;
use crate::memory;
use crate::optimizer::Optimizer;
use crate::pack::{PackError, Part};
use crate::precision::MixedPrecision;
use crate::pretrained::PretrainedError;
use crate::recipe::{Detector, Progress, Recipe, Step};
use crate::report::{self, Pace, Totals};
use crate::resume::{Checkpoints, ResumeError};
use crate::seed::{self, Purpose};
use crate::shim::{ShimError, peak_allocated_bytes};

/// Batches between two looks at the loss. Each look makes the host wait for a GPU.
const CHECK_EVERY_STEPS: u64 = 32;
/// Training between two lines of the log, where an epoch is longer.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// Why a training cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data cannot be trained on.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The model cannot start from its public checkpoint.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),
    /// libtorch refused to lay its weights out.
    #[error(transparent)]
    Shim(#[from] ShimError),
}

/// Why a training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no next batch.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The loss became NaN or infinite.
    #[error("the loss is {loss} after step {step}: lower the learning rate or clip the gradients")]
    NotFinite {
        /// Batches seen; the loss went bad in the last 32 of them.
        step: u64,
        /// NaN or infinite.
        loss: f64,
    },
    /// A step asks for more memory than there is.
    #[error("no memory for a step on {batch} records ({reason}): {}", way_out(.fits.as_ref()))]
    Memory {
        /// What libtorch said.
        reason: String,
        /// Records in the batch.
        batch: i64,
        /// The largest part of it that was tried and passed.
        fits: Option<usize>,
    },
    /// Progress could not be printed.
    #[error("cannot print progress: {0}")]
    Output(#[from] io::Error),
    /// libtorch refused a question of the harness.
    #[error(transparent)]
    Shim(#[from] ShimError),
    /// It cannot be kept, or cannot go on.
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

fn way_out(fits: Option<&usize>) -> String {
    let fit = |fits| format!("batches of {fits} fit; accumulation keeps what an update is made of");
    fits.map_or_else(|| "there is none for fewer either: make the model smaller".to_owned(), fit)
}

/// What a training is given besides recipe and data.
pub struct TrainOptions<'a> {
    /// The time budget, not yet running.
    pub clock: BudgetClock,
    /// How it starts.
    pub start: Start,
    /// Where it goes on if it was cut short, and is kept while it goes on.
    pub checkpoints: Option<&'a mut Checkpoints>,
}

/// How a training starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// Seed of every draw.
    pub seed: u64,
    /// Where to compute.
    pub device: Device,
    /// Directory with the weights of public checkpoints; without it every model starts from scratch.
    pub weights: Option<PathBuf>,
}

/// What a training leaves.
pub struct Trained {
    /// The weights.
    pub variables: VarStore,
    /// What is told about the run.
    pub claims: Claims,
}

/// Trains until the budget is used up, and prints progress to `out`.
///
/// # Errors
/// If the data cannot be used, the loss goes bad, or progress cannot be printed.
///
/// # Panics
/// If the recipe does, or libtorch refuses what it computes.
pub fn train(
    recipe: &dyn Recipe,
    part: &Part,
    options: TrainOptions,
    out: &mut dyn Write,
) -> Result<Trained, TrainError> {
    let Start { seed, device, .. } = options.start;
    let mut training = Training::new(recipe, part, &options.start)?;
    training.announce(out)?;
    let mut checkpoints = options.checkpoints;
    let mut totals = match &mut checkpoints {
        Some(checkpoints) => training.restore(checkpoints)?,
        None => Totals::default(),
    };
    let source = training.source(seed);
    let mut plan = Plan::new(recipe, source.labels, seed::generator(seed, Purpose::Order));
    plan.skip(totals.steps).map_err(FeedError::from)?;
    if totals.steps > 0 {
        let (step, seconds) = (totals.steps, totals.seconds.as_secs_f64());
        writeln!(out, "{}", Resumed { step, seconds })?;
    }
    writeln!(out, "{CLOCK_STARTED}")?;
    out.flush()?;
    let clock = options.clock.start(totals.seconds);
    thread::scope(|scope| {
        let threads = feed::threads(device);
        let mut feed = Feed::start(scope, (source, plan), device, threads)?;
        training.run(&mut feed, &clock, &mut Log { totals: &mut totals, checkpoints, out })
    })?;
    totals.seconds = clock.elapsed();
    totals.peak_device_bytes = peak_allocated_bytes(device)?;
    let claims = report::claims(recipe.facts(), &totals, &training.variables);
    Ok(Trained { variables: training.variables, claims })
}

/// A model in training.
pub(crate) struct Training<'a> {
    recipe: &'a dyn Recipe,
    part: &'a Part,
    labels: &'a [u8],
    device: Device,
    pub(crate) variables: VarStore,
    pub(crate) detector: Box<dyn Detector>,
    optimizer: Box<dyn Optimizer>,
    precision: MixedPrecision,
    rng: ChaCha8Rng,
}

impl<'a> Training<'a> {
    pub(crate) fn new(
        recipe: &'a dyn Recipe,
        part: &'a Part,
        &Start { seed, device, ref weights }: &Start,
    ) -> Result<Self, StartError> {
        let labels = part.labels()?;
        seed::torch(seed);
        let variables = VarStore::new(device);
        let detector = recipe.model(&variables.root(), &part.shape());
        if let (Some(pretrained), Some(dir)) = (recipe.pretrained(), weights) {
            pretrained.load(&variables, dir)?;
        }
        layout::prepare(&variables)?;
        let optimizer = recipe.optimizer(&variables);
        let precision = MixedPrecision::of(device);
        let rng = seed::generator(seed, Purpose::Step);
        Ok(Self { recipe, part, labels, device, variables, detector, optimizer, precision, rng })
    }

    /// Where its records come from.
    pub(crate) fn source(&self, seed: u64) -> Source<'a> {
        let transform = self.recipe.record_transform();
        Source { part: self.part, labels: self.labels, transform, seed }
    }

    /// One step of the recipe; its loss.
    pub(crate) fn step(&mut self, input: Tensor, labels: Tensor, progress: Progress) -> Tensor {
        let mut step = Step {
            detector: &*self.detector,
            optimizer: &mut *self.optimizer,
            device: self.device,
            precision: &mut self.precision,
            input,
            labels,
            progress,
            rng: &mut self.rng,
        };
        self.recipe.step(&mut step)
    }

    fn run(
        &mut self,
        feed: &mut Feed,
        clock: &RunningClock,
        log: &mut Log,
    ) -> Result<(), TrainError> {
        let mut epoch = Epoch { began: log.totals.seconds, ..Epoch::default() };
        loop {
            let asked = clock.elapsed();
            let batch = feed.next_batch()?;
            epoch.pace.waited += clock.elapsed().saturating_sub(asked).as_secs_f64();
            let over = clock.is_over();
            let is_due = asked.saturating_sub(epoch.began) >= REPORT_EVERY;
            if epoch.loss.batches > 0 && (over || is_due || batch.epoch > log.totals.epochs) {
                self.report(&mut epoch, clock, log)?;
                epoch = Epoch { began: clock.elapsed(), ..Epoch::default() };
            }
            if over {
                self.keep_end(clock, log)?;
                self.optimizer.finish();
                return Ok(());
            }
            self.batch(batch, &mut epoch, clock, log.totals)?;
            self.keep(&epoch, clock, log)?;
        }
    }

    /// Saves a checkpoint when one is due, between two updates and never of a loss gone bad.
    fn keep(
        &mut self,
        epoch: &Epoch,
        clock: &RunningClock,
        log: &mut Log,
    ) -> Result<(), TrainError> {
        let Some(checkpoints) = &mut log.checkpoints else { return Ok(()) };
        let spent = clock.elapsed();
        let steps = log.totals.steps;
        if !checkpoints.is_due(spent) || !steps.is_multiple_of(self.recipe.accumulation().max(1)) {
            return Ok(());
        }
        epoch.loss.finite_mean(steps)?;
        self.save(checkpoints, log.totals, spent)
    }

    /// Saves that the budget is used up: whoever is stopped from here on loses nothing.
    fn keep_end(&mut self, clock: &RunningClock, log: &mut Log) -> Result<(), TrainError> {
        let Some(checkpoints) = &mut log.checkpoints else { return Ok(()) };
        self.save(checkpoints, log.totals, clock.elapsed())
    }

    fn batch(
        &mut self,
        Batch { input, labels, epoch: number }: Batch,
        epoch: &mut Epoch,
        clock: &RunningClock,
        totals: &mut Totals,
    ) -> Result<(), TrainError> {
        totals.epochs = number;
        let progress = Progress { step: totals.steps, budget: clock.progress() };
        let loss = self.step_in_memory(&input, &labels, progress)?;
        totals.steps += 1;
        epoch.loss.add(&loss);
        epoch.pace.steps += 1;
        epoch.pace.records += input.size()[0] as u64;
        if totals.steps.is_multiple_of(CHECK_EVERY_STEPS) {
            epoch.loss.finite_mean(totals.steps)?;
        }
        Ok(())
    }

    /// A step, or which batch had fitted where there was no memory for it.
    fn step_in_memory(
        &mut self,
        input: &Tensor,
        labels: &Tensor,
        progress: Progress,
    ) -> Result<Tensor, TrainError> {
        let reason = match self.attempt(input, labels, progress) {
            Ok(loss) => return Ok(loss),
            Err(panic) => memory::exhausted(&*panic).unwrap_or_else(|| resume_unwind(panic)),
        };
        let batch = labels.size()[0];
        let fits = memory::largest_that_fits(batch as usize, |&size| {
            let of = |tensor: &Tensor| tensor.narrow(0, 0, size as i64);
            self.optimizer.zero_grad();
            self.attempt(&of(input), &of(labels), progress).is_ok()
        });
        Err(TrainError::Memory { reason, batch, fits })
    }

    fn attempt(
        &mut self,
        input: &Tensor,
        labels: &Tensor,
        progress: Progress,
    ) -> thread::Result<Tensor> {
        let (input, labels) = (input.shallow_clone(), labels.shallow_clone());
        catch_unwind(AssertUnwindSafe(|| self.step(input, labels, progress)))
    }

    fn announce(&self, out: &mut dyn Write) -> Result<(), TrainError> {
        let facts = self.recipe.facts();
        let parameters = self.variables.trainable_variables();
        let trainable = parameters.iter().filter(|parameter| parameter.requires_grad());
        let millions = report::count(trainable) as f64 / 1e6;
        let all = report::count(&parameters) as f64 / 1e6;
        writeln!(out, "Device: {}", crate::device::name(self.device))?;
        writeln!(out, "Model: {} ({all:.1}M params, {millions:.1}M trainable)", facts.model)?;
        let records = self.part.len();
        writeln!(out, "Train records: {records}, batches of {}", facts.batch_size)?;
        Ok(())
    }

    fn report(
        &self,
        epoch: &mut Epoch,
        clock: &RunningClock,
        Log { totals, out, .. }: &mut Log,
    ) -> Result<(), TrainError> {
        let loss = epoch.loss.finite_mean(totals.steps)?;
        let last = Progress { step: totals.steps - 1, budget: clock.progress() };
        let elapsed = clock.elapsed();
        epoch.pace.seconds = elapsed.saturating_sub(epoch.began).as_secs_f64();
        totals.pace.add(&epoch.pace);
        let line = EpochLine {
            epoch: totals.epochs,
            loss,
            learning_rate: self.recipe.learning_rate(last),
            step: totals.steps,
            elapsed,
            budget: clock.budget(),
            pace: epoch.pace,
        };
        writeln!(out, "{line}")?;
        out.flush()?;
        Ok(())
    }
}

/// What is counted, and where it is kept and told.
struct Log<'a> {
    totals: &'a mut Totals,
    checkpoints: Option<&'a mut Checkpoints>,
    out: &'a mut dyn Write,
}

/// What is told of one epoch, or of a part of it.
#[derive(Default)]
struct Epoch {
    loss: LossMeter,
    began: Duration,
    pace: Pace,
}

/// The sum of an epoch's losses, kept on the device so that the host need not wait for each.
#[derive(Default)]
struct LossMeter {
    sum: Option<Tensor>,
    batches: u64,
}

impl LossMeter {
    fn add(&mut self, loss: &Tensor) {
        let loss = loss.detach().to_kind(Kind::Double);
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + loss,
            None => loss,
        });
        self.batches += 1;
    }

    /// NaN and infinity stay in a sum, so that looking now and then misses none.
    fn finite_mean(&self, step: u64) -> Result<f64, TrainError> {
        let sum = self.sum.as_ref().map_or(0.0, |sum| sum.double_value(&[]));
        if sum.is_finite() {
            Ok(sum / self.batches.max(1) as f64)
        } else {
            Err(TrainError::NotFinite { step, loss: sum })
        }
    }
}

struct EpochLine {
    epoch: u64,
    loss: f64,
    learning_rate: f64,
    step: u64,
    elapsed: Duration,
    budget: Duration,
    pace: Pace,
}

impl std::fmt::Display for EpochLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epoch, loss, step, .. } = self;
        let rate = report::scientific(self.learning_rate);
        let (elapsed, budget) = (self.elapsed.as_secs_f64(), self.budget.as_secs());
        let (percent, samples) = (self.pace.data_wait_percent(), self.pace.samples_per_second());
        write!(
            f,
            "Epoch {epoch:<4} | loss={loss:.4} | lr={rate} | step={step} | {elapsed:.0}s/{budget}s \
             | data-wait={percent:.0}% | {samples:.1} samples/s"
        )
    }
}

#[cfg(test)]
#[path = "train_tests.rs"]
mod tests;
