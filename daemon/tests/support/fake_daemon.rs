//! A stand-in for a daemon in the middle of a run, to be killed.
//!
//! `fake-daemon full|container MARK DIRECTORY PROGRAM…` runs the program, marked, and waits for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use dfr_daemon::experiment::StopLevel;
use dfr_daemon::runner::{self, Containment, Execution, Live, ResourceLimits};
use dfr_daemon::tier::Tier;
use tokio::sync::watch;

fn main() -> ExitCode {
    runner::contained().unwrap_or_else(|| {
        let mut arguments = std::env::args().skip(1);
        let mut next = || arguments.next().expect("tier, mark, directory");
        let tier = if next() == "full" { Tier::Full } else { Tier::Container };
        let (mark, directory) = (next(), PathBuf::from(next()));
        let path = "/usr/local/bin:/usr/bin:/bin".to_owned();
        let execution = Execution {
            argv: arguments.collect(),
            log: directory.join("run.log"),
            directory,
            environment: BTreeMap::from([
                ("DFR_SESSION".to_owned(), mark),
                ("PATH".to_owned(), path),
            ]),
            started_line: None,
            telltale: None,
            deadline: Duration::from_secs(3600),
            grace: Duration::from_secs(10),
            limits: ResourceLimits::default(),
            containment: Containment::choose(Some(tier), &runner::capabilities(None))
                .expect("a tier that was probed"),
            sandbox: None,
        };
        let (_sender, stop) = watch::channel(StopLevel::Continue);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let report =
            runtime.expect("a runtime").block_on(runner::run(&execution, Live::Quiet, stop));
        println!("{report:?}");
        ExitCode::SUCCESS
    })
}
