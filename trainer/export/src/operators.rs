//! What a graph may call.
//!
//! A graph is what a candidate's program wrote, and `model.py` is run by whoever proves, examines or submits it. So
//! it may call operators that compute with tensors and numbers and do nothing else: none that reads or makes a
//! file, gives out text, changes where a tensor's memory lies, or draws at random. operators.txt names them, of
//! ATen's schemas in torch 2.11.0; an operator in place (`add_`) counts as the one without.

use std::collections::BTreeSet;
use std::sync::LazyLock;

static COMPUTING: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| include_str!("operators.txt").split_whitespace().collect());

/// Those that take a word for how they compute (`"tanh"`), besides `fft_*`. Nothing else may be given text: two
/// texts are one that is longer, and in the end a path.
const WORDED: [&str; 23] = [
    "_convolution_mode",
    "conv1d",
    "conv2d",
    "conv3d",
    "div",
    "divide",
    "einsum",
    "gelu",
    "index_reduce",
    "linalg_eigh",
    "linalg_eigvalsh",
    "linalg_matrix_norm",
    "linalg_norm",
    "linalg_qr",
    "linalg_svd",
    "linalg_svdvals",
    "meshgrid",
    "nanquantile",
    "pad",
    "pad_sequence",
    "quantile",
    "scatter_reduce",
    "searchsorted",
];

/// Whether it computes and does nothing else.
pub fn is_computing(operator: &str) -> bool {
    COMPUTING.contains(operator) || COMPUTING.contains(in_place_of(operator))
}

/// Whether it may be given text.
pub fn takes_text(operator: &str) -> bool {
    let operator = in_place_of(operator);
    operator.starts_with("fft_") || WORDED.contains(&operator)
}

/// The operator that gives a new tensor.
fn in_place_of(operator: &str) -> &str {
    operator.strip_suffix('_').filter(|name| !name.ends_with('_')).unwrap_or(operator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_computes_may_be_called_and_what_reaches_further_may_not() {
        for name in
            ["add", "add_", "conv2d", "__and__", "einsum", "copy_", "scaled_dot_product_attention"]
        {
            assert!(is_computing(name), "{name}");
        }
        for name in [
            "from_file",
            "save",
            "chr",
            "format",
            "str",
            "warn",
            "set_",
            "set_data",
            "resize_",
            "as_strided",
            "rand",
            "randn",
            "normal_",
            "",
            "_",
            "eval",
            "import_ir",
            "_local_scalar_dense",
            "sparse_coo_tensor",
        ] {
            assert!(!is_computing(name), "{name}");
        }
    }

    #[test]
    fn text_goes_where_it_says_how_to_compute() {
        assert!(takes_text("gelu") && takes_text("gelu_") && takes_text("fft_rfft"));
        assert!(!takes_text("add") && !takes_text("cat"));
        assert!(WORDED.iter().all(|name| is_computing(name)));
    }
}
