//! One model beside its reference in Python, which `scripts/parity/parity.py` runs: loads weights, and
//! writes what it makes of an input.
//!
//! `parity MODEL WEIGHTS INPUT DIR` reads WEIGHTS strictly and the tensor `input` of INPUT. DIR gets
//! `model.safetensors` (the weights again) and `answers.safetensors`: `logits` in float32 in evaluation
//! mode; `loss` and `gradient.<name>` in float64 in training mode, against labels 0, 1, 0, 1, ….

use std::env;
use std::path::Path;

use anyhow::{Context as _, bail};
use dfr_harness::checkpoint;
use dfr_harness::loss::cross_entropy;
use dfr_lab::models::{MODELS, Regularisation};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, weights, input, dir] = arguments.as_slice() else {
        bail!("usage: parity MODEL WEIGHTS INPUT DIR");
    };
    let model = MODELS.iter().find(|model| model.name == name).context("no such model")?;
    let input = Tensor::read_safetensors(input)?
        .into_iter()
        .find_map(|(name, tensor)| (name == "input").then_some(tensor))
        .context("no tensor named input")?;
    let mut store = VarStore::new(Device::Cpu);
    let detector = (model.build)(&store.root(), &input.size()[1..], Regularisation::NONE);
    checkpoint::load(&store, Path::new(weights))?;
    let dir = Path::new(dir);
    checkpoint::save(&store, &dir.join("model.safetensors"))?;
    let logits = tch::no_grad(|| detector.forward(&input, false));
    store.double();
    let exact = if input.kind() == Kind::Float { input.to_kind(Kind::Double) } else { input };
    let labels = Tensor::arange(exact.size()[0], (Kind::Int64, Device::Cpu)).remainder(2);
    let loss = cross_entropy(&detector.forward(&exact, true), &labels, 0.0);
    loss.backward();
    let mut answers = vec![("logits".to_owned(), logits), ("loss".to_owned(), loss.detach())];
    for (name, tensor) in store.variables() {
        let gradient = tensor.grad();
        if gradient.defined() {
            answers.push((format!("gradient.{name}"), gradient.contiguous()));
        }
    }
    Tensor::write_safetensors(&answers, dir.join("answers.safetensors"))?;
    Ok(())
}
