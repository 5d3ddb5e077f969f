//! Real repositories, looked at with the real `git` program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::patch::Patch;

mod branch;
mod commit;
mod export;
mod leftovers;
mod text;
mod untouched;

/// A repository with one commit on `main`, made by git itself.
struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let sandbox = Self { dir: TempDir::new().unwrap() };
        sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
        sandbox.write("src/a.rs", "fn a() {}\n");
        sandbox.write("src/deep/b.rs", "fn b() {}\n");
        sandbox.write("run.sh", "#!/bin/sh\n");
        sandbox.write("data.bin", "\u{1}");
        std::fs::write(sandbox.path().join("src/latin.rs"), b"// \xe9\n").unwrap();
        std::os::unix::fs::symlink("a.rs", sandbox.path().join("src/link.rs")).unwrap();
        std::os::unix::fs::symlink("/tmp", sandbox.path().join("src/out")).unwrap();
        sandbox.git(&["add", "."]);
        sandbox.git(&["update-index", "--chmod=+x", "run.sh"]);
        sandbox.git(&["commit", "--quiet", "-m", "base"]);
        sandbox
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn open(&self) -> Repository {
        Repository::open(self.path()).unwrap()
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// What git prints, without the last newline; it must succeed.
    fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=human", "-c", "user.email=human@localhost"])
        .args(arguments)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Contents by path.
fn texts(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn patch(files: &[(&str, &str)]) -> Patch {
    Patch { files: texts(files).into_iter().map(|(path, text)| (path, Some(text))).collect() }
}

/// A candidate on `parent` that differs from every other with another `content`.
fn candidate(repository: &Repository, parent: &str, content: &str) -> String {
    repository.commit(parent, &patch(&[("src/a.rs", content)]), (content, 0)).unwrap()
}

#[test]
fn a_repository_opens_from_inside_and_without_a_work_tree() {
    let sandbox = Sandbox::new();
    let inside = Repository::open(&sandbox.path().join("src/deep")).unwrap();
    assert_eq!(inside.path().canonicalize().unwrap(), sandbox.path().canonicalize().unwrap());
    let bare = TempDir::new().unwrap();
    git(bare.path(), &["clone", "--quiet", "--bare", sandbox.path().to_str().unwrap(), "."]);
    let bare = Repository::open(bare.path()).unwrap();
    assert_eq!(bare.base(None).unwrap(), inside.base(None).unwrap());
    let base = bare.base(None).unwrap();
    bare.create_branch("autoresearch/x", &base, "begin").unwrap();
    assert_eq!(bare.branch_tip("autoresearch/x").unwrap(), Some(base));
}

#[test]
fn what_is_no_repository_is_named_with_the_way_out() {
    let dir = TempDir::new().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        let message = Repository::open(&path).err().unwrap().to_string();
        assert!(message.starts_with(&path.display().to_string()), "{message}");
        assert!(message.contains("git init") && message.contains("--repo"), "{message}");
    }
}

#[test]
fn the_base_is_the_revision_or_main_or_master() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let main = sandbox.git(&["rev-parse", "main"]);
    assert_eq!(repository.base(None).unwrap(), main);
    sandbox.git(&["checkout", "--quiet", "--detach"]);
    sandbox.git(&["commit", "--quiet", "--allow-empty", "-m", "detached"]);
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    assert_eq!(repository.base(None).unwrap(), main);
    assert_eq!(repository.base(Some("HEAD")).unwrap(), head);
    assert_eq!(repository.base(Some(&head[..9])).unwrap(), head);
    sandbox.git(&["branch", "-m", "main", "master"]);
    assert_eq!(repository.base(None).unwrap(), main);
    sandbox.git(&["branch", "-m", "master", "trunk"]);
    assert!(repository.base(None).unwrap_err().to_string().contains("--base"));
    assert!(repository.base(Some("nowhere")).unwrap_err().to_string().contains("\"nowhere\""));
}

#[test]
fn a_repository_without_commits_has_no_base() {
    let dir = TempDir::new().unwrap();
    git(dir.path(), &["init", "--quiet"]);
    let error = Repository::open(dir.path()).unwrap().base(None).unwrap_err();
    assert!(matches!(error, RepositoryError::NoBase { .. }), "{error}");
}

#[test]
fn editable_files_are_regular_and_utf_8_and_in_scope() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let scope = Scope::new(&["src/**/*.rs".to_owned()]).unwrap();
    let files = repository.files(&base, &scope).unwrap();
    let expected = texts(&[("src/a.rs", "fn a() {}\n"), ("src/deep/b.rs", "fn b() {}\n")]);
    assert_eq!(files, expected);
}

#[test]
fn one_file_is_read_from_the_commit_and_links_are_not_followed() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    sandbox.write("run.sh", "changed in the checkout");
    assert_eq!(repository.read(&base, "run.sh").unwrap().as_deref(), Some("#!/bin/sh\n"));
    for path in ["missing", "src", "src/link.rs", "src/latin.rs", "src/a.rs/x"] {
        assert_eq!(repository.read(&base, path).unwrap(), None, "{path}");
    }
    let unknown = repository.read(&"0".repeat(40), "run.sh").unwrap_err();
    assert!(matches!(unknown, RepositoryError::UnknownRevision { .. }), "{unknown}");
}
