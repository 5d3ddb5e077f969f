//! Detectors. Each is config, constructor, forward; variable names are those of the checkpoint.

pub mod layers;
pub mod r3d;
pub mod spectrogram;
