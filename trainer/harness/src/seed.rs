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

/// The generator for one draw of one record: of its own, whichever thread draws and whatever was drawn
/// before.
pub fn of_draw(seed: u64, number: u64, record: u64) -> ChaCha8Rng {
    let purpose = u64::from_le_bytes(*b"a record");
    let mut key = [0; 32];
    for (to, part) in key.chunks_exact_mut(8).zip([seed, purpose, number, record]) {
        to.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
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

    #[test]
    fn every_draw_of_a_record_is_another() {
        let keys = [(7, 0, 0), (7, 0, 1), (7, 1, 0), (8, 0, 0), (0, 7, 0)];
        let draw = |(seed, number, record)| of_draw(seed, number, record).random::<u64>();
        assert_eq!(draw(keys[0]), draw(keys[0]));
        let different: std::collections::BTreeSet<u64> = keys.into_iter().map(draw).collect();
        assert_eq!(different.len(), keys.len());
    }
}
