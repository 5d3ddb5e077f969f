//! Augmentations: of records in place, on the CPU, and of batches, on the device.

pub mod blur;
pub mod colour;
pub mod distort;
pub mod flip;
pub mod frame;
pub mod jpeg;
pub mod levels;
pub mod mix;
pub mod noise;
pub mod normal;
pub mod sound;
pub mod spectrum;
pub mod video;
