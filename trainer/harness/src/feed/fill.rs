//! One record into one slot of a batch.

use rand::RngExt as _;

use super::buffer::Buffer;
use crate::pack::Part;
use crate::record::RecordTransform;
use crate::seed;

/// Where records come from, and what is done with them.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The records.
    pub part: &'a Part,
    /// One label a record.
    pub labels: &'a [u8],
    /// What changes them.
    pub transform: Option<&'a dyn RecordTransform>,
    /// Seed of every draw.
    pub seed: u64,
}

/// One draw of a record.
#[derive(Clone, Copy)]
pub struct Draw {
    /// How many were drawn before, in the whole training.
    pub number: u64,
    /// The record.
    pub record: usize,
}

impl Source<'_> {
    /// Copies the record into a slot, of a longer sound a window drawn at random, and changes it.
    pub fn fill(&self, buffer: &mut Buffer, slot: usize, Draw { number, record }: Draw) {
        let mut rng = seed::of_draw(self.seed, number, record as u64);
        let start = rng.random_range(self.part.starts(record));
        let fresh = buffer.put(slot, self.labels[record], self.part.fed(record, start));
        if let Some(transform) = self.transform {
            transform.apply(fresh, &mut rng);
        }
    }
}
