//! Losses over two classes.

use tch::{Kind, Reduction, Tensor};

/// Mean cross-entropy; `label_smoothing` in 0..1 moves that share of each target to both classes.
///
/// # Shapes
/// Logits `[B,2]` and labels `[B]` int64 to a scalar.
///
/// # Source
/// `torch.nn.functional.cross_entropy`.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, label_smoothing: f64) -> Tensor {
    logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, -100, label_smoothing)
}

/// Mean of `(1 - p)^gamma * cross_entropy`, `p` the probability of the right class: easy records
/// weigh less. `gamma` 0 is [`cross_entropy`].
///
/// # Source
/// Lin et al., Focal Loss for Dense Object Detection, <https://arxiv.org/abs/1708.02002>.
pub fn focal(logits: &Tensor, labels: &Tensor, options: FocalOptions) -> Tensor {
    let FocalOptions { gamma, label_smoothing } = options;
    if gamma == 0.0 {
        return cross_entropy(logits, labels, label_smoothing);
    }
    let each =
        logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::None, -100, label_smoothing);
    let right =
        logits.softmax(-1, Kind::Float).gather(1, &labels.unsqueeze(1), false).squeeze_dim(1);
    let wrong: Tensor = 1.0 - right;
    (wrong.pow_tensor_scalar(gamma) * each).mean(Kind::Float)
}

/// Settings of [`focal`].
#[derive(Clone, Copy, Debug)]
pub struct FocalOptions {
    /// Strength; 0 is none.
    pub gamma: f64,
    /// As in [`cross_entropy`].
    pub label_smoothing: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values worked out from `-ln(softmax)` with logits (0, ln 3): p = (1/4, 3/4).
    #[test]
    fn losses_have_the_values_of_their_formulas() {
        let logits = Tensor::from_slice(&[0.0f32, 3f32.ln()]).reshape([1, 2]);
        let label = Tensor::from_slice(&[1i64]);
        let close = |loss: &Tensor, expected: f64| {
            let found = loss.double_value(&[]);
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        };
        let (wrong, right) = (4f64.ln(), (4f64 / 3.0).ln());
        close(&cross_entropy(&logits, &label, 0.0), right);
        close(&cross_entropy(&logits, &label, 0.2), 0.9 * right + 0.1 * wrong);
        let focal_loss =
            |gamma| focal(&logits, &label, FocalOptions { gamma, label_smoothing: 0.0 });
        close(&focal_loss(0.0), right);
        close(&focal_loss(2.0), 0.25 * 0.25 * right);
    }
}
