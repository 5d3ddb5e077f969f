//! The lab: models, recipes and transforms. Everything here may be changed by an experiment.
//!
//! A preset is a name for one recipe: one of [`TUNED`], or any model of [`models::MODELS`] with the recipe
//! of its modality. To try something new, change a constant in `recipes/`, a model in `models/`, or override
//! another method of [`Recipe`], its `step` included.

use dfr_contract::modality::Modality;
use dfr_harness::recipe::Recipe;

use models::{MODELS, Model};
use recipes::training::Preset;

pub mod models;
pub mod recipes;
pub mod transforms;

type MakePreset = fn() -> Preset;

/// The presets with constants of their own.
pub const TUNED: [(&str, MakePreset); 3] = [
    ("audio-tiny", recipes::audio_tiny::recipe),
    ("image-tiny", recipes::image_tiny::recipe),
    ("r3d-tiny", recipes::video_r3d_tiny::recipe),
];

/// A name that is no preset.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown preset {0:?}: choose one of {presets}", presets = presets().join(", "))]
pub struct UnknownPreset(String);

/// The names that `dfr-train --preset` takes, sorted.
pub fn presets() -> Vec<&'static str> {
    let models = MODELS.iter().map(|model| model.name);
    let mut names: Vec<_> = TUNED.iter().map(|(name, _)| *name).chain(models).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The recipe of a preset.
///
/// # Errors
/// If there is no such preset; the message lists those that there are.
pub fn recipe(preset: &str) -> Result<Box<dyn Recipe>, UnknownPreset> {
    if let Some((_, recipe)) = TUNED.iter().find(|(name, _)| *name == preset) {
        return Ok(Box::new(recipe()));
    }
    let model = MODELS.iter().find(|model| model.name == preset);
    let model = model.ok_or_else(|| UnknownPreset(preset.to_owned()))?;
    Ok(Box::new(of_model(model)))
}

/// The recipe of a model without constants of its own.
fn of_model(model: &'static Model) -> Preset {
    match model.modality {
        Modality::Image => recipes::image_full::recipe(model),
        Modality::Video => recipes::video_full::recipe(model),
        Modality::Audio => recipes::audio_full::recipe(model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_a_recipe_of_its_name() {
        for preset in presets() {
            assert_eq!(recipe(preset).unwrap().facts().model, preset);
        }
    }

    #[test]
    fn an_unknown_preset_is_told_the_known_ones() {
        let error = recipe("r3d-99").err().unwrap().to_string();
        let known = r#"unknown preset "r3d-99": choose one of ast, ast-tiny, "#;
        assert!(error.starts_with(known) && error.contains(", r3d-18, r3d-tiny, "), "{error}");
    }
}
