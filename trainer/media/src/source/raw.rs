//! Files of a repository that are samples themselves.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use super::choice::{self, TURN};
use super::shard::{Found, Left, SAMPLE_BYTES, Shard, ShardError, Taker};
use crate::files;
use crate::hub::HubError;
use crate::hub::client::{Client, Repository};
use crate::hub::listing::RemoteFile;

/// Files fetched at a time: each costs a round trip or two, however small it is.
const AT_A_TIME: usize = 4;

pub struct RawFiles {
    client: Arc<Client>,
    dataset: String,
    /// In the order of choice.
    files: Vec<RemoteFile>,
    next: usize,
}

impl RawFiles {
    pub fn new(client: Client, dataset: &str, mut files: Vec<RemoteFile>) -> Self {
        files.sort_by_cached_key(|file| choice::key(&[dataset, &file.path]));
        Self { client: Arc::new(client), dataset: dataset.to_owned(), files, next: 0 }
    }

    /// Fetches some files, and gives their bytes in the order in which they were asked for.
    fn fetch(&self, batch: &[RemoteFile]) -> Vec<Result<Vec<u8>, HubError>> {
        thread::scope(|scope| {
            let one = |file| scope.spawn(move || self.fetch_one(file));
            let running: Vec<_> = batch.iter().map(one).collect();
            let joined = running.into_iter().map(thread::ScopedJoinHandle::join);
            joined
                .map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }

    fn fetch_one(&self, file: &RemoteFile) -> Result<Vec<u8>, HubError> {
        let url = self.client.file_url(Repository::Dataset(&self.dataset), &file.path);
        let mut bytes = self.client.range(&url, 0, file.size)?;
        if Self::wrong_hash(file, &url, &bytes).is_some() {
            // Once more: a proxy may have broken it on the way.
            bytes = self.client.range(&url, 0, file.size)?;
        }
        Self::wrong_hash(file, &url, &bytes).map_or(Ok(bytes), Err)
    }

    fn wrong_hash(file: &RemoteFile, url: &str, bytes: &[u8]) -> Option<HubError> {
        let (expected, found) = (file.sha256.clone()?, files::sha256_of(bytes));
        (expected != found).then(|| HubError::WrongHash { url: url.to_owned(), expected, found })
    }
}

impl Shard for RawFiles {
    fn turn(&mut self, taker: &mut dyn Taker) -> Result<Left, ShardError> {
        let until = self.files.len().min(self.next + TURN);
        while self.next < until {
            let mut batch = Vec::new();
            let most = taker.missing().min(AT_A_TIME);
            while batch.len() < most && self.next < until {
                let file = &self.files[self.next];
                self.next += 1;
                if !taker.wants(&file.path) {
                    continue;
                }
                if file.size == 0 || file.size > SAMPLE_BYTES {
                    let bytes = Err(format!("it has {} bytes", file.size));
                    let member = file.path.clone();
                    let _ = taker.take(Found { member, made_from: None, bytes });
                    continue;
                }
                batch.push(file.clone());
            }
            for (file, bytes) in batch.iter().zip(self.fetch(&batch)) {
                let bytes = match bytes {
                    Err(error) if !error.is_about_one_file() => return Err(error.into()),
                    other => other.map_err(|error| error.to_string()),
                };
                if let ControlFlow::Break(()) =
                    taker.take(Found { member: file.path.clone(), made_from: None, bytes })
                {
                    return Ok(Left::More);
                }
            }
        }
        Ok(if until == self.files.len() { Left::Nothing } else { Left::More })
    }
}
