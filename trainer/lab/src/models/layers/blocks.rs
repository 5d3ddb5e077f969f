//! Blocks in a row, which may be computed again in place of keeping what is inside of them.

use dfr_harness::recompute::Part;
use tch::Tensor;

/// A transformer's blocks. Each is a part by itself: with gradient checkpointing only what stands between them is
/// kept.
pub struct Blocks<B>(Vec<Part<B>>);

impl<B: Send + 'static> FromIterator<B> for Blocks<B> {
    fn from_iter<I: IntoIterator<Item = B>>(blocks: I) -> Self {
        Self(blocks.into_iter().map(Part::new).collect())
    }
}

impl<B: Send + 'static> Blocks<B> {
    /// What the last of them gives. Each is given what the one before it gave, and `others`.
    pub fn forward(
        &self,
        x: &Tensor,
        others: &[&Tensor],
        forward: impl Fn(&B, &[Tensor]) -> Tensor + Copy + Send + 'static,
    ) -> Tensor {
        let next = |x: Tensor, block: &Part<B>| block.compute(&[&[&x], others].concat(), forward);
        self.0.iter().fold(x.shallow_clone(), next)
    }
}
