//! A stand-in for a daemon with one run, whose place and user a test chooses.
//!
//! `sealed-run SPEC.json` runs what the file says and prints what came of it as JSON. `{daemon}` in
//! an argument becomes this process's id.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use dfr_daemon::experiment::StopLevel;
use dfr_daemon::runner::{self, Containment, Execution, Live, Report, ResourceLimits, RunUser};
use dfr_daemon::sandbox::Sandbox;
use dfr_daemon::tier::Tier;
use serde_json::{Value, json};
use tokio::sync::watch;

#[derive(serde::Deserialize)]
struct Spec {
    tier: Tier,
    run_as: Option<u32>,
    argv: Vec<String>,
    directory: PathBuf,
    log: PathBuf,
    environment: BTreeMap<String, String>,
    limits: ResourceLimits,
    sandbox: Option<Sandbox>,
    deadline_s: u64,
}

fn main() -> ExitCode {
    runner::contained().unwrap_or_else(|| {
        let path = std::env::args().nth(1).expect("a file");
        let text = std::fs::read_to_string(path).expect("the file can be read");
        println!("{}", told(serde_json::from_str(&text).expect("it is a run")));
        ExitCode::SUCCESS
    })
}

fn told(spec: Spec) -> Value {
    let user = RunUser::choose(spec.run_as).expect("a user of runs");
    let machine = runner::capabilities(user);
    let containment = match Containment::choose(Some(spec.tier), &machine) {
        Ok(containment) => containment,
        Err(why) => return json!({ "missing": why.to_string() }),
    };
    if let Err(why) = containment.seals() {
        return json!({ "missing": why.to_string() });
    }
    let runs_as = containment.run_user().map(|user| user.uid);
    let signals = containment.seals().ok().and_then(|seal| seal.signals);
    for directory in spec.sandbox.iter().flat_map(|sandbox| &sandbox.writable) {
        runner::prepare_writable(directory, &containment).expect("a directory to write");
    }
    match run(spec, containment) {
        Err(error) => json!({ "error": format!("{:#}", anyhow::Error::from(error)) }),
        Ok(report) => json!({
            "outcome": report.outcome,
            "tail": report.tail,
            "telltale": report.telltale,
            "killed": report.killed,
            "daemon": std::process::id(),
            "uid": runs_as,
            "signals": signals,
        }),
    }
}

fn run(spec: Spec, containment: Containment) -> Result<Report, runner::RunnerError> {
    let daemon = std::process::id().to_string();
    let execution = Execution {
        argv: spec.argv.iter().map(|argument| argument.replace("{daemon}", &daemon)).collect(),
        directory: spec.directory,
        environment: spec.environment,
        log: spec.log,
        started_line: None,
        telltale: Some(|line| line.starts_with("score:")),
        deadline: Duration::from_secs(spec.deadline_s),
        grace: Duration::from_secs(1),
        limits: spec.limits,
        containment,
        sandbox: spec.sandbox,
    };
    let (_sender, stop) = watch::channel(StopLevel::Continue);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(runner::run(&execution, Live::Quiet, stop))
}
