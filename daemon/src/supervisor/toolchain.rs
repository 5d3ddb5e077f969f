//! The compiler by its absolute path: what a candidate's tree or a home says of toolchains is not
//! asked, and what a build in a sandbox needs of them is known by name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tracing::debug;

use crate::experiment::{RunOutcome, StopLevel};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::runner::{self, Containment, Execution, Live, ResourceLimits};
use crate::settings::Settings;

/// How long the compiler may take to say where it is.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a build without network reads of cargo's own directory: nothing that holds a credential.
const OF_CARGO: [&str; 4] = ["registry", "git", "config.toml", "config"];

/// Whether the compiler was cut short: no word on whether there is one.
fn is_of_the_machine(outcome: &RunOutcome) -> bool {
    match outcome {
        RunOutcome::TimedOut | RunOutcome::Cancelled => true,
        RunOutcome::Crashed { code, .. } => code.is_none(),
        RunOutcome::Finished => false,
    }
}

/// A Rust toolchain, where the build uses one.
#[derive(Debug, Default)]
pub(super) struct Toolchain {
    /// `<sysroot>/bin`, before everything else on the path.
    pub(super) bin: Option<PathBuf>,
    /// Cargo's directory.
    pub(super) cargo_home: Option<PathBuf>,
    /// What builds read of all this.
    readable: Vec<PathBuf>,
}

impl Toolchain {
    /// Asks the compiler on the path, in the human's repository, where it is. A build that begins
    /// with another program than cargo, wherever that is, has none.
    pub(super) async fn find(
        settings: &Settings,
        program: &str,
        (containment, log): (&Containment, &Path),
    ) -> Result<Self, Failure> {
        if Path::new(program).file_name().is_none_or(|name| name != "cargo") {
            return Ok(Self::default());
        }
        let execution = Execution {
            argv: ["rustc", "--print", "sysroot"].map(str::to_owned).to_vec(),
            directory: settings.locations.repo.clone(),
            environment: settings.child_environment.clone(),
            log: log.to_owned(),
            started_line: None,
            telltale: None,
            deadline: PATIENCE,
            grace: Duration::ZERO,
            limits: ResourceLimits::default(),
            containment: containment.clone(),
            sandbox: None,
        };
        let (_, nobody) = watch::channel(StopLevel::Continue);
        let missing = |error: anyhow::Error| {
            Failure::new(Kind::Configuration, error)
                .hint("the build needs a Rust toolchain with rustc on PATH: https://rustup.rs")
        };
        let report = runner::run(&execution, Live::Quiet, nobody).await;
        let report = match report {
            Err(error) if error.is_of_the_program() => return Err(missing(error.into())),
            report => report.or_outside()?,
        };
        let sysroot = PathBuf::from(report.tail.lines().last().unwrap_or_default().trim());
        if report.outcome != RunOutcome::Finished || !sysroot.join("bin/cargo").exists() {
            let (outcome, said) = (report.outcome, report.tail);
            let is_cut_short = is_of_the_machine(&outcome);
            let error = anyhow::anyhow!("rustc --print sysroot: {outcome}: {said}");
            return Err(match is_cut_short {
                true => Failure::new(Kind::Outside, error),
                false => missing(error),
            });
        }
        debug!(sysroot = %sysroot.display(), "toolchain");
        Ok(Self::at(&sysroot, settings))
    }

    fn at(sysroot: &Path, settings: &Settings) -> Self {
        let of = |name| settings.child_environment.get(name).map(PathBuf::from);
        let cargo_home = of("CARGO_HOME").or_else(|| Some(of("HOME")?.join(".cargo")));
        let mut readable = vec![sysroot.to_owned()];
        readable.extend(cargo_home.iter().flat_map(|home| OF_CARGO.map(|name| home.join(name))));
        Self { bin: Some(sysroot.join("bin")), cargo_home, readable }
    }

    /// What builds of this tree read: of all this, and the configuration that cargo looks for in the
    /// directories above. One that it sees and may not read ends it.
    pub(super) fn readable(&self, tree: &Path) -> Vec<PathBuf> {
        if self.bin.is_none() {
            return Vec::new();
        }
        let above = tree.ancestors().skip(1).flat_map(|directory| {
            ["config.toml", "config"].map(|name| directory.join(".cargo").join(name))
        });
        self.readable.iter().cloned().chain(above).collect()
    }

    /// What a build finds in its environment besides the rest.
    pub(super) fn environment(&self, path: &str) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let first =
            self.bin.as_ref().map(|bin| ("PATH".to_owned(), format!("{}:{path}", text(bin))));
        let home = self.cargo_home.as_ref().map(|home| ("CARGO_HOME".to_owned(), text(home)));
        first.into_iter().chain(home).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_is_cut_short_may_be_there() {
        let crashed = |code, signal| RunOutcome::Crashed { code, signal, cause: None };
        for (outcome, expected) in [
            (RunOutcome::TimedOut, true),
            (crashed(None, Some(9)), true),
            (crashed(Some(1), None), false),
            // It names a directory in which there is no cargo.
            (RunOutcome::Finished, false),
        ] {
            assert_eq!(is_of_the_machine(&outcome), expected, "{outcome}");
        }
    }
}
