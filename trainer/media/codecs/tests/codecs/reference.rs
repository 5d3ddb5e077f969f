//! What the test programs share.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    fs::read(data(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn samples(name: &str) -> Vec<f32> {
    bytes(name).as_chunks::<4>().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect()
}

/// What other tools made of the files, by name.
pub fn references() -> Map<String, Value> {
    serde_json::from_slice(&bytes("references.json")).expect("references.json is a table")
}
