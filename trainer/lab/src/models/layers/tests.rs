use super::*;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

fn check_spread(name: &str, tensor: &Tensor, expected: f64) {
    let spread = tensor.std(true).double_value(&[]);
    assert!((spread / expected - 1.0).abs() < 0.05, "{name}: {spread} is not {expected}");
}

fn randn(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, (Kind::Double, Device::Cpu))
}

fn check_close(found: &Tensor, expected: &Tensor) {
    let difference = (found - expected).abs().max().double_value(&[]);
    assert!(difference < 1e-12, "{difference}");
}

#[test]
fn initial_values_are_pytorchs() {
    let store = VarStore::new(Device::Cpu);
    let linear = Linear::new(&(store.root() / "linear"), 1024, 8192);
    // torch.nn.Linear(1024, 8192).weight.std() is 0.0180.
    check_spread("linear weight", &linear.weight, 0.0180);
    check_spread("linear bias", linear.bias.as_ref().unwrap(), 0.0180);
    let conv = |name: &str, start| {
        let config = ConvConfig { start, ..ConvConfig::same(Window::<3>::square(3, 1)) };
        Conv::new(&(store.root() / name), [16, 32], config).weight
    };
    check_spread("fan out", &conv("out", Start::FanOut), (2.0f64 / (32.0 * 27.0)).sqrt());
    // torch.nn.Conv3d(16, 32, 3): uniform within 1 / sqrt(16 * 27).
    check_spread("fan in", &conv("in", Start::FanIn), (1.0f64 / (3.0 * 16.0 * 27.0)).sqrt());
    let expected = (2.0f64 / (16.0 * 27.0)).sqrt();
    check_spread("normal by fan in", &conv("in_normal", Start::FanInNormal), expected);
    check_spread("normal", &conv("normal", Start::Normal(0.02)), 0.02);
    let norm = BatchNorm::new(&(store.root() / "norm"), 4);
    assert_eq!(Vec::<f32>::try_from(&norm.weight).unwrap(), [1.0; 4]);
    assert_eq!(Vec::<f32>::try_from(&norm.bias).unwrap(), [0.0; 4]);
}

#[test]
fn batch_norm_tracks_in_training_only() {
    let store = VarStore::new(Device::Cpu);
    let norm = BatchNorm::new(&store.root(), 2);
    let x = Tensor::full([4, 2, 3], 5.0, (Kind::Float, Device::Cpu));
    let _ = norm.forward(&x, false);
    assert_eq!(norm.num_batches_tracked.int64_value(&[]), 0);
    let _ = norm.forward(&x, true);
    assert_eq!(norm.num_batches_tracked.int64_value(&[]), 1);
    assert!((norm.running_mean.double_value(&[0]) - 0.5).abs() < 1e-6);
}

#[test]
fn attention_is_its_formula() {
    let mut store = VarStore::new(Device::Cpu);
    let [query, key, value, output] =
        ["q", "k", "v", "o"].map(|name| Linear::new(&(store.root() / name), 8, 8));
    let heads = Heads { count: 2, dropout: 0.5 };
    let attention = Attention { query, key, value, output, heads };
    store.double();
    let (x, bias) = (randn(&[3, 5, 8]), randn(&[2, 5, 5]));
    let map = |linear: &Linear| x.linear(&linear.weight, linear.bias.as_ref());
    let split = |x: Tensor| x.view([3, 5, 2, 4]).permute([0, 2, 1, 3]);
    let [q, k, v] =
        [&attention.query, &attention.key, &attention.value].map(|linear| split(map(linear)));
    let weights = (q.matmul(&k.transpose(2, 3)) / 2.0 + &bias).softmax(-1, Kind::Double);
    let merged = weights.matmul(&v).permute([0, 2, 1, 3]).reshape([3, 5, 8]);
    let expected = attention.output.forward(&merged);
    check_close(&attention.forward(&x, Some(&bias), false), &expected);
}

#[test]
fn a_path_is_dropped_whole_and_its_mean_stays() {
    tch::manual_seed(3);
    let branch = Tensor::ones([4000, 2], (Kind::Float, Device::Cpu));
    let dropped = drop_path(branch.shallow_clone(), 0.25, true);
    let columns = dropped.unbind(1);
    assert_eq!(columns[0], columns[1]);
    assert!((dropped.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.03);
    let whole = (columns[0].ne(0.0)).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
    assert!((whole - 0.75).abs() < 0.03, "{whole}");
    assert_eq!(drop_path(branch.shallow_clone(), 0.25, false), branch);
    assert_eq!(rising(0.2, 3), [0.0, 0.1, 0.2]);
    assert_eq!(rising(0.2, 1), [0.0]);
}

#[test]
fn sinusoids_start_with_zero_and_one() {
    let table = sinusoids(3, 4);
    let row = |place| Vec::<f32>::try_from(table.get(place)).unwrap();
    assert_eq!(row(0), [0.0, 1.0, 0.0, 1.0]);
    let expected = [1f64.sin(), 1f64.cos(), 0.01f64.sin(), 0.01f64.cos()];
    assert_eq!(row(1), expected.map(|value| value as f32));
}
