//! What every model must do, asked of the small ones: those with a reference.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dfr_contract::modality::Modality;
use dfr_harness::checkpoint;
use dfr_harness::optimizer::{FusedAdamW, Optimizer as _, ParameterGroup};
use dfr_harness::recipe::Detector;
use dfr_harness::recompute::{Recompute, repetitions};
use dfr_lab::models::{MODELS, Model, Regularisation};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

const NOISY: Regularisation =
    Regularisation { dropout: 0.3, hidden_dropout: 0.1, drop_path: 0.2, masking: 0.1 };

/// libtorch has one generator for all threads: whoever seeds it draws alone.
static GENERATOR: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Built {
    store: VarStore,
    detector: Box<dyn Detector>,
}

/// Each small model with the shape of its reference's records.
fn small() -> Vec<(&'static Model, Vec<i64>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let shape = |model: &Model| {
        let text = fs::read_to_string(directory.join(format!("{}.json", model.name))).ok()?;
        let reference: serde_json::Value =
            serde_json::from_str(&text).expect("a reference is JSON");
        let input: Vec<i64> =
            serde_json::from_value(reference["input"].clone()).expect("a reference has a shape");
        Some(input[1..].to_vec())
    };
    MODELS.iter().filter_map(|model| Some((model, shape(model)?))).collect()
}

fn build(model: &Model, shape: &[i64], regularisation: Regularisation) -> Built {
    tch::manual_seed(5);
    let store = VarStore::new(Device::Cpu);
    let detector = (model.build)(&store.root(), shape, regularisation);
    Built { store, detector }
}

/// Noise, each record another.
fn batch(model: &Model, records: i64, shape: &[i64]) -> Tensor {
    tch::manual_seed(7);
    let size = [&[records], shape].concat();
    if model.modality == Modality::Audio {
        return Tensor::rand(&size, (Kind::Float, Device::Cpu)) - 0.5;
    }
    Tensor::randint(256, &size, (Kind::Uint8, Device::Cpu))
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn records_do_not_see_each_other_in_evaluation() {
    let _alone = alone();
    for (model, shape) in small() {
        let Built { store: _store, detector } = build(model, &shape, NOISY);
        let records = batch(model, 3, &shape);
        let together = tch::no_grad(|| detector.forward(&records, false));
        assert_eq!(together.size(), [3, 2], "{}", model.name);
        for record in 0..3 {
            let alone = detector.forward(&records.narrow(0, record, 1), false);
            let difference = largest_difference(&alone, &together.narrow(0, record, 1));
            assert!(difference < 1e-5, "{}: {difference}", model.name);
        }
    }
}

#[test]
fn the_seed_decides() {
    let _alone = alone();
    for (model, shape) in small() {
        let records = batch(model, 2, &shape);
        let answer = || {
            let Built { store: _store, detector } = build(model, &shape, NOISY);
            tch::manual_seed(9);
            detector.forward(&records, true)
        };
        assert_eq!(answer(), answer(), "{}", model.name);
    }
}

#[test]
fn gradients_reach_every_trainable_parameter() {
    let _alone = alone();
    for (model, shape) in small() {
        let Built { store, detector } =
            build(model, &shape, Regularisation { masking: 0.3, ..NOISY });
        let labels = Tensor::from_slice(&[0i64, 1, 0, 1]);
        for _ in 0..4 {
            detector
                .forward(&batch(model, 4, &shape), true)
                .cross_entropy_for_logits(&labels)
                .backward();
        }
        for (name, tensor) in store.variables() {
            if tensor.requires_grad() {
                let gradient = tensor.grad();
                assert!(gradient.defined(), "{}: none of {name}", model.name);
                assert!(gradient.isfinite().all().int64_value(&[]) == 1, "{}: {name}", model.name);
            }
        }
    }
}

#[test]
fn a_checkpoint_keeps_the_answers() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    for (model, shape) in small() {
        let file = directory.path().join(format!("{}.safetensors", model.name));
        let records = batch(model, 2, &shape);
        let first = build(model, &shape, Regularisation::NONE);
        checkpoint::save(&first.store, &file).unwrap();
        let second = build(model, &shape, Regularisation::NONE);
        tch::no_grad(|| {
            for mut variable in second.store.trainable_variables() {
                let _ = variable.zero_();
            }
        });
        checkpoint::load(&second.store, &file).unwrap();
        let answer = |built: &Built| built.detector.forward(&records, false);
        assert_eq!(answer(&first), answer(&second), "{}", model.name);
    }
}

#[test]
fn sixteen_records_can_be_learnt_by_heart() {
    let _alone = alone();
    for (model, shape) in small() {
        let Built { store, detector } = build(model, &shape, Regularisation::NONE);
        let records = batch(model, 16, &shape);
        let labels = Tensor::arange(16, (Kind::Int64, Device::Cpu)).remainder(2);
        let mut optimizer = FusedAdamW::new(vec![ParameterGroup::new(store.trainable_variables())]);
        let mut loss = f64::INFINITY;
        for _ in 0..200 {
            let step = detector.forward(&records, true).cross_entropy_for_logits(&labels);
            step.backward();
            optimizer.update(2e-3);
            optimizer.zero_grad();
            loss = step.double_value(&[]);
            if loss < 0.1 {
                break;
            }
        }
        assert!(loss < 0.1, "{}: {loss}", model.name);
    }
}

/// A step's gradients by name.
fn gradients(
    (model, shape): &(&'static Model, Vec<i64>),
    recomputes: bool,
) -> Vec<(String, Tensor)> {
    let Built { store, detector } = build(model, shape, NOISY);
    let records = batch(model, 2, shape);
    let recompute = recomputes.then(Recompute::begin);
    let logits = detector.forward(&records, true);
    drop(recompute);
    logits.square().sum(None).backward();
    let gradient = |(name, variable): (String, Tensor)| {
        let gradient = variable.grad();
        gradient.defined().then_some((name, gradient))
    };
    let mut all: Vec<_> = store.variables().into_iter().filter_map(gradient).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn checkpointing_changes_no_gradient() {
    let _alone = alone();
    for case in small() {
        let kept = gradients(&case, false);
        let before = repetitions();
        let computed_again = gradients(&case, true);
        let is_of_blocks =
            !["efficientnet", "r3d"].iter().any(|name| case.0.name.starts_with(name));
        assert_eq!(repetitions() - before > 0, is_of_blocks, "{}", case.0.name);
        assert_eq!(kept.len(), computed_again.len(), "{}", case.0.name);
        for ((name, gradient), (_, same)) in kept.iter().zip(&computed_again) {
            // What is summed up over blocks is summed up in another order.
            let scale = gradient.abs().max().double_value(&[]).max(1e-3);
            let difference = largest_difference(gradient, same) / scale;
            assert!(difference < 1e-5, "{} {name}: {difference}", case.0.name);
        }
    }
}
