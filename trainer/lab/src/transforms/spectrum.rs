//! Bands of a spectrogram hidden in training.

use tch::{Kind, Tensor};

/// Hides one band of frequencies and one span of time in every record of a batch, drawn for each with
/// libtorch's seeded generator. Each is at most `share` of its axis; what is hidden becomes 0, so it
/// belongs after a normalisation.
///
/// # Shapes
/// `[B,F,T]` to the same.
///
/// # Source
/// Park et al., SpecAugment, <https://arxiv.org/abs/1904.08779>, with one mask each and no warping.
pub fn mask(spectrogram: &Tensor, share: f64) -> Tensor {
    let hidden = span(spectrogram, 1, share).logical_or(&span(spectrogram, 2, share));
    spectrogram.masked_fill(&hidden, 0.0)
}

/// What one span along a dimension hides, `[B,F,1]` or `[B,1,T]`.
fn span(spectrogram: &Tensor, dim: usize, share: f64) -> Tensor {
    let size = spectrogram.size();
    let options = (Kind::Float, spectrogram.device());
    let draw = || Tensor::rand([size[0], 1], options);
    let length = (draw() * (share.clamp(0.0, 1.0) * size[dim] as f64)).round();
    let start = (draw() * (size[dim] as f64 - &length)).round();
    let at = Tensor::arange(size[dim], options);
    let hidden = at.ge_tensor(&start).logical_and(&at.lt_tensor(&(&start + length)));
    hidden.unsqueeze(if dim == 1 { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    const SIZE: [i64; 3] = [400, 40, 60];

    /// Ones where something is hidden.
    fn hidden(share: f64, seed: i64) -> Tensor {
        tch::manual_seed(seed);
        mask(&Tensor::ones(SIZE, (Kind::Float, Device::Cpu)), share).eq(0.0)
    }

    /// For each record, how many of a dimension are hidden throughout the other.
    fn widths(hidden: &Tensor, other: i64) -> Vec<i64> {
        let whole = hidden.all_dim(other, false).to_kind(Kind::Int64);
        Vec::try_from(whole.sum_dim_intlist(1, false, Kind::Int64)).unwrap()
    }

    #[test]
    fn one_band_and_one_span_are_hidden_and_nothing_else() {
        let hidden = hidden(0.2, 1);
        let (bands, spans) = (widths(&hidden, 2), widths(&hidden, 1));
        let areas = hidden.sum_dim_intlist(&[1i64, 2][..], false, Kind::Int64);
        for (at, area) in Vec::<i64>::try_from(areas).unwrap().into_iter().enumerate() {
            let (band, span) = (bands[at], spans[at]);
            assert_eq!(area, band * SIZE[2] + span * SIZE[1] - band * span);
        }
        assert_eq!((bands.iter().min(), bands.iter().max()), (Some(&0), Some(&8)));
        assert_eq!((spans.iter().min(), spans.iter().max()), (Some(&0), Some(&12)));
        // Every place is hidden in some record.
        assert!(hidden.any_dim(0, false).all().int64_value(&[]) == 1);
    }
}
