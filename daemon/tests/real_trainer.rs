//! One short night with everything real: this workspace's own trainer, built in a slot, trained,
//! predicted and scored on a CPU. Only the data is made up: bright clips are synthetic.
//!
//! The build products are kept in the target directory, so that only the first run compiles libtorch's
//! bindings.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dfr_contract::footer::Footer;
use dfr_contract::input::InputSpec;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{PackHeader, Part, PartHeader, VERSION, file};
use dfr_contract::{exit, predictions};
use dfr_daemon::task::Task;

const TRAIN: usize = 24;
const VALIDATION: usize = 20;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Runs git without anybody's configuration, at a fixed time, so that the first commit has the same
/// name every time and with it the slot has the same place.
fn git(repository: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(repository).env_remove("GIT_DIR");
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "test"),
        ("GIT_AUTHOR_EMAIL", "test@localhost"),
        ("GIT_COMMITTER_NAME", "test"),
        ("GIT_COMMITTER_EMAIL", "test@localhost"),
        ("GIT_AUTHOR_DATE", "2026-03-14T00:00:00Z"),
        ("GIT_COMMITTER_DATE", "2026-03-14T00:00:00Z"),
    ] {
        git.env(name, value);
    }
    let output = git.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository that holds the workspace as it is now, on an empty first commit.
fn repository(at: &Path) {
    fs::create_dir_all(at).unwrap();
    git(at, &["init", "--quiet", "--initial-branch=main"]);
    git(at, &["commit", "--quiet", "--allow-empty", "--message=project"]);
    let workspace = workspace();
    let files = git(&workspace, &["ls-files", "--cached", "--others", "--exclude-standard"]);
    for file in files.lines().filter(|file| workspace.join(file).is_file()) {
        let to = at.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(workspace.join(file), to).unwrap();
    }
    std::os::unix::fs::symlink(workspace.join("third_party"), at.join("third_party")).unwrap();
    git(at, &["add", "--all"]);
    git(at, &["commit", "--quiet", "--message=workspace"]);
}

fn label(record: usize) -> u8 {
    u8::from(record % 2 == 1)
}

fn write_part(pack: &Path, input: &InputSpec, (part, records): (Part, usize)) {
    let directory = pack.join(part.as_str());
    fs::create_dir_all(&directory).unwrap();
    fs::create_dir_all(pack.join(file::VAULT)).unwrap();
    let header = PartHeader {
        version: VERSION,
        modality: Modality::Video,
        records: records as u64,
        shape: input.record_shape(part),
        window: input.window(part),
        dtype: input.dtype(),
    };
    let bytes = usize::try_from(header.record_bytes()).unwrap();
    let clip = |record| vec![if label(record) == 1 { 200 } else { 60 }; bytes];
    let labels: Vec<u8> = (0..records).map(label).collect();
    fs::write(directory.join(file::PART), serde_json::to_string(&header).unwrap()).unwrap();
    fs::write(
        directory.join(header.records_file()),
        (0..records).flat_map(clip).collect::<Vec<_>>(),
    )
    .unwrap();
    match part {
        Part::Train => fs::write(directory.join(file::LABELS), labels).unwrap(),
        _ => fs::write(pack.join(file::VAULT).join(part.vault_labels()), labels).unwrap(),
    }
}

fn pack(cache: &Path, task: &Task) {
    let link = task.pack_link(cache);
    let pack = link.with_file_name("made-up");
    write_part(&pack, &task.input, (Part::Train, TRAIN));
    for part in [Part::Validation, Part::Holdout] {
        write_part(&pack, &task.input, (part, VALIDATION));
    }
    let of = |record| ["dark", "bright"][usize::from(label(record))];
    let line = |record| format!("validation\t{record}\t{}\n", of(record));
    let ids: String = (0..VALIDATION).map(line).collect();
    fs::write(pack.join(file::VAULT).join(file::IDS), ids).unwrap();
    let header = PackHeader {
        version: VERSION,
        modality: Modality::Video,
        input: task.input.clone(),
        content: "made-up".to_owned(),
        sources: Vec::new(),
        left_out: Vec::new(),
    };
    fs::write(pack.join(file::PACK), serde_json::to_string(&header).unwrap()).unwrap();
    if !link.exists() {
        std::os::unix::fs::symlink("made-up", link).unwrap();
    }
}

#[test]
fn the_real_trainer_is_built_trained_and_scored() {
    let task = Task::load("video-sample").unwrap();
    let home = tempfile::TempDir::new().unwrap();
    let (repo, state) = (home.path().join("repo"), home.path().join("state"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-trainer");
    repository(&repo);
    pack(&cache, &task);
    let mut log = String::new();
    for (tier, arguments) in
        [("container", "--max-experiments 1"), ("auto", "--max-experiments 2 --resume")]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_dfr-daemon"))
            .args(["--task", "video-sample", "--tag", "real", "--proposer", "playbook"])
            .args(["--budget-s", "15", "--containment", tier])
            .args(arguments.split(' '))
            .args(["--repo".as_ref(), repo.as_os_str(), "--state-dir".as_ref(), state.as_os_str()])
            .env("DFRESEARCH_CACHE", &cache)
            .output()
            .unwrap();
        log.push_str(&String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{log}");
    }

    let results = fs::read_to_string(state.join("real/results.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = results.lines().skip(1).map(|l| l.split('\t').collect()).collect();
    assert_eq!(rows.len(), 2, "{results}{log}");
    assert_eq!((rows[0][4], rows[0][5]), ("keep", "baseline"));
    assert_ne!(rows[1][4], "crash", "{results}{log}");
    for (experiment, row) in rows.iter().enumerate() {
        let run = state.join("real/exp").join(experiment.to_string());
        let footer = Footer::parse(&fs::read_to_string(run.join("run.log")).unwrap()).unwrap();
        assert_eq!(footer.claims.model, "r3d-tiny");
        assert!(footer.claims.num_steps > 0);
        assert_eq!(format!("{:.6}", footer.scores[0]), row[1]);
        assert!(footer.scores[1] > 0.9, "bright and dark are told apart: {footer}");
    }
    let holdout = fs::read_to_string(state.join("real/holdout.tsv")).unwrap();
    assert!(holdout.lines().nth(1).unwrap().starts_with("0\t"), "{holdout}");
    assert_eq!(git(&repo, &["status", "--porcelain"]), "");
    is_exported(&repo, &state, &cache);
}

/// Traced in the sandbox by the program of the best keep, then proven and packed by the `dfr` beside the daemon.
/// With EXPORT_CHECK=1 only (make export-check), for the proof needs torch for Python.
fn is_exported(repo: &Path, state: &Path, cache: &Path) {
    if std::env::var_os("EXPORT_CHECK").is_none() {
        return;
    }
    let export = |tier: &str| {
        Command::new(env!("CARGO_BIN_EXE_dfr-daemon"))
            .args(["export", "--tag", "real", "--containment", tier])
            .args(["--repo".as_ref(), repo.as_os_str(), "--state-dir".as_ref(), state.as_os_str()])
            .args(["--", "--output-dir", "exports", "--python"])
            .arg(repo.join("third_party/python/bin/python"))
            .env("DFRESEARCH_CACHE", cache)
            .current_dir(repo)
            .output()
            .unwrap()
    };
    let output = export("container");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("parity: proven under torch"), "{said}");
    let agreement = format!("agreement: {VALIDATION} records of validation are ");
    assert!(said.contains(&agreement), "{said}");
    let exports = fs::read_dir(repo.join("exports")).unwrap();
    let names: Vec<_> =
        exports.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() == 1 && names[0].starts_with("video_detector_real-"), "{names:?}");
    println!("{said}");
    // As if another model had been traced than predicted.
    for experiment in fs::read_dir(state.join("real/exp")).unwrap() {
        let scored = experiment.unwrap().path().join("predictions.tsv");
        let Ok(text) = fs::read_to_string(&scored) else { continue };
        let p = predictions::parse(&text, text.lines().count() - 1).unwrap();
        let other: Vec<_> = p.iter().map(|p| 1.0 - p).collect();
        fs::write(&scored, predictions::print(&other)).unwrap();
    }
    let output = export("auto");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit::REFUSED)), "{said}");
    assert!(said.contains("another model than the one that was scored"), "{said}");
}
