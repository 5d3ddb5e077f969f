//! The files of a repository.

use serde::Deserialize;

use super::HubError;
use super::client::{Client, Repository};

/// Pages of a listing, of 1000 files each: what lies beyond is not looked at.
const PAGES: usize = 200;

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Path in the repository.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hex, of what is stored as LFS.
    pub sha256: Option<String>,
}

/// What a repository holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its files, in the hub's order.
    pub files: Vec<RemoteFile>,
    /// Whether there are more than were looked at.
    pub is_cut: bool,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
}

/// Lists all files of a repository.
///
/// # Errors
/// [`HubError`].
pub fn list(client: &Client, repository: Repository) -> Result<Listing, HubError> {
    let mut listing = Listing::default();
    let mut url = client.tree_url(repository);
    for _ in 0..PAGES {
        let page = client.text(&url)?;
        let items: Vec<Item> = serde_json::from_str(&page.text)
            .map_err(|e| HubError::Malformed { url: url.clone(), reason: e.to_string() })?;
        listing.files.extend(items.into_iter().filter(|i| i.kind == "file").map(file));
        match page.next {
            Some(next) => url = client.at_endpoint(&next),
            None => return Ok(listing),
        }
    }
    listing.is_cut = true;
    Ok(listing)
}

fn file(item: Item) -> RemoteFile {
    let is_sha256 = |oid: &String| oid.len() == 64;
    let sha256 = item.lfs.map(|lfs| lfs.oid).filter(is_sha256);
    RemoteFile { path: item.path, size: item.size, sha256 }
}
