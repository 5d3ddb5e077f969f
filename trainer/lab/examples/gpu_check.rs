//! Every model on a GPU, which `scripts/gpu_check.sh` runs: whether it answers there as on the CPU, and how fast it
//! trains.
//!
//! `gpu_check logits` compares answers to two records in float32, and ends with 1 where one is over 1e-3 away (it
//! wants NVIDIA_TF32_OVERRIDE=0: tensor cores round inputs to 10 bits). `gpu_check steps` makes steps as the harness
//! does and prints the median of ten. `gpu_check recompute` compares the gradients of a step whose blocks are computed
//! again with those of one that keeps them. Without a GPU all say so and end with 0.

use std::env;
use std::time::Instant;

use anyhow::bail;
use dfr_contract::modality::Modality;
use dfr_harness::optimizer::{FusedAdamW, ParameterGroup};
use dfr_harness::precision::MixedPrecision;
use dfr_harness::recipe::{Facts, Progress, Recipe, Step};
use dfr_harness::recompute::Recompute;
use dfr_harness::seed::{Purpose, generator};
use dfr_harness::shim::{peak_allocated_bytes, reset_peak};
use dfr_harness::{device, layout};
use dfr_lab::models::{MODELS, Model, Regularisation};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

const TOLERANCE: f64 = 1e-3;
const RECORDS: i64 = 8;
const STEPS: usize = 10;
const WARM_UP: usize = 4;

fn main() -> anyhow::Result<()> {
    let gpu = device::choose();
    if !gpu.is_cuda() {
        println!("gpu-check: no GPU that this libtorch can use: skipped");
        return Ok(());
    }
    match env::args().nth(1).as_deref() {
        Some("logits") => compare(gpu),
        Some("steps") => measure(gpu),
        Some("recompute") => recompute(gpu),
        _ => bail!("usage: gpu_check logits|steps|recompute"),
    }
}

/// A step as the harness makes it where a recipe says nothing else.
struct Plain;

impl Recipe for Plain {
    fn facts(&self) -> Facts {
        Facts {
            model: String::new(),
            batch_size: RECORDS as usize,
            learning_rate: 1e-4,
            augment_level: None,
            num_frames: None,
        }
    }

    fn clip_norm(&self) -> Option<f64> {
        Some(1.0)
    }
}

/// What the competition feeds.
fn shape(model: &Model) -> &'static [i64] {
    match model.modality {
        Modality::Image => &[3, 224, 224],
        Modality::Video => &[16, 3, 224, 224],
        Modality::Audio => &[96_000],
    }
}

fn records(model: &Model, count: i64) -> Tensor {
    let size = [&[count], shape(model)].concat();
    match model.modality {
        Modality::Audio => Tensor::rand(size, (Kind::Float, Device::Cpu)) - 0.5,
        _ => Tensor::randint(256, size, (Kind::Uint8, Device::Cpu)),
    }
}

fn compare(gpu: Device) -> anyhow::Result<()> {
    println!("{:22} {:>12}  holds", "model", "apart");
    let mut failed = Vec::new();
    for model in MODELS {
        let apart = apart(model, gpu)?;
        // Not a number is no agreement.
        let holds = apart <= TOLERANCE;
        println!("{:22} {apart:12.2e}  {}", model.name, if holds { "yes" } else { "NO" });
        failed.extend((!holds).then_some(model.name));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("other answers on the GPU: {}", failed.join(", "))
    }
}

/// The largest difference of a logit.
fn apart(model: &Model, gpu: Device) -> anyhow::Result<f64> {
    let _no_grad = tch::no_grad_guard();
    tch::manual_seed(0);
    let (cpu_store, mut gpu_store) = (VarStore::new(Device::Cpu), VarStore::new(gpu));
    let build = |store: &VarStore| (model.build)(&store.root(), shape(model), Regularisation::NONE);
    let (on_cpu, on_gpu) = (build(&cpu_store), build(&gpu_store));
    gpu_store.copy(&cpu_store)?;
    let input = records(model, 2);
    let answers = on_gpu.forward(&input.to_device(gpu), false).to_device(Device::Cpu);
    Ok((answers - on_cpu.forward(&input, false)).abs().max().double_value(&[]))
}

/// With and without checkpointing: gradients, what is drawn next, and the most memory of a step.
fn recompute(gpu: Device) -> anyhow::Result<()> {
    let model = MODELS.iter().find(|model| model.name == "dinov2-base").expect("it is there");
    let noisy = Regularisation { dropout: 0.3, drop_path: 0.2, ..Regularisation::NONE };
    let step = |recomputes: bool| -> anyhow::Result<(Vec<Tensor>, [Tensor; 2], u64)> {
        tch::manual_seed(0);
        let store = VarStore::new(gpu);
        let detector = (model.build)(&store.root(), shape(model), noisy);
        let (precision, input) = (MixedPrecision::of(gpu), records(model, RECORDS).to_device(gpu));
        reset_peak(gpu)?;
        let (autocast, recompute) = (precision.begin()?, recomputes.then(Recompute::begin));
        let loss = detector.forward(&input, true).to_kind(Kind::Float).square().mean(None);
        drop((recompute, autocast));
        loss.backward();
        let peak = peak_allocated_bytes(gpu)?;
        let drawn = [gpu, Device::Cpu]
            .map(|device| Tensor::rand([4], (Kind::Float, device)).to_device(Device::Cpu));
        let weights = store.trainable_variables();
        Ok((weights.iter().map(Tensor::grad).filter(Tensor::defined).collect(), drawn, peak))
    };
    let ((kept, drawn, most), (again, same, less)) = (step(false)?, step(true)?);
    anyhow::ensure!(kept.len() == again.len() && drawn == same, "other gradients or draws");
    let norm = |of: Vec<Tensor>| Tensor::stack(&of, 0).square().sum(None).sqrt().double_value(&[]);
    let differences = kept.iter().zip(&again).map(|(a, b)| (a - b).norm()).collect();
    let apart = norm(differences) / norm(kept.iter().map(Tensor::norm).collect());
    println!(
        "computed again: gradients {apart:.1e} apart, {} MiB at most in place of {}",
        less >> 20,
        most >> 20
    );
    anyhow::ensure!(apart <= TOLERANCE && less < most, "computed again, a step differs");
    Ok(())
}

fn measure(gpu: Device) -> anyhow::Result<()> {
    println!(
        "{:22} {:>9} {:>11} {:>9}  (batches of {RECORDS})",
        "model", "step ms", "samples/s", "peak MiB"
    );
    for model in MODELS {
        reset_peak(gpu)?;
        let step_ms = step_ms(model, gpu)?;
        let (samples, peak) = (RECORDS as f64 / step_ms * 1e3, peak_allocated_bytes(gpu)? >> 20);
        println!("{:22} {step_ms:9.1} {samples:11.1} {peak:9}", model.name);
    }
    Ok(())
}

fn step_ms(model: &Model, gpu: Device) -> anyhow::Result<f64> {
    tch::manual_seed(0);
    let store = VarStore::new(gpu);
    let detector = (model.build)(&store.root(), shape(model), Regularisation::NONE);
    layout::prepare(&store)?;
    let mut optimizer = FusedAdamW::new(vec![ParameterGroup::new(store.trainable_variables())]);
    let (mut precision, mut rng) = (MixedPrecision::of(gpu), generator(0, Purpose::Step));
    let input = records(model, RECORDS).to_device(gpu);
    let labels = Tensor::arange(RECORDS, (Kind::Int64, gpu)).remainder(2);
    let mut times = Vec::new();
    for _ in 0..WARM_UP + STEPS {
        let began = Instant::now();
        let mut step = Step {
            detector: &*detector,
            optimizer: &mut optimizer,
            device: gpu,
            precision: &mut precision,
            input: input.shallow_clone(),
            labels: labels.shallow_clone(),
            progress: Progress { step: 0, budget: 0.0 },
            rng: &mut rng,
        };
        // Waits for the GPU.
        let loss = Plain.step(&mut step).double_value(&[]);
        anyhow::ensure!(loss.is_finite(), "{}: the loss is {loss}", model.name);
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let mut times = times.split_off(WARM_UP);
    times.sort_by(f64::total_cmp);
    Ok(times[STEPS / 2])
}
