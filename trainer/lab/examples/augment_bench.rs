//! What augmentation costs: each piece on one picture of 224 x 224, and the feed of batches by level.
//!
//! `cargo run --release -p dfr-lab --example augment_bench -- [threads]`
//!
//! Processor time tells nearly the same on a busy machine; samples per second do not.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::Instant;

use dfr_harness::feed::{Feed, Plan, Source};
use dfr_harness::pack::Part;
use dfr_harness::recipe::{Facts, Recipe};
use dfr_harness::record::RecordTransform;
use dfr_harness::seed::{Purpose, generator};
use dfr_lab::transforms::distort::{Distort, DrawPer};
use dfr_lab::transforms::frame::Frame;
use dfr_lab::transforms::levels::{Change, Changes};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Device;

#[expect(clippy::unwrap_used, reason = "what tests use")]
#[path = "../../harness/src/testing.rs"]
mod testing;

const SIDE: usize = 224;
const BATCHES: usize = 60;
const BATCH_SIZE: usize = 32;

fn main() -> anyhow::Result<()> {
    let threads = std::env::args().nth(1).map_or(Ok(2), |text| text.parse())?;
    pieces()?;
    let dir = tempfile::tempdir()?;
    let spec = testing::PackSpec { records: 256, shape: &[1, 3, 224, 224] };
    testing::write_part(dir.path(), &spec);
    feeds(dir.path(), NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))
}

fn pieces() -> anyhow::Result<()> {
    println!("microseconds of processor time for one picture of {SIDE} x {SIDE}");
    let pieces = [
        ("jpeg 15", Change::Jpeg(15)),
        ("jpeg 80", Change::Jpeg(80)),
        ("blur 0.5", Change::Blur(0.5)),
        ("blur 1.5", Change::Blur(1.5)),
        ("blur 3.0", Change::Blur(3.0)),
        ("noise 10", Change::Noise(10.0)),
        ("shift", Change::ColorShift([10.0, -10.0, 5.0])),
        ("contrast", Change::Contrast(1.2)),
        ("flip", Change::Flip),
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut pixels: Vec<u8> = (0..3 * SIDE * SIDE).map(|at| (at * 7 % 251) as u8).collect();
    for (name, change) in pieces {
        let mut best = f64::MAX;
        for _ in 0..20 {
            let before = thread_us()?;
            for _ in 0..50 {
                change.apply(&mut Frame::new(&mut pixels, SIDE, SIDE), &mut rng);
            }
            best = best.min((thread_us()? - before) / 50.0);
        }
        println!("{name:>10} {best:8.1}");
    }
    Ok(())
}

struct Images;
impl Recipe for Images {
    fn facts(&self) -> Facts {
        Facts {
            model: "none".to_owned(),
            batch_size: BATCH_SIZE,
            learning_rate: 0.0,
            augment_level: None,
            num_frames: None,
        }
    }
}

fn feeds(part: &Path, threads: NonZeroUsize) -> anyhow::Result<()> {
    println!("batches of {BATCH_SIZE} such pictures, {threads} thread(s)");
    let part = Part::open(part)?;
    for level in 0..=3 {
        let distort = Distort { changes: Changes::level(level), draw_per: DrawPer::Clip };
        let transform: Option<&dyn RecordTransform> = (level > 0).then_some(&distort);
        let source = Source { part: &part, labels: part.labels()?, transform, seed: 1 };
        let plan = Plan::new(&Images, source.labels, generator(1, Purpose::Order));
        let (started, before) = (Instant::now(), process_us()?);
        thread::scope(|scope| -> anyhow::Result<()> {
            let mut feed = Feed::start(scope, (source, plan), Device::Cpu, threads)?;
            for _ in 0..BATCHES {
                feed.next_batch()?;
            }
            Ok(())
        })?;
        let samples = (BATCHES * BATCH_SIZE) as f64;
        let (second, cost) = (started.elapsed().as_secs_f64(), process_us()? - before);
        let (rate, cost) = (samples / second, cost / samples);
        println!("   level {level} {rate:8.0} samples/s, {cost:6.0} us of processor time each");
    }
    Ok(())
}

/// Processor time of this thread.
fn thread_us() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e3)
}

/// Processor time of the whole process, also of threads that have ended; in steps of 10 ms.
fn process_us() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? * 1e4)
}
