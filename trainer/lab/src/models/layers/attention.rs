//! Attention: each place takes a weighted mean of all places.

use tch::Tensor;

use super::Linear;

/// How many heads there are, and how often a weight of theirs is dropped in training.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Heads; each has an equal share of the features.
    pub count: i64,
    /// Dropout of the weights.
    pub dropout: f64,
}

/// Multi-head self-attention, by its four maps: checkpoints differ in their names.
pub struct Attention {
    /// To what each place looks for.
    pub query: Linear,
    /// To what each place is found by.
    pub key: Linear,
    /// To what each place gives.
    pub value: Linear,
    /// From all heads to the features.
    pub output: Linear,
    /// Their number.
    pub heads: Heads,
}

impl Attention {
    /// `bias` is added to the logits of the weights and is broadcast to `[B, heads, L, L]`.
    ///
    /// # Shapes
    /// `[B, L, D]` to the same.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>, train: bool) -> Tensor {
        let [query, key, value] = [&self.query, &self.key, &self.value]
            .map(|linear| self.heads.split(&linear.forward(x)));
        let dropout = if train { self.heads.dropout } else { 0.0 };
        self.output.forward(&Heads::merge(&attend([&query, &key, &value], bias, dropout)))
    }
}

impl Heads {
    /// # Shapes
    /// `[B, L, D]` to `[B, heads, L, D / heads]`.
    pub fn split(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        x.view([size[0], size[1], self.count, size[2] / self.count]).transpose(1, 2)
    }

    /// # Shapes
    /// `[B, heads, L, d]` to `[B, L, heads * d]`.
    pub fn merge(x: &Tensor) -> Tensor {
        x.transpose(1, 2).flatten(2, 3)
    }
}

/// `softmax(q k^T / sqrt(d) + bias) v`, in one kernel where the device has it.
///
/// # Shapes
/// Three of `[…, heads, L, d]` to one.
pub fn attend([query, key, value]: [&Tensor; 3], bias: Option<&Tensor>, dropout: f64) -> Tensor {
    Tensor::scaled_dot_product_attention(query, key, value, bias, dropout, false, None, false)
}
