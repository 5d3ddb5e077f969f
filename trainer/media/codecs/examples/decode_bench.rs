//! Milliseconds to decode each of the files given, the best of some turns:
//! `cargo run --release -p dfr-codecs --example decode_bench -- FILES`.
//! Sound is decoded for 8 seconds and brought to 16 kHz.

use std::time::{Duration, Instant};
use std::{env, fs, io};

use dfr_codecs::{Section, Undecodable, picture, resample, sound};

const TURNS: u32 = 20;

fn main() -> io::Result<()> {
    for path in env::args().skip(1) {
        let bytes = fs::read(&path)?;
        match picture(&bytes) {
            Ok(it) => {
                let time = best(|| drop(picture(&bytes)));
                println!("{path}: {} x {} pixels, {time:.2} ms", it.width, it.height);
            }
            Err(reason) => hear(&path, &bytes, &reason),
        }
    }
    Ok(())
}

fn hear(path: &str, bytes: &[u8], no_picture: &Undecodable) {
    let section = Section::first(8.0);
    match sound(bytes, section) {
        Ok(it) => {
            let decoding = best(|| drop(sound(bytes, section)));
            let resampling = best(|| drop(resample(&it.samples, it.rate_hz, 16_000)));
            let (samples, rate) = (it.samples.len(), it.rate_hz);
            println!(
                "{path}: {samples} samples at {rate} Hz, {decoding:.2} ms + {resampling:.2} ms"
            );
        }
        Err(error) => println!("{path}: {no_picture}; {error}"),
    }
}

fn best(work: impl Fn()) -> f64 {
    let turn = || {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let best = (0..TURNS).map(|_| turn()).min().unwrap_or(Duration::ZERO);
    best.as_secs_f64() * 1000.0
}
