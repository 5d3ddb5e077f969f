use super::*;
use crate::recipes::testing::{QUICK, batch, losses};
use crate::recipes::video_r3d_tiny;
use dfr_harness::schedule::Schedule;
use tch::Kind;

#[test]
fn learns_with_every_knob_turned() {
    let knobs = Knobs { dropout: 0.0, frames: 2, ..video_r3d_tiny::KNOBS };
    let turned = [
        (QUICK, knobs),
        (Training { focal_gamma: 2.0, ..QUICK }, knobs),
        (QUICK, Knobs { temporal_kernel: 3, temporal_stride: 2, ..knobs }),
        (
            Training { schedule: Schedule::Cosine, ..QUICK },
            Knobs { high_pass_stem: false, ..knobs },
        ),
        (Training { clip_norm: 0.0, ..QUICK }, Knobs { augment_level: 0, width: 4, ..knobs }),
        (Training { grad_accum_steps: 2, label_smoothing: 0.05, ..QUICK }, knobs),
    ];
    for (training, knobs) in turned {
        let recipe = recipe("r3d-tiny", R3dConfig::r3d_tiny(), (training, knobs));
        let (first, last) = losses(&recipe, &batch(&[2, 3, 16, 16], Kind::Uint8), 30);
        assert!(last < 0.7 * first, "{first} to {last} with {training:?} {knobs:?}");
    }
}
