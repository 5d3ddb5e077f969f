//! Objects and references that survive a power cut.
//!
//! libgit2 syncs nothing by default: a commit that was reported as made can be gone after a power
//! cut, or its reference be an empty file. The user's configuration could ask for it, but is not
//! ours to change. With its option it syncs a file and the directory that the file is in, but not
//! those above, of which it may have made some.

use std::ffi::c_int;
use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use super::error::{Doing as _, RepositoryError};

/// Makes libgit2 sync every object and reference that this process writes.
pub(super) fn switch_on() -> Result<(), RepositoryError> {
    static DONE: OnceLock<c_int> = OnceLock::new();
    let code = *DONE.get_or_init(|| {
        libgit2_sys::init();
        let option = libgit2_sys::GIT_OPT_ENABLE_FSYNC_GITDIR as c_int;
        // SAFETY: git2 does not expose this option. It takes one int and sets a flag of the
        // initialised library; `OnceLock` keeps two threads from setting it at once.
        unsafe { libgit2_sys::git_libgit2_opts(option, 1 as c_int) }
    });
    let failed = || git2::Error::from_str("libgit2 has no option to sync its files");
    if code < 0 { Err(failed()).doing(|| "make git's writes durable".to_owned()) } else { Ok(()) }
}

/// Puts the directories between a file's own and `top` on the disk.
pub(super) fn sync_above(file: &Path, top: &Path) -> Result<(), RepositoryError> {
    let above = file.ancestors().skip(2).take_while(|directory| directory.starts_with(top));
    for directory in above {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| RepositoryError::File { path: directory.to_owned(), source })?;
    }
    Ok(())
}
