use super::*;
use tch::nn::Init;

fn store(names: &[(&str, &[i64])]) -> VarStore {
    let store = VarStore::new(Device::Cpu);
    for (name, shape) in names {
        let _ = store.root().var(name, shape, Init::Randn { mean: 0.0, stdev: 1.0 });
    }
    store
}

fn saved(names: &[(&str, &[i64])]) -> (tempfile::TempDir, PathBuf, VarStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let store = store(names);
    save(&store, &path).unwrap();
    (dir, path, store)
}

#[test]
fn what_is_saved_is_loaded() {
    let (dir, path, from) = saved(&[("w", &[2, 3]), ("b", &[2])]);
    let _ = from.root().add("count", Tensor::from(7i64), false);
    save(&from, &path).unwrap();
    let to = store(&[("w", &[2, 3]), ("b", &[2])]);
    let _ = to.root().add("count", Tensor::from(0i64), false);
    load(&to, &path).unwrap();
    for (name, tensor) in from.variables() {
        assert_eq!(tensor, to.variables()[&name], "{name}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no partial file is left");
}

#[test]
fn refuses_the_file_of_another_model() {
    let (_dir, path, _) = saved(&[("w", &[2, 3]), ("b", &[2])]);
    let check = |names: &[(&str, &[i64])], expected: &str| {
        let error = load(&store(names), &path).unwrap_err().to_string();
        assert_eq!(error, format!("{} does not fit this model: {expected}", path.display()));
    };
    check(&[("w", &[2, 3]), ("b", &[2]), ("c", &[1])], "1 missing: c");
    check(&[("w", &[2, 3])], "1 surplus: b");
    check(
        &[("w", &[3, 2]), ("b", &[2])],
        "1 different: w (Float [2, 3], the model has Float [3, 2])",
    );
    let whole = store(&[("w", &[2, 3])]);
    let _ = whole.root().add("b", Tensor::zeros([2], (Kind::Int64, Device::Cpu)), false);
    let error = load(&whole, &path).unwrap_err().to_string();
    assert!(error.ends_with("b (Float [2], the model has Int64 [2])"), "{error}");
}

#[test]
fn refuses_two_variables_of_one_name() {
    let twice = store(&[("w", &[1]), ("w", &[1])]);
    let error = save(&twice, Path::new("never.safetensors")).unwrap_err().to_string();
    assert!(error.starts_with("the model makes two variables named w"), "{error}");
}

#[test]
fn names_the_file_that_is_missing() {
    let error = load(&store(&[]), Path::new("/nowhere/m.safetensors")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/m.safetensors"), "{error}");
}
