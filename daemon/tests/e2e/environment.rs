//! A home, a cache, a repository and a task of its own for every test; nothing of the machine's
//! environment but `PATH`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub const RECIPE: &str = "\
mode = ok
quality = 0.600 // knob: 0.500 | 0.600 | 0.700 | 0.800
extra = 1 // knob: 1 | 2
build = ok
smoke = ok
";
/// Edits that make the recipe better, and that change nothing.
pub const BETTER: (&str, &str) =
    ("quality = 0.600 // knob: 0.500 | 0.600 | 0.700 | 0.800", "quality = 0.700");
pub const EQUAL: (&str, &str) = ("extra = 1 // knob: 1 | 2", "extra = 2");
pub const PROGRAM: &str = "# Orders\nDo not touch the moon.\n";
pub const RECORDS: usize = 100;

/// Longest wait for anything; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(90);

const TASK: &str = r#"name = "e2e"
modality = "video"
preset = "fake"
input = { frames = 1, height = 1, width = 1, preprocessing = "original", source = "downloaded", splits = { train = 80, validation = 10, holdout = 10 } }
edit = { paths = ["lab/**"], recipe = "lab/recipe.txt" }
budget = { train_s = 30, build_s = 30, smoke_s = 30, predict_s = 30 }
[commands]
build = ["FAKE", "build", "{tree}/lab/recipe.txt"]
smoke = ["FAKE", "smoke", "{tree}/lab/recipe.txt"]
train = ["FAKE", "train", "{tree}/lab/recipe.txt", "{run}", "{budget_s}", "{seed}"]
predict = ["FAKE", "predict", "{tree}/lab/recipe.txt", "{out}", "RECORDS", "{run}/model.safetensors"]
[sandbox]
readable = ["FAKE"]
[score]
labels = "{pack}/vault/validation.labels.u8"
objective = "sn34_score"
columns = ["sn34_score", "accuracy"]
"#;

pub struct TestEnvironment {
    root: TempDir,
    started: AtomicU32,
}

/// How a command ended, and what it said.
#[must_use = "look at how it ended"]
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ended {
    #[track_caller]
    pub fn code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {self:#?}");
        }
        self
    }
}

impl TestEnvironment {
    pub fn new() -> Self {
        let environment = Self { root: TempDir::new().unwrap(), started: AtomicU32::new(0) };
        for name in ["home", "tmp", "repo"] {
            fs::create_dir(environment.path(name)).unwrap();
        }
        environment.write("repo/lab/recipe.txt", RECIPE);
        environment.write("repo/program.md", PROGRAM);
        environment.git(&["init", "--quiet", "--initial-branch=main"]);
        environment.commit_all("recipe");
        let task = TASK.replace("FAKE", env!("CARGO_BIN_EXE_fake-trainer"));
        environment.write("task.toml", &task.replace("RECORDS", &RECORDS.to_string()));
        environment.use_pack("pack-1");
        environment
    }

    /// Anything below the test's own directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    pub fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    pub fn state(&self) -> PathBuf {
        self.path("repo/state")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What stands there now, or nothing.
    pub fn peek(&self, name: &str) -> String {
        fs::read(self.path(name))
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn edit(&self, name: &str, (from, to): (&str, &str)) {
        let text = self.read(name);
        assert!(text.contains(from), "{from:?} is not in {text}");
        self.write(name, &text.replace(from, to));
    }

    /// Keeps are measured on a holdout as well.
    pub fn with_holdout(&self) {
        let holdout = "\n[score.holdout]\ninputs = \"{pack}/holdout\"\nlabels = \"{pack}/vault/holdout.labels.u8\"\n";
        let columns = "columns = [\"sn34_score\", \"accuracy\"]\n";
        self.edit("task.toml", (columns, &format!("{columns}{holdout}")));
    }

    /// Keeps a product of each build, has a keep traced by it, and delivers it with the program
    /// `deliver` of this environment.
    pub fn with_delivery(&self, deliver: &str) {
        let fake = env!("CARGO_BIN_EXE_fake-trainer");
        let recipe = r#""{tree}/lab/recipe.txt""#;
        let plain = format!("build = [\"{fake}\", \"build\", {recipe}]");
        let product = "\"{target}/product\"";
        let kept =
            format!("build = [\"{fake}\", \"build\", {recipe}, {product}]\nproduct = {product}");
        let trace =
            format!("trace = [\"{fake}\", \"trace\", \"{{program}}\", \"{{run}}\", \"{{out}}\"]");
        let full = format!(
            "full = [\"{fake}\", \"full\", \"{{program}}\", \"{{run}}\", \"{{budget_s}}\", \"{{checkpoint_s}}\"]"
        );
        self.edit("task.toml", (&plain, &format!("{kept}\n{trace}\n{full}")));
        self.write("deliver", &format!("#!/bin/sh\n{deliver}"));
        let program = self.path("deliver");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let program = program.display();
        let table = format!(
            "\n[deliver]\nevaluate = [\"{program}\", \"{{predictions}}\"]\n\
             export = [\"{program}\", \"{{out}}/trace.txt\", \"{{name}}\", \"{{shape}}\"]\n\
             push = [\"{program}\", \"{{name}}\", \"{{submissions}}\"]\n"
        );
        self.write("task.toml", &(self.read("task.toml") + &table));
    }

    /// Makes a build leave a product, from which the next one begins, and fails if it is damaged.
    pub fn build_incrementally(&self) {
        let fake = env!("CARGO_BIN_EXE_fake-trainer");
        let plain = format!("build = [\"{fake}\", \"build\", \"{{tree}}/lab/recipe.txt\"]");
        let script = "test ! -e $0 -o -s $0 || { echo error: damaged; exit 101; }; echo x > $0";
        let warm = format!("build = [\"sh\", \"-c\", \"{script}\", \"{{target}}/lib\"]");
        self.edit("task.toml", (&plain, &warm));
    }

    /// Takes the content of what builds left in a directory of the slot.
    #[track_caller]
    pub fn damage(&self, directory: &str) {
        let left = files_below(&self.path("cache/build"), &[]);
        let left = left.iter().find(|(path, _)| path.ends_with(format!("{directory}/lib")));
        fs::write(&left.unwrap().0, "").unwrap();
    }

    pub fn commit_all(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", message]);
    }

    /// Data under this name, made the current one. Labels alternate.
    pub fn use_pack(&self, name: &str) {
        let input = self.path("cache/packs/video/1x1x1-original-80-10-10");
        let vault = input.join(name).join("vault");
        fs::create_dir_all(&vault).unwrap();
        let labels: Vec<u8> = (0..RECORDS).map(|id| u8::from(id % 2 == 1)).collect();
        for part in ["validation", "holdout"] {
            fs::write(vault.join(format!("{part}.labels.u8")), &labels).unwrap();
        }
        let _ = fs::remove_file(input.join("current"));
        std::os::unix::fs::symlink(name, input.join("current")).unwrap();
    }

    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.hermetic("git").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn has_ref(&self, name: &str) -> bool {
        let mut show = self.hermetic("git");
        show.args(["show-ref", "--verify", "--quiet", name]).status().unwrap().success()
    }

    pub fn hermetic(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.repo())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("DFRESEARCH_CACHE", self.path("cache"))
            .env("TZ", "UTC")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_NAME", "human")
            .env("GIT_AUTHOR_EMAIL", "human@localhost")
            .env("GIT_COMMITTER_NAME", "human")
            .env("GIT_COMMITTER_EMAIL", "human@localhost")
            .env("GIT_AUTHOR_DATE", "2026-03-14T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-03-14T00:00:00Z")
            .env("DFR_GRACE_S", "1")
            .env("DFR_BALLAST_MIB", "1")
            .stdin(Stdio::null());
        command
    }

    /// `dfr-daemon` with these arguments, ready to start.
    pub fn daemon(&self, arguments: &[&str]) -> Command {
        let mut command = self.hermetic(env!("CARGO_BIN_EXE_dfr-daemon"));
        command.args(arguments);
        command
    }

    /// A session of the test's task under tag `t`, with the playbook unless `arguments` say more. Its
    /// runs are in no sandbox: they do to the test's own files what sandboxes are there to prevent.
    pub fn session(&self, arguments: &[&str]) -> Command {
        self.session_of("t", arguments)
    }

    pub fn session_of(&self, tag: &str, arguments: &[&str]) -> Command {
        let mut command = self.daemon(&["--tag", tag, "--unsealed"]);
        command.arg("--task").arg(self.path("task.toml")).args(arguments);
        if !arguments.contains(&"--proposer") {
            command.args(["--proposer", "playbook"]);
        }
        command
    }

    /// Replies for `--proposer scripted:…`; gives the proposer's name.
    pub fn script(&self, replies: &[String]) -> String {
        for (at, reply) in (1..).zip(replies) {
            self.write(&format!("script/{at:03}.txt"), reply);
        }
        format!("scripted:{}", self.path("script").display())
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &mut Command) -> Ended {
        self.start(command).wait()
    }

    pub fn start(&self, command: &mut Command) -> Daemon<'_> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let [out, err] = ["out", "err"].map(|name| format!("{name}-{number}.txt"));
        let file = |name: &str| fs::File::create(self.path(name)).unwrap();
        let child = command.stdout(file(&out)).stderr(file(&err)).spawn().unwrap();
        Daemon { environment: self, child, out, err }
    }

    /// Rows of results.tsv without the header, by cell.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let text = self.peek("repo/state/t/results.tsv");
        let cell = |cell: &str| cell.strip_prefix("[unsealed] ").unwrap_or(cell).to_owned();
        let cells = |line: &str| line.split('\t').map(cell).collect();
        text.lines().skip(1).map(cells).collect()
    }

    /// The `status` column.
    pub fn verdicts(&self) -> Vec<String> {
        self.rows().into_iter().map(|row| row[4].clone()).collect()
    }

    #[track_caller]
    pub fn show(&self, experiment: u32) -> String {
        let number = experiment.to_string();
        let shown = self.run(&mut self.daemon(&["show", &number, "--tag", "t"]));
        shown.code(0);
        shown.out
    }

    /// What `status` says of the session.
    #[track_caller]
    pub fn status(&self) -> String {
        let status = self.run(&mut self.daemon(&["status", "--tag", "t"]));
        status.code(0);
        status.out
    }

    /// Programs that still run in this test's build slot, by command line.
    pub fn trainers(&self) -> Vec<String> {
        self.running().into_iter().map(|(_, line)| line).collect()
    }

    /// Process id and command line of what runs in this test's build slot.
    pub fn running(&self) -> Vec<(i32, String)> {
        let slots = self.path("cache");
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let inside = |at: PathBuf| {
            let zombie = fs::read_to_string(at.join("stat"))
                .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, s)| s.starts_with('Z')));
            let here = fs::read_link(at.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&slots));
            let line = fs::read(at.join("cmdline")).unwrap_or_default();
            let id = at.file_name()?.to_str()?.parse().ok()?;
            (here && !zombie).then(|| (id, String::from_utf8_lossy(&line).replace('\0', " ")))
        };
        processes.filter_map(|process| inside(process.path())).collect()
    }

    /// Waits until no program runs in the build slot: one that was killed takes a moment to go.
    #[track_caller]
    pub fn wait_for_no_trainer(&self) {
        wait_until("no trainer", || self.trainers().is_empty());
    }

    #[track_caller]
    pub fn assert_nothing_created(&self) {
        assert!(!self.state().exists(), "the state directory was made");
        let refs = self.git(&["for-each-ref", "--format=%(refname)"]);
        assert_eq!(refs, "refs/heads/main");
    }
}

/// A running `dfr-daemon`; killed when the test lets go of it.
#[must_use = "wait for it"]
pub struct Daemon<'a> {
    environment: &'a TestEnvironment,
    child: Child,
    out: String,
    err: String,
}

impl Daemon<'_> {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.environment.peek(&self.err)
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for a fact that this daemon brings about.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.has_ended();
            if holds() {
                return;
            }
            let told = || format!("{what}, ended: {ended}\n{}", self.log());
            assert!(!ended && Instant::now() < deadline, "{}", told());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until `status` says something.
    #[track_caller]
    pub fn wait_for_status(&mut self, text: &str) {
        let environment = self.environment;
        self.wait_for(text, || environment.status().contains(text));
    }

    /// Waits until the log on the terminal holds a text.
    #[track_caller]
    pub fn wait_for_log(&mut self, text: &str) {
        let (environment, err) = (self.environment, self.err.clone());
        self.wait_for(text, || environment.peek(&err).contains(text));
    }

    /// Waits until an experiment's trainer has taken its first step.
    #[track_caller]
    pub fn wait_for_training(&mut self, experiment: u32) {
        let log = format!("repo/state/t/exp/{experiment}/run.log");
        let environment = self.environment;
        self.wait_for("training", || environment.peek(&log).contains(dfr_contract::CLOCK_STARTED));
    }

    #[track_caller]
    pub fn wait(mut self) -> Ended {
        let mut status = None;
        wait_until("the daemon to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let [out, err] = [&self.out, &self.err].map(|name| self.environment.read(name));
        Ended { status: status.unwrap(), out, err }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An answer that replaces lines of the recipe.
pub fn reply(description: &str, edits: &[(&str, &str)]) -> String {
    reply_for("lab/recipe.txt", description, edits)
}

pub fn reply_for(path: &str, description: &str, edits: &[(&str, &str)]) -> String {
    let head = format!("HYPOTHESIS: {description} should help\nDESCRIPTION: {description}\n");
    let block = |(old, new): &(&str, &str)| {
        format!("\n{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n")
    };
    edits.iter().fold(head, |text, edit| text + &block(edit))
}

/// Every file below a directory, by path, leaving some directories out.
pub fn files_below(root: &Path, without: &[&str]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let left_out = without.iter().any(|name| path == root.join(name));
            match path.symlink_metadata().unwrap() {
                _ if left_out => {}
                kind if kind.is_dir() => open.push(path),
                _ => files.push((path.clone(), fs::read(&path).unwrap_or_default())),
            }
        }
    }
    files.sort();
    files
}
