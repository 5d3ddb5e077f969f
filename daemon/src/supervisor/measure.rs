//! Train, predict, score: three phases, and only a file of predictions is taken from the trainer.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use dfr_contract::CLOCK_STARTED;
use dfr_contract::footer::{Claims, Footer};
use tracing::{info, warn};

use super::Session;
use super::device::SLACK;
use super::leftovers::MARK;
use super::settle::tolerate;
use crate::experiment::{Entry, Limits, Phase, RunOutcome, train_limits};
use crate::failure::{Failure, OrFailure as _};
use crate::notebook::make_way;
use crate::runner::{self, Execution, Report};
use crate::scorer;
use crate::task::{Command, expand, expand_paths};

impl Session {
    pub(super) async fn train(&mut self) -> Result<(), Failure> {
        let n = self.history.current();
        self.enter(Phase::Train);
        let start = self.history.baseline_start();
        let limits = train_limits(self.budget, start, self.settings.grace);
        let command = self.task.commands.train.clone();
        let Some(ended) = self.measured(Phase::Train, &command, limits).await? else {
            return Ok(());
        };
        self.enter(Phase::Score);
        let startup = Duration::try_from_secs_f64(ended.startup_s).unwrap_or_default();
        self.clock.carve(Phase::Train, Phase::Start, startup);
        let claims = Claims::parse(&self.notebook.run_log_text(n)).map(|claims| claims.to_string());
        let problem = match ended.run {
            RunOutcome::Finished if claims.is_some() => None,
            RunOutcome::Finished => Some("no footer in run.log".to_owned()),
            _ => Some(format!("training {}: {}", ended.run, ended.said)),
        };
        self.end(Entry::Ran { run: ended.run, seconds: ended.seconds, claims, problem }).await
    }

    pub(super) async fn predict(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Predict);
        let limits = self.limits(self.task.budget.predict_s);
        let command = self.task.commands.predict.clone();
        let Some(ended) = self.measured(Phase::Predict, &command, limits).await? else {
            return Ok(());
        };
        let problem = match ended.run {
            RunOutcome::Finished => None,
            _ => Some(format!("prediction {}: {}", ended.run, ended.said)),
        };
        self.end(Entry::Predicted { run: ended.run, seconds: ended.seconds, problem }).await
    }

    /// The official scores. The complete footer goes to the log.
    pub(super) async fn score(&mut self) -> Result<(), Failure> {
        let n = self.history.current();
        self.enter(Phase::Score);
        let run = self.notebook.experiment(n);
        let labels = expand(&self.task.score.labels, &self.places(n));
        let scores = match scorer::score(&run, Path::new(&labels)) {
            Ok(scores) => scores,
            Err(error @ scorer::ScorerError::Vault { .. }) => return Err(error).or_outside(),
            Err(error) => return self.record(Entry::Unscored { reason: error.to_string() }).await,
        };
        let claims = self.candidate()?.claims.as_deref().and_then(Claims::parse);
        let Some(claims) = claims else {
            let reason = "no footer in run.log".to_owned();
            return self.record(Entry::Unscored { reason }).await;
        };
        let peak_vram_mb = claims.peak_vram_mb;
        let footer = Footer::complete(claims, &scores, self.candidate()?.predicted_s);
        tolerate(self.notebook.append_footer(n, &footer.to_string()));
        let metrics = scorer::by_name(&scores);
        info!(sn34_score = scores.sn34_score, accuracy = scores.accuracy, "scored");
        self.record(Entry::Scored { metrics, peak_vram_mb }).await
    }

    /// A limit of the task, with the full grace.
    pub(super) fn limits(&self, seconds: u64) -> Limits {
        Limits { deadline: Duration::from_secs(seconds), grace: self.settings.grace }
    }

    /// Runs one of the task's commands for experiment `n`.
    pub(super) async fn execute(
        &self,
        n: u32,
        command: &Command,
        log: &Path,
        limits: Limits,
    ) -> Result<Report, Failure> {
        make_way(log).or_outside()?;
        let places = self.places(n);
        let mut environment: BTreeMap<_, _> = self.settings.child_environment.clone();
        environment.extend(self.task.environment.clone());
        environment.extend(expand_paths(&self.task.paths, &places));
        // So that CUDA counts devices as their driver does.
        environment.insert("CUDA_DEVICE_ORDER".to_owned(), "PCI_BUS_ID".to_owned());
        environment.insert(MARK.to_owned(), self.mark.clone());
        let execution = Execution {
            argv: command.expand(&places),
            directory: self.slot.tree.clone(),
            environment,
            log: log.to_owned(),
            started_line: Some(CLOCK_STARTED),
            telltale: None,
            deadline: limits.deadline,
            grace: limits.grace,
            limits: self.resources,
            containment: self.containment.clone(),
            sandbox: None,
        };
        tracing::debug!(argv = ?execution.argv, deadline_s = limits.deadline.as_secs(), "starts");
        let most = limits.deadline + limits.grace + SLACK;
        let run = runner::run(&execution, self.live, self.stop.clone());
        let report = self.service.during(most, run).await.or_outside()?;
        if report.killed > 0 {
            info!(killed = report.killed, "processes that outlived their program were ended");
        }
        if let Some(error) = &report.log_error {
            warn!(%error, log = %log.display(), "the log is not whole");
        }
        Ok(report)
    }
}
