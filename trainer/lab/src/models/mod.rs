//! Detectors. Each is config, constructor, forward; variable names are those of the reference's
//! checkpoint. A new one is a file here and a line in [`MODELS`].

use dfr_contract::modality::Modality;
pub use dfr_harness::pretrained::{Pretrained, Public};
use dfr_harness::recipe::Detector;
use tch::nn::Path;

pub mod ast;
pub mod clip;
pub mod dinov2;
pub mod efficientnet;
pub mod hiera;
pub mod layers;
pub mod mel;
pub mod r3d;
pub mod spectrogram;
pub mod speech;
pub mod swin;
pub mod videomae;
pub mod wav2vec2;
pub mod wavlm;

/// What disturbs a model in training, as rates in 0..1. A model heeds those that it has a place for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularisation {
    /// Dropout around the last layer.
    pub dropout: f64,
    /// Dropout inside of a transformer, where its library has it.
    pub hidden_dropout: f64,
    /// Residual branches left out; the rate rises from block to block up to this.
    pub drop_path: f64,
    /// Share of time and features that a speech model does not see.
    pub masking: f64,
}

impl Regularisation {
    /// Nothing: training computes what evaluation does, batch statistics aside.
    pub const NONE: Self = Self { dropout: 0.0, hidden_dropout: 0.0, drop_path: 0.0, masking: 0.0 };
}

/// A model by name.
pub struct Model {
    /// As `--model` takes it.
    pub name: &'static str,
    /// What it looks at.
    pub modality: Modality,
    /// Makes it below a path, for records of a shape (`T 3 H W`, `3 H W` or `N`).
    pub build: fn(&Path, &[i64], Regularisation) -> Box<dyn Detector>,
    /// From the names of its public checkpoint to ours, where it has one.
    pub public: Option<PublicNames>,
}

/// From a name in a public checkpoint to ours.
pub type PublicNames = fn(&str) -> Public;

impl Model {
    /// The checkpoint that it starts from.
    pub fn pretrained(&self) -> Option<Pretrained> {
        self.public.map(|public| Pretrained { model: self.name, public })
    }
}

/// All of them.
#[rustfmt::skip]
pub const MODELS: &[Model] = &[
    Model { name: "ast", modality: Modality::Audio, build: ast::audioset, public: Some(ast::public) },
    Model { name: "ast-tiny", modality: Modality::Audio, build: ast::tiny, public: None },
    Model { name: "clip-vit-l14", modality: Modality::Image, build: clip::vit_l14, public: Some(clip::public) },
    Model { name: "clip-vit-tiny", modality: Modality::Image, build: clip::vit_tiny, public: None },
    Model { name: "dinov2-base", modality: Modality::Image, build: dinov2::base, public: Some(dinov2::public) },
    Model { name: "dinov2-tiny", modality: Modality::Image, build: dinov2::tiny, public: None },
    Model { name: "efficientnet-b4", modality: Modality::Image, build: efficientnet::efficientnet_b4, public: Some(efficientnet::public) },
    Model { name: "efficientnet-b5", modality: Modality::Image, build: efficientnet::efficientnet_b5, public: Some(efficientnet::public) },
    Model { name: "efficientnet-b7", modality: Modality::Image, build: efficientnet::efficientnet_b7, public: None },
    Model { name: "efficientnet-tiny", modality: Modality::Image, build: efficientnet::efficientnet_tiny, public: None },
    Model { name: "hiera", modality: Modality::Video, build: hiera::hiera, public: Some(hiera::public) },
    Model { name: "hiera-tiny", modality: Modality::Video, build: hiera::hiera_tiny, public: None },
    Model { name: "r3d-10", modality: Modality::Video, build: r3d::r3d_10, public: None },
    Model { name: "r3d-18", modality: Modality::Video, build: r3d::r3d_18, public: Some(r3d::public) },
    Model { name: "smogy-swin", modality: Modality::Image, build: swin::smogy, public: Some(swin::public) },
    Model { name: "smogy-swin-tiny", modality: Modality::Image, build: swin::tiny, public: None },
    Model { name: "videomae", modality: Modality::Video, build: videomae::base, public: Some(videomae::public) },
    Model { name: "videomae-tiny", modality: Modality::Video, build: videomae::tiny, public: None },
    Model { name: "wav2vec2", modality: Modality::Audio, build: wav2vec2::wav2vec2, public: Some(wav2vec2::public) },
    Model { name: "wav2vec2-large", modality: Modality::Audio, build: wav2vec2::wav2vec2_large, public: Some(wav2vec2::public) },
    Model { name: "wav2vec2-large-lv60", modality: Modality::Audio, build: wav2vec2::wav2vec2_large_lv60, public: Some(wav2vec2::public) },
    Model { name: "wav2vec2-lv60-tiny", modality: Modality::Audio, build: wav2vec2::wav2vec2_lv60_tiny, public: None },
    Model { name: "wav2vec2-tiny", modality: Modality::Audio, build: wav2vec2::wav2vec2_tiny, public: None },
    Model { name: "wavlm", modality: Modality::Audio, build: wavlm::wavlm, public: Some(wavlm::public) },
    Model { name: "wavlm-tiny", modality: Modality::Audio, build: wavlm::wavlm_tiny, public: None },
];
