//! Which records come next, without end.

use rand_chacha::ChaCha8Rng;

use crate::batches::{OrderError, cut};
use crate::recipe::Recipe;

/// The records of one batch.
pub struct Wanted {
    pub epoch: u64,
    pub records: Vec<usize>,
    /// Records drawn before these, in all epochs.
    pub drawn_before: u64,
}

/// Epoch after epoch, each in the recipe's order. Orders are made some batches ahead of the training.
pub struct Plan<'a> {
    recipe: &'a dyn Recipe,
    labels: &'a [u8],
    rng: ChaCha8Rng,
    batches: std::vec::IntoIter<Vec<usize>>,
    epoch: u64,
    drawn: u64,
}

impl<'a> Plan<'a> {
    /// From the first epoch on; `rng` draws the orders.
    pub fn new(recipe: &'a dyn Recipe, labels: &'a [u8], rng: ChaCha8Rng) -> Self {
        Self { recipe, labels, rng, batches: Vec::new().into_iter(), epoch: 0, drawn: 0 }
    }

    /// Passes over batches that were trained on before.
    ///
    /// # Errors
    /// If the recipe's order cannot be followed.
    pub fn skip(&mut self, batches: u64) -> Result<(), OrderError> {
        (0..batches).try_for_each(|_| self.next_batch().map(drop))
    }

    pub(super) fn next_batch(&mut self) -> Result<Wanted, OrderError> {
        let records = match self.batches.next() {
            Some(records) => records,
            None => self.first_of_an_epoch()?,
        };
        let drawn_before = self.drawn;
        self.drawn += records.len() as u64;
        Ok(Wanted { epoch: self.epoch, records, drawn_before })
    }

    fn first_of_an_epoch(&mut self) -> Result<Vec<usize>, OrderError> {
        let order = self.recipe.batch_order(self.labels, &mut self.rng);
        let batches = cut(order, self.recipe.facts().batch_size, self.labels.len())?;
        self.batches = batches.into_iter();
        self.epoch += 1;
        self.batches.next().ok_or(OrderError::Empty)
    }
}
