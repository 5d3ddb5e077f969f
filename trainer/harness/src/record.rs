//! One training record on its way into a batch.

use rand_chacha::ChaCha8Rng;

/// A record that may be changed in place. What is stored is not touched.
pub enum Record<'a> {
    /// RGB in 0..=255, plane by plane.
    Pixels {
        /// All bytes.
        pixels: &'a mut [u8],
        /// `3 H W` of an image, `T 3 H W` of a clip.
        shape: &'a [i64],
    },
    /// Samples of sound, 32768 being full scale.
    Sound(&'a mut [i16]),
}

/// A change of training records, made on the CPU in threads that work ahead of the training.
pub trait RecordTransform: Sync {
    /// Changes one record. All randomness comes from `rng`, which belongs to this draw of this record:
    /// so batches do not depend on the number of threads.
    fn apply(&self, record: Record, rng: &mut ChaCha8Rng);
}
