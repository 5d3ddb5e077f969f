use super::*;
use dfr_harness::shim::Autocast;
use std::collections::BTreeSet;
use tch::Device;
use tch::nn::VarStore;

fn build(config: WavLmConfig, samples: i64) -> (VarStore, WavLm) {
    let store = VarStore::new(Device::Cpu);
    let model = WavLm::new(&store.root(), &[samples], config);
    (store, model)
}

#[test]
fn the_base_has_the_state_of_dfresearchs() {
    let (store, _) = build(WavLmConfig::base_plus(), 96_000);
    let variables = store.variables();
    let parameters: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
    assert_eq!((variables.len(), parameters), (254, 94_580_850));
    let layers = "encoder.encoder.layers";
    let shapes: [(String, &[i64]); 4] = [
        (format!("{layers}.0.attention.rel_attn_embed.weight"), &[320, 12]),
        (format!("{layers}.11.attention.gru_rel_pos_const"), &[1, 12, 1, 1]),
        (format!("{layers}.11.attention.gru_rel_pos_linear.weight"), &[8, 64]),
        ("head.2.weight".to_owned(), &[256, 768]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[&name].size(), shape, "{name}");
    }
}

#[test]
fn the_public_names_are_the_librarys_with_and_without_a_head() {
    let (store, _) = build(WavLmConfig::tiny(), 400);
    let ours: BTreeSet<String> =
        store.variables().into_keys().filter(|name| !name.starts_with("head.")).collect();
    for name in &ours {
        let inner = name.strip_prefix("encoder.").unwrap();
        assert_eq!(public(inner), Public::Ours(name.clone()));
        assert_eq!(public(&format!("wavlm.{inner}")), Public::Ours(name.clone()));
    }
    let older = "encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original0";
    assert_eq!(public("encoder.pos_conv_embed.conv.weight_g"), Public::Ours(older.to_owned()));
    assert_eq!(public("classifier.weight"), Public::Ignored);
    assert_eq!(public("wavlm.decoder.weight"), Public::Unknown);
}

#[test]
fn near_distances_have_kinds_of_their_own_and_far_ones_share() {
    let kinds = kinds(1000, &WavLmConfig::base_plus());
    let kind = |from: i64, to: i64| kinds.int64_value(&[from, to]);
    assert_eq!([0, 1, 79, 80].map(|distance| kind(999, 999 - distance)), [0, 1, 79, 80]);
    assert_eq!([1, 79, 80].map(|distance| kind(0, distance)), [161, 239, 240]);
    // The ratio of neighbours is 10^(1/80): 80, 81 and 82 are 80.0, 80.4 and 80.9.
    assert_eq!([81, 82, 83].map(|distance| kind(999, 999 - distance)), [80, 80, 81]);
    assert_eq!([799, 800, 999].map(|distance| kind(999, 999 - distance)), [159; 3]);
    assert_eq!(kind(0, 999), 319);
}

#[test]
fn sounds_of_any_length_have_an_answer() {
    for samples in [30, 401, 4000] {
        let (_store, model) = build(WavLmConfig::tiny(), samples);
        let sounds = Tensor::rand([3, samples], (Kind::Float, Device::Cpu)) - 0.5;
        assert_eq!(model.forward(&sounds, true).size(), [3, 2]);
    }
}

#[test]
#[should_panic(expected = "needs 30 samples, but there are 29")]
fn a_sound_may_be_too_short() {
    build(WavLmConfig::tiny(), 29);
}

#[test]
fn half_precision_answers_as_full_precision_nearly() {
    let (_store, model) = build(WavLmConfig::tiny(), 400);
    let sounds = Tensor::rand([3, 400], (Kind::Float, Device::Cpu)) - 0.5;
    let full = model.forward(&sounds, true);
    let autocast = Autocast::begin(Device::Cpu, Kind::BFloat16).unwrap();
    let half = model.forward(&sounds, true).to_kind(Kind::Float);
    half.sum(Kind::Float).backward();
    drop(autocast);
    assert!((half - full).abs().max().double_value(&[]) < 0.1);
    let gradient = model.distances.grad();
    assert!(gradient.isfinite().all().int64_value(&[]) == 1);
}
