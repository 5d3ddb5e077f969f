//! Train, predict, score: three phases, and only a file of predictions is taken from the trainer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::CLOCK_STARTED;
use dfr_contract::footer::{self, Claims, Footer};
use tracing::{info, warn};

use super::Session;
use super::device::SLACK;
use super::manifest::Manifest;
use super::pace::relative_size;
use super::settle::tolerate;
use super::work::{Work, at_home, common_environment};
use crate::curve::curve;
use crate::experiment::{
    Entry, Limits, Phase, RunOutcome, false_claim, gaps, longest, overfit, overlong, train_limits,
    unmeasured,
};
use crate::failure::{Failure, OrFailure as _};
use crate::notebook::make_way;
use crate::runner::{self, Execution, Report};
use crate::scorer::{self, Part};
use crate::task::{Places, expand};

impl Session {
    pub(super) async fn train(&mut self) -> Result<(), Failure> {
        let n = self.history.current();
        self.enter(Phase::Train);
        let start = self.history.baseline_start();
        let longest = self.history.baseline_trained().map(|trained| longest(trained, self.budget));
        let limits = train_limits(self.budget, (start, longest), self.settings.grace);
        let Some(ended) = self.measured(Work::Train, limits).await? else {
            return Ok(());
        };
        self.enter(Phase::Score);
        let startup = Duration::try_from_secs_f64(ended.startup_s).unwrap_or_default();
        self.clock.carve(Phase::Train, Phase::Start, startup);
        let log = self.notebook.run_log_text(n);
        let (claims, curve) = (Claims::parse(&log), curve(&log));
        drop(log);
        let tampered =
            ended.tampered.clone().or_else(|| self.contradiction(claims.as_ref(), &ended));
        let claims = claims.map(|claims| claims.to_string());
        let problem = match ended.run {
            RunOutcome::Finished if claims.is_some() => self.slowness(&ended),
            RunOutcome::Finished => Some("no footer in run.log".to_owned()),
            _ => Some(format!("training {}: {}", ended.run, ended.said)),
        };
        let Manifest { run, seconds, startup_s, .. } = ended;
        self.end(Entry::Ran { run, seconds, startup_s, claims, curve, problem, tampered }).await
    }

    pub(super) async fn predict(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Predict);
        let Some((ended, problem)) = self.ask_about(Work::Predict, 1.0).await? else {
            return Ok(());
        };
        let Manifest { run, seconds, tampered, .. } = ended;
        self.end(Entry::Predicted { run, seconds, problem, tampered }).await
    }

    /// Has the commit in hand predict a part of so many times the records of the one that decides. Says how that
    /// ended, and why there is nothing to score, if there is nothing.
    async fn ask_about(
        &mut self,
        work: Work,
        more: f64,
    ) -> Result<Option<(Manifest, Option<String>)>, Failure> {
        let task = self.limits(self.task.budget.predict_s);
        let deadline = self.predict_deadline(task.deadline, more);
        let Some(ended) = self.measured(work, Limits { deadline, ..task }).await? else {
            return Ok(None);
        };
        let is_overlong = ended.run == RunOutcome::TimedOut && deadline < task.deadline;
        let problem = is_overlong.then(|| overlong(deadline)).or_else(|| ended.failed_prediction());
        Ok(Some((ended, problem)))
    }

    /// Measures a keep on the part that decides nothing.
    pub(super) async fn hold_out(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Holdout);
        let Some(holdout) = self.task.score.holdout.clone() else { return Ok(()) };
        let labels = self.path(&holdout.labels);
        let more = relative_size(&labels, &self.path(&self.task.score.labels)).or_outside()?;
        let Some((ended, problem)) = self.ask_about(Work::HoldOut, more).await? else {
            return Ok(());
        };
        let n = self.history.current();
        let part = Part { labels: &labels, sources: None };
        let scored = match problem {
            Some(problem) => Err(problem),
            None => match scorer::score(&self.notebook.holdout(n), &part) {
                Err(error @ scorer::ScorerError::Vault { .. }) => return Err(error).or_outside(),
                scored => scored.map_err(|error| error.to_string()),
            },
        };
        let tampered = ended.tampered.as_ref().map(|what| format!("tampered: {what}"));
        let (metrics, problem) = match scored {
            Ok(scored) => (scorer::by_name(&scored.scores), tampered),
            Err(problem) => (BTreeMap::new(), Some(problem)),
        };
        let objective = self.task.score.objective.clone();
        let score = metrics.get(&objective).copied();
        info!(score, "the keep on the holdout part: {objective}");
        self.end(Entry::HeldOut { metrics, seconds: ended.seconds, problem }).await?;
        let gap = overfit(&gaps(self.history.line(), &objective));
        let alarms = gap.into_iter().chain(self.history.best().and_then(unmeasured));
        alarms.for_each(|alarm| warn!("{alarm}"));
        Ok(())
    }

    /// What a trainer that scores itself claims against what the daemon computed. Of each score, the
    /// last line that gives it counts.
    fn false_claim(&self, official: &BTreeMap<String, f64>) -> Option<String> {
        if !self.task.score.claims {
            return None;
        }
        let log = self.notebook.run_log_text(self.history.current());
        let claims = log.lines().filter(|line| footer::tells_score(line));
        let claims: BTreeMap<&str, f64> = claims
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim().parse().unwrap_or(f64::NAN)))
            .collect();
        official
            .iter()
            .find_map(|(name, official)| false_claim(name, *claims.get(name.as_str())?, *official))
    }

    /// The task's command; a compiler by its absolute path.
    fn argv(&self, work: Work, places: &Places) -> Vec<String> {
        let mut argv = self.command(work).map(|command| command.expand(places)).unwrap_or_default();
        if work == Work::Build
            && let (Some(bin), Some(program)) = (&self.toolchain.bin, argv.first_mut())
        {
            *program = bin.join("cargo").to_string_lossy().into_owned();
        }
        argv
    }

    /// The whole environment of a run.
    fn environment(&self, work: Work, places: &Places) -> BTreeMap<String, String> {
        let mut environment = common_environment(&self.settings, &self.task, (places, &self.mark));
        if self.sealed().is_some() {
            environment.extend(at_home(&self.slot.scratch));
        }
        if work == Work::Build {
            let path = environment.get("PATH").cloned().unwrap_or_default();
            environment.extend(self.toolchain.environment(&path));
        }
        environment
    }

    /// Whether a run starts what is the candidate's own: a file of its tree, or what its build made.
    fn is_own(&self, work: Work, program: &str) -> bool {
        let kept = self.notebook.program(self.history.current());
        let own = [&self.slot.tree, &self.slot.target, &kept];
        // A name without a directory is looked for on the path.
        let named = program.contains('/').then(|| self.slot.tree.join(program));
        !matches!(work, Work::Build | Work::Canary)
            && named.is_some_and(|named| own.into_iter().any(|place| named.starts_with(place)))
    }

    /// What an honest trainer does not print where it is the daemon that scores.
    fn telltale(&self) -> Option<fn(&str) -> bool> {
        let is_watched = self.sealed().is_some() && !self.task.score.claims;
        is_watched.then_some(footer::tells_score)
    }

    /// A path of the task with its placeholders filled in.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        expand(text, &self.places(Work::Predict)).into()
    }

    /// The official scores. The complete footer goes to the log.
    pub(super) async fn score(&mut self) -> Result<(), Failure> {
        let n = self.history.current();
        self.enter(Phase::Score);
        let labels = self.path(&self.task.score.labels);
        let sources = self.task.score.sources.as_deref().map(|sources| self.path(sources));
        let part = Part { labels: &labels, sources: sources.as_deref() };
        let scored = match scorer::score(&self.notebook.out(n), &part) {
            Ok(scored) => scored,
            Err(error @ scorer::ScorerError::Vault { .. }) => return Err(error).or_outside(),
            Err(error) => return self.record(Entry::Unscored { reason: error.to_string() }).await,
        };
        let claims = self.candidate()?.claims.as_deref().and_then(Claims::parse);
        let Some(claims) = claims else {
            let reason = "no footer in run.log".to_owned();
            return self.record(Entry::Unscored { reason }).await;
        };
        let peak_vram_mb = claims.peak_vram_mb;
        tolerate(self.notebook.write_predictions(n, &scored.predictions));
        let scores = scored.scores;
        let metrics = scorer::by_name(&scores);
        let tampered = self.false_claim(&metrics);
        let footer = Footer::complete(claims, &scores, self.candidate()?.row().predicted_s);
        tolerate(self.notebook.append_footer(n, &footer.to_string()));
        info!(sn34_score = scores.sn34_score, accuracy = scores.accuracy, "scored");
        let (records, sources) = (scored.predictions.len() as u64, scored.sources);
        self.record(Entry::Scored { metrics, peak_vram_mb, records, sources, tampered }).await
    }

    /// Runs one of the task's commands for the experiment in hand.
    pub(super) async fn execute(
        &self,
        work: Work,
        log: &Path,
        limits: Limits,
    ) -> Result<Report, Failure> {
        make_way(log).or_outside()?;
        let places = self.places(work);
        let argv = self.argv(work, &places);
        let sandbox = self.sandbox(work, &places);
        let resources = match &sandbox {
            Some(sandbox) => {
                self.level_pages_for(work).await.or_outside()?;
                self.hand_over(work).await?;
                self.allowance(work, sandbox).await?
            }
            None => self.resources,
        };
        let environment = self.environment(work, &places);
        let execution = Execution {
            argv,
            directory: self.slot.tree.clone(),
            environment,
            log: log.to_owned(),
            started_line: Some(CLOCK_STARTED),
            telltale: self.telltale(),
            deadline: limits.deadline,
            grace: limits.grace,
            limits: resources,
            containment: self.containment.clone(),
            sandbox,
        };
        tracing::debug!(argv = ?execution.argv, deadline_s = limits.deadline.as_secs(), "starts");
        let most = limits.deadline + limits.grace + SLACK;
        let run = runner::run(&execution, self.live, self.stop.clone());
        let is_sealed = execution.sandbox.is_some();
        let ended = self.service.during(most, run).await;
        // It may hold much; the next run finds it empty in any case.
        if is_sealed && let Err(failure) = self.renew_scratch().await {
            warn!("its temporary files stay for now: {:#}", failure.error);
        }
        let report = match ended {
            // What a candidate's build made is no program: its doing, and nothing to wait for.
            Err(error) if error.is_of_the_program() && self.is_own(work, &execution.argv[0]) => {
                Report::not_started(&anyhow::Error::from(error))
            }
            report => report.or_outside()?,
        };
        if report.killed > 0 {
            info!(killed = report.killed, "processes that outlived their program were ended");
        }
        if let Some(error) = &report.log_error {
            warn!(%error, log = %log.display(), "the log is not whole");
        }
        Ok(report)
    }
}
