pub mod conv;

pub use conv::Conv;
pub use crate::shared::Linear;
