//! Small real pictures, each different.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// A PNG of 24 x 24 pixels of noise, about 2 KB.
pub fn png(seed: u32) -> Vec<u8> {
    const SIDE: u32 = 24;
    let mut state = u64::from(seed) * 2 + 1;
    let mut rows = Vec::new();
    for _ in 0..SIDE {
        // No filter.
        rows.extend([0]);
        for _ in 0..SIDE * 3 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            rows.push((state >> 56) as u8);
        }
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&rows).unwrap();
    let header = [&SIDE.to_be_bytes()[..], &SIDE.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in
        [(b"IHDR", header), (b"IDAT", packed.finish().unwrap()), (b"IEND", Vec::new())]
    {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(&data);
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(name);
        bytes.extend(&data);
        bytes.extend(crc.sum().to_be_bytes());
    }
    bytes
}
