use super::*;
use crate::clock::Now;
use crate::predict::{predict, probabilities};
use crate::recipe::Facts;
use crate::testing::{PackSpec, write_part};
use crate::{checkpoint, smoke};
use dfr_contract::metrics::score;
use std::cell::Cell;
use std::rc::Rc;

fn part(records: usize) -> (tempfile::TempDir, Part) {
    let dir = tempfile::tempdir().unwrap();
    write_part(dir.path(), &PackSpec { records, shape: &[2, 3, 8, 8] });
    let part = Part::open(dir.path()).unwrap();
    (dir, part)
}

/// A budget of so many readings of the clock: one second passes at each.
fn options(readings: u32) -> TrainOptions<'static> {
    options_at(readings, Duration::from_secs(1))
}

/// The same, of so much time each.
fn options_at(readings: u32, each: Duration) -> TrainOptions<'static> {
    let time = Cell::new(Duration::ZERO);
    let now: Now = Box::new(move || {
        time.set(time.get() + each);
        time.get()
    });
    let clock = BudgetClock::new(readings * each, now);
    TrainOptions { clock, start: start(), checkpoints: None }
}

fn start() -> Start {
    Start { seed: 3, device: Device::Cpu, weights: None }
}

fn facts() -> Facts {
    Facts {
        model: "probe".to_owned(),
        batch_size: 4,
        learning_rate: 0.05,
        augment_level: None,
        num_frames: Some(2),
    }
}

struct Defaults;
impl Recipe for Defaults {
    fn facts(&self) -> Facts {
        facts()
    }
}

/// Plain SGD written out by hand; counts its steps and makes no optimiser of its own.
struct ByHand {
    steps: Rc<Cell<u64>>,
}

struct NoOptimizer(Vec<Tensor>);
impl Optimizer for NoOptimizer {
    fn parameters(&self) -> Vec<Tensor> {
        self.0.iter().map(Tensor::shallow_clone).collect()
    }
    fn update(&mut self, _learning_rate: f64) {
        unreachable!("the step by hand updates the weights itself")
    }
}

impl Recipe for ByHand {
    fn facts(&self) -> Facts {
        facts()
    }
    fn optimizer(&self, variables: &VarStore) -> Box<dyn Optimizer> {
        Box::new(NoOptimizer(variables.trainable_variables()))
    }
    fn step(&self, step: &mut Step) -> Tensor {
        self.steps.set(self.steps.get() + 1);
        let logits = step.detector.forward(&step.input, true);
        let loss = logits.cross_entropy_for_logits(&step.labels);
        step.optimizer.zero_grad();
        loss.backward();
        tch::no_grad(|| {
            for mut weight in step.optimizer.parameters() {
                let _ = weight.g_sub_(&(weight.grad() * 0.05));
            }
        });
        loss.detach()
    }
}

fn accuracy(probabilities: &[f64], part: &Part) -> f64 {
    score(part.labels().unwrap(), probabilities).unwrap().accuracy
}

#[test]
fn a_recipe_with_its_own_step_is_trained_by_it() {
    let (dir, part) = part(16);
    let steps = Rc::new(Cell::new(0));
    let recipe = ByHand { steps: Rc::clone(&steps) };
    let mut log = Vec::new();
    let trained = train(&recipe, &part, options(200), &mut log).unwrap();
    assert!(steps.get() > 10, "{}", steps.get());
    assert_eq!(steps.get(), trained.claims.num_steps);
    let path = dir.path().join(checkpoint::FILE);
    checkpoint::save(&trained.variables, &path).unwrap();
    assert_eq!(accuracy(&predict(&recipe, &part, &path, Device::Cpu).unwrap(), &part), 1.0);
}

#[test]
fn the_defaults_learn_and_the_checkpoint_predicts_the_same() {
    let (dir, part) = part(16);
    let mut log = Vec::new();
    let trained = train(&Defaults, &part, options(200), &mut log).unwrap();
    let path = dir.path().join(checkpoint::FILE);
    checkpoint::save(&trained.variables, &path).unwrap();

    let in_memory = VarStore::new(Device::Cpu);
    let detector = Defaults.model(&in_memory.root(), &part.shape());
    tch::no_grad(|| {
        for (name, mut tensor) in in_memory.variables() {
            tensor.copy_(&trained.variables.variables()[&name]);
        }
    });
    let before = probabilities(&*detector, &part, 16, Device::Cpu).unwrap();
    let after = predict(&Defaults, &part, &path, Device::Cpu).unwrap();
    // Libraries choose their kernels by where a tensor lies in memory: the last digit may differ.
    let is_same = |(before, after): (&f64, &f64)| (before - after).abs() < 1e-6;
    assert!(before.iter().zip(&after).all(is_same), "{before:?} {after:?}");
    assert_eq!(accuracy(&before, &part), 1.0);
}

#[test]
fn one_seed_gives_one_result() {
    let (_dir, part) = part(16);
    let weights = |seed| {
        let mut options = options(50);
        options.start.seed = seed;
        let trained = train(&Defaults, &part, options, &mut Vec::new()).unwrap();
        Vec::<f32>::try_from(trained.variables.variables()["weight"].flatten(0, -1)).unwrap()
    };
    assert_eq!(weights(1), weights(1));
    assert_ne!(weights(1), weights(2));
}

#[test]
fn prints_the_start_of_the_clock_and_every_epoch() {
    let (_dir, part) = part(8);
    let mut log = Vec::new();
    let trained = train(&Defaults, &part, options(30), &mut log).unwrap();
    let log = String::from_utf8(log).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "Device: cpu",
            "Model: probe (0.0M params, 0.0M trainable)",
            "Train records: 8, batches of 4",
            CLOCK_STARTED
        ]
    );
    assert!(lines[4].starts_with("Epoch 1    | loss=0."), "{log}");
    assert!(lines[4].contains(" | lr=5.0e-02 | step=2 | "), "{log}");
    let (time, wait) = lines[4].rsplit_once(" | data-wait=").unwrap();
    assert!(time.ends_with("s/30s"), "{log}");
    let (percent, samples) = wait.split_once("% | ").unwrap();
    assert!((1..100).contains(&percent.parse::<u64>().unwrap()), "{log}");
    let samples: f64 = samples.strip_suffix(" samples/s").unwrap().parse().unwrap();
    assert!((0.1..=4.0).contains(&samples), "{log}");
    assert_eq!(lines.len() as u64 - 4, trained.claims.num_epochs);
    assert!(trained.claims.training_seconds >= 30.0);
}

#[test]
fn a_long_epoch_is_told_of_every_thirty_seconds_and_the_pace_at_the_end() {
    let (_dir, part) = part(512);
    let mut log = Vec::new();
    let trained = train(&Defaults, &part, options(200), &mut log).unwrap();
    let log = String::from_utf8(log).unwrap();
    assert_eq!(trained.claims.num_epochs, 1);
    assert!((4..=7).contains(&log.matches("Epoch 1    | loss=0.").count()), "{log}");
    let extra = &trained.claims.extra;
    let keys: Vec<_> = extra.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["samples_per_second", "step_ms", "data_wait_percent"]);
    let numbers: Vec<f64> = extra.iter().map(|(_, value)| value.parse().unwrap()).collect();
    let steps = trained.claims.num_steps as f64;
    let seconds = numbers[1] * steps / 1000.0;
    assert!((190.0..=205.0).contains(&seconds), "{seconds}: every second is of a step");
    assert!((numbers[0] * seconds / (4.0 * steps) - 1.0).abs() < 0.1, "{numbers:?}");
}

struct Exploding;
impl Recipe for Exploding {
    fn facts(&self) -> Facts {
        facts()
    }
    fn loss(&self, logits: &Tensor, _labels: &Tensor) -> Tensor {
        logits.sum(Kind::Float) / 0.0
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_the_training() {
    let (_dir, part) = part(256);
    let quick = options_at(1000, Duration::from_millis(1));
    let error = train(&Exploding, &part, quick, &mut Vec::new()).err().unwrap();
    assert!(matches!(error, TrainError::NotFinite { step: 32, .. }), "{error}");
    let error = smoke::smoke(&Exploding, &part, &start()).err().unwrap();
    assert!(matches!(error, smoke::SmokeError::NotFinite(_)), "{error}");
}

#[test]
fn the_smoke_step_passes_what_works() {
    let (_dir, part) = part(8);
    let loss = smoke::smoke(&Defaults, &part, &start()).unwrap().loss;
    assert!((loss - 2f64.ln()).abs() < 1e-6, "{loss}");
}

/// Accumulates over four batches and clips; counts updates.
struct Accumulating {
    updates: Rc<Cell<u64>>,
}

struct Counting(Rc<Cell<u64>>);
impl Optimizer for Counting {
    fn parameters(&self) -> Vec<Tensor> {
        Vec::new()
    }
    fn update(&mut self, _learning_rate: f64) {
        self.0.set(self.0.get() + 1);
    }
}

impl Recipe for Accumulating {
    fn facts(&self) -> Facts {
        facts()
    }
    fn accumulation(&self) -> u64 {
        4
    }
    fn optimizer(&self, _variables: &VarStore) -> Box<dyn Optimizer> {
        Box::new(Counting(Rc::clone(&self.updates)))
    }
}

#[test]
fn weights_are_updated_after_every_accumulated_group() {
    let (_dir, part) = part(16);
    let updates = Rc::new(Cell::new(0));
    let recipe = Accumulating { updates: Rc::clone(&updates) };
    let trained = train(&recipe, &part, options(60), &mut Vec::new()).unwrap();
    assert!(trained.claims.num_steps > 8);
    assert_eq!(updates.get(), trained.claims.num_steps / 4);
}

/// Asks for more memory than any machine has where more than two records come at a time.
struct Greedy;

struct GreedyModel(crate::probe::Probe);
impl Detector for GreedyModel {
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        if input.size()[0] > 2 {
            let _ = Tensor::empty([1 << 46], (Kind::Float, Device::Cpu));
        }
        self.0.forward(input, train)
    }
}

impl Recipe for Greedy {
    fn facts(&self) -> Facts {
        Facts { batch_size: 9, ..facts() }
    }
    fn model(&self, root: &tch::nn::Path, shape: &[i64]) -> Box<dyn Detector> {
        Box::new(GreedyModel(crate::probe::Probe::new(root, shape)))
    }
}

#[test]
fn a_batch_that_is_too_large_ends_the_training_and_one_that_fits_is_named() {
    let (_dir, part) = part(32);
    let error = train(&Greedy, &part, options(50), &mut Vec::new()).err().unwrap();
    let TrainError::Memory { batch: 9, fits: Some(2), .. } = error else { panic!("{error}") };
    let said = error.to_string();
    assert!(said.contains("9 records (DefaultCPUAllocator: can't allocate memory"), "{said}");
    assert!(said.contains("batches of 2 fit"), "{said}");
}
