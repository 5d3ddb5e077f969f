//! Training against a clock, and prediction: bright records are of one class, dark ones of the other. A
//! step takes everybody as long, as on a device that is always busy.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);
const LEARNING_RATE: f64 = 0.0025;
const RECORD_BYTES: usize = 192;

/// The probability of being synthetic, by how bright a record is.
pub struct Model {
    weight: f64,
}

impl Model {
    /// The model that a directory holds; where there is none, one that knows nothing.
    pub fn load(directory: &Path) -> Self {
        let text = fs::read_to_string(directory.join("model.safetensors")).unwrap_or_default();
        Self { weight: text.parse().unwrap_or_default() }
    }

    pub fn save(&self, directory: &Path) {
        let text = self.weight.to_string();
        fs::write(directory.join("model.safetensors"), text).expect("a model");
    }

    /// Descends for some time, and tells in how many steps.
    pub fn learn(&mut self, data: &Path, time: Duration) -> u64 {
        let begun = Instant::now();
        let labels = fs::read(data.join("labels.u8")).expect("labels to learn from");
        let records = records(data);
        (0..).take_while(|_| begun.elapsed() < time && self.step(&records, &labels)).count() as u64
    }

    fn step(&mut self, records: &[f64], labels: &[u8]) -> bool {
        sleep(STEP);
        let slope = |(x, label): (&f64, &u8)| (f64::from(*label) - self.probability(*x)) * x;
        let slopes: f64 = records.iter().zip(labels).map(slope).sum();
        self.weight += LEARNING_RATE * slopes / records.len() as f64;
        true
    }

    fn probability(&self, x: f64) -> f64 {
        1.0 / (1.0 + (-self.weight * x).exp())
    }

    /// Writes the predictions of a part.
    pub fn predict(&self, inputs: &Path, out: &Path) {
        let row = |(id, x): (usize, &f64)| format!("{id}\t{}\n", self.probability(*x));
        let rows: String = records(inputs).iter().enumerate().map(row).collect();
        let text = "id\tp_synthetic\n".to_owned() + &rows;
        fs::write(out.join("predictions.tsv"), text).expect("predictions");
    }
}

/// Of every record, whether it is bright.
fn records(part: &Path) -> Vec<f64> {
    let bytes = fs::read(part.join("records.u8")).expect("records to read");
    bytes.chunks(RECORD_BYTES).map(|record| if record[0] > 128 { 1.0 } else { -1.0 }).collect()
}

pub fn run() {
    match std::env::args().nth(1).as_deref() {
        Some("smoke") => println!("smoke: {} records", records(&argument("--data")).len()),
        Some("train") => train(),
        Some("predict") => {
            Model::load(&argument("--model")).predict(&argument("--inputs"), &argument("--out"));
        }
        other => panic!("no phase {other:?}"),
    }
}

fn argument(flag: &str) -> PathBuf {
    let mut arguments = std::env::args().skip_while(|argument| argument != flag).skip(1);
    arguments.next().expect("a value for every flag").into()
}

/// Goes on with the model that is there.
fn train() {
    let budget_s = argument("--budget-s").to_string_lossy().parse().expect("seconds");
    let mut model = Model::load(&argument("--out"));
    println!("@CLOCK_STARTED@");
    let begun = Instant::now();
    let steps = model.learn(&argument("--data"), Duration::from_secs(budget_s));
    let seconds = begun.elapsed().as_secs_f64();
    model.save(&argument("--out"));
    println!("---\nmodel: timed\ntraining_seconds: {seconds:.1}\ntotal_seconds: {seconds:.1}");
    println!("peak_vram_mb: 0.0\nnum_steps: {steps}\nnum_params_M: 0.0\nnum_epochs: {steps}");
    println!("batch_size: 64\nlearning_rate: {LEARNING_RATE}");
}
