use super::*;
use crate::pack::Part;
use crate::recipe::{Facts, Recipe};
use crate::record::{Record, RecordTransform};
use crate::seed::{Purpose, generator};
use crate::testing::{PackSpec, write_part};
use dfr_contract::input::Dtype;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{PartHeader, VERSION, file};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const RECORDS: usize = 10;

fn part() -> (tempfile::TempDir, Part) {
    let dir = tempfile::tempdir().unwrap();
    write_part(dir.path(), &PackSpec { records: RECORDS, shape: &[2, 3, 4, 5] });
    let part = Part::open(dir.path()).unwrap();
    (dir, part)
}

struct BatchesOf3;
impl Recipe for BatchesOf3 {
    fn facts(&self) -> Facts {
        Facts {
            model: "none".to_owned(),
            batch_size: 3,
            learning_rate: 0.1,
            augment_level: None,
            num_frames: None,
        }
    }
}

/// Adds a drawn number to every value, and dawdles so that threads overtake each other.
struct Drawn;
impl RecordTransform for Drawn {
    fn apply(&self, record: Record, rng: &mut ChaCha8Rng) {
        thread::sleep(Duration::from_micros(rng.random_range(0..500)));
        match record {
            Record::Pixels { pixels, shape } => {
                assert_eq!(shape, [2, 3, 4, 5]);
                let by = rng.random::<u8>();
                pixels.iter_mut().for_each(|pixel| *pixel = pixel.wrapping_add(by));
            }
            Record::Sound(samples) => samples.iter_mut().for_each(|sample| *sample /= 2),
        }
    }
}

/// Runs `work` with a feed of so many threads; when it returns, all threads have ended.
fn with_feed<T>(
    part: &Part,
    transform: Option<&dyn RecordTransform>,
    threads: usize,
    work: impl FnOnce(&mut Feed) -> T,
) -> T {
    let source = Source { part, labels: part.labels().unwrap(), transform, seed: 5 };
    let plan = Plan::new(&BatchesOf3, source.labels, generator(5, Purpose::Order));
    let threads = NonZeroUsize::new(threads).unwrap();
    thread::scope(|scope| {
        work(&mut Feed::start(scope, (source, plan), Device::Cpu, threads).unwrap())
    })
}

type Plain = (Vec<u8>, Vec<i64>, u64);

fn plain(Batch { input, labels, epoch }: Batch) -> Plain {
    assert_eq!(input.size(), [3, 2, 3, 4, 5]);
    let input = Vec::try_from(input.flatten(0, -1)).unwrap();
    (input, Vec::try_from(labels).unwrap(), epoch)
}

fn batches(part: &Part, transform: Option<&dyn RecordTransform>, threads: usize) -> Vec<Plain> {
    with_feed(part, transform, threads, |feed| {
        (0..20).map(|_| plain(feed.next_batch().unwrap())).collect()
    })
}

#[test]
fn batches_do_not_depend_on_the_number_of_threads() {
    let (_dir, part) = part();
    let one = batches(&part, Some(&Drawn), 1);
    assert_eq!(one, batches(&part, Some(&Drawn), 2));
    assert_eq!(one, batches(&part, Some(&Drawn), 5));
    let different: BTreeSet<_> = one.iter().map(|(input, ..)| input).collect();
    assert_eq!(different.len(), one.len());
}

#[test]
fn each_epoch_has_every_record_of_its_whole_batches_once_with_its_label() {
    let (_dir, part) = part();
    let batches = batches(&part, None, 2);
    for (epoch, batches) in (1..).zip(batches.chunks(3)) {
        assert!(batches.iter().all(|(_, _, number)| *number == epoch));
        let mut seen = BTreeSet::new();
        for (input, labels, _) in batches {
            for (record, label) in input.chunks(120).zip(labels) {
                let index = (0..RECORDS).find(|&at| part.record(at) == record).unwrap();
                assert_eq!(i64::from(part.labels().unwrap()[index]), *label);
                assert!(seen.insert(index));
            }
        }
    }
}

#[test]
fn what_is_drawn_for_a_record_differs_from_epoch_to_epoch() {
    struct Flat;
    impl RecordTransform for Flat {
        fn apply(&self, record: Record, rng: &mut ChaCha8Rng) {
            let Record::Pixels { pixels, .. } = record else { panic!("no pixels") };
            pixels.fill(rng.random());
        }
    }
    let (_dir, part) = part();
    let drawn: Vec<u8> =
        batches(&part, Some(&Flat), 2).iter().flat_map(|b| b.0.chunks(120)).map(|r| r[0]).collect();
    let different: BTreeSet<_> = drawn.iter().collect();
    // Sixty draws of 256 values: some fall together, by chance alone.
    assert!(different.len() > 40, "{}", different.len());
}

/// Fails on the record whose first byte is this; counts the others.
struct Failing {
    at: u8,
    applied: AtomicUsize,
}
impl RecordTransform for Failing {
    fn apply(&self, record: Record, _rng: &mut ChaCha8Rng) {
        let Record::Pixels { pixels, .. } = record else { panic!("no pixels") };
        assert!(pixels[0] != self.at, "cannot bear {}", self.at);
        self.applied.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_failing_transform_ends_the_feed_with_its_record_and_words() {
    let (_dir, part) = part();
    for threads in [1, 2, 5] {
        let failing = Failing { at: part.record(7)[0], applied: AtomicUsize::new(0) };
        let error = with_feed(&part, Some(&failing), threads, |feed| {
            (0..20).find_map(|_| feed.next_batch().err()).unwrap().to_string()
        });
        let said = format!("the record transform failed on record 7: cannot bear {}", failing.at);
        assert_eq!(error, said);
    }
}

#[test]
fn a_feed_that_is_given_up_ends_its_threads_and_works_no_further_ahead_than_agreed() {
    let (_dir, part) = part();
    for (threads, taken) in [(1, 0), (2, 1), (5, 2)] {
        let counting = Failing { at: 0, applied: AtomicUsize::new(0) };
        with_feed(&part, Some(&counting), threads, |feed| {
            (0..taken).for_each(|_| drop(feed.next_batch().unwrap()));
        });
        let most = if taken == 0 { 0 } else { 3 * (taken - 1 + threads + READY) };
        assert!(counting.applied.into_inner() <= most);
    }
}

#[test]
fn a_panic_of_the_training_is_not_held_up() {
    let (_dir, part) = part();
    let panic = std::panic::catch_unwind(|| {
        with_feed(&part, Some(&Drawn), 2, |feed| {
            feed.next_batch().unwrap();
            panic!("the step failed")
        })
    });
    assert_eq!(message(&*panic.unwrap_err()), "the step failed");
}

#[test]
fn an_order_that_cannot_be_followed_is_an_error() {
    struct Beyond;
    impl Recipe for Beyond {
        fn facts(&self) -> Facts {
            BatchesOf3.facts()
        }
        fn batch_order(&self, labels: &[u8], _rng: &mut ChaCha8Rng) -> Vec<usize> {
            vec![labels.len()]
        }
    }
    let mut plan = Plan::new(&Beyond, &[0, 1], generator(5, Purpose::Order));
    let error = plan.next_batch().err().unwrap();
    assert_eq!(error, OrderError::OutOfRange { index: 2, records: 2 });
}

/// Sounds of 40 samples, of which 10, 20, … 40 are heard and 8 are fed; each sample tells its place.
fn sounds() -> (tempfile::TempDir, Part) {
    let dir = tempfile::tempdir().unwrap();
    let header = PartHeader {
        version: VERSION,
        modality: Modality::Audio,
        records: 4,
        shape: vec![40],
        window: Some(8),
        dtype: Dtype::I16,
    };
    let place = |record: i16, at: i16| 2 * (1000 * record + at);
    let samples = (0..4).flat_map(|record| (0..40).map(move |at| place(record, at)));
    let lengths: Vec<u8> = [10u32, 20, 30, 40].into_iter().flat_map(u32::to_le_bytes).collect();
    let write = |name: &str, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
    write(file::PART, serde_json::to_vec(&header).unwrap());
    write(&header.records_file(), samples.flat_map(i16::to_le_bytes).collect());
    write(file::LABELS, vec![0, 1, 0, 1]);
    write(file::LENGTHS, lengths);
    let part = Part::open(dir.path()).unwrap();
    (dir, part)
}

#[test]
fn of_a_longer_sound_every_window_is_drawn_and_none_that_is_silent() {
    let (_dir, part) = sounds();
    let mut starts = vec![BTreeSet::new(); 4];
    with_feed(&part, Some(&Drawn), 2, |feed| {
        for _ in 0..600 {
            let input = feed.next_batch().unwrap().input;
            assert_eq!((input.size(), input.kind()), (vec![3, 8], tch::Kind::Float));
            for row in 0..3 {
                // The transform halves what was stored.
                let row = Vec::<f32>::try_from(input.get(row) * 32768.0).unwrap();
                let first = row[0] as usize;
                assert!(row.iter().zip(first..).all(|(found, at)| *found as usize == at));
                starts[first / 1000].insert(first % 1000);
            }
        }
    });
    for (starts, length) in starts.iter().zip([10, 20, 30, 40]) {
        assert_eq!(*starts, (0..=length - 8).collect());
    }
}
