//! The canary: a computation whose answer is known to the last bit on every device.
//!
//! All values are small whole numbers, so that float32, and TF32 where a GPU uses it, loses nothing
//! whatever the order of additions. A wrong answer means a broken device, driver or library.

use tch::{Device, Kind, Tensor};

const SIDE: i64 = 64;
/// What a sound device answers; the test beside it recomputes it in whole numbers.
const EXPECTED: i64 = 1_102_657_506;
/// A prime near 2^31: positions weigh differently and no 64-bit product overflows.
const MODULUS: i64 = 2_147_483_647;

/// The device computed a wrong answer.
#[derive(Debug, thiserror::Error)]
#[error("{device} computed checksum {found} instead of {EXPECTED}: its results cannot be trusted")]
pub struct CanaryError {
    device: String,
    found: i64,
}

/// Multiplies and convolves whole numbers on `device`.
///
/// # Errors
/// If the answer is wrong.
pub fn canary(device: Device) -> Result<(), CanaryError> {
    let found = checksum(device);
    if found == EXPECTED {
        return Ok(());
    }
    Err(CanaryError { device: crate::device::name(device), found })
}

/// `conv2d((a × b) mod 8, k)`, its rows added up, reduced to one number.
fn checksum(device: Device) -> i64 {
    let product = pattern(SIDE * SIDE, 17)
        .view([SIDE, SIDE])
        .to_device(device)
        .matmul(&pattern(SIDE * SIDE, 13).view([SIDE, SIDE]).to_device(device));
    let kernel = pattern(9, 5).view([1, 1, 3, 3]).to_device(device);
    let convolved =
        product.remainder(8).view([1, 1, SIDE, SIDE]).conv2d(&kernel, None::<Tensor>, 1, 1, 1, 1);
    let rows =
        Vec::<f32>::try_from(convolved.sum_dim_intlist(3, false, Kind::Float).flatten(0, -1))
            .expect("one float per row");
    fold(rows.into_iter().map(|value| value as i64))
}

/// Small whole numbers of both signs: `(7 i) mod values - values / 2`.
fn pattern(count: i64, values: i64) -> Tensor {
    let index = Tensor::arange(count, (Kind::Int64, Device::Cpu));
    ((index * 7).remainder(values) - values / 2).to_kind(Kind::Float)
}

fn fold(values: impl Iterator<Item = i64>) -> i64 {
    values.fold(0, |sum, value| (sum * 31 + value).rem_euclid(MODULUS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(count: i64, values: i64) -> Vec<i64> {
        (0..count).map(|i| (i * 7) % values - values / 2).collect()
    }

    fn by_whole_numbers() -> i64 {
        let n = SIDE as usize;
        let (a, b, kernel) = (whole(SIDE * SIDE, 17), whole(SIDE * SIDE, 13), whole(9, 5));
        let product = |row: usize, column: usize| -> i64 {
            (0..n).map(|i| a[row * n + i] * b[i * n + column]).sum::<i64>().rem_euclid(8)
        };
        let at = |row: usize, column: usize| -> i64 {
            // Zero padding of one: coordinates are shifted by it.
            if (1..=n).contains(&row) && (1..=n).contains(&column) {
                product(row - 1, column - 1)
            } else {
                0
            }
        };
        let convolved = |row: usize, column: usize| -> i64 {
            (0..9).map(|i| kernel[i] * at(row + i / 3, column + i % 3)).sum()
        };
        fold((0..n).map(|row| (0..n).map(|column| convolved(row, column)).sum()))
    }

    #[test]
    fn the_checksum_is_that_of_whole_numbers() {
        assert_eq!(by_whole_numbers(), EXPECTED);
        canary(Device::Cpu).unwrap();
    }

    #[test]
    fn one_wrong_value_changes_the_checksum() {
        assert_ne!(fold([1, 2, 3].into_iter()), fold([1, 3, 2].into_iter()));
        assert_ne!(fold([1, 2, 3].into_iter()), fold([1, 2, 4].into_iter()));
    }
}
