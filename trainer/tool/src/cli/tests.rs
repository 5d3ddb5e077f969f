//! What the help promises.

use super::*;
use clap::CommandFactory as _;
use std::path::Path;

#[test]
fn every_command_tells_examples_and_exit_codes() {
    Cli::command().debug_assert();
    for mut command in Cli::command().get_subcommands().cloned() {
        if command.is_hide_set() {
            continue;
        }
        let help = command.render_long_help().to_string();
        let name = command.get_name();
        assert!(help.contains(&format!("Examples:\n  dfr {name}")), "{name}: {help}");
        assert!(help.contains("Exit codes: 0 "), "{name}: {help}");
    }
}

/// Every example is a command line that is understood.
#[test]
fn the_examples_are_understood() {
    let mut seen = 0;
    for mut command in Cli::command().get_subcommands().cloned() {
        let help = command.render_long_help().to_string();
        let examples = help.lines().map(str::trim).filter(|line| line.starts_with("dfr "));
        for example in examples {
            let words = example.split_whitespace().take_while(|word| *word != ">");
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn every_command_in_the_docs_is_understood() {
    let mut seen = 0;
    for name in ["README.md", "docs/competition.md", "docs/export.md", "docs/data.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| line.trim().trim_start_matches("target/release/"));
        for line in lines.filter(|line| line.starts_with("dfr ")) {
            // What it does stands after it.
            let command = line.split(['#', '>']).next().and_then(|line| line.split("  ").next());
            let parsed = Cli::try_parse_from(command.unwrap_or_default().split_whitespace());
            assert!(parsed.is_ok(), "{name}: {line}: {}", parsed.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen}");
}

#[test]
fn the_flags_of_the_original_are_understood() {
    for line in [
        "prepare --modality image --verify --workers 4 --max-samples 500",
        "prepare --refresh-configs",
        "train --modality image --model efficientnet-b4 --lr 1e-4 --batch-size 32 --time-budget 600",
        "evaluate --modality video --model r3d-18 --weights w.safetensors --batch-size 4",
        "export --modality audio --model wav2vec2 --checkpoint-dir c --output-dir o",
        "full --modality video --hours 2.5 --model r3d-18 --max-samples 2000 --workers 6 --lr 3e-4 \
         --batch-size 4 --skip-download --skip-export --log-file l",
        "full --modality video --download-only",
    ] {
        let words = std::iter::once("dfr").chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}

/// What a session hands to this program, as its task says, with what a person adds behind it.
#[test]
fn what_tasks_hand_over_is_understood() {
    for modality in Modality::ALL {
        for name in [modality.to_string(), format!("{modality}-sample")] {
            let task: toml::Table = dfr_contract::tasks::built_in(&name).unwrap().parse().unwrap();
            let handed = |what: &str, more: &str| {
                let words = task["deliver"][what].as_array().unwrap().iter();
                let words = words.map(|word| word.as_str().unwrap()).chain(more.split_whitespace());
                Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{name} {what}: {error}"))
            };
            handed("evaluate", "--json");
            handed("export", "--output-dir o --dtype bfloat16");
            let push = handed("push", &format!("--{modality}-model mine.zip --dry-run"));
            let Command::Push(Push { models, .. }) = push.command else {
                panic!("{name}: no push")
            };
            assert_eq!(models.named(), [(modality, &PathBuf::from("mine.zip"))], "{name}");
        }
    }
}
