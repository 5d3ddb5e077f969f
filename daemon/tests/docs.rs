//! What the README says is what the program does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use clap::Parser as _;
use clap::error::ErrorKind;
use dfr_contract::exit;
use dfr_daemon::arguments::Arguments;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

/// Every mention of a command of the program, without comments, optional parts and ellipses.
fn commands(text: &str) -> Vec<Vec<String>> {
    let quoted = text.split('`').skip(1).step_by(2);
    let clean = |line: &str| -> Vec<String> {
        let line = line.split(['#', '>']).next().unwrap_or_default();
        let line = line.trim_start_matches("nohup ").trim_start_matches("sudo -u dfr ");
        line.replace(['[', ']', '…'], "").split_whitespace().map(str::to_owned).collect()
    };
    quoted
        .flat_map(str::lines)
        .map(clean)
        .filter(|words| words.first().is_some_and(|word| word.ends_with("dfr-daemon")))
        .filter(|words| words.len() > 1)
        .collect()
}

#[test]
fn every_command_in_the_docs_is_understood() {
    let mut seen = 0;
    for name in [
        "README.md",
        "program.md",
        "ARCHITECTURE.md",
        "deploy/README.md",
        "docs/reliability.md",
        "docs/research.md",
    ] {
        for command in commands(&read(name)) {
            let parsed = Arguments::try_parse_from(&command);
            let asks = |error: &clap::Error| error.kind() == ErrorKind::DisplayHelp;
            let problem = parsed.err().filter(|error| !asks(error));
            assert!(problem.is_none(), "{name}: {command:?}: {}", problem.unwrap());
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} commands found");
}

#[test]
fn the_table_of_exit_codes_is_the_contracts() {
    let readme = read("README.md");
    let table = readme.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let cell = |line: &str| line.split('|').nth(1)?.trim().parse::<u8>().ok();
    let told: Vec<u8> = table.lines().filter_map(cell).collect();
    let all = [
        exit::OK,
        exit::USAGE,
        exit::CONFIGURATION,
        exit::OUTSIDE,
        exit::PARTIAL,
        exit::NOT_FINITE,
        exit::CANARY,
        exit::RECIPE,
        exit::TELLS,
        exit::REFUSED,
        exit::BUG,
        exit::INTERRUPTED,
    ];
    assert_eq!(told, all);
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let readme = read("README.md");
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(link);
        assert!(path.exists(), "{link}");
    }
}
