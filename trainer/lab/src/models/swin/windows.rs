//! Windows: a grid cut into squares that attend each to itself, and where within a square a place is.

use tch::nn::Path;
use tch::{Device, Kind, Tensor};

/// Added to the logits between places that are no neighbours.
const FAR: f64 = -100.0;

/// How a grid is cut.
pub struct Windows {
    /// Places along a window's side.
    pub side: i64,
    grid: [i64; 2],
    /// The grid in whole windows.
    padded: [i64; 2],
    /// How far the grid is rolled before it is cut.
    shift: i64,
    /// [`FAR`] between places that only the roll brought into one window.
    mask: Option<Tensor>,
}

impl Windows {
    /// Windows of `side` over a `grid`, half a side further down and right if `shifted`. A grid with a side
    /// that is no longer has windows of its shorter side, never shifted.
    pub fn new(grid: [i64; 2], side: i64, shifted: bool, device: Device) -> Self {
        let shortest = grid[0].min(grid[1]);
        let shift = if shifted && shortest > side { side / 2 } else { 0 };
        let side = side.min(shortest);
        let padded = grid.map(|size| (size + side - 1) / side * side);
        let mut windows = Self { side, grid, padded, shift, mask: None };
        if shift > 0 {
            windows.mask = Some(windows.mask().to_device(device));
        }
        windows
    }

    /// # Shapes
    /// `[windows, 1, side², side²]`.
    fn mask(&self) -> Tensor {
        let [rows, columns] = self.padded.map(|size| self.regions(size));
        let regions =
            (rows.view([-1, 1]) * 3 + columns).view([1, self.padded[0], self.padded[1], 1]);
        let regions = self.partition(&regions).squeeze_dim(2);
        let apart = regions.unsqueeze(1).not_equal_tensor(&regions.unsqueeze(2));
        (apart.to_kind(Kind::Float) * FAR).unsqueeze(1)
    }

    /// Which part of a rolled axis each place belongs to: whole windows, the rest, or what came round.
    fn regions(&self, size: i64) -> Tensor {
        let region =
            |place| i64::from(place >= size - self.side) + i64::from(place >= size - self.shift);
        Tensor::from_slice(&(0..size).map(region).collect::<Vec<i64>>())
    }

    /// # Shapes
    /// `[B, H, W, D]` to `[B * windows, side², D]`.
    ///
    /// # Panics
    /// If `H` and `W` are not the grid's.
    pub fn cut(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        assert_eq!(
            size[1..3],
            self.grid,
            "Swin looks at pictures of the size that it was made for"
        );
        let [height, width] = [self.padded[0] - size[1], self.padded[1] - size[2]];
        let padded = x.constant_pad_nd([0, 0, 0, width, 0, height]);
        self.partition(&padded.roll([-self.shift; 2], [1, 2]))
    }

    fn partition(&self, x: &Tensor) -> Tensor {
        let [height, width] = self.padded.map(|size| size / self.side);
        x.view([-1, height, self.side, width, self.side, x.size()[3]])
            .permute([0, 1, 3, 2, 4, 5])
            .reshape([-1, self.side * self.side, x.size()[3]])
    }

    /// The reverse of [`Windows::cut`].
    ///
    /// # Shapes
    /// `[B * windows, side², D]` to `[B, H, W, D]`.
    pub fn join(&self, x: &Tensor) -> Tensor {
        let [height, width] = self.padded.map(|size| size / self.side);
        x.view([-1, height, width, self.side, self.side, x.size()[2]])
            .permute([0, 1, 3, 2, 4, 5])
            .reshape([-1, self.padded[0], self.padded[1], x.size()[2]])
            .roll([self.shift; 2], [1, 2])
            .narrow(1, 0, self.grid[0])
            .narrow(2, 0, self.grid[1])
    }

    /// Adds the mask to the bias of all windows, for so many `records`.
    ///
    /// # Shapes
    /// `[1, heads, side², side²]` to the same or to `[records * windows, heads, side², side²]`.
    pub fn close(&self, bias: &Tensor, records: i64) -> Tensor {
        match &self.mask {
            Some(mask) => (bias + mask.to_kind(bias.kind())).repeat([records, 1, 1, 1]),
            None => bias.shallow_clone(),
        }
    }
}

/// A learnt addition to the logits for each offset between two places of a window, by head.
pub struct PositionBias {
    table: Tensor,
    index: Tensor,
}

impl PositionBias {
    /// The table, which starts at 0, and the offsets' places in it.
    pub fn new(path: &Path, side: i64, heads: i64) -> Self {
        let offsets = 2 * side - 1;
        let index = offset_index(side).to_device(path.device());
        Self {
            table: path.zeros("relative_position_bias_table", &[offsets * offsets, heads]),
            index: path.add("relative_position_index", index, false),
        }
    }

    /// # Shapes
    /// `[1, heads, side², side²]`.
    pub fn forward(&self) -> Tensor {
        // Not `index_select`, whose gradient a GPU adds up in any order.
        self.table.index(&[Some(&self.index)]).permute([2, 0, 1]).unsqueeze(0)
    }
}

/// # Shapes
/// `[side², side²]`: row of the offset times `2 side - 1`, plus its column, both counted from 0.
fn offset_index(side: i64) -> Tensor {
    let place = Tensor::arange(side * side, (Kind::Int64, Device::Cpu));
    let (row, column) = (place.divide_scalar_mode(side, "floor"), place.remainder(side));
    let offset = |axis: &Tensor| axis.unsqueeze(1) - axis.unsqueeze(0) + (side - 1);
    offset(&row) * (2 * side - 1) + offset(&column)
}
