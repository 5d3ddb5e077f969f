//! How fast a part of a pack becomes training batches: one line of JSON with samples, seconds and
//! processor seconds of every epoch, and the peak resident memory.
//!
//! `cargo run --release -p dfr-lab --example feed_bench -- PARTDIR LEVEL EPOCHS`
//!
//! Batches and augmentation are dfresearch's, drawn for every frame.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::Context as _;
use dfr_harness::feed::{Feed, Plan, Source};
use dfr_harness::pack::Part;
use dfr_harness::recipe::{Facts, Recipe};
use dfr_harness::record::RecordTransform;
use dfr_harness::seed::{Purpose, generator};
use dfr_lab::transforms::distort::{Distort, DrawPer};
use dfr_lab::transforms::levels::Changes;
use tch::Device;

/// Nothing is trained: the cores are free to feed.
const THREADS: NonZeroUsize = NonZeroUsize::new(2).expect("not zero");
const SEED: u64 = 1;

struct Batches(usize);
impl Recipe for Batches {
    fn facts(&self) -> Facts {
        Facts {
            model: "none".to_owned(),
            batch_size: self.0,
            learning_rate: 0.0,
            augment_level: None,
            num_frames: None,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, level, epochs] = &arguments[..] else {
        anyhow::bail!("usage: feed_bench PARTDIR LEVEL EPOCHS")
    };
    let (level, epochs): (u64, u64) = (level.parse()?, epochs.parse()?);
    let part = Part::open(Path::new(part))?;
    let batch_size = match part.shape().len() {
        4 => 4,
        3 => 32,
        _ => 16,
    };
    let distort = Distort { changes: Changes::level(level), draw_per: DrawPer::Frame };
    let transform: Option<&dyn RecordTransform> = (level > 0).then_some(&distort);
    let source = Source { part: &part, labels: part.labels()?, transform, seed: SEED };
    let batches = Batches(batch_size);
    let plan = Plan::new(&batches, source.labels, generator(SEED, Purpose::Order));
    let told = thread::scope(|scope| -> anyhow::Result<String> {
        let mut feed = Feed::start(scope, (source, plan), Device::Cpu, THREADS)?;
        let per_epoch = (part.len() / batch_size).max(1);
        let told = (0..epochs).map(|_| epoch(&mut feed, per_epoch, batch_size));
        Ok(told.collect::<anyhow::Result<Vec<String>>>()?.join(", "))
    })?;
    println!(r#"{{"epochs": [{told}], "peak_mb": {:.1}}}"#, peak_mb()?);
    Ok(())
}

fn epoch(feed: &mut Feed, batches: usize, batch_size: usize) -> anyhow::Result<String> {
    let (start, before) = (Instant::now(), cpu_s()?);
    for _ in 0..batches {
        feed.next_batch()?;
    }
    let (samples, seconds) = (batches * batch_size, start.elapsed().as_secs_f64());
    let cpu_s = cpu_s()? - before;
    Ok(format!(r#"{{"samples": {samples}, "seconds": {seconds}, "cpu_s": {cpu_s}}}"#))
}

/// Processor time of the whole process, in steps of 10 ms.
fn cpu_s() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

fn peak_mb() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}
