//! The program of a session's last keep, from the files that the daemon leaves in `state/<tag>`.

use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::exit;
use dfr_media::files::{self, FileError};
use dfr_media::pack::read::read_json;
use serde::Deserialize;

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// No session of that name.
    #[error("no {}: --from-tag takes the tag of a session of dfr-daemon (dfr-daemon list)", .0.display())]
    NoSession(PathBuf),
    /// Nothing was kept.
    #[error("{} has no row that says keep: nothing was kept in that session yet", .0.display())]
    NoKeep(PathBuf),
    /// Its files are gone.
    #[error(
        "the program of {commit}, the last keep, is not below {}: it was removed; build its commit \
         (cargo build --release -p dfr-trainer) and name that with --trainer", .dir.display()
    )]
    NoProgram {
        /// Commit of the keep.
        commit: String,
        /// Where it should be.
        dir: PathBuf,
    },
    /// Somebody changed it.
    #[error("{} is not the program that was measured: its hash differs from that in meta.json", .0.display())]
    Changed(PathBuf),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

impl TagError {
    /// The documented code.
    pub fn exit_code(&self) -> u8 {
        if let Self::File(_) = self { exit::OUTSIDE } else { exit::CONFIGURATION }
    }
}

/// What `exp/<n>/meta.json` says of an experiment.
#[derive(Deserialize)]
struct Meta {
    experiment: u32,
    commit: String,
    verdict: String,
    program_sha256: Option<String>,
}

/// The program of the last keep of `state/<tag>`, and the number of its experiment.
///
/// # Errors
/// No session, no keep, or another program.
pub fn program(state: &Path, tag: &str) -> Result<(u32, PathBuf), TagError> {
    let session = state.join(tag);
    let table = session.join("results.tsv");
    let Some(text) = files::read_optional(&table)? else { return Err(TagError::NoSession(table)) };
    let commit = last_keep(&text).ok_or(TagError::NoKeep(table))?;
    let dir = session.join("exp");
    let none = || TagError::NoProgram { commit: commit.to_owned(), dir: dir.clone() };
    let meta = metas(&dir).into_iter().filter(|meta| meta.is_keep_of(commit));
    let meta = meta.max_by_key(|meta| meta.experiment).ok_or_else(none)?;
    let program = dir.join(meta.experiment.to_string()).join("program");
    if !program.is_file() {
        return Err(none());
    }
    match meta.program_sha256 {
        Some(sha256) if files::sha256(&program)? != sha256 => Err(TagError::Changed(program)),
        _ => Ok((meta.experiment, program)),
    }
}

/// The commit, shortened, in the last row whose status is `keep`.
fn last_keep(table: &str) -> Option<&str> {
    let column = |name| table.lines().next()?.split('\t').position(|head| head == name);
    let (commit, status) = (column("commit")?, column("status")?);
    table
        .lines()
        .skip(1)
        .filter_map(|row| {
            let cells: Vec<_> = row.split('\t').collect();
            (*cells.get(status)? == "keep").then(|| cells.get(commit).copied())?
        })
        .last()
}

impl Meta {
    fn is_keep_of(&self, short: &str) -> bool {
        self.verdict == "keep" && !short.is_empty() && self.commit.starts_with(short)
    }
}

fn metas(dir: &Path) -> Vec<Meta> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| read_json(&entry.path().join("meta.json"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HEADER: &str = "commit\tsn34_score\taccuracy\tmemory_gb\tstatus\tdescription\n";

    fn experiment(state: &Path, number: u32, (commit, verdict): (&str, &str)) {
        let dir = state.join("night/exp").join(number.to_string());
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("program"), format!("program {number}")).unwrap();
        let sha256 = files::sha256(&dir.join("program")).unwrap();
        let meta = json!({
            "experiment": number, "commit": commit, "verdict": verdict, "program_sha256": sha256,
        });
        fs::write(dir.join("meta.json"), meta.to_string()).unwrap();
    }

    #[test]
    fn the_program_of_the_last_keep_is_found_and_what_is_not_it_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        let found = || program(state, "night");
        assert!(matches!(found(), Err(TagError::NoSession(_))));
        experiment(state, 0, ("aaaaaaa000", "keep"));
        experiment(state, 1, ("bbbbbbb000", "keep"));
        experiment(state, 2, ("ccccccc000", "discard"));
        let table = state.join("night/results.tsv");
        fs::write(&table, HEADER).unwrap();
        assert!(matches!(found(), Err(TagError::NoKeep(_))));
        let rows = "aaaaaaa\t0.5\t0.5\t0.0\tkeep\tbaseline\nbbbbbbb\t0.6\t0.6\t0.0\tkeep\tkeep\n\
            ccccccc\t0.1\t0.1\t0.0\tdiscard\tkeep\n";
        fs::write(&table, format!("{HEADER}{rows}")).unwrap();
        let (number, path) = found().unwrap();
        assert_eq!((number, fs::read_to_string(&path).unwrap().as_str()), (1, "program 1"));
        fs::write(&path, "another").unwrap();
        assert!(matches!(found(), Err(TagError::Changed(_))));
        fs::remove_file(&path).unwrap();
        let error = found().unwrap_err();
        assert!(error.to_string().contains("the program of bbbbbbb, the last keep"), "{error}");
        assert_eq!(error.exit_code(), exit::CONFIGURATION);
    }
}
