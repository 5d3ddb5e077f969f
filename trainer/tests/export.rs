//! Models written down in Python: every small model of the lab, an ensemble, and an architecture that only
//! this test knows. Without torch for Python they are written down and held against the rules; with
//! EXPORT_CHECK=1 (make export-check) that is an error, and their answers are compared.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up may panic")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use dfr_contract::trace::{ANSWERS, ANSWERS_FILE, HEADER, Header};
use dfr_export::{archive, merge, package, python, tensor};
use dfr_harness::recipe::Detector;
use dfr_harness::{checkpoint, trace};
use dfr_lab::models::{MODELS, Model, Regularisation};
use tch::nn::{Init, Path as Root, VarStore};
use tch::{Device, Kind, Tensor};

const TOLERANCE: f64 = 1e-4;

/// libtorch has one generator for all threads, and traces one model at a time.
static LIBTORCH: Mutex<()> = Mutex::new(());

fn model(name: &str) -> &'static Model {
    MODELS.iter().find(|model| model.name == name).unwrap()
}

/// Makes a detector below a path, for records of a shape.
type Build<'a> = &'a dyn Fn(&Root, &[i64]) -> Box<dyn Detector>;

fn of_lab(model: &'static Model) -> impl Fn(&Root, &[i64]) -> Box<dyn Detector> {
    |root, shape| (model.build)(root, shape, Regularisation::NONE)
}

/// Writes the three members, and the answers of the model, into a new folder.
fn export(name: &str, shape: &[u64], build: Build) -> Result<tempfile::TempDir, String> {
    export_as(tensor::Kind::F32, name, (shape, build))
}

fn export_as(
    kind: tensor::Kind,
    name: &str,
    (shape, build): (&[u64], Build),
) -> Result<tempfile::TempDir, String> {
    let _alone = LIBTORCH.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(5);
    let dir = tempfile::tempdir().unwrap();
    let variables = VarStore::new(Device::Cpu);
    let signed: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
    let detector = build(&variables.root(), &signed);
    // Where weights begin at 0 or 1, one that is left out would change nothing.
    tch::no_grad(|| {
        for mut weight in variables.trainable_variables() {
            let _ = weight.g_add_(&(weight.randn_like() * 0.02));
        }
    });
    let weights = dir.path().join(package::WEIGHTS);
    checkpoint::save(&variables, &weights).unwrap();
    let asked = trace::Asked { model: name.to_owned(), shape };
    trace::write_model(&*detector, &variables, asked, dir.path())
        .map_err(|error| error.to_string())?;
    drop(variables);
    write_down(dir.path(), &weights, kind).map(|()| dir)
}

fn write_down(dir: &Path, weights: &Path, kind: tensor::Kind) -> Result<(), String> {
    let header = fs::read(dir.join(HEADER)).unwrap();
    let header: Header = serde_json::from_slice(&header).unwrap();
    let [two, three] = archive::read_both(dir).unwrap();
    let graph = merge::merge(two, &three).map_err(|error| error.to_string())?;
    let tensors = tensor::TensorFile::open(weights).unwrap().read().unwrap().into_iter();
    let mut tensors: BTreeMap<_, _> =
        tensors.map(|(name, tensor)| (name, tensor.cast(kind))).collect();
    let forms = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.form.clone())).collect();
    let module = python::module(&header, &graph, &forms).map_err(|error| error.to_string())?;
    tensors.extend(module.constants);
    tensor::write(&tensors, weights).unwrap();
    fs::write(dir.join(package::MODULE), module.source).unwrap();
    Ok(())
}

/// The Python of `make setup-python`, if it is there or must be.
fn torch_python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../third_party/python/bin/python");
    let is_asked = env::var_os("EXPORT_CHECK").is_some();
    assert!(!is_asked || python.is_file(), "EXPORT_CHECK needs make setup-python");
    is_asked.then_some(python)
}

fn output(python: &Path, script: &str, arguments: &[&Path]) -> String {
    let mut command = Command::new(python);
    let output = command.args(["-I", "-B", "-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a proof prints of each folder.
fn prove(dirs: &[&Path], python: &Path) -> Vec<serde_json::Value> {
    prove_as("float32", dirs, python)
}

fn prove_as(dtype: &str, dirs: &[&Path], python: &Path) -> Vec<serde_json::Value> {
    let loader = r#"{"weights_file": "model.safetensors", "dtype": "KIND", "arguments": {"num_classes": 2}}"#;
    let loader = loader.replace("KIND", dtype);
    let answers: Vec<PathBuf> = dirs.iter().map(|dir| dir.join(ANSWERS_FILE)).collect();
    dirs.iter().for_each(|dir| fs::write(dir.join("loader.json"), &loader).unwrap());
    let arguments: Vec<&Path> =
        dirs.iter().zip(&answers).flat_map(|(dir, answers)| [*dir, answers.as_path()]).collect();
    let text = output(python, dfr_export::PROVE, &arguments);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A model and the shape of its records.
type Case<'a> = (&'a str, Vec<u64>, Build<'a>);

/// Holds exports against the rules and, where torch is to be there, against the models.
fn check(cases: &[Case]) {
    let export = |(name, shape, build): &Case| {
        let dir = export(name, shape, *build).unwrap_or_else(|error| panic!("{name}: {error}"));
        let module = dir.path().join(package::MODULE);
        assert_eq!(output(Path::new("python3"), dfr_export::RULES, &[&module]), "", "{name}");
        dir
    };
    let dirs: Vec<_> = cases.iter().map(export).collect();
    let Some(python) = torch_python() else { return };
    let paths: Vec<&Path> = dirs.iter().map(tempfile::TempDir::path).collect();
    let replies = prove(&paths, &python);
    assert_eq!(replies.len(), cases.len());
    for ((name, ..), reply) in cases.iter().zip(replies) {
        println!("{name}: {reply}");
        let differences: BTreeMap<u64, f64> =
            serde_json::from_value(reply["differences"].clone()).unwrap_or_default();
        assert!(differences.keys().copied().eq(ANSWERS), "{name}: {reply}");
        assert!(differences.values().all(|d| *d <= TOLERANCE), "{name}: {reply}");
    }
}

/// Each small model with the shape of its reference's records.
fn small() -> Vec<(&'static Model, Vec<u64>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/tests/reference");
    let shape = |model: &Model| {
        let text = fs::read_to_string(directory.join(format!("{}.json", model.name))).ok()?;
        let reference: serde_json::Value = serde_json::from_str(&text).unwrap();
        let input: Vec<u64> = serde_json::from_value(reference["input"].clone()).unwrap();
        Some(input[1..].to_vec())
    };
    MODELS.iter().filter_map(|model| Some((model, shape(model)?))).collect()
}

#[test]
fn every_small_model_answers_alike() {
    let small = small();
    assert!(small.len() >= 11);
    let builds: Vec<_> = small.iter().map(|(model, _)| of_lab(model)).collect();
    let cases = small.iter().zip(&builds);
    let cases: Vec<Case> =
        cases.map(|((model, shape), build)| (model.name, shape.clone(), build as Build)).collect();
    check(&cases);
}

#[test]
fn a_sound_of_full_length_and_a_model_of_full_size_answer_alike() {
    let (sound, picture) = (of_lab(model("wav2vec2-tiny")), of_lab(model("efficientnet-b4")));
    let mut cases: Vec<Case> = vec![("wav2vec2-tiny", vec![96_000], &sound)];
    if torch_python().is_some() {
        cases.push(("efficientnet-b4", vec![3, 224, 224], &picture));
    }
    check(&cases);
}

#[test]
fn weights_in_half_the_bytes_answer_nearly_alike() {
    let clip = of_lab(model("r3d-10"));
    let shape = [4, 3, 32, 32];
    let whole = export("r3d-10", &shape, &clip).unwrap();
    let bytes = |dir: &tempfile::TempDir| {
        dir.path().join(package::WEIGHTS).metadata().unwrap().len() as f64
    };
    for (kind, dtype) in [(tensor::Kind::BF16, "bfloat16"), (tensor::Kind::F16, "float16")] {
        let half = export_as(kind, "r3d-10", (&shape, &clip)).unwrap();
        let share = bytes(&half) / bytes(&whole);
        assert!((0.5..0.6).contains(&share), "{share}");
        let Some(python) = torch_python() else { continue };
        let reply = prove_as(dtype, &[half.path()], &python).remove(0);
        println!("{dtype}: {reply}");
        let differences: BTreeMap<u64, f64> =
            serde_json::from_value(reply["differences"].clone()).unwrap_or_default();
        assert!(differences.keys().copied().eq(ANSWERS), "{reply}");
        assert!(differences.values().all(|d| *d > 0.0 && *d < 0.1), "{reply}");
    }
}

/// The mean of two models.
struct Ensemble([Box<dyn Detector>; 2]);

impl Detector for Ensemble {
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let [a, b] =
            self.0.each_ref().map(|model| model.forward(input, train).softmax(-1, Kind::Float));
        ((a + b) / 2.0).log()
    }
}

#[test]
fn an_ensemble_of_two_answers_alike() {
    let build = |root: &Root, shape: &[i64]| -> Box<dyn Detector> {
        let member = |name: &str, path: &str| of_lab(model(name))(&(root / path), shape);
        Box::new(Ensemble([member("efficientnet-tiny", "first"), member("dinov2-tiny", "second")]))
    };
    check(&[("ensemble", vec![3, 32, 32], &build)]);
}

/// What no model of the lab does: sizes read from the first axis, a tensor of its own, writing in place, lists taken apart, a spectrum, a recurrent layer by hand.
struct Invented {
    mix: Tensor,
    gate: Tensor,
    read: Tensor,
    /// Not of the checkpoint.
    order: Tensor,
}

impl Invented {
    fn new(root: &Root) -> Self {
        let init = Init::Randn { mean: 0.0, stdev: 0.1 };
        Self {
            mix: (root / 1).var("mix", &[12, 9], init),
            gate: root.var("gate", &[24, 12], init),
            read: root.var("forward", &[2, 12], init),
            order: Tensor::from_slice(&[2i64, 0, 1]),
        }
    }
}

impl Detector for Invented {
    fn forward(&self, input: &Tensor, _train: bool) -> Tensor {
        let [records, frames] = [input.size()[0], input.size()[1]];
        let x = input.to_kind(Kind::Float) / 255.0 - 0.5;
        let x = x.index_select(2, &self.order).reshape([records * frames, 3, -1]);
        let spectrum = x.fft_rfft(None, -1, "ortho").abs().narrow(-1, 1, 9);
        let features = spectrum.mean_dim(1, false, Kind::Float).matmul(&self.mix.tr());
        let _ = features.narrow(1, 0, 4).g_mul_scalar_(2.0);
        let frames = features.view([records, frames, 12]).unbind(1);
        let mut state = Tensor::zeros([records, 12], (Kind::Float, input.device()));
        for frame in frames {
            let [forget, add] =
                <[Tensor; 2]>::try_from((&state + frame).matmul(&self.gate.tr()).chunk(2, -1))
                    .expect("two halves");
            state = &state * forget.sigmoid() + add.gelu("tanh").clamp(-f64::INFINITY, 3.0);
        }
        let weights = state.softmax(-1, Kind::Float).where_self(&state.gt(0.0), &state);
        let order = Tensor::arange(records, (Kind::Int64, input.device()));
        weights.index_select(0, &order).matmul(&self.read.tr())
    }
}

#[test]
fn an_architecture_that_nobody_has_seen_answers_alike() {
    let build = |root: &Root, _: &[i64]| -> Box<dyn Detector> { Box::new(Invented::new(root)) };
    check(&[("invented", vec![4, 3, 8, 8], &build)]);
}

/// Computes what its function does to the mean of each record.
struct OfMean(fn(&Tensor) -> Tensor);

impl Detector for OfMean {
    fn forward(&self, input: &Tensor, _train: bool) -> Tensor {
        let mean = input.to_kind(Kind::Float).mean_dim(&[1i64, 2, 3][..], false, Kind::Float);
        let x = self.0(&(mean / 255.0));
        Tensor::stack(&[&x, &(-&x)], 1)
    }
}

fn refusal(change: fn(&Tensor) -> Tensor) -> String {
    export("of-mean", &[3, 4, 4], &|_, _| Box::new(OfMean(change))).unwrap_err()
}

#[test]
fn what_depends_on_the_number_of_records_is_refused_with_what_to_change() {
    let one_by_one = |x: &Tensor| {
        let records: Vec<Tensor> = (0..x.size()[0]).map(|at| x.narrow(0, at, 1).exp()).collect();
        Tensor::cat(&records, 0)
    };
    let error = refusal(one_by_one);
    assert!(error.contains("number of records") && error.contains("unflatten"), "{error}");
}

#[test]
fn a_tensor_that_is_made_of_rusts_numbers_on_the_way_is_refused_with_what_to_change() {
    let error = refusal(|x| x * Tensor::from_slice(&[2f32]));
    assert!(error.contains("from_slice") && error.contains("constructor"), "{error}");
}

#[test]
fn weights_that_are_missing_or_of_another_size_are_refused() {
    let Some(python) = torch_python() else { return };
    let build = |root: &Root, _: &[i64]| -> Box<dyn Detector> { Box::new(Invented::new(root)) };
    let dir = export("invented", &[4, 3, 8, 8], &build).unwrap();
    let weights = dir.path().join(package::WEIGHTS);
    let whole = tensor::TensorFile::open(&weights).unwrap().read().unwrap();
    let refused = |change: &dyn Fn(&mut BTreeMap<String, tensor::Tensor>), reason: &str| {
        let mut tensors = whole.clone();
        change(&mut tensors);
        tensor::write(&tensors, &weights).unwrap();
        let reply = prove(&[dir.path()], &python)[0]["error"].to_string();
        assert!(reply.contains(reason), "{reply}");
    };
    refused(&|tensors| drop(tensors.remove("gate")), "Missing key(s)");
    refused(
        &|tensors| {
            let form = tensor::Form { kind: tensor::Kind::F32, shape: vec![12, 24] };
            tensors.get_mut("gate").unwrap().form = form;
        },
        "size mismatch",
    );
}
