//! Aligned columns.

/// Which edge of a column is straight.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Left,
    Right,
}

/// The lines of a table, heading first, columns two spaces apart. Every row has a cell for every
/// column.
pub(super) fn table(columns: &[(&str, Edge)], rows: &[Vec<String>]) -> Vec<String> {
    let heading: Vec<_> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let all: Vec<_> = std::iter::once(&heading).chain(rows).collect();
    let width = |at: usize| all.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    all.iter()
        .map(|row| {
            let cells =
                row.iter().zip(&widths).zip(columns).map(|((cell, width), (_, edge))| match edge {
                    Edge::Left => format!("{cell:<width$}"),
                    Edge::Right => format!("{cell:>width$}"),
                });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}
