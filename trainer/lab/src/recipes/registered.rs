//! The recipe of any model in [`MODELS`](crate::models::MODELS): training, regularisation, augmentation.

use dfr_contract::modality::Modality;
use dfr_harness::recipe::{Facts, Transform};
use dfr_harness::record::RecordTransform;

use super::augmentation::Augmentation;
use super::groups::Frozen;
use super::image::Still;
use super::training::{Preset, Training};
use crate::models::{Model, Regularisation};
use crate::transforms::sound::SoundAugmentation;

/// What disturbs pictures, clips or sounds in training.
pub enum Disturbance {
    /// Pictures and clips, at a level of 0 to 3.
    Seen(Augmentation, u64),
    /// Sounds.
    Heard(SoundAugmentation),
}

/// `model`, trained so, but for what is frozen.
pub fn recipe(
    model: &'static Model,
    training: Training,
    (regularisation, disturbance): (Regularisation, Disturbance),
    frozen: Frozen,
) -> Preset {
    let (transform, record_transform) = disturbance.transforms(model.modality);
    Preset {
        facts: Facts {
            model: model.name.to_owned(),
            batch_size: training.batch_size,
            learning_rate: training.learning_rate,
            augment_level: disturbance.level(),
            num_frames: None,
        },
        training,
        build: Box::new(move |root, shape| (model.build)(root, shape, regularisation)),
        pretrained: model.pretrained(),
        frozen,
        transform,
        record_transform,
    }
}

type Transforms = (Option<Box<dyn Transform>>, Option<Box<dyn RecordTransform>>);

impl Disturbance {
    fn level(&self) -> Option<u64> {
        match self {
            Self::Seen(_, level) => Some(*level),
            Self::Heard(_) => None,
        }
    }

    fn transforms(&self, modality: Modality) -> Transforms {
        match self {
            Self::Seen(augmentation, level) => {
                let (batch, record) = augmentation.transforms(*level);
                let still = |inner| Box::new(Still(inner)) as Box<dyn Transform>;
                (if modality == Modality::Image { batch.map(still) } else { batch }, record)
            }
            Self::Heard(augmentation) => (None, augmentation.transform()),
        }
    }
}
