use super::*;
use tch::{Device, Kind};

fn public(name: &str) -> Public {
    match name.split_once('.') {
        Some(("classifier", _)) => Public::Ignored,
        Some(("net", rest)) => Public::Ours(format!("backbone.{rest}")),
        _ => Public::Unknown,
    }
}

const TOY: Pretrained = Pretrained { model: "toy", public };

/// A model with a backbone of one weight, and a head.
fn model() -> VarStore {
    let store = VarStore::new(Device::Cpu);
    let _ = (store.root() / "backbone").zeros("weight", &[2]);
    let _ = (store.root() / "backbone").zeros_no_train("num_batches_tracked", &[1]);
    let _ = (store.root() / "head").zeros("weight", &[1]);
    store
}

fn load(tensors: &[(&str, i64)]) -> (Result<(), String>, VarStore) {
    let dir = tempfile::tempdir().unwrap();
    let tensors: Vec<_> = tensors
        .iter()
        .map(|&(name, size)| (name, Tensor::ones([size], (Kind::Half, Device::Cpu))))
        .collect();
    Tensor::write_safetensors(&tensors, dir.path().join("toy.safetensors")).unwrap();
    let store = model();
    let loaded = TOY.load(&store, dir.path());
    let path = dir.path().join("toy.safetensors").display().to_string();
    (loaded.map_err(|error| error.to_string().replace(&path, "FILE")), store)
}

#[test]
fn what_belongs_to_us_is_taken_in_our_kind() {
    let (loaded, store) = load(&[("net.weight", 2), ("classifier.weight", 9)]);
    assert_eq!(loaded, Ok(()));
    let variables = store.variables();
    assert_eq!(variables["backbone.weight"], Tensor::from_slice(&[1f32, 1.0]));
    assert_eq!(variables["head.weight"], Tensor::from_slice(&[0f32]));
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_taken() {
    for (tensors, told) in [
        (vec![("classifier.weight", 9)], "1 missing: backbone.weight"),
        (
            vec![("net.weight", 3)],
            "1 missing: backbone.weight; 1 of another shape: net.weight ([3] for [2])",
        ),
        (vec![("net.weight", 2), ("net.gain", 1), ("x", 1)], "2 unknown: net.gain, x"),
    ] {
        let (loaded, store) = load(&tensors);
        let expected = format!(
            "FILE is no checkpoint of toy: {told}; fetch it anew with `dfr weights fetch toy`"
        );
        assert_eq!(loaded, Err(expected));
        assert_eq!(store.variables()["backbone.weight"], Tensor::from_slice(&[0f32, 0.0]));
    }
}

#[test]
fn a_missing_file_has_three_ways_out() {
    let error = TOY.load(&model(), Path::new("/nowhere")).unwrap_err().to_string();
    for way in ["dfr weights fetch toy", "dfr weights import toy FILE", "--from-scratch"] {
        assert!(error.contains(way), "{error}");
    }
}
