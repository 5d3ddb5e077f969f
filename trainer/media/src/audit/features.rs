//! All that can be said of a record without looking at it. Pure.

/// Position bits.
const BITS: usize = 12;
/// A pack that was put together in turns repeats with a small period.
const PERIODS: [usize; 6] = [3, 5, 6, 7, 9, 10];
/// Neighbours on either side whose class is looked at, where it is known.
const NEAR: usize = 4;
/// Half widths of windows over which classes are averaged, where they are known.
const WINDOWS: [usize; 3] = [2, 8, 32];
/// Stands for a class that is not known.
const UNKNOWN: f64 = 0.5;

/// Features of every record of one part. `known` are the labels that a classifier may know: of
/// those that it learns from, and never of the record itself.
///
/// Neighbours are there because a candidate that is right about some records by their content learns
/// of others what the order gives away.
pub fn of_part(part: usize, known: &[Option<u8>]) -> Vec<Vec<f64>> {
    let sums = Sums::new(known);
    let of = |at: usize| {
        let mut features = vec![part as f64, at as f64 / known.len() as f64];
        features.extend((0..BITS).map(|bit| ((at >> bit) & 1) as f64));
        features.extend(PERIODS.map(|period| (at % period) as f64));
        let label =
            |at: Option<usize>| at.and_then(|at| *known.get(at)?).map_or(UNKNOWN, f64::from);
        for near in 1..=NEAR {
            features.extend([label(at.checked_sub(near)), label(Some(at + near))]);
        }
        features.extend(WINDOWS.map(|half| sums.mean_around(at, half)));
        features
    };
    (0..known.len()).map(of).collect()
}

/// Known labels, and how many are known, before each position.
struct Sums(Vec<(f64, f64)>);

impl Sums {
    fn new(known: &[Option<u8>]) -> Self {
        let mut sums = vec![(0.0, 0.0)];
        for label in known {
            let (sum, count) = sums[sums.len() - 1];
            let (more, one) = label.map_or((0.0, 0.0), |label| (f64::from(label), 1.0));
            sums.push((sum + more, count + one));
        }
        Self(sums)
    }

    /// Mean over the window, without the record itself.
    fn mean_around(&self, at: usize, half: usize) -> f64 {
        let between = |from: usize, to: usize| {
            let ((from_sum, from_count), (to_sum, to_count)) = (self.0[from], self.0[to]);
            (to_sum - from_sum, to_count - from_count)
        };
        let end = (at + half + 1).min(self.0.len() - 1);
        let (before, after) = (between(at.saturating_sub(half), at), between(at + 1, end));
        let count = before.1 + after.1;
        if count == 0.0 { UNKNOWN } else { (before.0 + after.0) / count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_never_sees_its_own_label() {
        let mut known: Vec<Option<u8>> = (0..50).map(|at| (at % 3 > 0).then_some(1)).collect();
        for at in 0..known.len() {
            let before = of_part(0, &known)[at].clone();
            let label = known[at].replace(0);
            assert_eq!(of_part(0, &known)[at], before, "record {at}");
            known[at] = label;
        }
    }

    #[test]
    fn neighbours_and_windows_hold_what_is_known() {
        let features = &of_part(1, &[Some(1), None, Some(0), Some(1), Some(1)])[2];
        assert_eq!(features[..2], [1.0, 0.4]);
        let neighbours = &features[2 + BITS + PERIODS.len()..];
        assert_eq!(neighbours[..4], [UNKNOWN, 1.0, 1.0, 1.0]);
        assert_eq!(neighbours[4..8], [UNKNOWN; 4], "beyond both ends");
        assert_eq!(neighbours[8..], [1.0; 3]);
    }
}
