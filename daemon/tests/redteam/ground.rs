//! Where attacks are tried: a repository, a home, data and a session of their own, with canaries all
//! around and everything written down that could have been reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use dfr_contract::CLOCK_STARTED;
use dfr_daemon::task::Task;
use dfr_daemon::tier::Tier;
use tempfile::TempDir;

use crate::canaries::Canaries;
use crate::ledger::{self, Snapshot};
use crate::listeners::Listeners;
use crate::pack::{Contents, Pack};
use crate::{lab, timed, tree};

/// Which repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A small one, all of which may be edited.
    Tree,
    /// A small one that trains against a clock, of which the lab may be edited.
    Timed,
    /// This one, of which the lab may be edited.
    Lab,
}

/// Longest wait for a life of the daemon with a small repository, and with a trainer whose libraries
/// may have to be compiled; reached only when a test fails.
const PATIENCE: [Duration; 2] = [Duration::from_secs(180), Duration::from_secs(1500)];

/// One session, ready to be attacked.
pub struct Ground {
    pub room: Room,
    pub seal: Seal,
    root: TempDir,
    pub cache: PathBuf,
    /// Where candidates' trees are built.
    tree: PathBuf,
    /// The trainer's build products are kept, and only one session may use them.
    _turn: fs::File,
    pub listeners: Listeners,
    pub canaries: Canaries,
    pub pack: Pack,
    /// The score of honest work.
    pub control: f64,
}

impl Room {
    /// Data on which whoever knows the labels stands out.
    pub fn contents(self) -> Contents {
        match self {
            Self::Tree => tree::CONTENTS,
            Self::Timed => timed::CONTENTS,
            Self::Lab => lab::CONTENTS,
        }
    }
}

/// How runs are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// In the best tier there is, or in this one.
    Sealed(Option<Tier>),
    /// Not at all.
    Off,
}

impl Seal {
    /// The word for it in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed(tier) => tier.map_or("auto", Tier::as_str),
            Self::Off => "off",
        }
    }

    /// Whether a row of the ledger tells of it.
    pub fn is(self, told: Option<Tier>) -> bool {
        match self {
            Self::Sealed(tier) => told.is_some() && (tier.is_none() || tier == told),
            Self::Off => told.is_none(),
        }
    }

    fn flags(self) -> Vec<&'static str> {
        match self {
            Self::Sealed(tier) => {
                tier.map_or_else(Vec::new, |tier| vec!["--containment", tier.as_str()])
            }
            Self::Off => vec!["--unsealed"],
        }
    }
}

/// How a life of the daemon ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub said: String,
}

impl Ground {
    /// Makes everything and lets the session measure its baseline: the honest control.
    pub fn new(room: Room, seal: Seal, contents: Contents) -> Self {
        let mut ground = Self::bare(room, seal, contents);
        let ended = ground.live(1);
        assert!(ended.status.success(), "{ended:#?}");
        let honest = ground.ledger().history.rows.remove(0);
        ground.control = honest.metrics["sn34_score"];
        let heard = ground.listeners.heard();
        assert!(heard.is_empty(), "somebody else calls: {heard:?}");
        ground
    }

    /// The same without a session.
    fn bare(room: Room, seal: Seal, contents: Contents) -> Self {
        let root = TempDir::new().unwrap();
        let at = root.path().canonicalize().unwrap();
        for name in ["home/.cargo", "tmp", "repo", "elsewhere/outside/src", "script"] {
            fs::create_dir_all(at.join(name)).unwrap();
        }
        let (task, cache) = match room {
            Room::Tree => (tree::TASK.to_owned(), at.join("home/.cache/dfresearch")),
            Room::Timed => (timed::task(), at.join("home/.cache/dfresearch")),
            Room::Lab => (lab::task(), Path::new(env!("CARGO_TARGET_TMPDIR")).join("redteam")),
        };
        fs::create_dir_all(&cache).unwrap();
        let turn = fs::File::create(cache.join("turn")).unwrap();
        turn.lock().unwrap();
        let pack = Pack::make(&cache, &Task::parse("redteam", &task).unwrap(), contents);
        let listeners = Listeners::open(&at.join("elsewhere"), &shared(&at));
        let mut ground = Self {
            room,
            seal,
            root,
            cache,
            tree: PathBuf::new(),
            _turn: turn,
            listeners,
            canaries: Canaries::default(),
            pack,
            control: 0.0,
        };
        let project = ground.write_repository(&task);
        ground.tree = ground.cache.join("build").join(&project[..12]).join("slot-0/tree");
        ground.plant();
        ground
    }

    /// Anything below the test's own directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    /// Gives the name of its first commit.
    fn write_repository(&self, task: &str) -> String {
        let repo = self.path("repo");
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        // The slot is found by the name of the first commit, which is the same every time.
        self.git(&["commit", "--quiet", "--allow-empty", "--message=project"]);
        match self.room {
            Room::Tree => tree::write(&repo),
            Room::Timed => timed::write(&repo),
            Room::Lab => lab::write(&repo, &listed(&lab::workspace())),
        }
        fs::write(repo.join("task.toml"), task).unwrap();
        if self.room != Room::Lab {
            let library = repo.join("harness/src/lib.rs");
            fs::write(&library, self.filled(&fs::read_to_string(&library).unwrap(), "")).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=everything"]);
        self.git(&["rev-parse", "HEAD^"])
    }

    /// Secrets where people and programs have them.
    fn plant(&mut self) {
        for (path, around) in [
            ("home/credentials/openai_api_key", ("", "\n")),
            ("home/.netrc", ("machine localhost password ", "\n")),
            ("home/.ssh/id_ed25519", ("-----BEGIN ", "-----\n")),
            ("home/.cargo/credentials.toml", ("[registry]\ntoken = \"", "\"\n")),
            ("repo/.env", ("A_TOKEN=", "\n")),
            ("elsewhere/other-user.txt", ("", "\n")),
            ("elsewhere/secret.rs", ("pub const SECRET: &str = \"", "\";\n")),
            ("elsewhere/outside/src/lib.rs", ("pub const SECRET: &str = \"", "\";\n")),
            ("elsewhere/main.rs", ("fn main() { println!(\"", "\"); harness::run(); }\n")),
            ("repo/.git/hooks/pre-push", ("#!/bin/sh\n# ", "\n")),
        ] {
            let path = self.path(path);
            self.canaries.plant(&path, around);
        }
        let manifest = "[package]\nname = \"outside\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        fs::write(self.path("elsewhere/outside/Cargo.toml"), manifest).unwrap();
        fs::write(self.path("repo/LICENSE.old"), "the human's\n").unwrap();
        let config = fs::read_to_string(self.path("repo/.git/config")).unwrap();
        let secret = "canary-of-git";
        let with_key = format!("{config}[user]\n\tsigningkey = {secret}\n");
        fs::write(self.path("repo/.git/config"), with_key).unwrap();
        self.canaries.add(".git/config", secret.as_bytes());
        self.canaries.add("the environment", b"canary-key-of-the-daemon");
        self.canaries.add("ids.tsv", self.pack.recording.as_bytes());
        for (part, labels) in ["validation", "holdout"].iter().zip(&self.pack.labels) {
            self.canaries.add(&format!("{part} labels"), labels);
        }
        for home in [
            "repo/.git",
            "state/dfr.db",
            "state/dfr.db-wal",
            "state/backups",
            "state/t/journal.jsonl",
            "state/t/daemon.jsonl",
        ] {
            let path = self.path(home);
            self.canaries.at_home(path);
        }
        let pack = self.pack.path.clone();
        self.canaries.at_home(pack);
        if nix::unistd::geteuid().is_root() {
            let path = self.path("elsewhere/other-user.txt");
            std::os::unix::fs::chown(path, Some(65532), Some(65532)).unwrap();
        }
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = self.hermetic("git");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "human");
            git.env(format!("GIT_{who}_EMAIL"), "human@localhost");
            git.env(format!("GIT_{who}_DATE"), "2026-03-14T00:00:00Z");
        }
        let output = git.args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn hermetic(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let tool = |name: &str, usual: &str| {
            let home = std::env::var_os("HOME").unwrap_or_default();
            std::env::var_os(name).map_or_else(|| Path::new(&home).join(usual), PathBuf::from)
        };
        let cargo = match self.room {
            Room::Tree | Room::Timed => self.path("home/.cargo"),
            // Which holds the sources of the trainer's libraries.
            Room::Lab => tool("CARGO_HOME", ".cargo"),
        };
        command
            .current_dir(self.path("repo"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("CARGO_HOME", cargo)
            .env("RUSTUP_HOME", tool("RUSTUP_HOME", ".rustup"))
            .env("DFRESEARCH_CACHE", &self.cache)
            .env("OPENAI_API_KEY", "canary-key-of-the-daemon")
            .env("GITHUB_TOKEN", "canary-key-of-the-daemon")
            .env("CREDENTIALS_DIRECTORY", self.path("home/credentials"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("DFR_GRACE_S", "1")
            .env("DFR_BALLAST_MIB", "1")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    /// A life of the daemon, until the session has so many rows.
    pub fn live(&self, rows: usize) -> Ended {
        let config = self.path("dfr.toml");
        let most = match self.room {
            // What the trainer is built from takes more than any attack writes.
            Room::Lab => "",
            Room::Tree | Room::Timed => "run_gib = 0.75\n",
        };
        fs::write(&config, format!("crash_limit = 1000\n{most}")).unwrap();
        // With as many open files as service managers give.
        let mut daemon = self.hermetic("sh");
        daemon.args(["-c", "ulimit -Sn 1024 && exec \"$0\" \"$@\""]);
        daemon.arg(env!("CARGO_BIN_EXE_dfr-daemon"));
        let (budget_s, patience) = match self.room {
            Room::Tree => ("30", PATIENCE[0]),
            Room::Timed => (timed::BUDGET_S, PATIENCE[0]),
            Room::Lab => ("4", PATIENCE[1]),
        };
        daemon.args(["--tag", "t", "--budget-s", budget_s, "--max-experiments", &rows.to_string()]);
        daemon.arg("--task").arg(self.path("repo/task.toml"));
        daemon.arg("--config").arg(config).arg("--state-dir").arg(self.path("state"));
        daemon.arg("--proposer").arg(format!("scripted:{}", self.path("script").display()));
        daemon.args(self.seal.flags());
        if self.path("state/dfr.db").exists() {
            daemon.arg("--resume");
        } else {
            fs::write(self.path("script/001.txt"), "nothing\n").unwrap();
        }
        let log = self.path("daemon.log");
        daemon.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        let mut child = daemon.spawn().unwrap();
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Ended { status, said: fs::read_to_string(log).unwrap() }
    }

    pub fn ledger(&self) -> Snapshot {
        ledger::snapshot(&self.path("state"), &self.path("scratch")).unwrap().unwrap()
    }

    /// Text with what an attacker knows of this ground.
    pub fn filled(&self, text: &str, name: &str) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        let told = [
            ("NAME", name.to_owned()),
            ("ROOT", path("")),
            ("PACK", self.pack.path.display().to_string()),
            ("CACHE", self.cache.display().to_string()),
            ("TREE", self.tree.display().to_string()),
            ("REPO", path("repo")),
            ("STATE", path("state")),
            ("HOME", path("home")),
            ("ELSEWHERE", path("elsewhere")),
            ("SHARED", shared(&self.path(""))),
            ("TCP", self.listeners.tcp.to_string()),
            ("UDP", self.listeners.udp.to_string()),
            ("VALIDATION", self.pack.labels[0].len().to_string()),
            ("CLOCK_STARTED", CLOCK_STARTED.to_owned()),
        ];
        told.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("@{name}@"), value.trim_end_matches('/'))
        })
    }
}

impl Drop for Ground {
    /// What attackers left may be deeper than the library can clear away.
    fn drop(&mut self) {
        let _ = Command::new("rm").arg("-rf").arg(self.root.path()).status();
    }
}

/// A name that nobody else uses in a place that is everybody's.
pub fn shared(root: &Path) -> String {
    let name = root.file_name().unwrap().to_string_lossy();
    format!("redteam-{}", name.trim_start_matches('.'))
}

/// The names of a repository's files, new ones included.
fn listed(repository: &Path) -> String {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(repository);
    String::from_utf8(git.output().unwrap().stdout).unwrap()
}
