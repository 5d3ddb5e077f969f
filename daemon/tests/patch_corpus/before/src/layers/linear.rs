use super::*;

/// `y = x w + b`.
pub struct Linear {
    w: Tensor,
    b: Tensor,
}
