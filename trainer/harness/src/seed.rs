//! Every random draw of a run comes from its one seed.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// What a generator is for. Each draws from a stream of its own, so that more draws for one purpose
/// do not change those for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The order of records.
    Order,
    /// Augmentation, and whatever a recipe's own step draws.
    Step,
}

/// The generator for `purpose`.
pub fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(match purpose {
        Purpose::Order => 1,
        Purpose::Step => 2,
    });
    rng
}

/// Seeds libtorch's own generators: initial weights, dropout, noise.
pub fn torch(seed: u64) {
    // The same 64 bits read as a signed number.
    tch::manual_seed(seed.cast_signed());
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn a_stream_depends_on_seed_and_purpose_only() {
        let draw = |seed, purpose| generator(seed, purpose).random::<u64>();
        assert_eq!(draw(7, Purpose::Order), draw(7, Purpose::Order));
        assert_ne!(draw(7, Purpose::Order), draw(7, Purpose::Step));
        assert_ne!(draw(7, Purpose::Order), draw(8, Purpose::Order));
    }
}
