//! WavLM over raw sound at 16 kHz: wav2vec 2.0 whose attention knows how far places are apart.
//!
//! # Source
//! Chen et al., WavLM, <https://arxiv.org/abs/2110.13900>, as in `WavLMModel` of the transformers library
//! with the head of dfresearch's `WavLMDetector`. Masking and dropout follow [`Regularisation`].

use dfr_harness::recipe::Detector;
use tch::nn::{Init, Path};
use tch::{Kind, Tensor};

use super::layers::{Attention, Linear};
use super::speech::{SelfAttention, Speech, SpeechConfig};
use super::{Public, Regularisation};

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct WavLmConfig {
    /// What it has in common with wav2vec 2.0.
    pub speech: SpeechConfig,
    /// Kinds of distances, half of them forwards.
    pub buckets: i64,
    /// Distance in places from which all are of one kind.
    pub furthest: i64,
}

impl WavLmConfig {
    /// `microsoft/wavlm-base-plus`: 94.6 M parameters. Its feature extractor leaves sounds as they are.
    pub fn base_plus() -> Self {
        let speech = SpeechConfig { normalize: false, ..SpeechConfig::wav2vec2_base() };
        Self { speech, buckets: 320, furthest: 800 }
    }

    /// The same for a CPU; short sounds have near and far distances.
    pub fn tiny() -> Self {
        let speech = SpeechConfig { normalize: false, ..SpeechConfig::wav2vec2_tiny() };
        Self { speech, buckets: 16, furthest: 14 }
    }
}

/// [`WavLmConfig::base_plus`] as a [`super::Model`].
pub fn wavlm(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    build(root, shape, WavLmConfig::base_plus(), regularisation)
}

/// [`WavLmConfig::tiny`] as a [`super::Model`].
pub fn wavlm_tiny(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    build(root, shape, WavLmConfig::tiny(), regularisation)
}

fn build(
    root: &Path,
    shape: &[i64],
    config: WavLmConfig,
    regularisation: Regularisation,
) -> Box<dyn Detector> {
    let speech = SpeechConfig { regularisation, ..config.speech };
    Box::new(WavLm::new(root, shape, WavLmConfig { speech, ..config }))
}

/// From the names of `WavLMModel`, as which the checkpoint is stored, or of a model with a head on it.
pub fn public(name: &str) -> Public {
    match name.split_once('.') {
        Some(("wavlm", inner)) => super::speech::public(inner),
        Some(("lm_head" | "projector" | "classifier", _)) => Public::Ignored,
        _ => super::speech::public(name),
    }
}

/// The network.
pub struct WavLm {
    speech: Speech<GatedAttention>,
    /// What each head makes of each kind of distance, `[buckets, heads]`; all blocks share it.
    distances: Tensor,
    /// Kind of distance from each place to each, `[places, places]` int64.
    kinds: Tensor,
}

impl WavLm {
    /// Makes the network below `root` for sounds of `shape`, with fresh weights.
    ///
    /// # Panics
    /// If `shape` is not that of a sound which is long enough.
    pub fn new(root: &Path, shape: &[i64], config: WavLmConfig) -> Self {
        let speech = &config.speech;
        let attention = |path: &Path| GatedAttention::new(path, speech);
        let first = root / "encoder" / "encoder" / "layers" / 0 / "attention" / "rel_attn_embed";
        let init = Init::Randn { mean: 0.0, stdev: 1.0 };
        Self {
            speech: Speech::new(root, shape, speech, attention),
            distances: first.var("weight", &[config.buckets, speech.heads], init),
            kinds: kinds(speech.places(shape), &config).to_device(root.device()),
        }
    }

    /// What each head adds for each two places, before the gates.
    ///
    /// # Shapes
    /// `[1, heads, places, places]`.
    fn bias(&self) -> Tensor {
        let values = Tensor::embedding(&self.distances, &self.kinds, -1, false, false);
        values.permute([2, 0, 1]).unsqueeze(0)
    }
}

impl Detector for WavLm {
    /// # Shapes
    /// `[B,N]` float in -1..1 to `[B,2]`, for the `N` that it was made for.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        self.speech.forward(input, Some(&self.bias()), train)
    }
}

/// The kind of the distance from each place to each: near ones have their own, further ones share theirs
/// with ever more, by the logarithm. Forwards and backwards differ. Computed on the CPU in float32, as
/// in the library, so that distances on a border fall on the same side everywhere.
fn kinds(places: i64, config: &WavLmConfig) -> Tensor {
    let half = config.buckets / 2;
    let near = half / 2;
    let place = Tensor::arange(places, (Kind::Int64, tch::Device::Cpu));
    let distance = place.unsqueeze(0) - place.unsqueeze(1);
    let length = distance.abs();
    let range = (config.furthest as f64 / near as f64).ln();
    let growth = (length.to_kind(Kind::Float) / near as f64).log() / range * (half - near) as f64;
    let far = (growth + near as f64).clamp(0.0, (half - 1) as f64).to_kind(Kind::Int64);
    length.where_self(&length.lt(near), &far) + distance.gt(0).to_kind(Kind::Int64) * half
}

/// Self-attention whose bias is scaled for each place by what is there.
pub struct GatedAttention {
    attention: Attention,
    linear: Linear,
    scale: Tensor,
}

/// Outputs of a gate's layer that are summed into one.
const SUMMED: i64 = 4;

impl GatedAttention {
    /// Makes it below `path`, with fresh weights.
    pub fn new(path: &Path, config: &SpeechConfig) -> Self {
        let features = config.width / config.heads;
        Self {
            attention: config.attention(path),
            linear: Linear::normal(&(path / "gru_rel_pos_linear"), features, 2 * SUMMED),
            scale: path.ones("gru_rel_pos_const", &[1, config.heads, 1, 1]),
        }
    }

    /// # Shapes
    /// `[B,L,D]` to `[B,heads,L,1]`.
    fn gate(&self, x: &Tensor) -> Tensor {
        let parts = self.linear.forward(&self.attention.heads.split(x));
        let sums = parts.unflatten(3, [2, SUMMED]).sum_dim_intlist(4, false, None);
        let [update, reset] = [0, 1].map(|gate| sums.narrow(3, gate, 1).sigmoid());
        update * (reset * &self.scale - 1.0) + 2.0
    }
}

impl SelfAttention for GatedAttention {
    fn forward(&self, x: &Tensor, bias: Option<&Tensor>, train: bool) -> Tensor {
        let gated = bias.map(|bias| self.gate(x) * bias);
        self.attention.forward(x, gated.as_ref(), train)
    }
}

#[cfg(test)]
#[path = "wavlm_tests.rs"]
mod tests;
