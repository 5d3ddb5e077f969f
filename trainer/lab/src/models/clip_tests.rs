use super::*;
use tch::{Device, Kind, nn::VarStore};

const PUBLIC_SHAPE: [i64; 3] = [3, 224, 224];

fn ours(name: &str) -> Public {
    Public::Ours(name.to_owned())
}

/// The vision tower's part of the public file, written from its pattern.
fn public_names(blocks: usize) -> Vec<String> {
    let mut names: Vec<String> =
        ["class_embedding", "patch_embedding.weight", "position_embedding.weight"]
            .map(|name| format!("embeddings.{name}"))
            .into();
    let mut pair = |name: &str| names.extend(["weight", "bias"].map(|end| format!("{name}.{end}")));
    pair("pre_layrnorm");
    for block in 0..blocks {
        for name in ["k_proj", "v_proj", "q_proj", "out_proj"] {
            pair(&format!("encoder.layers.{block}.self_attn.{name}"));
        }
        for name in ["layer_norm1", "mlp.fc1", "mlp.fc2", "layer_norm2"] {
            pair(&format!("encoder.layers.{block}.{name}"));
        }
    }
    pair("post_layernorm");
    names.iter().map(|name| format!("vision_model.{name}")).collect()
}

#[test]
fn vit_l14_has_the_state_of_the_public_file() {
    let store = VarStore::new(Device::Cpu);
    let _model = Clip::new(&store.root(), &PUBLIC_SHAPE, ClipConfig::vit_l14());
    let variables = store.variables();
    let parameters: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
    assert_eq!((variables.len(), parameters), (397, 303_183_874));
    let names = public_names(24);
    for name in &names {
        let Public::Ours(name) = public(name) else { panic!("{name}") };
        assert!(variables.contains_key(&name), "{name}");
    }
    assert_eq!(variables.len() - names.len(), 6, "mean, std and the head are no part of it");
    let shapes: [(&str, &[i64]); 4] = [
        ("mean", &[1, 3, 1, 1]),
        ("vision_model.vision_model.embeddings.position_embedding.weight", &[257, 1024]),
        ("vision_model.vision_model.encoder.layers.23.mlp.fc1.weight", &[4096, 1024]),
        ("head.2.weight", &[2, 1024]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

#[test]
fn only_the_vision_tower_of_the_public_file_is_ours() {
    assert_eq!(
        public("vision_model.post_layernorm.bias"),
        ours("vision_model.vision_model.post_layernorm.bias")
    );
    for name in [
        "logit_scale",
        "text_model.embeddings.position_ids",
        "text_model.encoder.layers.0.mlp.fc1.weight",
        "text_projection.weight",
        "vision_model.embeddings.position_ids",
        "visual_projection.weight",
    ] {
        assert_eq!(public(name), Public::Ignored, "{name}");
    }
    assert_eq!(public("visual.conv1.weight"), Public::Unknown);
}

#[test]
fn positions_follow_the_picture() {
    for (shape, places) in [([3, 8, 8], 2), ([3, 64, 40], 41), ([3, 39, 33], 17)] {
        let store = VarStore::new(Device::Cpu);
        let model = Clip::new(&store.root(), &shape, ClipConfig::vit_tiny());
        assert_eq!(model.positions.size(), [places, 32]);
        let size = [&[2][..], &shape].concat();
        let pictures = Tensor::randint(256, &size, (Kind::Uint8, Device::Cpu));
        assert_eq!(model.forward(&pictures, true).size(), [2, 2]);
    }
}

#[test]
#[should_panic(expected = "at least 8 x 8 pixels, not of 32 x 7")]
fn a_picture_smaller_than_a_patch_is_refused() {
    Clip::new(&VarStore::new(Device::Cpu).root(), &[3, 32, 7], ClipConfig::vit_tiny());
}

#[test]
#[should_panic(expected = "3 H W, not of [16, 3, 32, 32]")]
fn a_clip_is_refused() {
    Clip::new(&VarStore::new(Device::Cpu).root(), &[16, 3, 32, 32], ClipConfig::vit_tiny());
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
        let config = ClipConfig { regularisation, ..ClipConfig::vit_tiny() };
        let model = Clip::new(&store.root(), &shape, config);
        let quiet = model.forward(&pictures, false);
        assert_eq!(model.forward(&pictures, false), quiet);
        assert_eq!(model.forward(&pictures, true) != quiet, heard, "{regularisation:?}");
    }
}

/// The figures are those of transformers' model of the same two blocks.
#[test]
fn weights_start_as_widely_as_the_librarys() {
    let store = VarStore::new(Device::Cpu);
    let config = ClipConfig { blocks: 2, ..ClipConfig::vit_l14() };
    let _model = Clip::new(&store.root(), &[3, 28, 28], config);
    let variables = store.variables();
    for (name, expected) in [
        ("embeddings.class_embedding", 0.0318),
        ("embeddings.patch_embedding.weight", 0.0200),
        ("encoder.layers.0.self_attn.q_proj.weight", 0.0156),
        ("encoder.layers.0.self_attn.k_proj.weight", 0.0156),
        ("encoder.layers.0.self_attn.v_proj.weight", 0.0156),
        ("encoder.layers.0.self_attn.out_proj.weight", 0.0312),
        ("encoder.layers.0.mlp.fc1.weight", 0.0221),
        ("encoder.layers.1.mlp.fc2.weight", 0.0156),
    ] {
        let spread = variables[&format!("vision_model.vision_model.{name}")].std(false);
        let ratio = spread.double_value(&[]) / expected;
        assert!((ratio - 1.0).abs() < 0.1, "{name}: {ratio} of it");
    }
}
