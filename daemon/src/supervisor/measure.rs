//! Train, predict, score: three phases, and only a file of predictions is taken from the trainer.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use dfr_contract::CLOCK_STARTED;
use dfr_contract::footer::{Claims, Footer};
use tracing::info;

use super::Session;
use super::settle::tolerate;
use crate::experiment::{Entry, Limits, Phase, RunOutcome, train_limits};
use crate::failure::{Failure, OrFailure as _};
use crate::notebook::make_way;
use crate::runner::{self, Containment, Execution, Report, ResourceLimits};
use crate::scorer;
use crate::task::{Command, expand, expand_paths};

impl Session {
    /// Measures a candidate that builds, and decides.
    pub(super) async fn measure(&mut self, n: u32, commit: &str) -> Result<(), Failure> {
        let Some(trained) = self.train(n).await? else {
            return self.abandon(n, "a human stopped the session".to_owned()).await;
        };
        let claims = match trained {
            Ok(claims) => claims,
            Err(reason) => return self.decide(n, commit, Err(reason)).await,
        };
        let Some(predicted) = self.predict(n).await? else {
            return self.abandon(n, "a human stopped the session".to_owned()).await;
        };
        let predict_time = match predicted {
            Ok(time) => time,
            Err(reason) => return self.decide(n, commit, Err(reason)).await,
        };
        let score = self.score(n, claims, predict_time).await?;
        self.decide(n, commit, score).await
    }

    /// `None` when a human stopped it; otherwise the claims, or the reason for a crash.
    async fn train(&mut self, n: u32) -> Result<Option<Result<Claims, String>>, Failure> {
        self.enter(n, Phase::Train);
        let log = self.notebook.run_log(n);
        let start = self.history.baseline_start();
        let limits = train_limits(self.budget, start, self.settings.grace);
        let command = self.task.commands.train.clone();
        let report = self.execute(n, &command, &log, limits).await?;
        self.record(n, Entry::Ran { run: report.outcome.clone() }).await?;
        self.enter(n, Phase::Score);
        let startup = report.startup.unwrap_or(report.elapsed);
        self.clock.carve(Phase::Train, Phase::Start, startup);
        if report.outcome == RunOutcome::Cancelled {
            return Ok(None);
        }
        if report.outcome != RunOutcome::Finished {
            return Ok(Some(Err(format!("training {}", ended(&report)))));
        }
        let text = self.notebook.run_log_text(n);
        Ok(Some(Claims::parse(&text).ok_or_else(|| "no footer in run.log".to_owned())))
    }

    /// `None` when a human stopped it; otherwise the time it took, or the reason for a crash.
    async fn predict(&mut self, n: u32) -> Result<Option<Result<Duration, String>>, Failure> {
        self.enter(n, Phase::Predict);
        let limits = self.limits(self.task.budget.predict_s);
        let command = self.task.commands.predict.clone();
        let report = self.execute(n, &command, &self.notebook.run_log(n), limits).await?;
        self.record(n, Entry::Predicted { run: report.outcome.clone() }).await?;
        Ok(match report.outcome {
            RunOutcome::Cancelled => None,
            RunOutcome::Finished => Some(Ok(report.elapsed)),
            _ => Some(Err(format!("prediction {}", ended(&report)))),
        })
    }

    /// The official objective, or the reason for a crash. The complete footer goes to the log.
    async fn score(
        &mut self,
        n: u32,
        claims: Claims,
        predict_time: Duration,
    ) -> Result<Result<f64, String>, Failure> {
        self.enter(n, Phase::Score);
        let run = self.notebook.experiment(n);
        let labels = expand(&self.task.score.labels, &self.places(n));
        let scores = match scorer::score(&run, Path::new(&labels)) {
            Ok(scores) => scores,
            Err(error @ scorer::ScorerError::Vault { .. }) => return Err(error).or_outside(),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let peak_vram_mb = claims.peak_vram_mb;
        let footer = Footer::complete(claims, &scores, predict_time.as_secs_f64());
        tolerate(self.notebook.append_footer(n, &footer.to_string()));
        let metrics = scorer::by_name(&scores);
        info!(sn34_score = scores.sn34_score, accuracy = scores.accuracy, "scored");
        let objective = metrics.get(&self.task.score.objective).copied();
        self.record(n, Entry::Scored { metrics, peak_vram_mb }).await?;
        let unknown = || format!("no score is called {:?}", self.task.score.objective);
        Ok(objective.ok_or_else(unknown))
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
        let execution = Execution {
            argv: command.expand(&places),
            directory: self.slot.tree.clone(),
            environment,
            log: log.to_owned(),
            started_line: Some(CLOCK_STARTED),
            deadline: limits.deadline,
            grace: limits.grace,
            limits: ResourceLimits::default(),
            containment: Containment::choose(None, &runner::capabilities()).or_outside()?,
        };
        tracing::debug!(argv = ?execution.argv, deadline_s = limits.deadline.as_secs(), "starts");
        runner::run(&execution, self.live, self.stop.clone()).await.or_outside()
    }
}

/// How a run ended and the last thing it said.
fn ended(report: &Report) -> String {
    let last =
        report.tail.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output");
    format!("{}: {last}", report.outcome)
}
