//! `dfr push`: archives are checked, then gascli submits them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::exit;
use dfr_contract::modality::Modality;
use dfr_contract::submission::{Model, STOPPED, Submission};
use dfr_media::files::{self, FileError};

use super::record::{self, Entry, LIMIT};
use super::{Asked, GascliError, find};
use crate::cli::Push;
use crate::clock;
use crate::evaluate::scratch_dir;
use crate::exam::{ExamError, open, try_out};
use crate::export::ExportError;
use crate::failure::Failure;
use crate::phase::PhaseError;
use crate::python::Python;
use crate::settings::Settings;

/// How a gascli that could not be started is recorded, as shells tell it.
const NOT_STARTED: i32 = 127;

/// Checks, submits, records.
pub fn run(request: &Push, settings: &Settings) -> Result<u8, Failure> {
    if !request.dry_run {
        // Before minutes of checks.
        find(settings)?;
    }
    let python = Python::find(request.python.as_deref(), settings);
    let python = python.map_err(ExportError::from).map_err(ExamError::from)?;
    let file = settings.cache.join(record::FILE);
    // Between counting and noting nobody else counts.
    let lock = files::lock(file.parent().unwrap_or(&file))?;
    let known = record::read(&file)?;
    let models = request.models.named();
    let pushes = models.iter().map(|&(modality, zip)| {
        let push = Checking { request, python: &python }.check(modality, zip)?;
        require_room(&known, &push, &file)?;
        Ok(push)
    });
    let pushes = pushes.collect::<Result<Vec<_>, Failure>>()?;
    let asked = asked(request);
    if request.dry_run {
        println!("{}", asked.typed());
        return Ok(exit::OK);
    }
    // The session's first: where that cannot be written nothing is begun.
    let files = [request.record.clone(), Some(file.clone())].into_iter().flatten().collect();
    let records = Records { files, pushes };
    records.tell(None)?;
    drop(lock);
    let ran = asked.run(settings, Duration::from_secs(request.timeout_s));
    let told = records.tell(Some(end(&ran)));
    ran?;
    told?;
    println!("recorded in {}; how it fares: dfr perf", file.display());
    Ok(exit::OK)
}

/// gascli's own arguments.
fn asked(request: &Push) -> Asked {
    let models = request.models.named().into_iter();
    let asked = models.fold(Asked::new("push"), |asked, (modality, zip)| {
        asked.with(&format!("{modality}-model"), zip.display().to_string())
    });
    asked
        .of(&request.wallet)
        .with("netuid", request.netuid.to_string())
        .with("chain-endpoint", &request.chain_endpoint)
        .with("retry-delay", request.retry_delay.to_string())
}

struct Checking<'a> {
    request: &'a Push,
    python: &'a Python,
}

impl Checking<'_> {
    /// Refuses what could not be submitted.
    fn check(&self, modality: Modality, zip: &Path) -> Result<Submission, Failure> {
        let scratch = scratch_dir()?;
        let config = open(zip, modality, self.python, scratch.path())?;
        let worked = try_out(self.python, scratch.path(), &config)?;
        eprintln!("{}: follows the rules; {worked}", zip.display());
        let wallet = &self.request.wallet;
        let model = Model {
            netuid: self.request.netuid,
            wallet: wallet.wallet_name.clone(),
            hotkey: wallet.wallet_hotkey.clone(),
            modality,
            sha256: files::sha256(zip)?,
        };
        let zip = zip.display().to_string();
        let name = self.request.name.clone();
        Ok(Submission { time: clock::now(), model, zip, name, exit: None })
    }
}

fn require_room(known: &[Entry], push: &Submission, file: &Path) -> Result<(), GascliError> {
    let Submission { model, zip, .. } = push;
    if record::others(known, model) < LIMIT {
        return Ok(());
    }
    let (wallet, hotkey) = (model.wallet.clone(), model.hotkey.clone());
    let (modality, record) = (model.modality, file.to_owned());
    Err(GascliError::Enough { zip: zip.into(), modality, wallet, hotkey, record })
}

/// Where pushes are noted.
struct Records {
    files: Vec<PathBuf>,
    pushes: Vec<Submission>,
}

impl Records {
    /// That they begin, or how they ended.
    fn tell(&self, exit: Option<i32>) -> Result<(), FileError> {
        let entry = |push: &Submission| {
            Entry::Push(Submission { time: clock::now(), exit, ..push.clone() })
        };
        let entries: Vec<_> = self.pushes.iter().map(entry).collect();
        let told = self.files.iter().map(|file| record::append(file, &entries));
        if exit.is_none() {
            return told.collect();
        }
        // Wherever the end can be told it is.
        told.fold(Ok(()), Result::and)
    }
}

fn end(ran: &Result<Vec<String>, GascliError>) -> i32 {
    match ran {
        Ok(_) => 0,
        Err(GascliError::Run(PhaseError::Failed { status, .. })) => {
            status.code().unwrap_or(STOPPED)
        }
        Err(GascliError::Run(PhaseError::TimedOut { .. } | PhaseError::Interrupted(_))) => STOPPED,
        Err(_) => NOT_STARTED,
    }
}
