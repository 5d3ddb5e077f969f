//! Layers with PyTorch's initial values and state names. (tch's own differ in both: its batch norm
//! starts at random scales and keeps no `num_batches_tracked`, its linear layer starts wider.)
//!
//! All take the kind of their weights: a model moved to float64 computes in float64.

mod attention;
mod blocks;
mod colours;
mod conv;
mod drop_path;
mod frames;
mod linear;
mod mlp;
mod norm;
mod norm_head;
mod position;
mod pre_norm;
#[cfg(test)]
mod tests;

pub use attention::{Attention, Heads, attend};
pub use blocks::Blocks;
pub use colours::{ColourStatistics, Colours};
pub use conv::{Conv, ConvConfig, Start, Window, convolve};
pub use drop_path::{drop_path, rising};
pub use frames::spread;
pub use linear::Linear;
pub use mlp::{Activation, Mlp};
pub use norm::{BatchNorm, GroupNorm, LayerNorm};
pub use norm_head::NormHead;
pub use position::sinusoids;
pub use pre_norm::PreNormBlock;
