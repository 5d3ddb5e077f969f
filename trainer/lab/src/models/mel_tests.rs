use super::*;
use serde::Deserialize;
use tch::nn::VarStore;

/// What torchaudio answers, written by `scripts/parity/mel.py`.
#[derive(Deserialize)]
struct Reference {
    sample_rate: i64,
    window: i64,
    hop: i64,
    bands: i64,
    samples: i64,
    spectrogram: Vec<Vec<f64>>,
    triangles: Vec<f64>,
}

fn mel(config: &MelConfig) -> Mel {
    let mut store = VarStore::new(Device::Cpu);
    let mel = Mel::new(&store.root(), config);
    store.double();
    mel
}

/// A tone that rises from silence, once more at half its height.
fn chirps(samples: i64) -> Tensor {
    let time = Tensor::arange(samples, (Kind::Double, Device::Cpu));
    let chirp = (time.square() * 0.005).sin() * 0.5;
    Tensor::stack(&[&chirp, &(&chirp * 0.5)], 0)
}

#[test]
fn the_spectrogram_is_torchaudios() {
    let text = include_str!("../../tests/data/mel.json");
    let references: Vec<Reference> = serde_json::from_str(text).unwrap();
    assert_eq!(references.len(), 2);
    for Reference { sample_rate, window, hop, bands, samples, spectrogram, triangles } in references
    {
        let config = MelConfig { sample_rate, window, hop, bands };
        let mel = mel(&config);
        let found = mel.forward(&chirps(samples));
        assert_eq!(found.size(), [2, bands, config.spectra(samples)]);
        let rows: Vec<Tensor> = spectrogram.iter().map(|row| Tensor::from_slice(row)).collect();
        let expected = Tensor::stack(&rows, 0);
        let difference = (found.get(0) - &expected).abs().max() / expected.max();
        assert!(difference.double_value(&[]) < 1e-12, "{window}: {difference}");
        let quieter = (found.get(1) * 4.0 - &expected).abs().max() / expected.max();
        assert!(quieter.double_value(&[]) < 1e-12, "{window}: {quieter}");
        let sums = mel.bands.sum_dim_intlist(0, false, None);
        assert!((sums - Tensor::from_slice(&triangles)).abs().max().double_value(&[]) < 1e-12);
    }
}

#[test]
#[should_panic(expected = "more than 200 samples, not 200")]
fn a_sound_is_longer_than_half_a_window() {
    let config = MelConfig { sample_rate: 16_000, window: 400, hop: 160, bands: 8 };
    let _ = mel(&config).forward(&chirps(200));
}
