//! The augmentation of images and clips, by kind and level.

use dfr_harness::recipe::Transform;
use dfr_harness::record::RecordTransform;

use crate::transforms::distort::{Distort, DrawPer};
use crate::transforms::levels::Changes;
use crate::transforms::video::VideoAugmentation;

/// Which changes a level stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Augmentation {
    /// Brightness, contrast and noise, on the device. Spares the fine traces that JPEG and blur erase.
    Tone,
    /// JPEG, blur, noise, colour and contrast as dfresearch draws them, on the CPU; once for a clip.
    DistortClips,
    /// The same, drawn for every frame, which flickers: as dfresearch does.
    DistortFrames,
}

/// On the device, and on the CPU.
pub type Transforms = (Option<Box<dyn Transform>>, Option<Box<dyn RecordTransform>>);

impl Augmentation {
    /// What does it; nothing at level 0.
    pub fn transforms(self, level: u64) -> Transforms {
        let distort = |draw_per| Distort { changes: Changes::level(level), draw_per };
        match self {
            _ if level == 0 => (None, None),
            Self::Tone => (Some(Box::new(VideoAugmentation::level(level))), None),
            Self::DistortClips => (None, Some(Box::new(distort(DrawPer::Clip)))),
            Self::DistortFrames => (None, Some(Box::new(distort(DrawPer::Frame)))),
        }
    }
}
