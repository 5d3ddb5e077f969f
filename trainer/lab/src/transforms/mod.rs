//! Augmentations of training batches, on the device.

pub mod video;
