//! One data set: what is asked for, and what became of it.

use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;

use super::session::Session;
use super::store::{State, Store};
use crate::catalogue::{self, Entry};
use crate::files::FileError;
use crate::hub::HubError;
use crate::hub::client::Client;

/// Unusable samples in a row after which a data set is given up: the next million would be too.
pub(super) const UNUSABLE_IN_A_ROW: usize = 50;

/// Where the path of a data set begins that is the user's own: there is no such owner at the hub.
const LOCAL: &str = "local/";

/// Why a data set is not complete.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The hub.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// A source that nothing here can read.
    #[error("source {0:?} is not supported: only huggingface is")]
    Source(String),
    /// Samples that are not files.
    #[error("source_format {0:?} is not supported")]
    Format(String),
    /// A repository without anything that fits.
    #[error(
        "none of the {files} files of {path} fits its source_format, include_paths and exclude_paths"
    )]
    NothingFits {
        /// The repository.
        path: String,
        /// Files in it.
        files: usize,
    },
    /// Only such samples as cannot be used.
    #[error("{UNUSABLE_IN_A_ROW} samples in a row could not be used, or were there already")]
    Unusable,
    /// No sample at all.
    #[error("it gave no sample")]
    Nothing,
    /// A data set of the user's own that is not there.
    #[error("{path} is not fetched: put its files into {}", .folder.display())]
    Local {
        /// `local/<name>`.
        path: String,
        /// Where they belong.
        folder: PathBuf,
    },
}

/// What is to be fetched.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Cache root.
    pub root: &'a Path,
    /// Kind of media.
    pub modality: Modality,
    /// Samples that a data set shall have.
    pub wanted: usize,
}

/// What became of a data set.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Files that are there now.
    pub have: usize,
    /// Files that were added.
    pub added: usize,
    /// Bytes that were fetched.
    pub bytes: u64,
    /// Parts that were left out, with the reason; the last line counts those that are not told.
    pub problems: Vec<String>,
    /// Why it is not complete.
    pub failure: Option<FetchError>,
}

/// Fetches what is missing of a data set. `advance` is called once per sample that is stored.
pub fn fetch(order: Order<'_>, entry: &Entry, client: &Client, advance: &dyn Fn()) -> Outcome {
    let mut outcome = Outcome {
        name: entry.name.clone(),
        have: 0,
        added: 0,
        bytes: 0,
        problems: Vec::new(),
        failure: None,
    };
    if let Err(error) = fill(order, entry, (client, advance), &mut outcome) {
        outcome.failure = Some(error);
    }
    outcome.bytes = client.spent();
    outcome
}

fn fill(
    order: Order<'_>,
    entry: &Entry,
    (client, advance): (&Client, &dyn Fn()),
    outcome: &mut Outcome,
) -> Result<(), FetchError> {
    if entry.path.starts_with(LOCAL) {
        return find_local(order, entry, outcome);
    }
    match Store::open(order.root, order.modality, entry, order.wanted)? {
        State::Done(have) => outcome.have = have,
        State::Open(store) => {
            let before = store.have();
            let mut session = Session::new(*store, order, advance);
            outcome.failure = session.run(entry, client).err();
            outcome.have = session.have();
            outcome.added = outcome.have - before;
            outcome.problems = session.into_problems();
        }
    }
    Ok(())
}

fn find_local(order: Order<'_>, entry: &Entry, outcome: &mut Outcome) -> Result<(), FetchError> {
    let folder = catalogue::dataset_dir(order.root, order.modality, &entry.name);
    let names = catalogue::media_names(&folder, order.modality)?.unwrap_or_default();
    outcome.have = names.len();
    if names.is_empty() {
        return Err(FetchError::Local { path: entry.path.clone(), folder });
    }
    Ok(())
}
