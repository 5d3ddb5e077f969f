//! The real `dfr` from a trained model on.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::process::Output;

use dfr_contract::exit;
use home::{Home, fake_trainer, text};

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
}
