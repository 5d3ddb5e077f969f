//! Archives that are made by hand.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dfr_export::package::{CONFIG, MODULE, WEIGHTS, pack};

use crate::home::{Home, text};

/// Any Python 3: the rules are checked without torch.
pub fn python() -> PathBuf {
    // What is on PATH may be a script that needs the environment of whoever runs the tests.
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    text(&output.unwrap().stdout).trim().into()
}

/// The Python of `make setup-python`, which has torch; only with EXPORT_CHECK=1 (make export-check).
pub fn torch_python() -> Option<PathBuf> {
    env::var_os("EXPORT_CHECK")?;
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../third_party/python/bin/python"))
}

pub const YAML: &str = "name: hand-made\nversion: 1.0.0\nmodality: video\npreprocessing:\n  resize: [32, 32]\n  \
    num_frames: 2\nmodel:\n  num_classes: 2\n  weights_file: model.safetensors\n";
/// Calls everything synthetic.
pub const MODEL: &str = "import torch\nfrom safetensors.torch import load_file\n\n\nclass Model(torch.nn.Module):\n    \
    def __init__(self):\n        super().__init__()\n        self.register_buffer('bias', torch.empty(2))\n\n    \
    def forward(self, x):\n        return self.bias.expand(x.shape[0], 2)\n\n\ndef load_model(path, num_classes=2):\n    \
    model = Model()\n    model.load_state_dict(load_file(path))\n    return model\n";

/// A file of one tensor: `name` of two float32, 0 and 1.
pub fn weights(name: &str) -> Vec<u8> {
    let index = format!(r#"{{"{name}":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}"#);
    let numbers = [0f32, 1.0].into_iter().flat_map(f32::to_le_bytes);
    (index.len() as u64)
        .to_le_bytes()
        .into_iter()
        .chain(index.into_bytes())
        .chain(numbers)
        .collect()
}

pub fn zip(home: &Home, module: &str, yaml: &str, weights: &[u8]) -> PathBuf {
    let dir = home.path("package");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(MODULE), module).unwrap();
    fs::write(dir.join(CONFIG), yaml).unwrap();
    fs::write(dir.join(WEIGHTS), weights).unwrap();
    let zip = home.path("x.zip");
    pack(&dir, &zip).unwrap();
    zip
}
