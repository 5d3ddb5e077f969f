//! Which frames of a clip are looked at.

use tch::{Kind, Tensor};

/// `count` of the clip's frames, spread from first to last; all of them if there are no more.
///
/// # Shapes
/// `[B,T,…]` to `[B,count,…]`, or the same.
pub fn spread(clip: &Tensor, count: i64) -> Tensor {
    let frames = clip.size()[1];
    if count >= frames {
        return clip.shallow_clone();
    }
    // Counted by libtorch: a trace loses what a tensor is given by Rust.
    let numbers = Tensor::arange(count, (Kind::Int64, clip.device()));
    let indices = (numbers * (frames - 1)).divide_scalar_mode((count - 1).max(1), "floor");
    clip.index_select(1, &indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn frames_are_spread_from_first_to_last() {
        let clip = Tensor::arange(8, (Kind::Int64, Device::Cpu)).view([1, 8, 1, 1, 1]);
        let pick = |count| Vec::<i64>::try_from(spread(&clip, count).flatten(0, -1)).unwrap();
        assert_eq!(pick(1), [0]);
        assert_eq!(pick(4), [0, 2, 4, 7]);
        assert_eq!(pick(8), pick(99));
    }
}
