//! A training that was cut short and went on gives the weights of one that was not. A program of its own:
//! libtorch has one generator for all threads.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up may panic")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dfr_contract::resumed::Resumed;
use dfr_harness::average::Averaged;
use dfr_harness::clock::BudgetClock;
use dfr_harness::loss::cross_entropy;
use dfr_harness::optimizer::{FusedAdamW, Optimizer, ParameterGroup};
use dfr_harness::pack::Part;
use dfr_harness::recipe::{Detector, Facts, Progress, Recipe, Transform};
use dfr_harness::resume::{Checkpoints, ResumeError};
use dfr_harness::schedule::Schedule;
use dfr_harness::train::{Start, TrainError, TrainOptions, train};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tch::nn::{self, VarStore};
use tch::{Device, Kind, Tensor};

#[path = "../src/testing.rs"]
mod testing;

/// Everything that draws or remembers: dropout, batch norm, augmentation, moments, averages, groups of
/// batches, a rate that falls with the budget.
struct Everything {
    /// Panics at this step.
    falls_at: Option<u64>,
    /// A second passes at each step: trainings of one budget have as many steps.
    seconds: Rc<Cell<u64>>,
}

const FACTS: Facts = Facts {
    model: String::new(),
    batch_size: 3,
    learning_rate: 0.05,
    augment_level: None,
    num_frames: None,
};

struct Network {
    inner: nn::Linear,
    norm: nn::BatchNorm,
}

impl Detector for Network {
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let pixels = (input.to_kind(Kind::Float) / 255.0).flatten(1, -1).dropout(0.3, train);
        let hidden = pixels.apply(&self.inner).apply_t(&self.norm, train);
        hidden.dropout(0.3, train)
    }
}

struct Noise;
impl Transform for Noise {
    fn apply(&self, batch: &Tensor, rng: &mut ChaCha8Rng) -> Tensor {
        batch.bitwise_xor(rng.random_range(0..8))
    }
}

impl Recipe for Everything {
    fn facts(&self) -> Facts {
        FACTS
    }

    fn model(&self, root: &nn::Path, shape: &[i64]) -> Box<dyn Detector> {
        let inner = nn::linear(root / "inner", shape.iter().product(), 2, Default::default());
        Box::new(Network { inner, norm: nn::batch_norm1d(root / "norm", 2, Default::default()) })
    }

    fn optimizer(&self, variables: &VarStore) -> Box<dyn Optimizer> {
        let group = ParameterGroup::new(variables.trainable_variables());
        Box::new(Averaged::new(Box::new(FusedAdamW::new(vec![group])), 0.9))
    }

    fn learning_rate(&self, progress: Progress) -> f64 {
        assert!(self.falls_at != Some(progress.step), "the power is gone");
        0.05 * Schedule::Cosine.factor(progress, 4)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Tensor {
        self.seconds.set(self.seconds.get() + 1);
        cross_entropy(logits, labels, 0.0)
    }

    fn transform(&self) -> Option<&dyn Transform> {
        Some(&Noise)
    }

    fn accumulation(&self) -> u64 {
        2
    }
}

type Weights = BTreeMap<String, Vec<f32>>;

/// Trains for 60 seconds; a checkpoint is due after 5. Gives the log and the weights.
fn run(
    part: &Part,
    dir: &Path,
    (recipe, seconds): (&dyn Recipe, &Rc<Cell<u64>>),
) -> Result<(String, Weights), TrainError> {
    let seconds = Rc::clone(seconds);
    let now = Box::new(move || Duration::from_secs(seconds.get()));
    let clock = BudgetClock::new(Duration::from_secs(60), now);
    let identity = [("seed".to_owned(), "3".to_owned())].into();
    let mut checkpoints = Checkpoints::open(dir, Duration::from_secs(5), identity)?;
    let start = Start { seed: 3, device: Device::Cpu, weights: None };
    let mut log = Vec::new();
    let options = TrainOptions { clock, start, checkpoints: Some(&mut checkpoints) };
    let trained = train(recipe, part, options, &mut log)?;
    assert_eq!(trained.claims.num_steps, 60);
    let numbers = |tensor: Tensor| {
        Vec::try_from(tensor.to_kind(Kind::Float).flatten(0, -1).contiguous()).unwrap()
    };
    let weights = trained.variables.variables().into_iter();
    let weights = weights.map(|(name, tensor)| (name, numbers(tensor))).collect();
    Ok((String::from_utf8(log).unwrap(), weights))
}

fn everything(part: &Part, dir: &Path, falls_at: Option<u64>) -> (String, Weights) {
    let recipe = Everything { falls_at, seconds: Rc::default() };
    run(part, dir, (&recipe, &recipe.seconds)).unwrap()
}

fn falls(part: &Part, dir: &Path, step: u64) {
    let fell = catch_unwind(AssertUnwindSafe(|| everything(part, dir, Some(step))));
    assert!(fell.is_err(), "it did not come to step {step}");
}

fn part(dir: &Path) -> Part {
    testing::write_part(dir, &testing::PackSpec { records: 10, shape: &[1, 3, 4, 4] });
    Part::open(dir).unwrap()
}

/// libtorch has one generator for all threads: whoever trains draws alone.
static GENERATOR: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_training_that_was_cut_short_ends_on_the_weights_of_one_that_was_not() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let part = part(dir.path());
    let place = dir.path().join("cut");
    let (log, whole) = everything(&part, &dir.path().join("whole"), None);
    assert!(!log.contains("resumed"), "{log}");
    // Before the first checkpoint, in the middle of an epoch and of none, twice after the same one. Weights
    // are updated at odd steps.
    for step in [3, 21, 37, 37, 55] {
        falls(&part, &place, step);
    }
    let (log, cut) = everything(&part, &place, None);
    assert_eq!(log.lines().find_map(Resumed::parse), Some(Resumed { step: 54, seconds: 54.0 }));
    assert_eq!(whole, cut);
    let (log, again) = everything(&part, &place, None);
    assert_eq!(log.lines().find_map(Resumed::parse), Some(Resumed { step: 60, seconds: 60.0 }));
    assert_eq!(whole, again, "what has ended is not trained on");
}

/// An optimiser of a recipe's own that tells nothing.
struct Silent;
impl Optimizer for Silent {
    fn parameters(&self) -> Vec<Tensor> {
        Vec::new()
    }
    fn update(&mut self, _learning_rate: f64) {}
}

struct WithSilent;
impl Recipe for WithSilent {
    fn facts(&self) -> Facts {
        FACTS
    }
    fn optimizer(&self, _variables: &VarStore) -> Box<dyn Optimizer> {
        Box::new(Silent)
    }
}

/// The same data and another model.
struct Smaller;
impl Recipe for Smaller {
    fn facts(&self) -> Facts {
        FACTS
    }
}

#[test]
fn what_cannot_go_on_is_refused_before_it_begins() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let part = part(dir.path());
    let seconds = Rc::default();
    let refused = run(&part, &dir.path().join("resume"), (&WithSilent, &seconds)).err().unwrap();
    assert!(matches!(refused, TrainError::Resume(ResumeError::Untold)), "{refused}");

    let kept = dir.path().join("kept");
    falls(&part, &kept, 41);
    let refused = run(&part, &kept, (&Smaller, &seconds)).err().unwrap().to_string();
    assert!(refused.contains("does not fit this recipe"), "{refused}");
}
