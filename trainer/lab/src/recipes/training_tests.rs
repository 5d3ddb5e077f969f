use super::*;
use crate::recipes::testing::{QUICK, batch, losses};
use crate::recipes::{audio_tiny, image_tiny, video_r3d_tiny};
use tch::Kind;

const FILES: [(&str, &str); 6] = [
    ("audio_full.rs", include_str!("audio_full.rs")),
    ("audio_tiny.rs", include_str!("audio_tiny.rs")),
    ("image_full.rs", include_str!("image_full.rs")),
    ("image_tiny.rs", include_str!("image_tiny.rs")),
    ("video_full.rs", include_str!("video_full.rs")),
    ("video_r3d_tiny.rs", include_str!("video_r3d_tiny.rs")),
];

/// Changes how much memory and time a batch takes, and no result: there is nothing to try.
const WITHOUT_VALUES: &str = "    gradient_checkpointing: false,";

/// The playbook reads `name: value, // knob: a | b`; the value is one of those listed.
#[test]
fn every_constant_lists_the_values_worth_trying() {
    for (file, source) in FILES {
        for name in ["Training", "Knobs"] {
            let start = format!("= {name} {{\n");
            let literal = source.split_once(&start).unwrap().1.split_once("\n};").unwrap().0;
            for line in literal.lines().filter(|line| *line != WITHOUT_VALUES) {
                let (constant, values) =
                    line.split_once(", // knob: ").unwrap_or_else(|| panic!("{file}: {line}"));
                let (_, current) = constant.split_once(": ").unwrap();
                let values: Vec<_> = values.split(" | ").collect();
                assert!(values.contains(&current), "{file}: {current} is not among {values:?}");
                assert!(values.len() > 1, "{file}: {line}");
            }
            assert!(literal.lines().count() >= 4, "{file}");
        }
    }
}

#[test]
fn full_models_are_trained_as_dfresearch_trains_them() {
    // Batch, peak rate, batches per update, warm-up, augmentation, frames.
    let expected = [
        ("clip-vit-l14", (32, 1e-4, 1, 100, Some(2), None)),
        ("r3d-18", (4, 3e-4, 4, 50, Some(1), Some(16))),
        ("wav2vec2", (16, 1e-4, 2, 100, None, None)),
    ];
    for (name, (batch, rate, accumulation, warmup, level, frames)) in expected {
        let recipe = crate::recipe(name).unwrap();
        let facts = recipe.facts();
        assert_eq!((facts.batch_size, facts.learning_rate), (batch, rate), "{name}");
        assert_eq!((facts.augment_level, facts.num_frames), (level, frames), "{name}");
        assert_eq!((recipe.accumulation(), recipe.clip_norm()), (accumulation, Some(1.0)));
        let at = |step| recipe.learning_rate(Progress { step, budget: 0.9 });
        let first = at(0) * warmup as f64;
        assert!((first / rate - 1.0).abs() < 1e-12, "{name}: {first}");
        assert_eq!((at(warmup - 1), at(5000)), (rate, rate), "{name}");
        assert_eq!(recipe.pretrained().map(|weights| weights.model), Some(name));
    }
}

#[test]
fn every_small_preset_learns_and_mixes() {
    let presets = [
        (video_r3d_tiny::recipe(), batch(&[2, 3, 16, 16], Kind::Uint8)),
        (image_tiny::recipe(), batch(&[3, 16, 16], Kind::Uint8)),
        (audio_tiny::recipe(), batch(&[2048], Kind::Float)),
    ];
    for (preset, batch) in presets {
        let with = |training| Preset { training, ..preset_of(&preset.facts.model) };
        let (first, last) = losses(&with(QUICK), &batch, 40);
        assert!(last < 0.8 * first, "{}: {first} to {last}", preset.facts.model);
        for (mixup_alpha, cutmix_alpha) in [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)] {
            let mixed = Training { mixup_alpha, cutmix_alpha, ..QUICK };
            let (first, last) = losses(&with(mixed), &batch, 5);
            assert!(first.is_finite() && last.is_finite() && last > 0.0);
        }
    }
}

fn preset_of(name: &str) -> Preset {
    match name {
        "audio-tiny" => audio_tiny::recipe(),
        "image-tiny" => image_tiny::recipe(),
        _ => video_r3d_tiny::recipe(),
    }
}

#[test]
fn a_knob_that_is_turned_from_outside_reaches_the_training() {
    let mut preset = video_r3d_tiny::recipe();
    for (knob, value) in [("learning_rate", "0.25"), ("batch_size", "3"), ("schedule", "cosine")] {
        preset.set(knob, value).unwrap();
    }
    assert_eq!((preset.facts().learning_rate, preset.facts().batch_size), (0.25, 3));
    let half = preset.learning_rate(Progress { step: 900, budget: 0.5 });
    assert!((half - 0.125).abs() < 1e-12, "{half}");
    for (knob, value) in [("learning_rate", "inf"), ("batch_size", "0"), ("schedule", "linear")] {
        let error = preset.set(knob, value).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{knob} cannot be \"{value}\"")), "{error}");
    }
    let error = preset.set("dropout", "0.5").unwrap_err().to_string();
    assert!(error.contains("only learning_rate, batch_size, schedule"), "{error}");
}
