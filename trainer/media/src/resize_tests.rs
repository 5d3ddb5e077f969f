use super::*;

#[derive(serde::Deserialize)]
struct Case {
    from: [u32; 2],
    to: [u32; 2],
    pixels: Vec<u8>,
    original: Vec<u8>,
    benchmark: Vec<u8>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../tests/data/resize_vectors.json")).unwrap()
}

fn check(expected: impl Fn(&Case) -> &[u8], style: Preprocessing) {
    for case in cases() {
        let [width, height] = case.from;
        let picture = Picture { width, height, rgb: case.pixels.clone() };
        let resized = to_size(picture, case.to[0], case.to[1], style);
        assert_eq!(resized.rgb, expected(&case), "{:?} to {:?}", case.from, case.to);
    }
}

#[test]
fn original_equals_pil_bilinear() {
    check(|case| &case.original, Preprocessing::Original);
}

#[test]
fn benchmark_equals_a_centre_crop_and_opencv_inter_linear() {
    check(|case| &case.benchmark, Preprocessing::Benchmark);
}

#[test]
fn a_picture_of_the_right_size_is_untouched() {
    let picture = Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 4, 5, 6] };
    for style in [Preprocessing::Original, Preprocessing::Benchmark] {
        assert_eq!(to_size(picture.clone(), 2, 1, style), picture);
    }
}

#[test]
fn the_crop_rounds_halves_to_even() {
    let crop = |w, h, to_w, to_h| {
        centre_crop(&Picture { width: w, height: h, rgb: Vec::new() }, to_w, to_h)
    };
    // scale 1.25: 1.25 * 2 = 2.5 goes to 2, 1.25 * 4 = 5.
    assert_eq!(crop(10, 5, 2, 4), (4, 0, 2, 5));
    assert_eq!(crop(96, 96, 96, 96), (0, 0, 96, 96));
    assert_eq!(crop(640, 360, 224, 224), (140, 0, 360, 360));
}

#[test]
fn planes_follow_each_other() {
    let picture = Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 4, 5, 6] };
    assert_eq!(picture.planar(), [1, 4, 2, 5, 3, 6]);
}
