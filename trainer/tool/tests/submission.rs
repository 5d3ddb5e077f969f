//! The real `dfr` from a trained model on: evaluation, and exams that are refused, failed and passed.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "submission/exams.rs"]
mod exams;
#[path = "support/home.rs"]
mod home;
#[path = "submission/loader.rs"]
mod loader;
#[path = "support/made.rs"]
mod made;
mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use dfr_contract::exit;
use home::{Home, fake_trainer, text};
use made::{MODEL, YAML, python, weights, zip};

fn code(output: &Output) -> u8 {
    let text = format!("{}{}", text(&output.stdout), text(&output.stderr));
    u8::try_from(output.status.code().expect("it was not killed"))
        .unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn a_trained_model_is_evaluated_and_a_command_line_that_says_otherwise_is_refused() {
    let home = Home::with_clips();
    assert_eq!(home.dfr("prepare --modality video").status.code(), Some(0));
    let trainer = fake_trainer();
    let trainer = trainer.display();
    let evaluate = format!("evaluate --modality video --trainer {trainer}");
    let nothing = home.dfr(&evaluate);
    assert_eq!(code(&nothing), exit::CONFIGURATION);
    assert!(text(&nothing.stderr).contains("train first (dfr train --modality video)"));
    let train = format!("train --modality video --preset ok --time-budget 1 --trainer {trainer}");
    assert_eq!(code(&home.dfr(&train)), exit::OK);
    let output = home.dfr(&format!("{evaluate} --json"));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    // A constant of 0.75 calls every record synthetic, and every clip has a twin of the other class.
    let records = json["records"].as_u64().unwrap();
    assert!(records > 0);
    assert_eq!(json["confusion"]["tp"], json["confusion"]["fp"]);
    assert_eq!(json["reliability"][0]["records"], records);
    assert_eq!((&json["scores"]["accuracy"], &json["model"]), (&0.5.into(), &"ok".into()));
    let of_sources = json["sources"].as_object().unwrap().values();
    assert_eq!(of_sources.map(|source| source["records"].as_u64().unwrap()).sum::<u64>(), records);
    let people = text(&home.dfr(&evaluate).stdout);
    assert!(
        people.contains("sn34_competition:") && people.ends_with("accuracy): FAIL\n"),
        "{people}"
    );
    for flag in ["--model r3d-18", "--task video-sample"] {
        let other = home.dfr(&format!("{evaluate} {flag}"));
        assert_eq!(code(&other), exit::CONFIGURATION, "{flag}");
        assert!(text(&other.stderr).contains("leave --"), "{}", text(&other.stderr));
    }
    let weights = home.path("work/results/checkpoints/video/model.safetensors");
    let named = home.dfr(&format!("{evaluate} --weights {}", weights.display()));
    assert_eq!(code(&named), exit::OK, "{}", text(&named.stderr));
    // A task of one's own is found again by its file.
    let own = dfr_contract::tasks::built_in("video").unwrap();
    let own = own.replacen("name = \"video\"", "name = \"own\"", 1);
    fs::write(home.path("work/own.toml"), own).unwrap();
    let train = format!("{train} --task own.toml --out own");
    assert_eq!(code(&home.dfr(&train)), exit::OK);
    for flag in ["", "--task own.toml"] {
        let found = home.dfr(&format!("{evaluate} --checkpoint own {flag}"));
        assert_eq!(code(&found), exit::OK, "{}", text(&found.stderr));
        assert!(text(&found.stdout).contains("Evaluation Results"));
    }
    let other = r#"{"version": 2, "modality": "video", "records": 1, "shape": [8, 3, 96, 96]}"#;
    fs::write(weights.with_file_name("part.json"), other).unwrap();
    let export = home.dfr("export --modality video");
    assert_eq!(code(&export), exit::CONFIGURATION);
    assert!(text(&export.stderr).contains("trained on [8, 3, 96, 96]"), "{}", text(&export.stderr));
    let predictions = weights.with_file_name("predictions.tsv");
    let made = format!("evaluate --modality video --json --predictions {}", predictions.display());
    let of_file = home.dfr(&made);
    let again: serde_json::Value = serde_json::from_slice(&of_file.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&of_file.stderr)));
    assert_eq!((&again["scores"], &again["reliability"]), (&json["scores"], &json["reliability"]));
    assert!(again.get("weights").is_none() && again.get("seconds").is_none());
}

fn exam(zip: &Path, python: &Path) -> String {
    format!("exam --modality video --zip {} --python {}", zip.display(), python.display())
}

#[test]
fn archives_that_could_not_be_submitted_are_refused_with_the_reason() {
    let home = Home::new();
    let whole = weights("bias");
    let refused = |module: &str, yaml: &str, reason: &str| {
        let output = home.dfr(&exam(&zip(&home, module, yaml, &whole), &python()));
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), exit::REFUSED, "{stderr}");
        assert!(stderr.contains(reason), "{stderr}");
    };
    refused(&format!("import os\n{MODEL}"), YAML, "line 1: import of os");
    refused(&format!("{MODEL}\nf = getattr\n"), YAML, "call of getattr");
    for (line, reason) in [
        ("from torch import jit, os", "use of torch.os, which is os"),
        ("from torch import jit\njit.script(1)", "use of torch.jit.script"),
        ("import torch as t\nt.utils.cpp_extension.load", "use of torch.utils.cpp_extension"),
        ("import numpy as np\nnp.ctypeslib", "use of numpy.ctypeslib"),
        ("t = torch\nt.os.environ", "attribute os"),
        ("t = torch\nt.jit.script(f)", "attribute jit"),
        ("u = torch.utils\nu.cpp_extension.load(1)", "attribute cpp_extension"),
        ("from torch import hub as h", "import of hub"),
        ("x = __builtins__", "use of __builtins__"),
        ("x = load_model.__globals__", "use of __globals__"),
        ("from torch import *", "import of everything in torch"),
    ] {
        refused(&format!("{MODEL}\n{line}\n"), YAML, reason);
    }
    refused("def f(:", YAML, "no Python");
    refused(MODEL, "modality: video\n", "model_config.yaml is not understood");
    let missing = home.dfr(&exam(&home.path("none.zip"), &python()));
    assert_eq!(code(&missing), exit::CONFIGURATION);
    let picture =
        home.dfr(&exam(&zip(&home, MODEL, &YAML.replace("video", "image"), &whole), &python()));
    assert!(text(&picture.stderr).contains("should be video"), "{}", text(&picture.stderr));
}
