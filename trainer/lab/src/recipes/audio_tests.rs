use super::*;
use crate::recipes::audio_tiny;
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
