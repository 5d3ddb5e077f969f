use std::collections::BTreeSet;

use tempfile::TempDir;

use super::*;
use crate::experiment::Verdict;
use crate::notebook::results_tsv;
use crate::sample::{self, tried};

const MAR_14_MS: i64 = 1_773_500_000_000;

fn notebook() -> (TempDir, Notebook) {
    let directory = tempfile::tempdir().unwrap();
    let notebook = Notebook::new(directory.path(), "video-mar14");
    (directory, notebook)
}

fn put(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn names(directory: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(directory).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_files_are_those_of_the_history() {
    let (directory, mut notebook) = notebook();
    assert!(names(directory.path()).is_empty());
    let task = Task::load("video").unwrap();
    for rows in [2, 1] {
        let history = sample::history(&vec![tried(Verdict::Keep, 0.5, "x"); rows]);
        notebook.write(&task, &history).unwrap();
        let results = fs::read_to_string(notebook.results()).unwrap();
        assert_eq!(results, results_tsv(&task.score.columns, &history.rows));
        assert_eq!(results.lines().count(), rows + 1);
        let state = fs::read_to_string(notebook.state_md()).unwrap();
        assert_eq!(state, state_md(&task, "video-mar14", &history));
    }
    assert_eq!(
        names(notebook.root()),
        [".STATE.md.lines", "STATE.md", "results.tsv"].map(str::to_owned).into()
    );
}

#[test]
fn a_row_that_is_decided_but_not_settled_is_in_the_files() {
    let (_directory, mut notebook) = notebook();
    let mut entries = sample::entries(0, &tried(Verdict::Keep, 0.5, "x"));
    entries.pop();
    let mut history = History::default();
    entries.iter().for_each(|entry| history.apply(0, entry, 0).unwrap());
    notebook.write(&Task::load("video").unwrap(), &history).unwrap();
    assert_eq!(fs::read_to_string(notebook.results()).unwrap().lines().count(), 2);
    let state = fs::read_to_string(notebook.state_md()).unwrap();
    assert!(state.contains("sn34_score: 0.50 | accuracy: 0.60"), "{state}");
}

/// A file of this many bytes, with a text at its end, that takes up hardly any room.
fn put_sparse(path: &Path, bytes: u64, end: &str) {
    put(path, "");
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.set_len(bytes - end.len() as u64).unwrap();
    file.write_all(end.as_bytes()).unwrap();
}

#[test]
fn of_a_huge_run_log_only_the_end_is_read() {
    const MOST: usize = 16 << 20;
    let (_directory, notebook) = notebook();
    put_sparse(&notebook.run_log(3), 60 << 30, "the end");
    let text = notebook.run_log_text(3);
    assert_eq!(text.len(), MOST);
    assert!(text.ends_with("the end"));
    let archived = notebook.archive_run_log(3, MAR_14_MS).unwrap().unwrap();
    assert_eq!(fs::read(&archived).unwrap(), text.as_bytes());
    assert_eq!(notebook.archive_run_log(3, MAR_14_MS).unwrap(), Some(archived));
}

#[test]
fn a_huge_manifest_is_none() {
    let (_directory, notebook) = notebook();
    let path = manifest_path(&notebook.experiment(3), Phase::Train);
    put(&path, &format!("{}7", " ".repeat((1 << 20) - 1)));
    assert_eq!(notebook.manifest::<u32>(3, Phase::Train), Some(7));
    put(&path, &format!("{}7", " ".repeat(1 << 20)));
    assert_eq!(notebook.manifest::<u32>(3, Phase::Train), None);
    put_sparse(&path, 60 << 30, "7");
    assert_eq!(notebook.manifest::<u32>(3, Phase::Train), None);
}

#[test]
fn run_logs_are_archived_once_each_under_their_time() {
    let (_directory, notebook) = notebook();
    assert_eq!(notebook.archive_run_log(0, MAR_14_MS).unwrap(), None);
    put(&notebook.run_log(0), "first");
    put(&notebook.run_log(1), "second");
    let stamp = clock::stamp(MAR_14_MS);
    let first = notebook.runs().join(format!("{stamp}_run.log"));
    let second = notebook.runs().join(format!("{stamp}_2_run.log"));
    for _ in 0..2 {
        assert_eq!(notebook.archive_run_log(0, MAR_14_MS).unwrap().as_ref(), Some(&first));
        assert_eq!(notebook.archive_run_log(1, MAR_14_MS).unwrap().as_ref(), Some(&second));
    }
    assert_eq!(fs::read_to_string(first).unwrap(), "first");
    assert_eq!(fs::read_to_string(second).unwrap(), "second");
    assert_eq!(names(&notebook.runs()).len(), 2);
}

#[test]
fn meta_tells_the_row() {
    let (_directory, notebook) = notebook();
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "x")]);
    notebook.write_meta(&history.rows[0]).unwrap();
    let text = fs::read_to_string(notebook.experiment(0).join("meta.json")).unwrap();
    let meta: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(meta["verdict"], json!("keep"));
    assert_eq!(meta["phase_seconds"]["train"], json!(75.0));
    assert_eq!(meta["metrics"]["sn34_score"], json!(0.5));
}

#[test]
fn an_experiment_that_is_not_kept_loses_its_checkpoints_alone() {
    let (_directory, notebook) = notebook();
    let directory = notebook.experiment(1);
    notebook.prune(1).unwrap();
    let kept = ["predictions.tsv", "reply-0.txt", "run.log"].map(str::to_owned);
    for name in ["model.safetensors", "core.1234", &kept[0], &kept[1], &kept[2]] {
        put(&directory.join(name), "x");
    }
    put(&directory.join("checkpoints/inside"), "x");
    notebook.prune(2).unwrap();
    assert_eq!(names(&directory).len(), 6);
    for _ in ["once", "again"] {
        notebook.prune(1).unwrap();
        assert_eq!(names(&directory), kept.clone().into());
    }
    notebook.clear_run(1).unwrap();
    assert_eq!(names(&directory), ["reply-0.txt".to_owned()].into());
    notebook.begin(1).unwrap();
    assert_eq!(names(&directory).len(), 0);
}

#[test]
fn whatever_a_candidate_put_in_place_of_its_log_the_footer_is_written() {
    let (directory, notebook) = notebook();
    let elsewhere = directory.path().join("labels");
    put(&elsewhere, "precious");
    for (n, spoil) in [
        |_: &Path, log: &Path| put(&log.join("inside"), "x"),
        |elsewhere: &Path, log: &Path| {
            fs::create_dir_all(log.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(elsewhere, log).unwrap();
        },
        |_: &Path, log: &Path| put(log.parent().unwrap(), "a file for a directory"),
    ]
    .iter()
    .enumerate()
    {
        let n = u32::try_from(n).unwrap();
        spoil(&elsewhere, &notebook.run_log(n));
        assert_eq!(notebook.run_log_text(n), "");
        notebook.append_footer(n, "footer").unwrap();
        assert!(notebook.run_log_text(n).ends_with("footer"));
    }
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut notebook = Notebook::new(file.path(), "video-mar14");
    let problem = notebook.write(&Task::load("video").unwrap(), &History::default()).unwrap_err();
    assert!(problem.to_string().contains("video-mar14"), "{problem}");
}

/// A candidate decides how deep its results lie; the threads that look through them have small stacks.
#[test]
fn results_may_lie_deeper_than_a_stack() {
    let (_directory, notebook) = notebook();
    let run = notebook.experiment(1).join("run");
    fs::create_dir_all(&run).unwrap();
    let mut deep = run.clone();
    for _ in 0..400 {
        deep.push("d");
        fs::create_dir(&deep).unwrap();
    }
    put(&deep.join("weights"), "12345");
    let looking = notebook.clone();
    let look = move || {
        looking.write_manifest(1, Phase::Train, &"ended").unwrap();
        looking.size_bytes()
    };
    let small = std::thread::Builder::new().stack_size(64 << 10);
    let bytes = small.spawn(look).unwrap().join().unwrap();
    assert_eq!(bytes, "12345\"ended\"".len() as u64);
    remove(&run).unwrap();
    assert_eq!(names(&notebook.experiment(1)), BTreeSet::from(["train.json".to_owned()]));
}
