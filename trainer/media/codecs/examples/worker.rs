//! A worker to try pools with: decodes, and misbehaves in every way that a decoder may.

use std::ffi::OsString;
use std::io;
use std::process::{abort, exit, id};
use std::time::Duration;

use dfr_codecs::worker::{Limits, Pool, Program, serve};
use dfr_codecs::{Section, picture, sound};

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("caller") {
        return call();
    }
    serve(io::stdin().lock(), io::stdout().lock(), answer)
}

/// The first byte says what to do with the rest.
fn answer(request: &[u8]) -> Result<Vec<u8>, String> {
    let (what, bytes) = request.split_first().ok_or("an empty request")?;
    match what {
        b'P' => picture(bytes).map(|it| it.rgb).map_err(|error| error.to_string()),
        b'S' => heard(bytes),
        b'=' => Ok(bytes.to_vec()),
        b'i' => Ok(id().to_string().into_bytes()),
        b'h' => loop {
            std::hint::spin_loop();
        },
        b'a' => abort(),
        b'm' => Ok(vec![1; 4 << 30]),
        b'o' => Ok(vec![overflow(0) as u8]),
        b'p' => panic!("on purpose"),
        b'w' => {
            eprintln!("{}", "a warning ".repeat(500));
            Ok(Vec::new())
        }
        b'e' => {
            eprintln!("so it goes");
            exit(3)
        }
        other => Err(format!("nothing is known to do for '{}'", char::from(*other))),
    }
}

fn heard(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let sound = sound(bytes, Section::first(60.0)).map_err(|error| error.to_string())?;
    Ok(sound.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect())
}

#[expect(unconditional_recursion, reason = "on purpose")]
fn overflow(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 512]);
    frame[0] + overflow(frame[1] + 1)
}

/// Prints the process id of a worker, then has it hang.
fn call() -> io::Result<()> {
    let program = Program { path: std::env::current_exe()?, arguments: Vec::<OsString>::new() };
    let pool =
        Pool::new(program, Limits { deadline: Duration::from_secs(3600), ..Limits::default() });
    let told = pool.ask(b"i").map_err(io::Error::other)?;
    println!("{}", String::from_utf8_lossy(&told));
    pool.ask(b"h").map(drop).map_err(io::Error::other)
}
