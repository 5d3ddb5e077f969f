//! Commands that a person types, from downloaded data to the archive, and the archive in a Python process that loads
//! it as the competition's public loader does. With EXPORT_CHECK=1 only (make export-check): it needs torch for
//! Python and a `dfr-train` beside `dfr`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dfr_contract::modality::Modality;
use dfr_contract::pack::{Part, PartHeader, file};
use dfr_contract::predictions;

use crate::home::{Home, text};
use crate::made::torch_python;

/// Probabilities, of logits that are allowed 1e-4.
const TOLERANCE: f64 = 1e-4;

fn done(home: &Home, arguments: &str) {
    let output = home.dfr(arguments);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "dfr {arguments}: {said}");
}

fn numbers(text: &str) -> Vec<f64> {
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// What the archive answers about the records of validation.
fn answers(python: &Path, (archive, validation): (&Path, &Path), header: &PartHeader) -> Vec<f64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/loader.py");
    let shape: Vec<String> = header.shape.iter().map(u64::to_string).collect();
    let mut python = Command::new(python);
    python.args(["-I", "-B"]).arg(script).arg(archive);
    python.arg(validation.join(header.records_file()));
    let kind = if header.modality == Modality::Audio { "int16" } else { "uint8" };
    let output = python.args([&shape.join(","), kind]).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    numbers(&text(&output.stdout))
}

fn pack(home: &Home, modality: Modality) -> PathBuf {
    let packs = home.path("cache/packs").join(modality.as_str());
    let mut inputs = fs::read_dir(packs).unwrap();
    inputs.next().unwrap().unwrap().path().join(file::CURRENT)
}

fn is_loaded_and_answers_as_when_it_was_trained(modality: Modality, model: &str) {
    let Some(python) = torch_python() else { return };
    let home = Home::with_sample("cache", (modality, 4));
    done(&home, &format!("prepare --modality {modality}"));
    let train = format!("train --modality {modality} --model {model} --from-scratch");
    done(&home, &format!("{train} --time-budget 5"));
    done(&home, &format!("export --modality {modality} --python {}", python.display()));

    let validation = pack(&home, modality).join(Part::Validation.as_str());
    let header = fs::read(validation.join(file::PART)).unwrap();
    let header: PartHeader = serde_json::from_slice(&header).unwrap();
    let archive = home.path(&format!("work/results/exports/{modality}_detector_{model}.zip"));
    let found = answers(&python, (&archive, &validation), &header);
    let trained = format!("work/results/checkpoints/{modality}/{}", predictions::FILE);
    let trained = fs::read_to_string(home.path(&trained)).unwrap();
    let trained = predictions::parse(&trained, found.len()).unwrap();
    assert_eq!(found.len() as u64, header.records);
    let apart = found.iter().zip(&trained).map(|(found, p)| (found - p).abs()).fold(0.0, f64::max);
    println!("{modality}, {model}: {} records, at most {apart:e} apart", found.len());
    assert!(apart <= TOLERANCE, "{apart:e}: {found:?} {trained:?}");
    // Of one answer for all records the agreement would say nothing.
    let (least, most) =
        (found.iter().copied().fold(1.0, f64::min), found.iter().copied().fold(0.0, f64::max));
    assert!(most - least > 20.0 * apart, "all alike: {found:?}");
}

#[test]
fn pictures() {
    is_loaded_and_answers_as_when_it_was_trained(Modality::Image, "image-tiny");
}

#[test]
fn clips() {
    is_loaded_and_answers_as_when_it_was_trained(Modality::Video, "r3d-tiny");
}

#[test]
fn sounds() {
    is_loaded_and_answers_as_when_it_was_trained(Modality::Audio, "audio-tiny");
}
