//! A tiny pack for tests: synthetic records are bright, real ones dark; labels alternate.

use std::fs;
use std::path::Path;

use dfr_contract::input::Dtype;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{PartHeader, VERSION, file};

/// How large the pack is.
pub struct PackSpec {
    /// Number of records, the first of them real.
    pub records: usize,
    /// Shape of a record, `T 3 H W`.
    pub shape: &'static [u64],
}

/// Writes a part with labels into `dir`.
pub fn write_part(dir: &Path, spec: &PackSpec) {
    let header = PartHeader {
        version: VERSION,
        modality: Modality::Video,
        records: spec.records as u64,
        shape: spec.shape.to_vec(),
        window: None,
        dtype: Dtype::U8,
    };
    let bytes = usize::try_from(header.record_bytes()).unwrap();
    let pixel = |record: usize, at: usize| 60 + 120 * (record % 2) + (record * 31 + at * 17) % 40;
    let records: Vec<u8> = (0..spec.records)
        .flat_map(|record| (0..bytes).map(move |at| u8::try_from(pixel(record, at)).unwrap()))
        .collect();
    let labels: Vec<u8> = (0..spec.records).map(|record| u8::from(record % 2 == 1)).collect();
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join(file::PART), serde_json::to_vec(&header).unwrap()).unwrap();
    fs::write(dir.join(header.records_file()), records).unwrap();
    fs::write(dir.join(file::LABELS), labels).unwrap();
}
