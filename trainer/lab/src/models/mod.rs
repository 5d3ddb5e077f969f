//! Detectors. Each is config, constructor, forward; variable names are those of the reference's
//! checkpoint. A new one is a file here and a line in [`MODELS`].

use dfr_contract::modality::Modality;
use dfr_harness::recipe::Detector;
use tch::nn::Path;

pub mod efficientnet;
pub mod hiera;
pub mod layers;
pub mod r3d;
pub mod spectrogram;

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

/// Where a tensor of the public checkpoint belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Public {
    /// It is our variable of this name.
    Ours(String),
    /// Of another head or tower: left alone.
    Ignored,
    /// Nobody knows it: not the checkpoint that it should be.
    Unknown,
}

/// A model by name.
pub struct Model {
    /// As `--model` takes it.
    pub name: &'static str,
    /// What it looks at.
    pub modality: Modality,
    /// Makes it below a path, for records of a shape (`T 3 H W`, `3 H W` or `N`).
    pub build: fn(&Path, &[i64], Regularisation) -> Box<dyn Detector>,
    /// From the names of the public checkpoint to ours.
    pub public: fn(&str) -> Public,
}

/// All of them.
#[rustfmt::skip]
pub const MODELS: [Model; 8] = [
    Model { name: "efficientnet-b4", modality: Modality::Image, build: efficientnet::efficientnet_b4, public: efficientnet::public },
    Model { name: "efficientnet-b5", modality: Modality::Image, build: efficientnet::efficientnet_b5, public: efficientnet::public },
    Model { name: "efficientnet-b7", modality: Modality::Image, build: efficientnet::efficientnet_b7, public: efficientnet::public },
    Model { name: "efficientnet-tiny", modality: Modality::Image, build: efficientnet::efficientnet_tiny, public: efficientnet::public },
    Model { name: "hiera", modality: Modality::Video, build: hiera::hiera, public: hiera::public },
    Model { name: "hiera-tiny", modality: Modality::Video, build: hiera::hiera_tiny, public: hiera::public },
    Model { name: "r3d-10", modality: Modality::Video, build: r3d::r3d_10, public: r3d::public },
    Model { name: "r3d-18", modality: Modality::Video, build: r3d::r3d_18, public: r3d::public },
];
