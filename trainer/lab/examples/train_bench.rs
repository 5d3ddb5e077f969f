//! One model in training beside its reference in Python, which `scripts/bench_train/bench_train.py` runs.
//!
//! `train_bench MODEL SETTINGS SHAPE` makes the model for batches of SHAPE (`2,3,32,32`), prints `ready`, and
//! then for every line that comes makes one step and prints its milliseconds. SETTINGS is `equal` (as PyTorch
//! lays weights out) or `default` (as the harness does).

use std::env;
use std::io::{self, BufRead as _, Write as _};
use std::time::Instant;

use anyhow::{Context as _, bail};
use dfr_contract::modality::Modality;
use dfr_harness::layout;
use dfr_harness::loss::cross_entropy;
use dfr_harness::optimizer::{FusedAdamW, Optimizer as _, ParameterGroup};
use dfr_harness::shim::clip_gradients;
use dfr_lab::models::{MODELS, Regularisation};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, settings, shape] = arguments.as_slice() else {
        bail!("usage: train_bench MODEL equal|default SHAPE");
    };
    let model = MODELS.iter().find(|model| model.name == name).context("no such model")?;
    let shape: Vec<i64> = shape.split(',').map(str::parse).collect::<Result<_, _>>()?;
    tch::manual_seed(0);
    let store = VarStore::new(Device::Cpu);
    let detector = (model.build)(&store.root(), &shape[1..], Regularisation::NONE);
    if settings == "default" {
        layout::prepare(&store)?;
    }
    let mut optimizer = FusedAdamW::new(vec![ParameterGroup::new(store.trainable_variables())]);
    let input = match model.modality {
        Modality::Audio => Tensor::rand(&shape, (Kind::Float, Device::Cpu)) - 0.5,
        _ => Tensor::randint(256, &shape, (Kind::Uint8, Device::Cpu)),
    };
    let labels = Tensor::arange(shape[0], (Kind::Int64, Device::Cpu)).remainder(2);
    println!("ready");
    io::stdout().flush()?;
    for line in io::stdin().lock().lines() {
        line?;
        let began = Instant::now();
        cross_entropy(&detector.forward(&input, true), &labels, 0.0).backward();
        clip_gradients(&optimizer.parameters(), 1.0).expect("gradients of one device");
        optimizer.update(1e-4);
        optimizer.zero_grad();
        println!("{}", began.elapsed().as_secs_f64() * 1e3);
        io::stdout().flush()?;
    }
    Ok(())
}
