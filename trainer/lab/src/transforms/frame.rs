//! One frame of a record: three planes of bytes, changed in place.

/// A frame of RGB pixels, `[3,H,W]` uint8 in 0..=255.
pub struct Frame<'a> {
    pixels: &'a mut [u8],
    height: usize,
    width: usize,
}

impl<'a> Frame<'a> {
    /// The frame in `pixels`.
    ///
    /// # Panics
    /// If `pixels` are not `3 × height × width`, or none.
    pub fn new(pixels: &'a mut [u8], height: usize, width: usize) -> Self {
        assert_eq!(pixels.len(), 3 * height * width, "a frame of {height} x {width}");
        assert!(!pixels.is_empty(), "a frame has pixels");
        Self { pixels, height, width }
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All bytes, plane by plane.
    pub fn pixels(&mut self) -> &mut [u8] {
        self.pixels
    }

    /// Red, green and blue, each `[H,W]`.
    pub fn planes(&mut self) -> [&mut [u8]; 3] {
        let (red, rest) = self.pixels.split_at_mut(self.height * self.width);
        let (green, blue) = rest.split_at_mut(self.height * self.width);
        [red, green, blue]
    }
}
