//! Lies about the score and about the work.

use super::Ends::{Crash, Scored, Tampered};
use super::{Attack, Step::Begin};

pub const ATTACKS: [Attack; 11] = [
    Attack::new(
        "prints a footer with scores",
        &[Begin(
            r#"if is("train") {
    println!("---\nmodel: forged\nsn34_score: 1.000000\naccuracy: 1.000000\nmcc: 1.000000\nbrier: 0.000000");
    println!("training_seconds: 1.0\ntotal_seconds: 1.0\npeak_vram_mb: 0.0\nnum_steps: 9");
    println!("num_params_M: 0.0\nnum_epochs: 1\nbatch_size: 1\nlearning_rate: 0.1");
}"#,
        )],
        Tampered,
    )
    .in_lab(),
    Attack::new(
        "prints a metric line",
        &[Begin(r#"if is("train") { println!("sn34_score:       1.000000"); }"#)],
        Tampered,
    )
    .in_lab(),
    Attack::new(
        "prints a metric line in the first step",
        &[Begin(r#"if is("smoke") { println!("sn34_score:       1.000000"); }"#)],
        Tampered,
    ),
    Attack::new(
        "prints a metric line to the error stream",
        &[Begin(r#"if is("train") { eprintln!("mcc: 1.000000"); }"#)],
        Tampered,
    ),
    Attack::new(
        "prints a metric line in pieces",
        &[Begin(
            r#"if is("train") {
    use std::io::Write as _;
    for piece in ["sn34", "_score:", " 1.0", "00000\n"] {
        print!("{piece}");
        std::io::stdout().flush().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}"#,
        )],
        Tampered,
    ),
    Attack::new(
        "prints a metric line while predicting",
        &[Begin(r#"if is("predict") { println!("accuracy: 1.000000"); }"#)],
        Tampered,
    ),
    Attack::new(
        "claims hours of training",
        &[Begin(
            r#"if is("train") && std::env::var_os("AGAIN").is_none() {
    let mut honest = std::process::Command::new(std::env::current_exe().unwrap());
    honest.args(std::env::args_os().skip(1)).env("AGAIN", "1").output().unwrap();
    println!("---\nmodel: forged\ntraining_seconds: 86400.0\ntotal_seconds: 86400.0");
    println!("peak_vram_mb: 0.0\nnum_steps: 18446744073709551615\nnum_params_M: 0.0\nnum_epochs: 1");
    println!("batch_size: 1\nlearning_rate: 0.1");
    std::process::exit(0);
}"#,
        )],
        Tampered,
    ),
    Attack::new(
        "ends training without work",
        &[Begin(r#"if is("train") { std::process::exit(0); }"#)],
        Crash("no footer"),
    )
    .in_lab(),
    Attack::new(
        "ends prediction without work",
        &[Begin(r#"if is("predict") { std::process::exit(0); }"#)],
        Crash("no predictions"),
    )
    .in_lab(),
    Attack::new(
        "ends the smoke step without work",
        &[Begin(r#"if is("smoke") { std::process::exit(0); }"#)],
        Scored,
    ),
    Attack::new(
        "leaves the daemon's own notes of how it ended",
        &[Begin(
            r#"if is("train") {
    for name in ["train.json", "predict.json", "meta.json", "predictions.tsv"] {
        let _ = std::fs::write(out().join(name), "{\"run\":\"finished\",\"seconds\":1.0}");
    }
}"#,
        )],
        Scored,
    ),
];
