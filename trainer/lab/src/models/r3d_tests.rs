use super::*;
use std::collections::BTreeSet;
use tch::{Device, nn::VarStore};

fn build(config: R3dConfig) -> (VarStore, R3d) {
    let store = VarStore::new(Device::Cpu);
    let model = R3d::new(&store.root(), config);
    (store, model)
}

fn parameters(store: &VarStore) -> usize {
    store.trainable_variables().iter().map(Tensor::numel).sum()
}

/// torchvision's state names, written from their pattern, with dfresearch's prefix and head.
fn torchvision_names() -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        ["mean", "std", "head.1.weight", "head.1.bias"].map(String::from).into();
    let mut unit = |name: String| {
        names.insert(format!("backbone.{name}.0.weight"));
        for state in ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"] {
            names.insert(format!("backbone.{name}.1.{state}"));
        }
    };
    unit("stem".to_owned());
    for layer in 1..=4 {
        for block in 0..2 {
            unit(format!("layer{layer}.{block}.conv1"));
            unit(format!("layer{layer}.{block}.conv2"));
        }
        if layer > 1 {
            unit(format!("layer{layer}.0.downsample"));
        }
    }
    names
}

#[test]
fn r3d_18_has_the_state_of_torchvisions() {
    let (store, _) = build(R3dConfig::r3d_18());
    let variables = store.variables();
    assert_eq!(variables.keys().cloned().collect::<BTreeSet<_>>(), torchvision_names());
    assert_eq!((variables.len(), parameters(&store)), (124, 33_167_298));
    let shapes: [(&str, &[i64]); 5] = [
        ("mean", &[1, 1, 3, 1, 1]),
        ("backbone.stem.0.weight", &[64, 3, 3, 7, 7]),
        ("backbone.layer4.0.downsample.0.weight", &[512, 256, 1, 1, 1]),
        ("backbone.layer4.1.conv2.1.num_batches_tracked", &[]),
        ("head.1.weight", &[2, 512]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

fn clip(size: [i64; 5]) -> Tensor {
    Tensor::randint(256, size, (Kind::Uint8, Device::Cpu))
}

#[test]
fn both_answer_with_two_logits_per_clip() {
    for (config, size) in [
        (R3dConfig { width: 4, ..R3dConfig::r3d_18() }, [2, 8, 3, 32, 32]),
        (R3dConfig::r3d_tiny(), [3, 8, 3, 24, 24]),
        (R3dConfig { frames: 99, ..R3dConfig::r3d_tiny() }, [2, 1, 3, 24, 24]),
    ] {
        let (_store, model) = build(config);
        assert_eq!(model.forward(&clip(size), true).size(), [size[0], 2]);
    }
}

#[test]
fn the_tiny_stem_starts_deaf_to_flat_colour() {
    let (store, _) = build(R3dConfig::r3d_tiny());
    let sums = store.variables()["backbone.stem.0.weight"].sum_dim_intlist(
        &[2i64, 3, 4][..],
        false,
        Kind::Float,
    );
    assert!(sums.abs().max().double_value(&[]) < 1e-5);
}
