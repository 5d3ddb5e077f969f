//! Batches: which records, in which order, and as tensors.

use dfr_contract::input::Dtype;
use tch::{Device, Kind, Tensor};

use crate::pack::Part;

/// What a 16-bit sample is divided by.
pub(crate) const FULL_SCALE: f64 = 32768.0;

/// A recipe asked for a record that is not there.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OrderError {
    /// No records at all.
    #[error("the recipe's batch_order is empty: it must name at least one record")]
    Empty,
    /// An index past the end.
    #[error("the recipe's batch_order names record {index} and the part has {records}")]
    OutOfRange {
        /// What was named.
        index: usize,
        /// How many there are.
        records: usize,
    },
}

/// Cuts an epoch's order into batches. An incomplete last one is dropped, unless it is all there is.
///
/// # Errors
/// If the order is empty or names a record that is not there.
pub fn cut(
    order: Vec<usize>,
    batch_size: usize,
    records: usize,
) -> Result<Vec<Vec<usize>>, OrderError> {
    if let Some(&index) = order.iter().find(|&&index| index >= records) {
        return Err(OrderError::OutOfRange { index, records });
    }
    let batch_size = batch_size.max(1);
    match order.len() {
        0 => Err(OrderError::Empty),
        n if n <= batch_size => Ok(vec![order]),
        _ => Ok(order.chunks_exact(batch_size).map(<[usize]>::to_vec).collect()),
    }
}

/// The records `indices` of a part; of longer sounds the middle.
///
/// # Shapes
/// To `[B,T,3,H,W]` or `[B,3,H,W]` uint8 in 0..=255, or `[B,N]` float32 in -1..1, on `device`.
pub fn gather(part: &Part, indices: &[usize], device: Device) -> Tensor {
    let middle = |index| part.fed(index, part.starts(index).end() / 2);
    let bytes: Vec<u8> = indices.iter().flat_map(|&index| middle(index)).copied().collect();
    let batch = i64::try_from(indices.len()).expect("a batch fits in memory");
    let shape = [vec![batch], part.shape()].concat();
    match part.dtype() {
        Dtype::U8 => Tensor::from_data_size(&bytes, &shape, Kind::Uint8).to_device(device),
        Dtype::I16 => {
            let samples = Tensor::from_data_size(&bytes, &shape, Kind::Int16).to_device(device);
            samples.to_kind(Kind::Float) / FULL_SCALE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Facts, Recipe};
    use crate::seed::{Purpose, generator};
    use crate::testing::{PackSpec, write_part};

    struct Defaults;
    impl Recipe for Defaults {
        fn facts(&self) -> Facts {
            unreachable!("order does not depend on facts")
        }
    }

    #[test]
    fn the_order_follows_from_the_seed_alone() {
        let order = |seed| Defaults.batch_order(&[0; 50], &mut generator(seed, Purpose::Order));
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let mut sorted = order(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn cuts_whole_batches_of_records_that_exist() {
        assert_eq!(cut(vec![4, 3, 2, 1, 0], 2, 5), Ok(vec![vec![4, 3], vec![2, 1]]));
        assert_eq!(cut(vec![1, 0], 9, 2), Ok(vec![vec![1, 0]]));
        assert_eq!(cut(vec![1, 1, 1], 0, 2), Ok(vec![vec![1]; 3]));
        assert_eq!(cut(vec![], 2, 5), Err(OrderError::Empty));
        assert_eq!(cut(vec![5], 2, 5), Err(OrderError::OutOfRange { index: 5, records: 5 }));
    }

    #[test]
    fn gathers_records_in_the_order_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        write_part(dir.path(), &PackSpec { records: 4, shape: &[2, 3, 2, 5] });
        let part = Part::open(dir.path()).unwrap();
        let input = gather(&part, &[3, 0], Device::Cpu);
        assert_eq!((input.size(), input.kind()), (vec![2, 2, 3, 2, 5], Kind::Uint8));
        for (row, record) in [(0, 3), (1, 0)] {
            let bytes = Vec::<u8>::try_from(input.get(row).flatten(0, -1)).unwrap();
            assert_eq!(bytes, part.record(record));
        }
    }
}
