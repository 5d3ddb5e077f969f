use super::*;
use crate::recipes::audio_tiny;
use crate::recipes::testing::{QUICK, batch, losses};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

#[test]
fn any_window_and_hop_listed_gives_an_answer() {
    for (window, hop) in [(256, 128), (512, 512), (1024, 256)] {
        let knobs = Knobs { window, hop, ..audio_tiny::KNOBS };
        let preset = recipe("audio-tiny", R3dConfig::r3d_tiny(), (audio_tiny::TRAINING, knobs));
        let store = VarStore::new(Device::Cpu);
        let net = (preset.build)(&store.root(), &[4000]);
        let sound = Tensor::randn([2, 4000], (Kind::Float, Device::Cpu)) * 0.1;
        assert_eq!(net.forward(&sound, true).size(), [2, 2]);
    }
}

#[test]
fn sound_is_augmented_where_a_knob_says_so() {
    let of = |knobs| recipe("audio-tiny", R3dConfig::r3d_tiny(), (QUICK, knobs));
    assert!(of(audio_tiny::KNOBS).record_transform.is_none());
    assert!(of(Knobs { gain_db: 6.0, ..audio_tiny::KNOBS }).record_transform.is_some());
    let hiding = of(Knobs { mask: 0.2, dropout: 0.0, ..audio_tiny::KNOBS });
    let (first, last) = losses(&hiding, &batch(&[2048], Kind::Float), 40);
    assert!(last < 0.9 * first, "{first} to {last}");
}
