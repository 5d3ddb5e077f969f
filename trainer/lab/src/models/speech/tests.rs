use super::*;
use crate::models::Public;
use tch::nn::VarStore;
use tch::{Device, Kind};

#[test]
fn spans_have_their_length_and_cover_their_share() {
    tch::manual_seed(2);
    let spans = Spans { length: 10, fewest: 0 };
    let mut covered = 0.0;
    for _ in 0..1000 {
        let hidden = spans.draw([2, 300], 0.05, Device::Cpu);
        assert_eq!(hidden.size(), [2, 300]);
        covered += hidden.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]) / 1000.0;
        // 300 * 0.05 / 10 is 1.5: one span or two, which may meet.
        let per_record = hidden.sum_dim_intlist(1, false, Kind::Int64);
        assert!(per_record.min().int64_value(&[]) >= 10);
        assert!(per_record.max().int64_value(&[]) <= 20);
    }
    assert!((0.046..0.052).contains(&covered), "{covered}");
}

#[test]
fn spans_fit_short_axes() {
    let count = |length, fewest, size, share| {
        let hidden = Spans { length, fewest }.draw([3, size], share, Device::Cpu);
        Vec::<i64>::try_from(hidden.sum_dim_intlist(1, false, Kind::Int64)).unwrap()
    };
    assert_eq!(count(10, 2, 4, 1.0), [4; 3]);
    assert_eq!(count(1, 2, 1, 0.01), [1; 3]);
    assert_eq!(count(4, 2, 8, 1.0).iter().filter(|&&hidden| hidden < 4).count(), 0);
    assert_eq!(count(5, 0, 100, 0.0), [0; 3]);
}

#[test]
fn masking_replaces_time_by_the_vector_and_features_by_0_in_training_only() {
    tch::manual_seed(4);
    let store = VarStore::new(Device::Cpu);
    let regularisation = Regularisation { masking: 0.3, ..Regularisation::NONE };
    let config = SpeechConfig { regularisation, ..SpeechConfig::wav2vec2_tiny() };
    let masking = Masking::new(&store.root(), &config);
    let x = Tensor::full([2, 20, 24], -1.0, (Kind::Float, Device::Cpu));
    assert_eq!(masking.forward(x.shallow_clone(), false), x);
    let masked = masking.forward(x.shallow_clone(), true);
    let is = |value: &Tensor| masked.eq_tensor(value).any().int64_value(&[]) == 1;
    let vector = &store.variables()["masked_spec_embed"];
    let kept = masked.ne(-1.0).logical_and(&masked.ne(0.0));
    assert!(is(&Tensor::from(-1.0f32)) && is(&Tensor::from(0.0f32)));
    let hidden = vector.expand([2, 20, 24], false).masked_select(&kept);
    assert_eq!(masked.masked_select(&kept), hidden);
    assert!(hidden.numel() > 0);
}

#[test]
fn a_fresh_positional_convolution_has_the_lengths_of_its_directions() {
    let store = VarStore::new(Device::Cpu);
    let _ = PositionalConv::new(&store.root(), &SpeechConfig::wav2vec2_tiny());
    let variables = store.variables();
    let [lengths, directions] = ["original0", "original1"]
        .map(|name| &variables[&format!("parametrizations.weight.{name}")]);
    assert_eq!((lengths.size(), directions.size()), (vec![1, 1, 6], vec![24, 6, 6]));
    let weight = Tensor::internal_weight_norm(directions, lengths, 2);
    assert!((weight - directions).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn a_normal_sound_has_mean_0_and_deviation_1_and_silence_stays() {
    let sound = Tensor::rand([1, 400], (Kind::Double, Device::Cpu)) * 0.1 + 0.3;
    let normal = normalize(&Tensor::cat(&[&sound, &sound.zeros_like()], 0));
    let mean = normal.mean_dim(1, false, Kind::Double);
    let std = normal.std_dim(1, false, false);
    assert!(mean.abs().max().double_value(&[]) < 1e-9);
    assert!((std.double_value(&[0]) - 1.0).abs() < 1e-3);
    assert_eq!(std.double_value(&[1]), 0.0);
}

#[test]
fn places_are_counted() {
    let base = SpeechConfig::wav2vec2_base();
    assert_eq!([400, 719, 720, 16_000, 96_000].map(|n| base.places(&[n])), [1, 1, 2, 49, 299]);
}

#[test]
#[should_panic(expected = "needs 400 samples, but there are 399")]
fn a_sound_may_be_too_short() {
    SpeechConfig::wav2vec2_base().places(&[399]);
}

#[test]
#[should_panic(expected = "needs records of shape N, but these are [3, 32, 32]")]
fn a_picture_is_no_sound() {
    SpeechConfig::wav2vec2_base().places(&[3, 32, 32]);
}

#[test]
fn older_names_of_weight_norm_are_known() {
    let ours = |name: &str| Public::Ours(name.to_owned());
    let conv = "encoder.pos_conv_embed.conv";
    for (old, new) in [("weight_g", "original0"), ("weight_v", "original1")] {
        let expected = ours(&format!("encoder.{conv}.parametrizations.weight.{new}"));
        assert_eq!(public(&format!("{conv}.{old}")), expected);
        assert_eq!(public(&format!("{conv}.parametrizations.weight.{new}")), expected);
    }
    assert_eq!(public(&format!("{conv}.bias")), ours(&format!("encoder.{conv}.bias")));
    assert_eq!(public("masked_spec_embed"), ours("encoder.masked_spec_embed"));
    assert_eq!(public("lm_head.weight"), Public::Unknown);
}
