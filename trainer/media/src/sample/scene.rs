//! Procedural clips and pictures: six kinds of moving scenes. Pure: the same generator gives the same
//! frames.

use std::f32::consts::TAU;

use rand::{Rng, RngExt as _};

use crate::sample::noise::{self, Lattice, lerp};
use crate::sample::stages;

/// Pixels of a clip across and down.
pub const SIDE: usize = 96;
/// Frames in a clip.
pub const FRAMES: usize = 25;
/// Frames per second.
pub const FRAME_RATE: u32 = 25;

/// Red, green and blue in grey levels, 0 to 255.
pub type Rgb = [f32; 3];

/// Pixels, row by row.
pub type Frame = Vec<Rgb>;

/// Pixels across and down.
pub type Size = [usize; 2];

/// What a clip or picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Textured noise that pans.
    Fields,
    /// Soft discs over a turning gradient.
    Shapes,
    /// Fractal ground under a turning, zooming camera.
    Landscape,
    /// Particles that fall.
    Particles,
    /// Interfering waves.
    Waves,
    /// Blobs that walk before a hand-held, grainy camera.
    Walkers,
}

impl Kind {
    /// All of them; one pair of data sets each.
    pub const ALL: [Self; 6] =
        [Self::Fields, Self::Shapes, Self::Landscape, Self::Particles, Self::Waves, Self::Walkers];

    /// The word in names of data sets and recordings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fields => "fields",
            Self::Shapes => "shapes",
            Self::Landscape => "landscape",
            Self::Particles => "particles",
            Self::Waves => "waves",
            Self::Walkers => "walkers",
        }
    }
}

/// A moving picture as a function.
pub(crate) trait Stage {
    /// Colour at `x`, `y` (0 to 1 across the picture) and `t` (0 to 1 over the clip).
    fn colour(&self, x: f32, y: f32, t: f32) -> Rgb;

    /// Deviation of the camera's own noise, which changes from frame to frame, in grey levels.
    fn grain(&self) -> f32 {
        1.0
    }
}

/// Renders one clip of `kind`.
pub fn render(kind: Kind, rng: &mut impl Rng) -> Vec<Frame> {
    let stage = stages::draw(kind, rng);
    let time = |index: usize| index as f32 / FRAMES as f32;
    (0..FRAMES).map(|index| frame(stage.as_ref(), [SIDE; 2], time(index), rng)).collect()
}

/// One moment of a scene of `kind`.
pub fn render_still(kind: Kind, size: Size, rng: &mut impl Rng) -> Frame {
    let stage = stages::draw(kind, rng);
    let time = rng.random_range(0.0..1.0);
    frame(stage.as_ref(), size, time, rng)
}

fn frame(stage: &dyn Stage, [width, height]: Size, t: f32, rng: &mut impl Rng) -> Frame {
    let place = |i: usize, of: usize| (i as f32 + 0.5) / of as f32;
    let pixels = (0..width * height).map(|i| {
        let grain = stage.grain() * noise::grain(rng);
        stage
            .colour(place(i % width, width), place(i / width, height), t)
            .map(|level| level + grain)
    });
    pixels.collect()
}

/// Two colours and what lies between them.
pub(crate) struct Palette {
    low: Rgb,
    high: Rgb,
}

impl Palette {
    /// Far enough from black and white that noise is rarely clipped.
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let mut side = |range: std::ops::Range<f32>| -> Rgb {
            std::array::from_fn(|_| rng.random_range(range.clone()))
        };
        Self { low: side(30.0..120.0), high: side(120.0..220.0) }
    }

    /// The colour at 0 (low) to 1 (high).
    pub(crate) fn at(&self, level: f32) -> Rgb {
        std::array::from_fn(|c| lerp(self.low[c], self.high[c], level.clamp(0.0, 1.0)))
    }
}

/// A point that moves on an ellipse; phases and sizes at random.
pub(crate) struct Orbit {
    centre: [f32; 2],
    radius: [f32; 2],
    turns: f32,
    phase: f32,
}

impl Orbit {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        Self {
            centre: std::array::from_fn(|_| rng.random_range(0.1..0.9)),
            radius: std::array::from_fn(|_| rng.random_range(0.05..0.3)),
            turns: rng.random_range(-1.0..1.0),
            phase: rng.random_range(0.0..TAU),
        }
    }

    pub(crate) fn at(&self, t: f32) -> [f32; 2] {
        let (sin, cos) = (TAU * self.turns * t + self.phase).sin_cos();
        [self.centre[0] + self.radius[0] * cos, self.centre[1] + self.radius[1] * sin]
    }
}

/// A lattice with a palette, seen through a camera.
pub(crate) struct Ground {
    lattice: Lattice,
    palette: Palette,
}

impl Ground {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        Self { lattice: Lattice::draw(rng), palette: Palette::draw(rng) }
    }

    pub(crate) fn at(&self, x: f32, y: f32, octaves: u32) -> Rgb {
        self.palette.at(self.lattice.fractal(x, y, octaves) * 1.6 - 0.3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn rendered(kind: Kind, seed: u64) -> Vec<Frame> {
        render(kind, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn the_same_seed_gives_the_same_clip_and_another_seed_another() {
        for kind in Kind::ALL {
            assert!(rendered(kind, 1) == rendered(kind, 1), "{kind:?}");
            assert!(rendered(kind, 1) != rendered(kind, 2), "{kind:?}");
        }
    }

    #[test]
    fn every_scene_moves_has_structure_and_is_rarely_clipped() {
        for kind in Kind::ALL {
            let clip = rendered(kind, 3);
            let luma = |frame: &Frame| frame.iter().map(|p| p[1]).collect::<Vec<f32>>();
            let (first, last) = (luma(&clip[0]), luma(&clip[FRAMES - 1]));
            let mean = first.iter().sum::<f32>() / first.len() as f32;
            let spread = first.iter().map(|l| (l - mean).powi(2)).sum::<f32>() / first.len() as f32;
            let moved = first.iter().zip(&last).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            let clipped = first.iter().filter(|l| !(5.0..250.0).contains(*l)).count();
            // Well above the camera's own noise, which has a variance of 9 at most.
            assert!(spread > 40.0, "{kind:?} is flat: {spread}");
            assert!(moved / first.len() as f32 > 25.0, "{kind:?} stands still");
            assert!(clipped < first.len() / 50, "{kind:?}: {clipped} pixels clipped");
        }
    }
}
