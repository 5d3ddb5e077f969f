//! Which change comes next by a model of all settings that were measured: where most improvement is
//! expected, among settings near the best ones and some far from them.

use std::collections::BTreeSet;

use rand::seq::{IndexedRandom as _, IteratorRandom as _};
use rand::{Rng, RngExt as _};

use super::choice::{Choice, Found};
use super::record::{Change, Record, Setting};
use super::surrogate::Surrogate;
use crate::proposer::knobs::Knob;

/// Measured settings below which there is nothing to model.
const LEAST: usize = 4;
/// Measured settings around which others are looked at, beside the present one.
const CENTRES: usize = 3;
/// Settings that are drawn around each of them, and anywhere.
const NEAR: usize = 150;
const ANYWHERE: usize = 100;
/// Knobs that differ in what is drawn near one.
const TURNED: [usize; 3] = [2, 3, 4];
/// How many later ideas are named.
const NEXT: usize = 2;

/// Values of a knob by their order: a setting as places on these axes.
struct Axes<'a> {
    knobs: &'a [Knob],
    values: Vec<Vec<&'a str>>,
}

type Places = Vec<usize>;

impl<'a> Axes<'a> {
    fn new(knobs: &'a [Knob]) -> Self {
        Self { knobs, values: knobs.iter().map(Knob::in_order).collect() }
    }

    /// Nothing where it holds a value that is none of them any more.
    fn places(&self, setting: &Setting) -> Option<Places> {
        let place = |(knob, values): (&Knob, &Vec<&str>)| {
            let value = setting.get(&knob.name)?;
            values.iter().position(|known| known == value)
        };
        self.knobs.iter().zip(&self.values).map(place).collect()
    }

    fn point(&self, places: &[usize]) -> Vec<f64> {
        let scale =
            |(at, values): (&usize, &Vec<&str>)| 2.0 * *at as f64 / (values.len() - 1) as f64 - 1.0;
        places.iter().zip(&self.values).map(scale).collect()
    }

    fn changes(&self, places: &[usize]) -> Vec<Change> {
        let change = |((knob, values), at): ((&Knob, &Vec<&str>), &usize)| Change {
            knob: knob.name.clone(),
            old: knob.current.clone(),
            new: values[*at].to_owned(),
        };
        let all = self.knobs.iter().zip(&self.values).zip(places).map(change);
        all.filter(|change| change.old != change.new).collect()
    }

    /// Every other value of one knob, and some of a few.
    fn around(&self, centre: &Places, rng: &mut impl Rng) -> Vec<Places> {
        let mut near = Vec::new();
        for (knob, values) in self.values.iter().enumerate() {
            near.extend((0..values.len()).map(|at| with(centre, knob, at)));
        }
        near.extend((0..NEAR).map(|_| {
            let turned = *TURNED.choose(rng).expect("there are some");
            let knobs = (0..self.knobs.len()).sample(rng, turned);
            knobs.into_iter().fold(centre.clone(), |places, knob| {
                with(&places, knob, rng.random_range(0..self.values[knob].len()))
            })
        }));
        near
    }

    fn anywhere(&self, rng: &mut impl Rng) -> Places {
        self.values.iter().map(|values| rng.random_range(0..values.len())).collect()
    }
}

fn with(places: &Places, knob: usize, at: usize) -> Places {
    let mut places = places.clone();
    places[knob] = at;
    places
}

/// Some other setting near the present one: what a method must be better than.
pub fn draw(
    knobs: &[Knob],
    record: &Record,
    is_new: impl Fn(&[Change]) -> bool,
    rng: &mut impl Rng,
) -> Option<Choice> {
    let axes = Axes::new(knobs);
    let near = axes.around(&axes.places(record.present())?, rng);
    let new = near.iter().map(|places| axes.changes(places));
    let changes = new.filter(|changes| !changes.is_empty() && is_new(changes)).choose(rng)?;
    Some(Choice { changes, next: Vec::new(), by: Found::Draw })
}

/// The new setting of which most is expected; nothing while too little was measured, or where all that
/// is looked at was tried.
pub fn choose(
    knobs: &[Knob],
    record: &Record,
    (is_new, noise): (impl Fn(&[Change]) -> bool, Option<f64>),
    rng: &mut impl Rng,
) -> Option<Choice> {
    let axes = Axes::new(knobs);
    let known = record.scored().filter_map(|(setting, score)| Some((axes.places(setting)?, score)));
    let (settings, scores): (Vec<Places>, Vec<f64>) = known.unzip();
    if settings.len() < LEAST {
        return None;
    }
    let points: Vec<_> = settings.iter().map(|places| axes.point(places)).collect();
    let model = Surrogate::fit(&points, &scores, noise)?;
    let mean = |places: &Places| model.at(&axes.point(places)).mean;
    let mut measured: Vec<_> = settings.iter().map(|places| (mean(places), places)).collect();
    measured.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = measured.first()?.0;
    let present = axes.places(record.present())?;
    let centres = measured.iter().take(CENTRES).map(|(_, places)| *places).chain([&present]);
    let mut looked: BTreeSet<Places> =
        centres.flat_map(|centre| axes.around(centre, rng)).collect();
    looked.extend((0..ANYWHERE).map(|_| axes.anywhere(rng)));
    let worth = |places: &Places| model.at(&axes.point(places)).improvement(best);
    let mut ranked: Vec<_> = looked
        .into_iter()
        .map(|places| (worth(&places), axes.changes(&places)))
        .filter(|(_, changes)| !changes.is_empty() && is_new(changes))
        .collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut ranked = ranked.into_iter().map(|(_, changes)| changes);
    Some(Choice { changes: ranked.next()?, next: ranked.take(NEXT).collect(), by: Found::Model })
}
