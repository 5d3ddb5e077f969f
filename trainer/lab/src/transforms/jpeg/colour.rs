//! RGB to and from brightness and chroma (ITU-R BT.601, full range), in 16-bit fixed point.

const fn fixed(x: f64) -> i32 {
    (x * 65536.0 + 0.5) as i32
}

const HALF: i32 = 1 << 15;
const MIDDLE: i32 = 128;

/// One row; where the output is longer it repeats the last pixel.
#[inline(always)]
pub fn to_ycc(rgb: [&[u8]; 3], [y, cb, cr]: [&mut [u8]; 3]) {
    const Y: [i32; 3] = [fixed(0.29900), fixed(0.58700), fixed(0.11400)];
    const CB: [i32; 3] = [-fixed(0.16874), -fixed(0.33126), fixed(0.50000)];
    const CR: [i32; 3] = [fixed(0.50000), -fixed(0.41869), -fixed(0.08131)];
    let width = rgb[0].len();
    mix(rgb, Y, HALF, &mut y[..width]);
    mix(rgb, CB, (MIDDLE << 16) + HALF - 1, &mut cb[..width]);
    mix(rgb, CR, (MIDDLE << 16) + HALF - 1, &mut cr[..width]);
    for row in [y, cb, cr] {
        let last = row[width - 1];
        row[width..].fill(last);
    }
}

#[inline(always)]
fn mix([red, green, blue]: [&[u8]; 3], weights: [i32; 3], offset: i32, to: &mut [u8]) {
    for (((&r, &g), &b), to) in red.iter().zip(green).zip(blue).zip(to) {
        let [r, g, b] = [r, g, b].map(i32::from);
        *to = ((weights[0] * r + weights[1] * g + weights[2] * b + offset) >> 16) as u8;
    }
}

/// One row.
#[inline(always)]
pub fn to_rgb([y, cb, cr]: [&[u8]; 3], [red, green, blue]: [&mut [u8]; 3]) {
    let pixels = red.iter_mut().zip(green).zip(blue);
    for ((((red, green), blue), &y), (&cb, &cr)) in pixels.zip(y).zip(cb.iter().zip(cr)) {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - MIDDLE, i32::from(cr) - MIDDLE);
        let from_both = (HALF - fixed(0.34414) * cb - fixed(0.71414) * cr) >> 16;
        *red = clamped(y + ((fixed(1.40200) * cr + HALF) >> 16));
        *green = clamped(y + from_both);
        *blue = clamped(y + ((fixed(1.77200) * cb + HALF) >> 16));
    }
}

#[inline(always)]
fn clamped(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}
