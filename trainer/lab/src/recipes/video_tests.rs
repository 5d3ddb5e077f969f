use super::*;
use crate::recipes::{video_r3d_18, video_r3d_tiny};
use dfr_harness::seed::{Purpose, generator};
use tch::Device;

const FILES: [(&str, &str); 2] = [
    ("video_r3d_18.rs", include_str!("video_r3d_18.rs")),
    ("video_r3d_tiny.rs", include_str!("video_r3d_tiny.rs")),
];

/// The playbook reads `name: value, // knob: a | b`; the value is one of those listed.
#[test]
fn every_constant_lists_the_values_worth_trying() {
    for (file, source) in FILES {
        let literal = source.split_once("= Knobs {\n").unwrap().1.split_once("\n};").unwrap().0;
        for line in literal.lines() {
            let (constant, values) =
                line.split_once(", // knob: ").unwrap_or_else(|| panic!("{file}: {line}"));
            let (_, current) = constant.split_once(": ").unwrap();
            let values: Vec<_> = values.split(" | ").collect();
            assert!(values.contains(&current), "{file}: {current} is not among {values:?}");
            assert!(values.len() > 1, "{file}: {line}");
        }
        assert!(literal.lines().count() >= 15, "{file}");
    }
}

#[test]
fn r3d_18_is_trained_as_dfresearch_trains_it() {
    let facts = video_r3d_18::recipe().facts();
    assert_eq!((facts.batch_size, facts.learning_rate), (4, 3e-4));
    assert_eq!((facts.augment_level, facts.num_frames), (Some(1), Some(16)));
    let recipe = video_r3d_18::recipe();
    assert_eq!((recipe.accumulation(), recipe.clip_norm()), (4, Some(1.0)));
    let rate = |step| recipe.learning_rate(Progress { step, budget: 0.9 });
    assert_eq!((rate(0), rate(49), rate(5000)), (3e-4 / 50.0, 3e-4, 3e-4));
}

fn tiny(knobs: Knobs) -> VideoRecipe {
    VideoRecipe::new("r3d-tiny", R3dConfig::r3d_tiny(), knobs)
}

/// Steps on one batch of bright and dark clips; returns first and last loss.
fn losses(recipe: &VideoRecipe, steps: u64) -> (f64, f64) {
    tch::manual_seed(0);
    let variables = VarStore::new(Device::Cpu);
    let detector = recipe.model(&variables.root(), [2, 3, 16, 16]);
    let mut optimizer = recipe.optimizer(&variables);
    let labels = Tensor::from_slice(&[0i64, 1, 0, 1]);
    let noise = Tensor::randint(40, [4, 2, 3, 16, 16], (Kind::Uint8, Device::Cpu));
    let input = noise * (&labels * 3 + 1).view([4, 1, 1, 1, 1]).to_kind(Kind::Uint8);
    let mut rng = generator(0, Purpose::Step);
    let losses: Vec<f64> = (0..steps)
        .map(|step| {
            let mut step = Step {
                detector: &*detector,
                optimizer: &mut *optimizer,
                device: Device::Cpu,
                input: input.shallow_clone(),
                labels: labels.shallow_clone(),
                progress: Progress { step, budget: 0.0 },
                rng: &mut rng,
            };
            recipe.step(&mut step).double_value(&[])
        })
        .collect();
    (losses[0], losses[losses.len() - 1])
}

#[test]
fn learns_with_every_knob_turned() {
    let base = Knobs {
        learning_rate: 3e-3,
        warmup_steps: 0,
        dropout: 0.0,
        frames: 2,
        ..video_r3d_tiny::KNOBS
    };
    let turned = [
        base,
        Knobs { focal_gamma: 2.0, ..base },
        Knobs { temporal_kernel: 3, temporal_stride: 2, ..base },
        Knobs { high_pass_stem: false, schedule: Schedule::Cosine, ..base },
        Knobs { clip_norm: 0.0, augment_level: 0, width: 4, ..base },
        Knobs { grad_accum_steps: 2, label_smoothing: 0.05, ..base },
    ];
    for knobs in turned {
        let (first, last) = losses(&tiny(knobs), 30);
        assert!(last < 0.7 * first, "{first} to {last} with {knobs:?}");
    }
}

#[test]
fn mixup_blends_clips_and_keeps_the_loss_between_the_classes() {
    let (first, last) = losses(&tiny(Knobs { mixup_alpha: 0.4, ..video_r3d_tiny::KNOBS }), 5);
    assert!(first.is_finite() && last.is_finite() && last > 0.0);
    let mut rng = generator(1, Purpose::Step);
    let draws: Vec<f64> = (0..2000).map(|_| symmetric_beta(0.5, &mut rng)).collect();
    let mean = draws.iter().sum::<f64>() / 2000.0;
    let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 2000.0;
    // Beta(a, a) has mean 1/2 and variance 1 / (8 a + 4).
    assert!((mean - 0.5).abs() < 0.03 && (variance - 0.125).abs() < 0.01, "{mean} {variance}");
}
