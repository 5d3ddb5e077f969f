//! The six kinds of scenes as functions of place and time. Pure.

use std::f32::consts::TAU;
use std::ops::Range;

use rand::{Rng, RngExt as _};

use crate::sample::noise::{Lattice, fade, lerp};
use crate::sample::scene::{Ground, Kind, Orbit, Palette, Rgb, Stage};

/// Draws everything that stays the same during a clip.
pub(crate) fn draw(kind: Kind, rng: &mut impl Rng) -> Box<dyn Stage> {
    match kind {
        Kind::Fields => Box::new(Fields::draw(rng)),
        Kind::Shapes => Box::new(Shapes::draw(rng)),
        Kind::Landscape => Box::new(Landscape::draw(rng)),
        Kind::Particles => Box::new(Particles::draw(rng)),
        Kind::Waves => Box::new(Waves::draw(rng)),
        Kind::Walkers => Box::new(Walkers::draw(rng)),
    }
}

struct Fields {
    ground: Ground,
    scale: f32,
    speed: [f32; 2],
}

impl Fields {
    fn draw(rng: &mut impl Rng) -> Self {
        let ground = Ground::draw(rng);
        let mut component = || rng.random_range(0.3..2.0) * if rng.random() { 1.0 } else { -1.0 };
        let speed = [component(), component()];
        Self { ground, scale: rng.random_range(3.0..9.0), speed }
    }
}

impl Stage for Fields {
    fn colour(&self, x: f32, y: f32, t: f32) -> Rgb {
        let [u, v] = [x * self.scale + self.speed[0] * t, y * self.scale + self.speed[1] * t];
        self.ground.at(u, v, 4)
    }
}

struct Shapes {
    background: Palette,
    turn: f32,
    discs: Vec<(Orbit, f32, Rgb)>,
}

impl Shapes {
    fn draw(rng: &mut impl Rng) -> Self {
        let count = rng.random_range(3..8);
        let disc = |_| (Orbit::draw(rng), rng.random_range(0.06..0.2), any_colour(rng));
        let discs = (0..count).map(disc).collect();
        Self { background: Palette::draw(rng), turn: rng.random_range(0.0..TAU), discs }
    }
}

impl Stage for Shapes {
    fn colour(&self, x: f32, y: f32, t: f32) -> Rgb {
        let (sin, cos) = (self.turn + t).sin_cos();
        let mut colour = self.background.at(0.5 + (x - 0.5) * cos + (y - 0.5) * sin);
        for (orbit, radius, over) in &self.discs {
            let cover = disc(orbit.at(t), *radius, x, y);
            colour = blend(colour, *over, cover);
        }
        colour
    }
}

struct Landscape {
    ground: Ground,
    turns: f32,
    zoom: f32,
    scale: f32,
}

impl Landscape {
    fn draw(rng: &mut impl Rng) -> Self {
        Self {
            ground: Ground::draw(rng),
            turns: rng.random_range(-0.15..0.15),
            zoom: rng.random_range(0.6..1.6),
            scale: rng.random_range(2.0..5.0),
        }
    }
}

impl Stage for Landscape {
    fn colour(&self, x: f32, y: f32, t: f32) -> Rgb {
        let (sin, cos) = (TAU * self.turns * t).sin_cos();
        let scale = self.scale * self.zoom.powf(t);
        let (u, v) = ((x - 0.5) * scale, (y - 0.5) * scale);
        self.ground.at(u * cos - v * sin, u * sin + v * cos, 5)
    }
}

struct Particles {
    sky: Ground,
    light: Rgb,
    /// Across, start down, speed, radius.
    drops: Vec<[f32; 4]>,
}

impl Particles {
    fn draw(rng: &mut impl Rng) -> Self {
        let count = rng.random_range(20..50);
        let drop = |_| four(rng, [0.0..1.0, 0.0..1.0, 0.3..1.5, 0.015..0.05]);
        let drops = (0..count).map(drop).collect();
        Self { sky: Ground::draw(rng), light: Palette::draw(rng).at(1.0), drops }
    }
}

impl Stage for Particles {
    fn colour(&self, x: f32, y: f32, t: f32) -> Rgb {
        let mut colour = self.sky.at(x * 1.5, y * 1.5, 2);
        for [across, start, speed, radius] in &self.drops {
            let fallen = (start + speed * t).fract() * 1.2 - 0.1;
            colour = blend(colour, self.light, disc([*across, fallen], *radius, x, y));
        }
        colour
    }
}

struct Waves {
    palette: Palette,
    /// Waves across, waves down, speed, phase.
    waves: Vec<[f32; 4]>,
}

impl Waves {
    fn draw(rng: &mut impl Rng) -> Self {
        let wave = |_| four(rng, [-7.0..7.0, -7.0..7.0, 0.5..3.0, 0.0..1.0]);
        let waves = (0..5).map(wave).collect();
        Self { palette: Palette::draw(rng), waves }
    }
}

impl Stage for Waves {
    fn colour(&self, x: f32, y: f32, t: f32) -> Rgb {
        let height = |[across, down, speed, phase]: &[f32; 4]| {
            (TAU * (across * x + down * y + speed * t + phase)).sin()
        };
        let sum: f32 = self.waves.iter().map(height).sum();
        self.palette.at(0.5 + sum / 6.0)
    }
}

struct Walkers {
    ground: Ground,
    shake: Lattice,
    /// Start across, height on the picture, speed, phase of the gait; coat.
    walkers: Vec<([f32; 4], Rgb)>,
}

impl Walkers {
    fn draw(rng: &mut impl Rng) -> Self {
        let count = rng.random_range(2..5);
        let walker = |_| (four(rng, [0.0..1.0, 0.3..0.8, -0.5..0.5, 0.0..1.0]), any_colour(rng));
        let walkers = (0..count).map(walker).collect();
        Self { ground: Ground::draw(rng), shake: Lattice::draw(rng), walkers }
    }
}

impl Stage for Walkers {
    fn colour(&self, x: f32, y: f32, t: f32) -> Rgb {
        let shake = |row: f32| (self.shake.fractal(t * 8.0, row, 2) - 0.5) * 0.12;
        let (x, y) = (x + shake(0.5), y + shake(7.5));
        let mut colour = self.ground.at(x * 4.0, y * 4.0, 4);
        for ([start, height, speed, phase], coat) in &self.walkers {
            let bob = (TAU * (2.0 * t + phase)).sin().abs() * 0.03;
            let across = (start + speed * t).rem_euclid(1.0);
            let body = disc([across, 0.5 * (height - bob)], 0.07, x, 0.5 * y);
            let head = disc([across, height - bob - 0.18], 0.05, x, y);
            colour = blend(colour, *coat, body.max(head));
        }
        colour
    }

    fn grain(&self) -> f32 {
        2.0
    }
}

fn four(rng: &mut impl Rng, ranges: [Range<f32>; 4]) -> [f32; 4] {
    ranges.map(|range| rng.random_range(range))
}

fn any_colour(rng: &mut impl Rng) -> Rgb {
    let palette = Palette::draw(rng);
    palette.at(rng.random_range(0.0..1.0))
}

/// How much of a pixel a disc with a soft edge covers.
fn disc(centre: [f32; 2], radius: f32, x: f32, y: f32) -> f32 {
    /// About a pixel and a half.
    const EDGE: f32 = 0.016;
    let (dx, dy) = (x - centre[0], y - centre[1]);
    let beyond = radius + EDGE;
    if dx.abs() > beyond || dy.abs() > beyond {
        return 0.0;
    }
    fade((beyond - dx.hypot(dy)) / EDGE)
}

fn blend(under: Rgb, over: Rgb, cover: f32) -> Rgb {
    std::array::from_fn(|c| lerp(under[c], over[c], cover))
}
