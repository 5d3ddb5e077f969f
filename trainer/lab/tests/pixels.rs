//! JPEG and blur against OpenCV, byte for byte. The references are made by `data/pixel_vectors.py`.

use dfr_lab::transforms::frame::Frame;
use dfr_lab::transforms::{blur, jpeg};

/// The picture that the script computes, as planes.
fn picture(height: usize, width: usize) -> Vec<u8> {
    let pixel = |channel: u32, y: u32, x: u32| {
        let wave = (x * 5 + y * 3 * (channel + 1)) % 511;
        let wave = if wave > 255 { 510 - wave } else { wave };
        let noise = x.wrapping_mul(73_856_093)
            ^ y.wrapping_mul(19_349_663)
            ^ channel.wrapping_mul(83_492_791);
        let noise = noise.wrapping_mul(2_654_435_761) >> 24;
        let noise = ((i64::from(noise) - 128) * i64::from(x)).div_euclid(width as i64);
        (i64::from(wave) + noise).clamp(0, 255) as u8
    };
    let rows = move |channel| (0..height as u32).map(move |y| (channel, y));
    (0..3)
        .flat_map(rows)
        .flat_map(|(channel, y)| (0..width as u32).map(move |x| pixel(channel, y, x)))
        .collect()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn jpeg_and_blur_are_those_of_opencv() {
    let cases: Vec<&str> = include_str!("data/pixel_vectors.tsv").lines().collect();
    assert!(cases.len() > 100);
    for case in cases {
        let fields: Vec<&str> = case.split('\t').collect();
        let [what, height, width, strength, expected] = fields[..] else { panic!("{case}") };
        let (height, width) = (height.parse().unwrap(), width.parse().unwrap());
        let mut pixels = picture(height, width);
        let mut frame = Frame::new(&mut pixels, height, width);
        match what {
            "jpeg" => jpeg::round_trip(&mut frame, strength.parse().unwrap()),
            "blur" => blur::blur(&mut frame, strength.parse().unwrap()),
            _ => assert_eq!(what, "none"),
        }
        assert_eq!(format!("{:016x}", fnv1a(&pixels)), expected, "{case}");
    }
}
