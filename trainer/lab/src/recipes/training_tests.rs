use super::*;
use crate::recipes::testing::{QUICK, batch, losses};
use crate::recipes::{audio_tiny, image_tiny, video_r3d_18, video_r3d_tiny};
use tch::Kind;

const FILES: [(&str, &str); 7] = [
    ("audio_full.rs", include_str!("audio_full.rs")),
    ("audio_tiny.rs", include_str!("audio_tiny.rs")),
    ("image_full.rs", include_str!("image_full.rs")),
    ("image_tiny.rs", include_str!("image_tiny.rs")),
    ("video_full.rs", include_str!("video_full.rs")),
    ("video_r3d_18.rs", include_str!("video_r3d_18.rs")),
    ("video_r3d_tiny.rs", include_str!("video_r3d_tiny.rs")),
];

/// The playbook reads `name: value, // knob: a | b`; the value is one of those listed.
#[test]
fn every_constant_lists_the_values_worth_trying() {
    for (file, source) in FILES {
        for name in ["Training", "Knobs"] {
            let start = format!("= {name} {{\n");
            let literal = source.split_once(&start).unwrap().1.split_once("\n};").unwrap().0;
            for line in literal.lines() {
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
fn r3d_18_is_trained_as_dfresearch_trains_it() {
    let recipe = video_r3d_18::recipe();
    let facts = recipe.facts();
    assert_eq!((facts.batch_size, facts.learning_rate), (4, 3e-4));
    assert_eq!((facts.augment_level, facts.num_frames), (Some(1), Some(16)));
    assert_eq!((recipe.accumulation(), recipe.clip_norm()), (4, Some(1.0)));
    let rate = |step| recipe.learning_rate(Progress { step, budget: 0.9 });
    assert_eq!((rate(0), rate(49), rate(5000)), (3e-4 / 50.0, 3e-4, 3e-4));
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
