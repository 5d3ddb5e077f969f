//! Orders of an epoch that a recipe may choose in its `batch_order`.

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// Every record once.
pub fn shuffled(labels: &[u8], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(rng);
    order
}

/// As many records of each class that there is, and about as many in all as there are. Of a large class
/// some are left out, others in each epoch; those of a small one come again when all have come.
pub fn balanced(labels: &[u8], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut classes: Vec<u8> = labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    let share = labels.len().div_ceil(classes.len().max(1));
    let mut order: Vec<usize> =
        classes.into_iter().flat_map(|class| share_of(class, labels, share, rng)).collect();
    order.shuffle(rng);
    order
}

/// `count` records of a class, in one shuffle of it after another.
fn share_of(class: u8, labels: &[u8], count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let members: Vec<usize> = (0..labels.len()).filter(|&at| labels[at] == class).collect();
    let mut drawn = Vec::with_capacity(count + members.len());
    while drawn.len() < count {
        let mut round = members.clone();
        round.shuffle(rng);
        drawn.extend(round);
    }
    drawn.truncate(count);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, generator};

    fn counts(order: &[usize], records: usize) -> Vec<usize> {
        (0..records).map(|at| order.iter().filter(|&&index| index == at).count()).collect()
    }

    #[test]
    fn shuffled_names_every_record_once() {
        let order = shuffled(&[0; 50], &mut generator(1, Purpose::Order));
        assert_eq!(counts(&order, 50), [1; 50]);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn balanced_gives_every_class_the_same_share() {
        let labels: Vec<u8> = (0..90).map(|at| u8::from(at % 9 == 0)).collect();
        let mut rng = generator(1, Purpose::Order);
        let (first, second) = (balanced(&labels, &mut rng), balanced(&labels, &mut rng));
        for order in [&first, &second] {
            assert_eq!(order.len(), 90);
            assert_eq!(order.iter().filter(|&&at| labels[at] == 1).count(), 45);
            for (count, label) in counts(order, 90).iter().zip(&labels) {
                let (least, most) = if *label == 1 { (4, 5) } else { (0, 1) };
                assert!((least..=most).contains(count), "{count} of a record of class {label}");
            }
        }
        assert_ne!(first, second);
        assert_eq!(first, balanced(&labels, &mut generator(1, Purpose::Order)));
    }

    #[test]
    fn balanced_copes_with_one_class_and_with_none() {
        let mut rng = generator(1, Purpose::Order);
        assert_eq!(counts(&balanced(&[1; 7], &mut rng), 7), [1; 7]);
        assert!(balanced(&[], &mut rng).is_empty());
    }
}
