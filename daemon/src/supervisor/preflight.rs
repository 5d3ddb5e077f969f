//! From settings to a session: everything is checked before anything is made.

use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::checks::{Found, find};
use super::device::Gpus;
use super::heartbeat::Pulse;
use super::opening::Resumed;
use super::phases::PhaseClock;
use super::room::making_room;
use super::slot::{Slot, SlotError};
use super::toolchain::Toolchain;
use super::{Session, StopLevel, leftovers, legacy, opening};
use crate::clock;
use crate::disk::{BALLAST_BYTES, Ballast};
use crate::experiment::{Believing, History, Phase, Row, Rules, Verdict};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::Ledger;
use crate::notebook::Notebook;
use crate::runner::{
    self, Containment, ContainmentError, FileLock, Live, LockError, ResourceLimits, RunUser,
};
use crate::service::Service;
use crate::session::Heartbeat;
use crate::settings::{ProposerChoice, Settings};
use crate::task::Places;
use crate::telemetry;
use crate::tier::Tier;

/// Answers that may follow a first one that failed.
pub(super) const REPAIR_TURNS: u32 = 2;

pub(super) async fn prepare(
    settings: Settings,
    stop: watch::Receiver<StopLevel>,
) -> Result<Session, Failure> {
    let filter = telemetry::Filter::parse(settings.log_filter.as_deref()).or_configuration()?;
    let ledger_path = settings.locations.ledger();
    let (known, given_up) = match &settings.tag {
        Some(tag) if settings.resume => {
            let notebook = Notebook::new(&settings.locations.state_dir, tag);
            refuse_second(&notebook, tag)?;
            let resuming = async || opening::resumed(&ledger_path, tag).await;
            making_room(&notebook, resuming)
                .await
                .map(|(known, given_up)| (Some(known), given_up))?
        }
        _ => (None, 0),
    };
    let mut found = find(&settings, known.as_ref()).await?;
    let notebook = Notebook::new(&settings.locations.state_dir, &found.tag);
    refuse_second(&notebook, &found.tag)?;
    notebook.probe().or_outside()?;
    let project = found.repository.root(&found.base).or_outside()?;
    let (containment, more) = making_room(&notebook, async || contain(&settings)).await?;
    let given_up = given_up + more;
    let (socket, interval) = &settings.service;
    let service = Service::from_environment(socket.as_deref(), *interval).or_configuration()?;
    let slot = Slot::claim(&settings.locations.cache, &project).map_err(crowded)?;
    let program = found.terms.task.commands.build.expand(&Places::new()).swap_remove(0);
    let log = slot.root().join("toolchain.log");
    let find_toolchain = async || Toolchain::find(&settings, &program, (&containment, &log)).await;
    let (toolchain, more) = making_room(&notebook, find_toolchain).await?;
    let given_up = given_up + more;
    // From here on things are made.
    notebook.create().or_outside()?;
    // A path that leads back over others leads nowhere in a sandbox, where those are not.
    let state_dir = settings.locations.state_dir.canonicalize().or_outside()?;
    let notebook = Notebook::new(&state_dir, &found.tag);
    let lock = FileLock::take(&notebook.lock()).map_err(|error| busy(error, &found.tag))?;
    telemetry::start(notebook.root(), &filter).or_outside()?;
    let mark = leftovers::mark(&notebook);
    let left = leftovers::clear(&notebook, &found.repository, &found.tag).await?;
    left.told().iter().for_each(|told| warn!("{told}"));
    let ledger = Ledger::open(&ledger_path).await.or_outside()?;
    let mut gpus = Gpus::open(&settings, known.as_ref().map(|known| &known.session.begun)).await;
    let mut earlier = None;
    let (id, base, history) = match known {
        Some(Resumed { session, .. }) => {
            let mut history = ledger.history(session.id).await.or_outside()?;
            legacy::inherit(&ledger, &session, &mut history).await?;
            earlier = ledger.heartbeat(session.id).await.or_outside()?;
            let standing = history.standing(&session.begun.base_commit);
            if !left.references.is_empty() || !found.repository.has(&standing) {
                put_back(&found, &ledger, session.id).await?;
            }
            check_standing(&found, &history, &standing)?;
            (session.id, session.begun.base_commit, history)
        }
        // The session before its branch: what a crash leaves in between, --resume goes on with.
        None => {
            let begun = opening::begin(&settings, &found, (&ledger, &gpus)).await?;
            let branch = format!("autoresearch/{}", found.tag);
            found.repository.create_branch(&branch, &found.base, "session start").or_outside()?;
            begun
        }
    };
    gpus.recall(&history.device);
    let wait = earlier.as_ref().map(|beat: &Heartbeat| beat.postponed(clock::wall_ms()));
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        found.proposer.rest(wait, "it had asked for patience before the restart");
    }
    let caps = opening::caps(&settings, &history)?;
    let ballast = Ballast::new(
        notebook.ballast(),
        settings.ballast_mib.map_or(BALLAST_BYTES, |mib| mib << 20),
    );
    if given_up > 0 {
        // Made again when there is room: after the wait for it.
        warn!(mib = given_up >> 20, "the disk was full at the start; the ballast was given up");
    } else if let Err(error) = ballast.restore() {
        warn!("no ballast: {:#}", anyhow::Error::from(error));
    }
    let born = clock::now();
    info!(
        tag = found.tag,
        task = found.terms.task.name,
        proposer = found.proposer.name(),
        may_spend = %caps,
        "session"
    );
    if let Some(error) = &found.out {
        error!(%error, "the endpoint gives no answer; it is waited for");
    }
    let resources = resources(&settings);
    let (tier, sealed) = (containment.tier().as_str(), !settings.runs.unsealed);
    let memory_mib = resources.memory_bytes.map(|bytes| bytes >> 20);
    info!(tier, sealed, memory_mib, "runs are contained");
    if settings.runs.unsealed {
        warn!("UNSEALED: candidates can read the labels that they are scored on");
    }
    report_checkout(&found);
    warn_of_downgrade(&history, (containment.tier(), settings.runs.unsealed));
    let live = if std::io::stderr().is_terminal() { Live::Terminal } else { Live::Quiet };
    let certify_at = super::evidence::certify_at(&settings.evidence, &history);
    let rules = Rules {
        asks: settings.asks,
        repair_turns: REPAIR_TURNS,
        crash_limit: settings.crash_limit,
        holdout: found.terms.task.score.holdout.is_some(),
        noise_runs: found.terms.noise_runs,
        certify: settings.evidence.certify,
        rethinks: matches!(settings.proposer, ProposerChoice::Llm { .. }),
        again_share: settings.evidence.again_share,
        max_experiments: settings.max_experiments,
        caps,
    };
    Ok(Session {
        settings,
        gpus,
        containment,
        toolchain,
        resources,
        mark,
        ballast,
        service,
        rules,
        task: found.terms.task,
        budget: Duration::from_secs(found.terms.budget_s),
        seed: found.terms.seed,
        rule: found.terms.rule,
        believing: Believing::default(),
        certify_at,
        tag: found.tag,
        trusted: legacy::trusted(&base, &history).to_owned(),
        base,
        repository: found.repository,
        scope: found.scope,
        ledger,
        id,
        history,
        notebook,
        proposer: found.proposer,
        slot,
        built: None,
        ended: None,
        base_fails: false,
        begun: None,
        pack: found.pack,
        stop,
        live,
        pulse: Pulse::new(born),
        clock: PhaseClock::start(Phase::Record, clock::now()),
        born,
        earlier,
        waiting: None,
        is_backed_up: true,
        failures: 0,
        rests: 0,
        lock,
    })
}

/// What one run may use.
pub(super) fn resources(settings: &Settings) -> ResourceLimits {
    ResourceLimits {
        memory_bytes: settings.runs.memory_bytes.or_else(runner::usual_memory_bytes),
        processes: settings.runs.processes,
        file_bytes: settings.runs.file_bytes,
        directory_bytes: settings.runs.directory_bytes,
        free_bytes: None,
    }
}

/// A daemon that runs this session is told before anything else about it is looked at.
pub(super) fn refuse_second(notebook: &Notebook, tag: &str) -> Result<(), Failure> {
    let path = notebook.lock();
    runner::is_held(&path)
        .map_or(Ok(()), |owner| Err(busy(LockError::Held { path, owner: owner.to_string() }, tag)))
}

pub(super) fn crowded(error: SlotError) -> Failure {
    match error {
        SlotError::Busy(LockError::Held { .. }) => Failure::new(Kind::Configuration, error)
            .hint("wait for it, or stop it: dfr-daemon list, dfr-daemon stop --tag TAG"),
        _ => Failure::new(Kind::Outside, error),
    }
}

pub(super) fn busy(error: LockError, tag: &str) -> Failure {
    match error {
        LockError::Held { .. } => Failure::new(Kind::Configuration, error)
            .hint(format!("a daemon runs this session already: dfr-daemon status --tag {tag}")),
        LockError::Io { .. } => Failure::new(Kind::Outside, error),
    }
}

/// The tier that is asked for, or the best there is in which candidates cannot reach what they are
/// scored on.
pub(super) fn contain(settings: &Settings) -> Result<Containment, Failure> {
    let asked = &settings.runs;
    let user = RunUser::choose(asked.run_as).or_configuration()?;
    let doctor = "dfr-daemon doctor says what there is";
    let chosen = Containment::choose(asked.containment, &runner::capabilities(user));
    let chosen = chosen.map_err(|error| match error {
        ContainmentError::Untried(_) => Failure::new(Kind::Outside, error),
        error => Failure::new(Kind::Configuration, error).hint(doctor),
    })?;
    let Some(why) = chosen.seals().err().filter(|_| !asked.unsealed) else { return Ok(chosen) };
    let error = anyhow::anyhow!("candidates cannot be kept from what they are scored on: {why}");
    if why.may_pass() {
        return Err(Failure::new(Kind::Outside, error));
    }
    Err(Failure::new(Kind::Configuration, error)
        .hint(doctor)
        .hint("--unsealed runs them all the same, and every row says so"))
}

/// A session that was kept together better before says so: its rows are of two kinds from now on.
fn warn_of_downgrade(history: &History, (tier, is_unsealed): (Tier, bool)) {
    let Some(before) = history.decided().next_back().and_then(|row| row.sealed) else { return };
    let now = if is_unsealed { "none" } else { tier.as_str() };
    if is_unsealed || (before == Tier::Full && tier == Tier::Container) {
        warn!(before = before.as_str(), now, "a weaker sandbox than that of the rows before");
    }
}

/// Puts references that held nothing back from the ledger. A candidate that cannot be had again is
/// no reason not to go on with the others.
async fn put_back(found: &Found, ledger: &Ledger, session_id: i64) -> Result<(), Failure> {
    let entries = ledger.entries(session_id).await.or_outside()?;
    match found.candidates().restore(&entries) {
        Ok(restored) => restored.told().iter().for_each(|told| warn!("{told}")),
        Err(failure) => warn!("not all is put back: {:#}", failure.error),
    }
    Ok(())
}

/// Without the commit that the branch belongs on nothing goes on, however long it is waited for.
fn check_standing(found: &Found, history: &History, standing: &str) -> Result<(), Failure> {
    let (repository, tag) = (&found.repository, &found.tag);
    if repository.has(standing) {
        return Ok(());
    }
    let error = anyhow::anyhow!("branch autoresearch/{tag} belongs on {standing}, which is lost");
    let failure = Failure::new(Kind::Outside, error).hint(format!(
        "dfr-daemon rebuild --tag {tag} names what cannot be made again; fetch it from another clone"
    ));
    let is_there = |row: &&Row| row.verdict == Verdict::Keep && repository.has(&row.commit);
    Err(match history.rows.iter().rev().find(is_there) {
        Some(keep) => failure.hint(format!(
            "dfr-daemon rollback --tag {tag} --to {} returns to the last keep that is there",
            keep.experiment
        )),
        None => failure,
    })
}

/// A branch moves under a human who has it checked out: their files stay, and so seem changed.
fn report_checkout(found: &Found) {
    let branch = format!("autoresearch/{}", found.tag);
    if found.repository.is_checked_out(&branch) {
        warn!(
            "{branch} is checked out: the branch moves and your files do not, so git will show \
             them as modified; `git switch main` avoids that"
        );
    }
}
