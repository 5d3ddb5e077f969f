//! The lab: models, recipes and transforms. Everything here may be changed by an experiment.
//!
//! A preset is a name for one recipe. To try something new, change a constant in `recipes/`, a model in
//! `models/`, or override another method of [`Recipe`], its `step` included.

use dfr_harness::recipe::Recipe;

pub mod models;
pub mod recipes;
pub mod transforms;

/// The presets: the names that `dfr-train --preset` takes.
pub const PRESETS: [&str; 4] = ["audio-tiny", "image-tiny", "r3d-18", "r3d-tiny"];

/// A name that is no preset.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown preset {0:?}: choose one of {presets}", presets = PRESETS.join(", "))]
pub struct UnknownPreset(String);

/// The recipe of a preset.
///
/// # Errors
/// If there is no such preset; the message lists those that there are.
pub fn recipe(preset: &str) -> Result<Box<dyn Recipe>, UnknownPreset> {
    let recipe = match preset {
        "audio-tiny" => recipes::audio_tiny::recipe(),
        "image-tiny" => recipes::image_tiny::recipe(),
        "r3d-18" => recipes::video_r3d_18::recipe(),
        "r3d-tiny" => recipes::video_r3d_tiny::recipe(),
        other => return Err(UnknownPreset(other.to_owned())),
    };
    Ok(Box::new(recipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_a_recipe_of_its_name() {
        for preset in PRESETS {
            assert_eq!(recipe(preset).unwrap().facts().model, preset);
        }
    }

    #[test]
    fn an_unknown_preset_is_told_the_known_ones() {
        let error = recipe("r3d-99").err().unwrap().to_string();
        assert_eq!(
            error,
            r#"unknown preset "r3d-99": choose one of audio-tiny, image-tiny, r3d-18, r3d-tiny"#
        );
    }
}
