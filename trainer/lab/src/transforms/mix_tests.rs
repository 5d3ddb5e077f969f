use super::*;
use dfr_harness::optimizer::Optimizer;
use dfr_harness::precision::MixedPrecision;
use dfr_harness::probe::Probe;
use dfr_harness::recipe::Progress;
use dfr_harness::seed::{Purpose, generator};
use tch::Device;
use tch::nn::VarStore;

struct NoOptimizer;
impl Optimizer for NoOptimizer {
    fn parameters(&self) -> Vec<Tensor> {
        Vec::new()
    }
    fn update(&mut self, _learning_rate: f64) {}
}

/// Two records, of zeros and of hundreds, mixed; the input and how.
fn mixed(
    mix: fn(&mut Step, f64) -> Mixed,
    record: &[i64],
    kind: Kind,
    seed: u64,
) -> (Tensor, Mixed) {
    let store = VarStore::new(Device::Cpu);
    let zeros = Tensor::zeros([&[1], record].concat(), (kind, Device::Cpu));
    let mut step = Step {
        detector: &Probe::new(&store.root(), record),
        optimizer: &mut NoOptimizer,
        device: Device::Cpu,
        precision: &mut MixedPrecision::of(Device::Cpu),
        input: Tensor::cat(&[&zeros, &(&zeros + 100).to_kind(kind)], 0),
        labels: Tensor::from_slice(&[0i64, 1]),
        progress: Progress { step: 0, budget: 0.0 },
        rng: &mut generator(seed, Purpose::Step),
    };
    let how = mix(&mut step, 0.5);
    assert_eq!(Vec::<i64>::try_from(&how.partners).unwrap(), [1, 0]);
    assert_eq!((step.input.size(), step.input.kind()), ([&[2], record].concat(), kind));
    (step.input, how)
}

fn mean(input: &Tensor, record: i64) -> f64 {
    input.get(record).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
}

const SHAPES: [(&[i64], Kind); 3] =
    [(&[4, 3, 20, 24], Kind::Uint8), (&[3, 20, 24], Kind::Uint8), (&[400], Kind::Float)];

#[test]
fn the_labels_are_mixed_as_the_records_are() {
    for (record, kind) in SHAPES {
        for seed in 0..20 {
            for mix in [mixup, cutmix] {
                let (input, how) = mixed(mix, record, kind, seed);
                // Of 255 levels a half may have been rounded.
                assert!((mean(&input, 1) / 100.0 - how.share).abs() < 0.0051, "{record:?} {seed}");
                assert!((mean(&input, 0) / 100.0 - 1.0 + how.share).abs() < 0.0051);
            }
        }
    }
}

#[test]
fn a_cut_is_one_box_in_all_frames_and_channels() {
    for seed in 0..20 {
        let (input, _) = mixed(cutmix, &[4, 3, 20, 24], Kind::Uint8, seed);
        let clip = input.get(0);
        for (frame, channel) in [(1, 0), (3, 2)] {
            assert_eq!(clip.get(frame).get(channel), clip.get(0).get(0));
        }
        let cut = clip.get(0).get(0).ne(0);
        let rows = cut.any_dim(1, false).sum(Kind::Int64).int64_value(&[]);
        let columns = cut.any_dim(0, false).sum(Kind::Int64).int64_value(&[]);
        assert_eq!(cut.sum(Kind::Int64).int64_value(&[]), rows * columns);
    }
}

#[test]
fn mixing_follows_from_the_generator() {
    for mix in [mixup, cutmix] {
        let draw = |seed| mixed(mix, &[3, 20, 24], Kind::Uint8, seed).0;
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}

#[test]
fn shares_are_drawn_from_a_beta_distribution() {
    let mut rng = generator(1, Purpose::Step);
    let draws: Vec<f64> = (0..2000).map(|_| symmetric_beta(0.5, &mut rng)).collect();
    let mean = draws.iter().sum::<f64>() / 2000.0;
    let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 2000.0;
    // Beta(a, a) has mean 1/2 and variance 1 / (8 a + 4).
    assert!((mean - 0.5).abs() < 0.03 && (variance - 0.125).abs() < 0.01, "{mean} {variance}");
}
