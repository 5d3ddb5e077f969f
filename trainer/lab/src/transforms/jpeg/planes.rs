//! A picture as JPEG holds it.

/// Brightness, and chroma at half the resolution; all padded to whole blocks.
pub struct Planes {
    pub y: Vec<u8>,
    pub cb: Vec<u8>,
    pub cr: Vec<u8>,
    /// Bytes of a row of `y`; a row of chroma has half as many.
    pub stride: usize,
}

/// Both chroma channels of one row of pixels.
pub struct Chroma {
    pub cb: Vec<u8>,
    pub cr: Vec<u8>,
}

impl Chroma {
    /// A row of `length`.
    pub fn row(length: usize) -> Self {
        Self { cb: vec![0; length], cr: vec![0; length] }
    }
}

impl Planes {
    /// Room for a picture.
    pub fn of(height: usize, width: usize) -> Self {
        let (rows, stride) = (height.next_multiple_of(16), width.next_multiple_of(16));
        let quarter = || vec![0; rows * stride / 4];
        Self { y: vec![0; rows * stride], cb: quarter(), cr: quarter(), stride }
    }

    /// Fills what is below the picture's `height` rows.
    pub fn repeat_last_rows(&mut self, height: usize) {
        let pairs = height.div_ceil(2);
        repeat_row(&mut self.y, self.stride, 2 * pairs);
        repeat_row(&mut self.cb, self.stride / 2, pairs);
        repeat_row(&mut self.cr, self.stride / 2, pairs);
    }

    /// Where the chroma rows begin that lie nearest and next to a row of pixels.
    pub fn nearest_chroma_rows(&self, row: usize, height: usize) -> [usize; 2] {
        let near = row / 2;
        let next = if row.is_multiple_of(2) { near.saturating_sub(1) } else { near + 1 };
        let last = height.div_ceil(2) - 1;
        [near, next.min(last)].map(|row| row * (self.stride / 2))
    }
}

fn repeat_row(plane: &mut [u8], stride: usize, rows: usize) {
    let (filled, rest) = plane.split_at_mut(rows * stride);
    let last = &filled[(rows - 1) * stride..];
    rest.chunks_exact_mut(stride).for_each(|row| row.copy_from_slice(last));
}
