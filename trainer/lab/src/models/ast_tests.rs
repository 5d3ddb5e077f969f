use super::*;
use tch::Device;
use tch::nn::VarStore;

fn build(shape: &[i64], config: AstConfig) -> (VarStore, Ast) {
    let store = VarStore::new(Device::Cpu);
    let model = Ast::new(&store.root(), shape, config);
    (store, model)
}

fn tiny(samples: i64) -> (VarStore, Ast) {
    build(&[samples], AstConfig::tiny(Regularisation::NONE))
}

fn parameters(store: &VarStore) -> usize {
    store.trainable_variables().iter().map(Tensor::numel).sum()
}

fn noise(samples: i64) -> Tensor {
    Tensor::rand([2, samples], (Kind::Float, Device::Cpu)) - 0.5
}

#[test]
fn audiosets_has_the_state_of_its_reference() {
    let (store, _) = build(&[96_000], AstConfig::audioset(Regularisation::NONE));
    let variables = store.variables();
    // Front end 2, embeddings 5, 16 of each block, last norm 2, head 4.
    assert_eq!((variables.len(), parameters(&store)), (205, 86_190_338));
    let shapes: [(&str, &[i64]); 7] = [
        ("mel_transform.spectrogram.window", &[400]),
        ("mel_transform.mel_scale.fb", &[201, 128]),
        ("encoder.embeddings.distillation_token", &[1, 1, 768]),
        ("encoder.embeddings.position_embeddings", &[1, 1214, 768]),
        ("encoder.embeddings.patch_embeddings.projection.weight", &[768, 1, 16, 16]),
        ("encoder.encoder.layer.11.intermediate.dense.weight", &[3072, 768]),
        ("head.2.weight", &[2, 768]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

#[test]
fn the_length_of_a_sound_is_free() {
    // 32 spectra have 2 by 2 patches, 101 have 2 by 9.
    for (samples, places) in [(201, 6), (4800, 6), (16_000, 20)] {
        let (store, model) = tiny(samples);
        assert_eq!(model.forward(&noise(samples), true).size(), [2, 2], "{samples}");
        let positions = &store.variables()["encoder.embeddings.position_embeddings"];
        assert_eq!(positions.size()[1], places, "{samples}");
    }
}

#[test]
fn each_record_is_normalised_by_itself_then_filled_up() {
    let (_store, model) = tiny(3200);
    let loud = noise(3200);
    let features = model.features(&loud);
    assert_eq!(features.size(), [2, 32, 32]);
    let heard = features.narrow(2, 0, 21);
    for record in 0..2 {
        let record = heard.get(record);
        assert!(record.mean(None).double_value(&[]).abs() < 1e-5);
        assert!((record.std(true).double_value(&[]) - 1.0).abs() < 1e-5);
    }
    assert_eq!(features.narrow(2, 21, 11).abs().max().double_value(&[]), 0.0);
    let beside = Tensor::cat(&[loud.narrow(0, 0, 1), loud.narrow(0, 1, 1) * 0.01], 0);
    assert_eq!(model.features(&beside).get(0), features.get(0));
}

#[test]
fn silence_has_an_answer() {
    let (_store, model) = tiny(4800);
    let silence = Tensor::zeros([2, 4800], (Kind::Float, Device::Cpu));
    assert!(model.features(&silence).abs().max().double_value(&[]) < 1.0);
    assert!(model.forward(&silence, false).isfinite().all().int64_value(&[]) == 1);
}

#[test]
#[should_panic(expected = "places for 32 spectra, not 63")]
fn a_sound_is_no_longer_than_what_it_was_made_for() {
    let (_store, model) = tiny(4800);
    let _ = model.forward(&noise(10_000), false);
}

#[test]
#[should_panic(expected = "shape [N]")]
fn a_picture_is_no_sound() {
    let _ = build(&[3, 32, 32], AstConfig::tiny(Regularisation::NONE));
}

#[test]
fn public_names_are_ours() {
    let ours = |name: &str| Public::Ours(name.to_owned());
    for (theirs, name) in [
        ("embeddings.cls_token", "encoder.embeddings.cls_token"),
        (
            "embeddings.patch_embeddings.projection.weight",
            "encoder.embeddings.patch_embeddings.projection.weight",
        ),
        (
            "encoder.layer.11.attention.attention.query.bias",
            "encoder.encoder.layer.11.attention.attention.query.bias",
        ),
        ("layernorm.weight", "encoder.layernorm.weight"),
    ] {
        assert_eq!(public(&format!("audio_spectrogram_transformer.{theirs}")), ours(name));
    }
    assert_eq!(public("classifier.layernorm.weight"), Public::Ignored);
    assert_eq!(public("classifier.dense.bias"), Public::Ignored);
    assert_eq!(public("audio_spectrogram_transformer.pooler.weight"), Public::Unknown);
    assert_eq!(public("encoder.layernorm.weight"), Public::Unknown);
}
