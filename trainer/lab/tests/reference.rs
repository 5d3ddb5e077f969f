//! Models beside the answers of the Python libraries, which `scripts/parity/parity.py --write` made.
//! Weights and inputs are a formula that both sides compute: `scripts/parity/formula.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dfr_contract::modality::Modality;
use dfr_harness::loss::cross_entropy;
use dfr_lab::models::{MODELS, Model, Regularisation};
use serde::Deserialize;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

const LARGEST_LOGIT_DIFFERENCE: f64 = 1e-9;
const LARGEST_GRADIENT_DIFFERENCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Reference {
    model: String,
    input: Vec<i64>,
    parameters: usize,
    logits: Vec<Vec<f64>>,
    loss: f64,
    /// Norm and projection of each, by name.
    gradients: BTreeMap<String, (f64, f64)>,
    /// Shape of each state tensor, and whether the formula fills it.
    state: BTreeMap<String, (Vec<i64>, bool)>,
}

#[test]
fn models_answer_as_their_references() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut checked = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        check(&serde_json::from_str(&text).unwrap());
        checked += 1;
    }
    assert!(checked > 0);
}

fn check(reference: &Reference) {
    let name = &reference.model;
    let model = MODELS.iter().find(|model| model.name == name).unwrap_or_else(|| panic!("{name}"));
    let mut store = VarStore::new(Device::Cpu);
    let detector = (model.build)(&store.root(), &reference.input[1..], Regularisation::NONE);
    check_state(reference, &store);
    store.double();
    fill(reference, &store);
    let input = input(model, &reference.input);

    let logits = tch::no_grad(|| detector.forward(&input, false));
    let rows: Vec<Tensor> = reference.logits.iter().map(|row| Tensor::from_slice(row)).collect();
    let difference = (logits - Tensor::stack(&rows, 0)).abs().max().double_value(&[]);
    assert!(difference < LARGEST_LOGIT_DIFFERENCE, "{name}: logits differ by {difference}");

    let labels = Tensor::arange(reference.input[0], (Kind::Int64, Device::Cpu)).remainder(2);
    let loss = cross_entropy(&detector.forward(&input, true), &labels, 0.0);
    let difference = (loss.double_value(&[]) - reference.loss).abs();
    assert!(difference < LARGEST_LOGIT_DIFFERENCE, "{name}: the loss differs by {difference}");
    loss.backward();
    check_gradients(reference, &store);
}

fn check_state(Reference { model, parameters, state, .. }: &Reference, store: &VarStore) {
    let shapes: BTreeMap<_, _> =
        store.variables().into_iter().map(|(name, tensor)| (name, tensor.size())).collect();
    let expected: BTreeMap<_, _> =
        state.iter().map(|(name, (shape, _))| (name.clone(), shape.clone())).collect();
    assert_eq!(shapes, expected, "{model}");
    let counted: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
    assert_eq!(counted, *parameters, "{model}");
}

fn check_gradients(Reference { model, gradients, .. }: &Reference, store: &VarStore) {
    let total = gradients.values().map(|(norm, _)| norm * norm).sum::<f64>().sqrt();
    let mut seen = 0;
    for (name, tensor) in store.variables() {
        let gradient = tensor.grad();
        let Some(&(norm, projected)) = gradients.get(&name) else {
            assert!(!gradient.defined(), "{model}: only ours has a gradient of {name}");
            continue;
        };
        assert!(gradient.defined(), "{model}: only the reference has a gradient of {name}");
        let bar = LARGEST_GRADIENT_DIFFERENCE * norm.max(1e-3 * total);
        let off = (gradient.norm().double_value(&[]) - norm).abs();
        assert!(off < bar, "{model}: the gradient of {name} differs by {off} of {norm}");
        let direction = fractions(&format!("projection {name}"), gradient.numel());
        let off = ((gradient.flatten(0, -1) * direction).sum(Kind::Double).double_value(&[])
            - projected)
            .abs();
        // The projection of an error is as large as the error, times the norm of a fraction's part.
        let bar = bar * (gradient.numel() as f64).sqrt();
        assert!(off < bar, "{model}: the direction of {name} differs by {off}");
        seen += 1;
    }
    assert_eq!(seen, gradients.len(), "{model}");
}

fn fill(reference: &Reference, store: &VarStore) {
    let _no_grad = tch::no_grad_guard();
    for (name, mut tensor) in store.variables() {
        let (shape, filled) = &reference.state[&name];
        if *filled {
            let values = fractions(&name, tensor.numel());
            let scaled = if shape.len() >= 2 {
                let outputs = shape[0] as f64;
                values * (3.0 * outputs / tensor.numel() as f64).sqrt()
            } else if ["running_var", "weight", "const"].iter().any(|end| name.ends_with(end)) {
                values * 0.25 + 1.0
            } else {
                values * 0.25
            };
            tensor.copy_(&scaled.view(shape.as_slice()));
        }
    }
}

fn input(model: &Model, shape: &[i64]) -> Tensor {
    let values = fractions("input", shape.iter().product::<i64>().unsigned_abs() as usize);
    if model.modality == Modality::Audio {
        return (values * 0.5).view(shape);
    }
    ((values + 1.0) * 128.0).floor().to_kind(Kind::Uint8).view(shape)
}

/// `count` values in -1..1, float64.
fn fractions(name: &str, count: usize) -> Tensor {
    let key = fnv1a(name);
    let value = |index: u64| (splitmix(key.wrapping_add(index)) >> 40) as f64 / 8_388_608.0 - 1.0;
    Tensor::from_slice(&(0..count as u64).map(value).collect::<Vec<f64>>())
}

fn splitmix(state: u64) -> u64 {
    let mut z = state.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |value, byte| {
        (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
