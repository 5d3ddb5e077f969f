//! One data set while it is fetched: listed, chosen, stored, until there is enough.

use std::ops::ControlFlow;
use std::sync::Arc;

use dfr_contract::modality::Modality;

use super::choice::{self, Limits};
use super::fetch::{FetchError, Order, UNUSABLE_IN_A_ROW};
use super::kind::{self, Choice, Kind};
use super::parquet::Table;
use super::raw::RawFiles;
use super::shard::{Found, Left, Place, Shard, ShardError, Taker};
use super::sniff;
use super::store::{Origin, Store};
use super::tar::TarShard;
use super::zip::ZipShard;
use crate::catalogue::Entry;
use crate::hub::client::{Client, Repository};
use crate::hub::listing::{self, RemoteFile};
use crate::hub::remote::Remote;

/// Problems that are told one by one.
const PROBLEMS: usize = 5;

/// Reasons why parts were left out.
#[derive(Debug, Default)]
struct Problems {
    told: Vec<String>,
    others: usize,
}

impl Problems {
    fn add(&mut self, problem: String) {
        if self.told.len() < PROBLEMS { self.told.push(problem) } else { self.others += 1 }
    }

    fn told(mut self) -> Vec<String> {
        if self.others > 0 {
            self.told.push(format!("and {} more", self.others));
        }
        self.told
    }
}

/// A data set while it is fetched.
pub struct Session<'a> {
    store: Store,
    modality: Modality,
    wanted: usize,
    /// The file of the repository that gives samples now.
    file: String,
    /// Samples that it may still give.
    quota: usize,
    is_raw: bool,
    unusable: usize,
    problems: Problems,
    failure: Option<FetchError>,
    advance: &'a dyn Fn(),
}

impl<'a> Session<'a> {
    /// Goes on with what is there.
    pub fn new(store: Store, order: Order<'_>, advance: &'a dyn Fn()) -> Self {
        Self {
            store,
            modality: order.modality,
            wanted: order.wanted,
            file: String::new(),
            quota: usize::MAX,
            is_raw: false,
            unusable: 0,
            problems: Problems::default(),
            failure: None,
            advance,
        }
    }

    /// Samples that are there.
    pub fn have(&self) -> usize {
        self.store.have()
    }

    /// What was left out.
    pub fn into_problems(self) -> Vec<String> {
        self.problems.told()
    }

    /// Lists, chooses, fetches and stores until there is enough or nothing is left.
    pub fn run(&mut self, entry: &Entry, client: &Client) -> Result<(), FetchError> {
        supported(entry)?;
        let listing = listing::list(client, Repository::Dataset(&entry.path))?;
        if listing.is_cut {
            self.problems
                .add(format!("only its first {} files were looked at", listing.files.len()));
        }
        let Choice { is_raw, files } = kind::choose(entry, self.modality, &listing.files);
        if files.is_empty() {
            let path = entry.path.clone();
            return Err(FetchError::NothingFits { path, files: listing.files.len() });
        }
        self.is_raw = is_raw;
        let limits = Limits::of(entry, is_raw);
        self.wanted = self.wanted.min(limits.samples.unwrap_or(usize::MAX));
        let is_exhausted =
            self.store.have() < self.wanted && self.gather(entry, client, files, limits)?;
        if self.store.have() == 0 {
            self.store.unmark()?;
            return Err(FetchError::Nothing);
        }
        // What failed today may be there tomorrow.
        Ok(self.store.finish(is_exhausted && self.problems.told.is_empty())?)
    }

    /// Lets the archives take turns; true when there is no more to be had.
    fn gather(
        &mut self,
        entry: &Entry,
        client: &Client,
        files: Vec<RemoteFile>,
        limits: Limits,
    ) -> Result<bool, FetchError> {
        if self.is_raw {
            let mut raw = RawFiles::new(client.clone(), &entry.path, files);
            while self.turn(&mut raw)? {}
            return Ok(self.store.have() < self.wanted);
        }
        let mut archives = archives(&entry.path, files, limits);
        let mut open: Vec<Option<Box<dyn Shard>>> = archives.iter().map(|_| None).collect();
        while self.store.have() < self.wanted && !archives.is_empty() {
            let mut going_on = Vec::new();
            for (file, shard) in archives.drain(..).zip(open.drain(..)) {
                if self.store.have() >= self.wanted {
                    return Ok(false);
                }
                self.file.clone_from(&file.path);
                let given = self.store.of_file(&file.path);
                self.quota =
                    limits.per_archive.map_or(usize::MAX, |most| most.saturating_sub(given));
                let done = shard
                    .map_or_else(|| self.open(entry, client, &file), Ok)
                    .and_then(|mut shard| Ok((self.turn_or_full(shard.as_mut())?, shard)));
                if let Some((true, shard)) = self.survives(&file, done)? {
                    going_on.push((file, Some(shard)));
                }
            }
            (archives, open) = going_on.into_iter().unzip();
        }
        Ok(self.store.have() < self.wanted)
    }

    /// A turn, if the archive may give more.
    fn turn_or_full(&mut self, shard: &mut dyn Shard) -> Result<bool, FetchShardError> {
        if self.quota == 0 {
            return Ok(false);
        }
        Ok(self.turn(shard)? && self.quota > 0)
    }

    /// One turn; whether there may be more.
    fn turn(&mut self, shard: &mut dyn Shard) -> Result<bool, FetchShardError> {
        let left = shard.turn(self)?;
        self.failure.take().map_or(Ok(()), Err)?;
        Ok(left == Left::More && self.store.have() < self.wanted)
    }

    /// An archive that is damaged is left out; a hub that fails, or a disk, ends the data set.
    fn survives<T>(
        &mut self,
        file: &RemoteFile,
        done: Result<T, FetchShardError>,
    ) -> Result<Option<T>, FetchError> {
        let reason = match done {
            Ok(done) => return Ok(Some(done)),
            Err(FetchShardError::Fetch(error)) => return Err(error),
            Err(FetchShardError::Shard(ShardError::Hub(error))) if !error.is_about_one_file() => {
                return Err(error.into());
            }
            Err(FetchShardError::Shard(error)) => error.to_string(),
        };
        self.problems.add(format!("{}: {reason}", file.path));
        Ok(None)
    }

    fn open(
        &self,
        entry: &Entry,
        client: &Client,
        file: &RemoteFile,
    ) -> Result<Box<dyn Shard>, FetchShardError> {
        let url = client.file_url(Repository::Dataset(&entry.path), &file.path);
        let remote = Arc::new(Remote::new(client.clone(), url, file.size));
        let place = Place { remote, names: [entry.path.clone(), file.path.clone()] };
        Ok(match kind::kind(&file.path) {
            Kind::Parquet => Box::new(Table::open(place, self.modality, entry)?),
            Kind::Zip => Box::new(ZipShard::open(place, self.modality)?),
            kind => Box::new(TarShard::open(place, kind, self.modality)),
        })
    }

    fn origin(&self, member: &str) -> Origin {
        if self.is_raw {
            return Origin { file: member.to_owned(), member: None };
        }
        Origin { file: self.file.clone(), member: Some(member.to_owned()) }
    }

    fn keep(&mut self, Found { member, made_from, bytes }: Found) -> Result<(), FetchError> {
        let usable = bytes.and_then(|bytes| {
            sniff::extension(&bytes, &member, self.modality).map(|extension| (bytes, extension))
        });
        let from = (self.origin(&member), made_from.as_deref());
        match usable {
            Ok((bytes, extension)) if self.store.put(from, &bytes, extension)? => {
                self.unusable = 0;
                self.quota = self.quota.saturating_sub(1);
                (self.advance)();
                return Ok(());
            }
            Ok(_) => (),
            Err(reason) => {
                let place = if self.is_raw { member } else { format!("{}: {member}", self.file) };
                self.problems.add(format!("{place}: {reason}"));
            }
        }
        self.unusable += 1;
        if self.unusable < UNUSABLE_IN_A_ROW { Ok(()) } else { Err(FetchError::Unusable) }
    }
}

/// Either of the two, before it is known what ends what.
enum FetchShardError {
    Shard(ShardError),
    Fetch(FetchError),
}

impl From<ShardError> for FetchShardError {
    fn from(error: ShardError) -> Self {
        Self::Shard(error)
    }
}

impl From<FetchError> for FetchShardError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<FetchShardError> for FetchError {
    fn from(error: FetchShardError) -> Self {
        match error {
            FetchShardError::Fetch(error) => error,
            FetchShardError::Shard(ShardError::Hub(error)) => error.into(),
            FetchShardError::Shard(ShardError::Broken(_)) => Self::Nothing,
        }
    }
}

impl Taker for Session<'_> {
    fn wants(&self, member: &str) -> bool {
        !self.store.has(&self.origin(member))
    }

    fn missing(&self) -> usize {
        self.wanted.saturating_sub(self.store.have()).max(1)
    }

    fn take(&mut self, found: Found) -> ControlFlow<()> {
        if let Err(error) = self.keep(found) {
            self.failure = Some(error);
            return ControlFlow::Break(());
        }
        if self.quota == 0 || self.store.have() >= self.wanted {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

fn supported(entry: &Entry) -> Result<(), FetchError> {
    if let Some(source) = entry.source.as_deref().filter(|s| !["", "huggingface"].contains(s)) {
        return Err(FetchError::Source(source.to_owned()));
    }
    match entry.source_format.as_deref() {
        Some("frames") => Err(FetchError::Format("frames".to_owned())),
        _ => Ok(()),
    }
}

/// The archives that may give samples, in the order of their turns.
fn archives(dataset: &str, mut files: Vec<RemoteFile>, limits: Limits) -> Vec<RemoteFile> {
    files.sort_by_cached_key(|file| choice::key(&[dataset, &file.path]));
    files.truncate(limits.archives.unwrap_or(usize::MAX));
    files
}
