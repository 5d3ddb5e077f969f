//! Where the files of a session lie, and the effects on them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dfr_contract::predictions;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::atomic::copy_atomic;
use super::untrusted::{open_end, read_end, read_plain, remove};
use super::{Table, holdout_tsv, human, make_way, state_md, submissions, write_atomic};
use crate::clock;
use crate::experiment::{Entry, History, Phase, Place, Row};
use crate::task::Task;

/// What is read of a run's log, from its end, in bytes: the runner keeps 9 MiB of output, and the
/// rest is the candidate's own writing.
const LOG_BYTES: u64 = 16 << 20;
/// Most bytes of a program that is kept.
const PROGRAM_BYTES: u64 = 2 << 30;
/// Most bytes of a manifest.
const MANIFEST_BYTES: u64 = 1 << 20;

/// A file of the notebook could not be handled.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: check its rights and the space on its disk", path.display())]
pub struct NotebookError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

const BUILD_LOG: &str = "build.log";
/// The log of an earlier run of an experiment that was measured again.
const EARLIER_LOG: &str = "run-1.log";
const PROGRAM: &str = "program";
/// Files of an experiment that are made to survive a power cut; no honest trainer leaves so many.
const MOST_SYNCED: usize = 256;
/// What stays of an experiment that was not kept.
const KEPT: [&str; 7] = [
    BUILD_LOG,
    EARLIER_LOG,
    "run.log",
    "meta.json",
    "train.json",
    "predict.json",
    predictions::FILE,
];

fn is_reply(name: &str) -> bool {
    name.starts_with("reply-") && name.ends_with(".txt")
}

/// The files of one session under `state/<tag>/`.
#[derive(Clone, Debug)]
pub struct Notebook {
    root: PathBuf,
    tag: String,
    table: Table,
}

impl Notebook {
    /// Names the place; creates nothing.
    pub fn new(state_dir: &Path, tag: &str) -> Self {
        Self { root: state_dir.join(tag), tag: tag.to_owned(), table: Table::default() }
    }

    /// The session's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The table of results.
    pub fn results(&self) -> PathBuf {
        self.root.join("results.tsv")
    }

    /// What the next proposal must know.
    pub fn state_md(&self) -> PathBuf {
        self.root.join("STATE.md")
    }

    /// The directory of the full logs, by time.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The directory of one experiment: logs, predictions, meta.json, and the directories below. No
    /// program of a candidate writes in it but in those.
    pub fn experiment(&self, experiment: u32) -> PathBuf {
        self.root.join("exp").join(experiment.to_string())
    }

    /// What training writes: checkpoints.
    pub fn run(&self, experiment: u32) -> PathBuf {
        self.experiment(experiment).join("run")
    }

    /// What predicting the validation part writes.
    pub fn out(&self, experiment: u32) -> PathBuf {
        self.experiment(experiment).join("out")
    }

    /// What predicting the holdout part writes.
    pub fn holdout(&self, experiment: u32) -> PathBuf {
        self.experiment(experiment).join("holdout")
    }

    /// The program that was built for an experiment.
    pub fn program(&self, experiment: u32) -> PathBuf {
        self.experiment(experiment).join(PROGRAM)
    }

    /// The log of one experiment's run: of its training and of the prediction that decides. The
    /// official footer ends it.
    pub fn run_log(&self, experiment: u32) -> PathBuf {
        self.experiment(experiment).join("run.log")
    }

    /// The log of predicting the holdout part, which nothing follows and nobody reads for scores.
    pub fn holdout_log(&self, experiment: u32) -> PathBuf {
        self.experiment(experiment).join("holdout.log")
    }

    /// The lock that the session's daemon holds.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The file that only takes up room, one for all sessions.
    pub fn ballast(&self) -> PathBuf {
        self.root.with_file_name("ballast")
    }

    /// Makes the session's directory. A state directory that is new is told to git as one to leave
    /// alone; one that was there, which may hold other things, stays as it is.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(&self) -> Result<(), NotebookError> {
        let state = self.root.parent().expect("sessions lie below the state directory");
        let is_new = !state.exists();
        fs::create_dir_all(&self.root).map_err(failed("make", &self.root))?;
        if is_new { replace(&state.join(".gitignore"), b"*\n") } else { Ok(()) }
    }

    /// Makes an experiment's directory. What is there of an experiment that the ledger does not know
    /// any more must not be taken for this one's.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(&self, experiment: u32) -> Result<(), NotebookError> {
        let directory = self.experiment(experiment);
        make_way(&directory).map_err(failed("make", &directory))?;
        fs::create_dir_all(&directory).map_err(failed("make", &directory))
    }

    /// Writes a proposer's answer as it came; `turn` 0 is the first.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_reply(&self, experiment: u32, turn: u32, text: &str) -> Result<(), NotebookError> {
        replace(&self.experiment(experiment).join(format!("reply-{turn}.txt")), text.as_bytes())
    }

    /// Leaves word of a phase that ended, after making everything in the experiment's directory
    /// survive a power cut: the ledger will speak of it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_manifest(
        &self,
        experiment: u32,
        phase: Phase,
        manifest: &impl Serialize,
    ) -> Result<(), NotebookError> {
        let directory = self.experiment(experiment);
        sync(&directory, MOST_SYNCED).map_err(failed("write", &directory))?;
        let text = serde_json::to_vec_pretty(manifest).expect("a manifest is plain data");
        replace(&manifest_path(&directory, phase), &text)
    }

    /// The word left of a phase that ended, if there is one that can be understood.
    pub fn manifest<T: DeserializeOwned>(&self, experiment: u32, phase: Phase) -> Option<T> {
        let path = manifest_path(&self.experiment(experiment), phase);
        serde_json::from_slice(&read_plain(&path, MANIFEST_BYTES).ok()??).ok()
    }

    /// Keeps a program that was built with its experiment, and says its SHA-256; nothing when there
    /// is no plain file of that name below `target`, wherever links may lead.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn keep_program(
        &self,
        experiment: u32,
        product: &Path,
        target: &Path,
    ) -> Result<Option<String>, NotebookError> {
        let kept = self.program(experiment);
        let (Ok(product), Ok(target)) = (product.canonicalize(), target.canonicalize()) else {
            return Ok(None);
        };
        if !product.starts_with(&target) || !product.is_file() {
            return Ok(None);
        }
        // One that may not be read, or is larger than any program, is none.
        let Ok(program) = fs::File::open(&product) else { return Ok(None) };
        copy_program(program, &kept).map_err(failed("write", &kept))
    }

    /// Whether the program that was kept with an experiment has this SHA-256.
    pub fn has_program(&self, experiment: u32, sha256: &str) -> bool {
        fs::File::open(self.program(experiment))
            .and_then(|program| copy_hashed(program, io::sink()))
            .is_ok_and(|found| found == sha256)
    }

    /// Writes the predictions that were scored.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_predictions(&self, experiment: u32, p: &[f64]) -> Result<(), NotebookError> {
        let path = self.experiment(experiment).join(predictions::FILE);
        replace(&path, predictions::print(p).as_bytes())
    }

    /// Bytes of the session's files.
    pub fn size_bytes(&self) -> u64 {
        size_bytes(&self.root)
    }

    /// The text of an experiment's run log, its end where it is longer than 16 MiB; empty when a
    /// candidate left none that can be read.
    pub fn run_log_text(&self, experiment: u32) -> String {
        text(read_end(&self.run_log(experiment), LOG_BYTES).ok().flatten().unwrap_or_default())
    }

    /// Ends an experiment's run log, which may have gone, with the complete footer.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn append_footer(&self, experiment: u32, footer: &str) -> Result<(), NotebookError> {
        let log = self.run_log(experiment);
        let append = || -> io::Result<()> {
            make_way(&log)?;
            let mut file = fs::OpenOptions::new().create(true).append(true).open(&log)?;
            file.write_all(format!("\n{}\n{footer}", "=".repeat(60)).as_bytes())?;
            file.sync_all()
        };
        append().map_err(failed("write", &log))
    }

    /// STATE.md as it stands.
    pub fn state(&self, task: &Task, history: &History) -> String {
        state_md(task, &self.tag, history)
    }

    /// Writes results.tsv and STATE.md anew, and holdout.tsv once there is something to tell.
    ///
    /// # Errors
    /// A file or its directory cannot be written.
    pub fn write(&mut self, task: &Task, history: &History) -> Result<(), NotebookError> {
        let path = self.results();
        let results = self.table.follow(&task.score.columns, history.decided());
        replace(&path, results.as_bytes())?;
        let objective = &task.score.objective;
        let holdout = holdout_tsv(objective, history.decided());
        if !holdout.is_empty() {
            replace(&self.root.join("holdout.tsv"), holdout.as_bytes())?;
        }
        let state = state_md(task, &self.tag, history);
        // First what tells our lines from a human's: a life may end in between.
        let memory = self.state_memory();
        let known = human::remembered(&memory, &state);
        if fs::read(&memory).ok().as_deref() != Some(known.as_bytes()) {
            replace(&memory, known.as_bytes())?;
        }
        replace(&self.state_md(), state.as_bytes())
    }

    /// What `dfr push` notes of the session's keeps.
    pub fn submissions(&self) -> PathBuf {
        self.root.join("submissions.jsonl")
    }

    /// What people did that the history does not know, as entries: what a human wrote into INBOX.md, or added
    /// to STATE.md, and what was submitted.
    pub fn news(&self, history: &History) -> Vec<Entry> {
        let inbox = human::lines(&self.root.join(Place::Inbox.as_str()));
        let state = human::added(&self.state_md(), &self.state_memory());
        let said = |from: Place, lines: Vec<String>| {
            let mut known: BTreeSet<_> = history.heard(from).map(str::to_owned).collect();
            let new = lines.into_iter().filter(move |text| known.insert(text.clone()));
            new.map(move |text| Entry::Directed { from, text })
        };
        let submitted = submissions::new(&self.submissions(), history.submissions.len());
        let submitted = submitted.into_iter().map(|submission| Entry::Submitted { submission });
        said(Place::Inbox, inbox).chain(said(Place::State, state)).chain(submitted).collect()
    }

    /// The lines that STATE.md had from us.
    fn state_memory(&self) -> PathBuf {
        self.root.join(".STATE.md.lines")
    }

    /// Copies an experiment's run log (its end where it is longer than 16 MiB) to
    /// `runs/<stamp>_run.log`, and says where it lies. Doing it again changes nothing; another log of
    /// the same second gets a number. An experiment that never ran has no log.
    ///
    /// # Errors
    /// The log cannot be read or the copy cannot be written.
    pub fn archive_run_log(
        &self,
        experiment: u32,
        at_ms: i64,
    ) -> Result<Option<PathBuf>, NotebookError> {
        let log = self.run_log(experiment);
        if end(&log)?.is_none() {
            return Ok(None);
        }
        let stamp = clock::stamp(at_ms);
        let mut names = (1u64..).map(|number| match number {
            1 => format!("{stamp}_run.log"),
            _ => format!("{stamp}_{number}_run.log"),
        });
        let archive = |name| archived(&log, self.runs().join(name)).transpose();
        names.find_map(archive).transpose()
    }

    /// Writes `exp/<n>/meta.json`: the row.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_meta(&self, row: &Row) -> Result<(), NotebookError> {
        let text = format!("{:#}\n", described(row));
        replace(&self.experiment(row.experiment).join("meta.json"), text.as_bytes())
    }

    /// Removes the checkpoints of an experiment that was not kept, and whatever else a candidate
    /// left; its logs, predictions and what was written about it stay.
    ///
    /// # Errors
    /// The directory cannot be read, or something cannot be removed.
    pub fn prune(&self, experiment: u32) -> Result<(), NotebookError> {
        self.remove_but(experiment, |name| KEPT.contains(&name) || is_reply(name))
    }

    /// Removes what an earlier attempt left of a run: one that is begun again begins from nothing.
    ///
    /// # Errors
    /// The directory cannot be read, or something cannot be removed.
    pub fn clear_run(&self, experiment: u32) -> Result<(), NotebookError> {
        let stays = [BUILD_LOG, PROGRAM, EARLIER_LOG];
        self.remove_but(experiment, |name| stays.contains(&name) || is_reply(name))
    }

    /// Keeps the log of an experiment's run before another one of it.
    ///
    /// # Errors
    /// It is there and cannot be renamed.
    pub fn set_run_aside(&self, experiment: u32) -> Result<(), NotebookError> {
        let log = self.run_log(experiment);
        match fs::rename(&log, self.experiment(experiment).join(EARLIER_LOG)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("rename", &log)(error)),
            _ => Ok(()),
        }
    }

    /// The same for the first of them, whatever was cut short since.
    ///
    /// # Errors
    /// It is there and cannot be renamed.
    pub fn set_first_run_aside(&self, experiment: u32) -> Result<(), NotebookError> {
        match self.experiment(experiment).join(EARLIER_LOG).exists() {
            true => Ok(()),
            false => self.set_run_aside(experiment),
        }
    }

    fn remove_but(
        &self,
        experiment: u32,
        stays: impl Fn(&str) -> bool,
    ) -> Result<(), NotebookError> {
        let directory = self.experiment(experiment);
        for path in listed(&directory).map_err(failed("read", &directory))? {
            let is_file = path.symlink_metadata().is_ok_and(|kind| kind.is_file());
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !(is_file && stays(&name)) {
                remove(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }
}

fn manifest_path(directory: &Path, phase: Phase) -> PathBuf {
    directory.join(format!("{phase}.json"))
}

/// Makes the plain files below a directory survive a power cut. A candidate decides how deep they lie:
/// no stack would be enough for a walk that calls itself. It decides how many they are as well: of more
/// than `most`, each of which costs time that no budget counts, the end of the run is not told apart from
/// its being cut short.
///
/// # Errors
/// The operating system refuses, or there are more files.
pub fn sync(directory: &Path, most: usize) -> io::Result<()> {
    let mut open = vec![directory.to_owned()];
    let mut files = 0;
    while let Some(directory) = open.pop() {
        for path in listed(&directory)? {
            let kind = path.symlink_metadata()?;
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                files += 1;
                if files > most {
                    return Err(io::Error::other(format!("more than {most} files")));
                }
                fs::File::open(&path)?.sync_all()?;
            }
        }
        fs::File::open(&directory)?.sync_all()?;
    }
    Ok(())
}

/// Copies a program to where nobody but the daemon writes, and says its SHA-256.
fn copy_program(from: fs::File, to: &Path) -> io::Result<Option<String>> {
    if from.metadata()?.len() > PROGRAM_BYTES {
        return Ok(None);
    }
    if to.symlink_metadata().is_ok() {
        remove(to)?;
    }
    let sha256 = copy_hashed(from, fs::File::create_new(to)?)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    Ok(Some(sha256))
}

/// Copies, and says the SHA-256 of what was copied.
fn copy_hashed(mut from: impl Read, mut to: impl io::Write) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Bytes of everything below a directory; what cannot be looked at counts nothing.
fn size_bytes(directory: &Path) -> u64 {
    let (mut open, mut bytes) = (vec![directory.to_owned()], 0);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) => bytes += kind.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn described(row: &Row) -> Value {
    json!({
        "experiment": row.experiment,
        "commit": row.commit,
        "parent": row.parent,
        "verdict": row.verdict,
        "reason": row.reason,
        "hypothesis": row.hypothesis,
        "description": row.description,
        "proposer": row.proposer,
        "metrics": row.metrics,
        "peak_vram_mb": row.peak_vram_mb,
        "steps_per_s": row.steps_per_s,
        "machine": row.machine.as_deref(),
        "prompt_tokens": row.usage.prompt_tokens,
        "completion_tokens": row.usage.completion_tokens,
        "phase_seconds": row.phase_seconds,
        "decided_at_ms": row.decided_at_ms,
        "sealed": row.sealed,
        "sources": row.sources,
        "holdout": row.holdout,
        "program_sha256": row.program,
    })
}

fn replace(path: &Path, content: &[u8]) -> Result<(), NotebookError> {
    let directory = path.parent().expect("files of the notebook lie in a directory");
    fs::create_dir_all(directory).map_err(failed("make", directory))?;
    write_atomic(path, content).map_err(failed("write", path))
}

/// The end of a log, or nothing when there is no plain file.
fn end(path: &Path) -> Result<Option<impl Read + use<>>, NotebookError> {
    open_end(path, LOG_BYTES).map_err(failed("read", path))
}

/// Where a log lies already, or is put now; nothing when another one is there. Never all in memory.
fn archived(log: &Path, path: PathBuf) -> Result<Option<PathBuf>, NotebookError> {
    let unread = |source| failed("read", log)(source);
    let from = end(log)?.ok_or_else(|| unread(ErrorKind::NotFound.into()))?;
    if let Some(other) = end(&path)? {
        return Ok(is_same(from, other).map_err(unread)?.then_some(path));
    }
    let directory = path.parent().expect("files of the notebook lie in a directory");
    fs::create_dir_all(directory).map_err(failed("make", directory))?;
    copy_atomic(&path, from).map_err(failed("write", &path))?;
    Ok(Some(path))
}

fn is_same(one: impl Read, other: impl Read) -> io::Result<bool> {
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let length = a.len().min(b.len());
        if length == 0 || a[..length] != b[..length] {
            return Ok(a.is_empty() && b.is_empty());
        }
        one.consume(length);
        other.consume(length);
    }
}

/// Bytes as text, with a question mark for each that is none: not a second time in memory, nor larger.
fn text(mut bytes: Vec<u8>) -> String {
    let mut from = 0;
    while let Err(problem) = std::str::from_utf8(&bytes[from..]) {
        let bad = from + problem.valid_up_to();
        from = problem.error_len().map_or(bytes.len(), |length| bad + length);
        bytes[bad..from].fill(b'?');
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// The paths in a directory; none when there is no such directory.
fn listed(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| entry.map(|e| e.path())).collect(),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NotebookError {
    move |source| NotebookError { action, path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "artifacts_tests.rs"]
mod tests;
