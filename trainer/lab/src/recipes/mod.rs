//! Recipes: how each preset is trained. The constants to tune are in the file named after the preset.

pub mod audio;
pub mod audio_full;
pub mod audio_tiny;
pub mod augmentation;
pub mod groups;
pub mod image;
pub mod image_full;
pub mod image_tiny;
pub mod registered;
#[cfg(test)]
mod testing;
pub mod training;
pub mod video;
pub mod video_full;
pub mod video_r3d_tiny;
