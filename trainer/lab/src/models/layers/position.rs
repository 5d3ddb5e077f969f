//! Tables that tell places apart.

use tch::Tensor;

/// The fixed table of sines and cosines: column `2i` is `sin(place / 10000^(2i/D))`, column `2i + 1` its
/// cosine. Computed in float64, given in float32.
///
/// # Shapes
/// `[places, features]`.
///
/// # Source
/// Vaswani et al., Attention Is All You Need, <https://arxiv.org/abs/1706.03762>, section 3.5.
pub fn sinusoids(places: i64, features: i64) -> Tensor {
    let angle = |place: i64, column: i64| {
        place as f64 / 10_000f64.powf((column / 2 * 2) as f64 / features as f64)
    };
    let value = |index: i64| {
        let (place, column) = (index / features, index % features);
        let angle = angle(place, column);
        (if column % 2 == 0 { angle.sin() } else { angle.cos() }) as f32
    };
    let values: Vec<f32> = (0..places * features).map(value).collect();
    Tensor::from_slice(&values).view([places, features])
}
