use super::*;
use dfr_harness::shim::Autocast;
use std::collections::BTreeSet;
use tch::nn::VarStore;
use tch::{Device, Kind};

fn build(config: SpeechConfig, samples: i64) -> (VarStore, Wav2Vec2) {
    let store = VarStore::new(Device::Cpu);
    let model = Wav2Vec2::new(&store.root(), &[samples], config);
    (store, model)
}

fn parameters(store: &VarStore) -> usize {
    store.trainable_variables().iter().map(Tensor::numel).sum()
}

/// Names in `facebook/wav2vec2-base`, written from their pattern.
fn public_names() -> Vec<String> {
    let mut names = vec!["masked_spec_embed".to_owned()];
    let mut pair =
        |name: String| names.extend(["weight", "bias"].map(|end| format!("{name}.{end}")));
    pair("feature_extractor.conv_layers.0.layer_norm".to_owned());
    pair("feature_projection.layer_norm".to_owned());
    pair("feature_projection.projection".to_owned());
    pair("encoder.layer_norm".to_owned());
    for layer in 0..12 {
        for inner in [
            "attention.k_proj",
            "attention.v_proj",
            "attention.q_proj",
            "attention.out_proj",
            "layer_norm",
            "feed_forward.intermediate_dense",
            "feed_forward.output_dense",
            "final_layer_norm",
        ] {
            pair(format!("encoder.layers.{layer}.{inner}"));
        }
    }
    names.extend((0..7).map(|layer| format!("feature_extractor.conv_layers.{layer}.conv.weight")));
    names.extend(
        ["bias", "weight_g", "weight_v"].map(|end| format!("encoder.pos_conv_embed.conv.{end}")),
    );
    names.into_iter().map(|name| format!("wav2vec2.{name}")).collect()
}

#[test]
fn the_base_has_the_state_of_dfresearchs() {
    let (store, _) = build(SpeechConfig::wav2vec2_base(), 96_000);
    let variables = store.variables();
    assert_eq!((variables.len(), parameters(&store)), (217, 94_570_626));
    let shapes: [(&str, &[i64]); 5] = [
        ("encoder.feature_extractor.conv_layers.0.conv.weight", &[512, 1, 10]),
        ("encoder.feature_extractor.conv_layers.6.conv.weight", &[512, 512, 2]),
        ("encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original0", &[1, 1, 128]),
        ("encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original1", &[768, 48, 128]),
        ("head.5.weight", &[2, 256]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
    // The public file has all but the head.
    let ours: BTreeSet<String> =
        variables.into_keys().filter(|name| !name.starts_with("head.")).collect();
    let public: BTreeSet<String> = public_names()
        .iter()
        .map(|name| match public(name) {
            Public::Ours(name) => name,
            other => panic!("{name}: {other:?}"),
        })
        .collect();
    assert_eq!(public, ours);
}

#[test]
fn what_predicts_hidden_sounds_is_left_alone() {
    for name in [
        "quantizer.codevectors",
        "quantizer.weight_proj.bias",
        "project_q.weight",
        "project_hid.bias",
    ] {
        assert_eq!(public(name), Public::Ignored, "{name}");
    }
    for name in
        ["masked_spec_embed", "wav2vec2.adapter.layers.0.conv.bias", "wav2vec2", "head.0.bias"]
    {
        assert_eq!(public(name), Public::Unknown, "{name}");
    }
}

#[test]
fn sounds_of_any_length_have_an_answer() {
    for config in [SpeechConfig::wav2vec2_tiny(), SpeechConfig::wav2vec2_lv60_tiny()] {
        for samples in [30, 401, 4000] {
            let (_store, model) = build(config, samples);
            let sounds = Tensor::rand([3, samples], (Kind::Float, Device::Cpu)) - 0.5;
            assert_eq!(model.forward(&sounds, true).size(), [3, 2]);
        }
    }
}

#[test]
fn loudness_says_nothing() {
    let (_store, model) = build(SpeechConfig::wav2vec2_lv60_tiny(), 400);
    let sound = Tensor::rand([2, 400], (Kind::Float, Device::Cpu)) - 0.5;
    let difference = model.forward(&sound, false) - model.forward(&(&sound * 0.1 + 0.2), false);
    assert!(difference.abs().max().double_value(&[]) < 1e-3);
}

#[test]
fn half_precision_answers_with_everything_in_training() {
    for config in [SpeechConfig::wav2vec2_tiny(), SpeechConfig::wav2vec2_lv60_tiny()] {
        let regularisation =
            Regularisation { dropout: 0.1, hidden_dropout: 0.1, drop_path: 0.5, masking: 0.3 };
        let (_store, model) = build(SpeechConfig { regularisation, ..config }, 400);
        let sounds = Tensor::rand([3, 400], (Kind::Float, Device::Cpu)) - 0.5;
        let _autocast = Autocast::begin(Device::Cpu, Kind::BFloat16).unwrap();
        let logits = model.forward(&sounds, true).to_kind(Kind::Float);
        logits.sum(Kind::Float).backward();
        assert!(logits.isfinite().all().int64_value(&[]) == 1);
    }
}
