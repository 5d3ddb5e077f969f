use super::*;
use tch::{Device, nn::VarStore};

const PUBLIC_SHAPE: [i64; 3] = [3, 518, 518];

/// The public file's names but `embeddings.mask_token`, written from their pattern.
fn public_names(blocks: usize) -> Vec<String> {
    let mut names: Vec<String> =
        ["cls_token", "position_embeddings"].map(|name| format!("embeddings.{name}")).into();
    let mut pair = |name: &str| names.extend(["weight", "bias"].map(|end| format!("{name}.{end}")));
    pair("embeddings.patch_embeddings.projection");
    pair("layernorm");
    for block in 0..blocks {
        for name in [
            "attention.attention.key",
            "attention.attention.query",
            "attention.attention.value",
            "attention.output.dense",
            "mlp.fc1",
            "mlp.fc2",
            "norm1",
            "norm2",
        ] {
            pair(&format!("encoder.layer.{block}.{name}"));
        }
    }
    for block in 0..blocks {
        names.extend([1, 2].map(|i| format!("encoder.layer.{block}.layer_scale{i}.lambda1")));
    }
    names
}

#[test]
fn base_has_the_state_of_the_public_file() {
    let store = VarStore::new(Device::Cpu);
    let _model = Dinov2::new(&store.root(), &PUBLIC_SHAPE, Dinov2Config::base());
    let variables = store.variables();
    let parameters: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
    // The public file has 86,580,480; its mask token 768; the head 2 * 768 + 2 * 768 + 2.
    assert_eq!((variables.len(), parameters), (228, 86_580_480 - 768 + 3_074));
    let names = public_names(12);
    for name in &names {
        let Public::Ours(name) = public(name) else { panic!("{name}") };
        assert!(variables.contains_key(&name), "{name}");
    }
    assert_eq!(variables.len() - names.len(), 6, "mean, std and the head are no part of it");
    let shapes: [(&str, &[i64]); 5] = [
        ("mean", &[1, 3, 1, 1]),
        ("backbone.embeddings.cls_token", &[1, 1, 768]),
        ("backbone.embeddings.position_embeddings", &[1, 1370, 768]),
        ("backbone.encoder.layer.11.layer_scale2.lambda1", &[768]),
        ("head.2.weight", &[2, 768]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

#[test]
fn the_public_mask_is_ignored() {
    let ours = Public::Ours("backbone.layernorm.bias".to_owned());
    assert_eq!(public("layernorm.bias"), ours);
    assert_eq!(public("embeddings.mask_token"), Public::Ignored);
    assert_eq!(public("classifier.weight"), Public::Unknown);
    assert_eq!(public("mask_token"), Public::Unknown);
}

#[test]
fn one_table_serves_pictures_of_all_sizes() {
    let store = VarStore::new(Device::Cpu);
    let model = Dinov2::new(&store.root(), &[3, 32, 32], Dinov2Config::tiny());
    for (size, places) in [([4, 4], 17), ([2, 8], 17), ([1, 1], 2), ([7, 3], 22)] {
        assert_eq!(model.positions_of(size).size(), [1, places, 32]);
        let pixels = [2, 3, size[0] * 8 + 1, size[1] * 8];
        let pictures = Tensor::randint(256, pixels, (Kind::Uint8, Device::Cpu));
        assert_eq!(model.forward(&pictures, true).size(), [2, 2]);
    }
    assert_eq!(model.positions_of([4, 4]), model.positions);
    let first = model.positions.narrow(1, 0, 1);
    assert_eq!(model.positions_of([2, 8]).narrow(1, 0, 1), first, "the class keeps its place");
}

#[test]
#[should_panic(expected = "at least 14 x 14 pixels, not of 13 x 14")]
fn a_picture_smaller_than_a_patch_is_refused() {
    let store = VarStore::new(Device::Cpu);
    Dinov2::new(&store.root(), &[3, 13, 14], Dinov2Config { blocks: 0, ..Dinov2Config::base() });
}

#[test]
#[should_panic(expected = "3 H W, not of [1, 32, 32]")]
fn a_grey_picture_is_refused() {
    Dinov2::new(&VarStore::new(Device::Cpu).root(), &[1, 32, 32], Dinov2Config::tiny());
}

#[test]
fn every_noise_is_heard_in_training_only() {
    let none = Regularisation::NONE;
    let shape = [3, 32, 32];
    let size = [&[8][..], &shape].concat();
    let pictures = Tensor::randint(256, &size, (Kind::Uint8, Device::Cpu));
    for (regularisation, heard) in [
        (none, false),
        (Regularisation { dropout: 0.5, ..none }, true),
        (Regularisation { hidden_dropout: 0.5, ..none }, true),
        (Regularisation { drop_path: 0.5, ..none }, true),
    ] {
        let store = VarStore::new(Device::Cpu);
        let config = Dinov2Config { regularisation, ..Dinov2Config::tiny() };
        let model = Dinov2::new(&store.root(), &shape, config);
        let quiet = model.forward(&pictures, false);
        assert_eq!(model.forward(&pictures, false), quiet);
        assert_eq!(model.forward(&pictures, true) != quiet, heard, "{regularisation:?}");
    }
}
