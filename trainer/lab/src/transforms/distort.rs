//! The augmentation of images and clips by level, on records.

use dfr_harness::record::{Record, RecordTransform};
use rand_chacha::ChaCha8Rng;

use super::frame::Frame;
use super::levels::{Change, Changes};

/// How often changes are drawn for a clip. A draw for each frame makes it flicker, as dfresearch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawPer {
    /// Once for all of its frames.
    Clip,
    /// For every frame.
    Frame,
}

/// Draws changes for a record and applies them to each of its frames.
#[derive(Clone, Debug)]
pub struct Distort {
    /// What is drawn.
    pub changes: Changes,
    /// How often.
    pub draw_per: DrawPer,
}

impl RecordTransform for Distort {
    /// # Panics
    /// If the record is no image and no clip.
    fn apply(&self, record: Record, rng: &mut ChaCha8Rng) {
        let Record::Pixels { pixels, shape: [.., 3, height, width] } = record else {
            panic!("Distort changes images and clips, not this record");
        };
        let [height, width] = [height, width].map(|n| usize::try_from(*n).expect("of a record"));
        let mut drawn: Option<Vec<Change>> = None;
        for pixels in pixels.chunks_exact_mut(3 * height * width) {
            let changes = drawn.take().unwrap_or_else(|| self.changes.draw(rng));
            let mut frame = Frame::new(pixels, height, width);
            changes.iter().for_each(|change| change.apply(&mut frame, rng));
            drawn = (self.draw_per == DrawPer::Clip).then_some(changes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use std::collections::BTreeSet;

    const FRAME: usize = 3 * 16 * 20;

    fn distorted(draw_per: DrawPer, level: u64, shape: &[i64]) -> Vec<u8> {
        let frames = if shape.len() == 4 { shape[0] } else { 1 };
        let frame = (0..FRAME).map(|at| (at * 7 % 251) as u8).collect::<Vec<_>>();
        let mut pixels = frame.repeat(frames as usize);
        let distort = Distort { changes: Changes::level(level), draw_per };
        let record = Record::Pixels { pixels: &mut pixels, shape };
        distort.apply(record, &mut ChaCha8Rng::seed_from_u64(3));
        pixels
    }

    #[test]
    fn equal_frames_stay_equal_with_one_draw_for_a_clip() {
        let clip = distorted(DrawPer::Clip, 1, &[8, 3, 16, 20]);
        let different: BTreeSet<&[u8]> = clip.chunks(FRAME).collect();
        assert_eq!(different.len(), 1);
        assert_eq!(clip[..FRAME], distorted(DrawPer::Frame, 1, &[3, 16, 20]));
        let flickers = distorted(DrawPer::Frame, 1, &[8, 3, 16, 20]);
        assert!(flickers.chunks(FRAME).collect::<BTreeSet<_>>().len() > 4);
    }

    #[test]
    fn level_0_changes_nothing_and_the_others_do() {
        let clip = |level| distorted(DrawPer::Clip, level, &[2, 3, 16, 20]);
        assert!((1..=3).all(|level| clip(level) != clip(0)));
        assert_eq!(clip(0)[..FRAME], (0..FRAME).map(|at| (at * 7 % 251) as u8).collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "Distort changes images and clips")]
    fn sound_is_refused() {
        let distort = Distort { changes: Changes::level(1), draw_per: DrawPer::Clip };
        distort.apply(Record::Sound(&mut [0; 4]), &mut ChaCha8Rng::seed_from_u64(1));
    }
}
