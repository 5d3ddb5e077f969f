pub mod conv;
pub mod linear;

pub use conv::Conv;
pub use linear::Linear;
