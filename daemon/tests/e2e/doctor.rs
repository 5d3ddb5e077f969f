//! `doctor`: looks, tells, and makes nothing.

use crate::environment::{Ended, TestEnvironment};

fn doctor(environment: &TestEnvironment, arguments: &[&str]) -> Ended {
    let task = environment.path("task.toml");
    let mut command = environment.daemon(&["doctor", "--task", task.to_str().unwrap()]);
    environment.run(command.args(arguments).env("OPENAI_API_KEY", "sk-secret"))
}

fn row<'a>(ended: &'a Ended, name: &str) -> &'a str {
    let row = ended.out.lines().find(|line| line.starts_with(&format!("{name} ")));
    row.unwrap_or_else(|| panic!("no {name} in {ended:#?}"))
}

#[test]
fn everything_is_told_and_nothing_is_made() {
    let environment = TestEnvironment::new();
    let ended = doctor(&environment, &["--proposer", "playbook"]);
    environment.assert_nothing_created();
    for name in ["kernel", "memory", "gpu", "state", "cache", "repository", "task", "data", "clock"]
    {
        row(&ended, name);
    }
    assert!(ended.out.contains("\ncontainment: "), "{ended:#?}");
    let verdict = ended.out.lines().last().unwrap();
    let code = if verdict == "unattended: yes" { 0 } else { 3 };
    assert!(code == 0 || verdict.starts_with("unattended: no: "), "{verdict}");
    ended.code(code);
}

#[test]
fn what_is_missing_is_named_and_refused() {
    let environment = TestEnvironment::new();
    std::fs::remove_dir_all(environment.path("cache")).unwrap();
    let ended = doctor(&environment, &["--proposer", "playbook"]);
    ended.code(3);
    assert!(row(&ended, "data").contains("missing"), "{ended:#?}");
    let verdict = ended.out.lines().last().unwrap();
    assert!(verdict.starts_with("unattended: no: ") && verdict.contains("data ("), "{verdict}");
}

#[test]
fn a_key_is_told_of_and_not_told() {
    let environment = TestEnvironment::new();
    let ended = doctor(&environment, &["--model", "m"]);
    assert!(row(&ended, "proposer").contains("key is set"), "{ended:#?}");
    assert!(!ended.out.contains("sk-secret") && !ended.err.contains("sk-secret"));
}
