//! Weights of public checkpoints, one safetensors file a model: `<cache>/weights/<model>.safetensors`, with
//! where it came from beside it.
//!
//! Pure: [`CHECKPOINTS`]. Effects: [`fetch`](mod@fetch), [`import`](mod@import), [`store`].

use std::path::{Path, PathBuf};

use crate::files::FileError;
use crate::hub::HubError;

pub mod fetch;
pub mod import;
pub mod store;

/// A public checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The model that starts from it.
    pub model: &'static str,
    /// Where it is.
    pub origin: Origin,
    /// Under what its weights may be used, as their page says.
    pub licence: &'static str,
}

/// Where a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A model repository at the hub.
    Hub(&'static str),
    /// A pickle at this address, which only Python reads.
    Pickle(&'static str),
}

impl Origin {
    /// The repository or address.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Hub(place) | Self::Pickle(place) => place,
        }
    }
}

const NON_COMMERCIAL: &str = "CC BY-NC 4.0: not for commercial use";
const APACHE: &str = "Apache 2.0";

macro_rules! checkpoints {
    ($($model:literal, $origin:ident $place:literal, $licence:expr;)*) => {
        /// All that are known, by model.
        pub const CHECKPOINTS: &[Checkpoint] = &[
            $(Checkpoint { model: $model, origin: Origin::$origin($place), licence: $licence }),*
        ];
    };
}

checkpoints! {
    "ast", Hub "MIT/ast-finetuned-audioset-10-10-0.4593", "BSD 3-Clause";
    "clip-vit-l14", Hub "openai/clip-vit-large-patch14", "MIT (OpenAI's CLIP; its card advises against deployment)";
    "dinov2-base", Hub "facebook/dinov2-base", APACHE;
    "efficientnet-b4", Hub "timm/efficientnet_b4.ra2_in1k", APACHE;
    "efficientnet-b5", Hub "timm/efficientnet_b5.sw_in12k_ft_in1k", APACHE;
    "hiera", Hub "facebook/hiera-base-224-hf", NON_COMMERCIAL;
    "r3d-18", Pickle "https://download.pytorch.org/models/r3d_18-b3b3357e.pth", "BSD 3-Clause (torchvision; trained on Kinetics-400)";
    "smogy-swin", Hub "Smogy/SMOGY-Ai-images-detector", NON_COMMERCIAL;
    "videomae", Hub "MCG-NJU/videomae-base", NON_COMMERCIAL;
    "wav2vec2", Hub "facebook/wav2vec2-base", APACHE;
    "wav2vec2-large", Hub "facebook/wav2vec2-large", APACHE;
    "wavlm", Hub "microsoft/wavlm-base-plus", "CC BY-SA 3.0 (UniSpeech)";
}

/// The checkpoint of a model.
///
/// # Errors
/// If it has none; the message lists those that there are.
pub fn find(model: &str) -> Result<&'static Checkpoint, WeightsError> {
    let found = CHECKPOINTS.iter().find(|checkpoint| checkpoint.model == model);
    found.ok_or_else(|| WeightsError::UnknownModel {
        model: model.to_owned(),
        known: CHECKPOINTS.iter().map(|checkpoint| checkpoint.model).collect::<Vec<_>>().join(", "),
    })
}

/// Why there are no weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// No such model.
    #[error("no public checkpoint is known for {model:?}: choose of {known}")]
    UnknownModel {
        /// What was asked for.
        model: String,
        /// What there is.
        known: String,
    },
    /// The hub.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Only Python reads it.
    #[error("{}", pickle(.place, .model))]
    Pickle {
        /// File or address.
        place: String,
        /// Its model.
        model: &'static str,
    },
    /// The repository holds no weights.
    #[error("{repository} holds neither model.safetensors nor pytorch_model.bin")]
    NoFile {
        /// At the hub.
        repository: String,
    },
    /// What came is not what the hub lists.
    #[error("{url}: its SHA-256 is {found} and the hub lists {listed}; it was removed: try again")]
    Hash {
        /// Its address.
        url: String,
        /// Of what came.
        found: String,
        /// What it should be.
        listed: String,
    },
    /// Not a whole safetensors file.
    #[error("{}: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no copy to import.
    #[error("{} holds no model.safetensors of {repository}: name a file, dfr weights import {model} FILE", .dir.display())]
    NotInHubCache {
        /// The Hugging Face cache.
        dir: PathBuf,
        /// At the hub.
        repository: &'static str,
        /// The model.
        model: &'static str,
    },
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

/// How Python makes safetensors of a pickle.
fn pickle(place: &str, model: &str) -> String {
    let load = if place.starts_with("https://") {
        format!("torch.hub.load_state_dict_from_url('{place}', map_location='cpu')")
    } else {
        format!("torch.load('{place}', map_location='cpu', weights_only=True)")
    };
    format!(
        "{place} is a pickle, which only Python reads. Convert it, and import what comes of it:\n  \
         python3 -c \"import torch, safetensors.torch as s; s.save_file({{k: v.clone().contiguous() \
         for k, v in {load}.items()}}, '{model}.safetensors')\"\n  \
         dfr weights import {model} {model}.safetensors"
    )
}

/// Where the weights lie.
pub fn dir(cache: &Path) -> PathBuf {
    cache.join("weights")
}
