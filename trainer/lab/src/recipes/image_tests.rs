use super::*;
use crate::recipes::image_tiny;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind};

#[test]
fn a_picture_is_augmented_as_a_clip_of_one_frame() {
    let batch = Tensor::randint(200, [3, 3, 6, 5], (Kind::Uint8, Device::Cpu));
    let apply = |transform: &dyn Transform, batch: &Tensor| {
        transform.apply(batch, &mut ChaCha8Rng::seed_from_u64(1))
    };
    let preset = image_tiny::recipe();
    let changed = apply(preset.transform.as_deref().unwrap(), &batch);
    assert_eq!((changed.size(), changed.kind()), (batch.size(), Kind::Uint8));
    let clip = apply(Augmentation::Tone.transforms(1).0.unwrap().as_ref(), &batch.unsqueeze(1))
        .squeeze_dim(1);
    assert_eq!(changed, clip);
}
