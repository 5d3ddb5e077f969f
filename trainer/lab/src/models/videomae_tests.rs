use super::*;
use tch::{Device, Kind, nn::VarStore};

const PUBLIC_SHAPE: [i64; 4] = [16, 3, 224, 224];

/// The encoder's part of the public file, written from its pattern.
fn public_names(blocks: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut pair = |name: &str| names.extend(["weight", "bias"].map(|end| format!("{name}.{end}")));
    pair("embeddings.patch_embeddings.projection");
    pair("layernorm");
    for block in 0..blocks {
        for name in [
            "attention.output.dense",
            "intermediate.dense",
            "layernorm_after",
            "layernorm_before",
            "output.dense",
        ] {
            pair(&format!("encoder.layer.{block}.{name}"));
        }
    }
    for block in 0..blocks {
        for name in ["key.weight", "q_bias", "query.weight", "v_bias", "value.weight"] {
            names.push(format!("encoder.layer.{block}.attention.attention.{name}"));
        }
    }
    names.iter().map(|name| format!("videomae.{name}")).collect()
}

#[test]
fn base_has_the_state_of_the_public_file() {
    let store = VarStore::new(Device::Cpu);
    let model = VideoMae::new(&store.root(), &PUBLIC_SHAPE, VideoMaeConfig::base());
    let variables = store.variables();
    let parameters: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
    assert_eq!((variables.len(), parameters), (190, 86_230_274));
    assert_eq!(model.positions.size(), [1568, 768]);
    let names = public_names(12);
    for name in &names {
        let Public::Ours(name) = public(name) else { panic!("{name}") };
        assert!(variables.contains_key(&name), "{name}");
    }
    assert_eq!(variables.len() - names.len(), 6, "mean, std and the head are no part of it");
    let shapes: [(&str, &[i64]); 4] = [
        ("mean", &[1, 1, 3, 1, 1]),
        ("encoder.embeddings.patch_embeddings.projection.weight", &[768, 3, 2, 16, 16]),
        ("encoder.encoder.layer.11.intermediate.dense.weight", &[3072, 768]),
        ("head.2.weight", &[2, 768]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

#[test]
fn only_the_encoder_of_the_public_file_is_ours() {
    let ours = Public::Ours("encoder.layernorm.weight".to_owned());
    assert_eq!(public("videomae.layernorm.weight"), ours);
    for name in [
        "decoder.decoder_layers.3.output.dense.bias",
        "decoder.head.weight",
        "decoder.norm.bias",
        "encoder_to_decoder.weight",
        "mask_token",
    ] {
        assert_eq!(public(name), Public::Ignored, "{name}");
    }
    assert_eq!(public("vit.layernorm.weight"), Public::Unknown);
    assert_eq!(public("pos_embed"), Public::Unknown);
}

#[test]
fn places_follow_the_clip() {
    for (shape, places) in [([2, 3, 8, 8], 1), ([5, 3, 33, 16], 16)] {
        let store = VarStore::new(Device::Cpu);
        let model = VideoMae::new(&store.root(), &shape, VideoMaeConfig::tiny());
        assert_eq!(model.positions.size(), [places, 32]);
        let size = [&[2][..], &shape].concat();
        let clips = Tensor::randint(256, &size, (Kind::Uint8, Device::Cpu));
        assert_eq!(model.forward(&clips, true).size(), [2, 2]);
    }
}

#[test]
#[should_panic(expected = "at least 2 frames of 8 x 8 pixels, not 1 of 32 x 32")]
fn a_single_frame_is_refused() {
    VideoMae::new(&VarStore::new(Device::Cpu).root(), &[1, 3, 32, 32], VideoMaeConfig::tiny());
}

#[test]
#[should_panic(expected = "T 3 H W, not of [3, 32, 32]")]
fn a_picture_is_refused() {
    VideoMae::new(&VarStore::new(Device::Cpu).root(), &[3, 32, 32], VideoMaeConfig::tiny());
}

#[test]
fn every_noise_is_heard_in_training_only() {
    let none = Regularisation::NONE;
    let shape = [4, 3, 16, 16];
    let size = [&[8][..], &shape].concat();
    let clips = Tensor::randint(256, &size, (Kind::Uint8, Device::Cpu));
    for (regularisation, heard) in [
        (none, false),
        (Regularisation { dropout: 0.5, ..none }, true),
        (Regularisation { hidden_dropout: 0.5, ..none }, true),
        (Regularisation { drop_path: 0.5, ..none }, true),
    ] {
        let store = VarStore::new(Device::Cpu);
        let config = VideoMaeConfig { regularisation, ..VideoMaeConfig::tiny() };
        let model = VideoMae::new(&store.root(), &shape, config);
        let quiet = model.forward(&clips, false);
        assert_eq!(model.forward(&clips, false), quiet);
        assert_eq!(model.forward(&clips, true) != quiet, heard, "{regularisation:?}");
    }
}
