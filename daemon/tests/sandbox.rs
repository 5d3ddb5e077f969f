//! What a sealed run can reach, tried by a program that reaches for everything: in both tiers, for
//! a daemon that is root and for one that is not. What is refused in the sandbox must work without
//! one, or the refusal would say nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dfr_daemon::runner::ResourceLimits;
use dfr_daemon::sandbox::{Code, Sandbox};
use dfr_daemon::tier::Tier;
use serde_json::{Value, json};
use tempfile::TempDir;

const INTRUDER: &str = env!("CARGO_BIN_EXE_intruder");
/// An ordinary user for daemons, where the test is root.
const ORDINARY: u32 = 65_532;
const LONG_S: u64 = 120;

/// Who the daemon is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Who {
    Root,
    Ordinary,
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Every tier with every user that this test can be.
fn cases() -> Vec<(Tier, Who)> {
    let who = if is_root() { vec![Who::Root, Who::Ordinary] } else { vec![Who::Ordinary] };
    let with = |tier: Tier| who.iter().map(move |who| (tier, *who)).collect::<Vec<_>>();
    [Tier::Full, Tier::Container].into_iter().flat_map(with).collect()
}

/// A daemon's directory: `work` is for the run, `shared` to be read, `vault` for nobody.
struct Stage {
    home: TempDir,
    who: Who,
    listeners: Listeners,
}

struct Listeners {
    tcp: TcpListener,
    _unix: UnixListener,
    _datagram: UnixDatagram,
}

impl Stage {
    fn new(who: Who) -> Self {
        let home = TempDir::new().unwrap();
        let at = |name: &str| home.path().join(name);
        for directory in ["work", "shared", "vault", "log"] {
            fs::create_dir(at(directory)).unwrap();
        }
        for file in ["shared/file", "shared/other", "vault/file", "work/mine"] {
            fs::write(at(file), "text").unwrap();
        }
        symlink(at("vault/file"), at("work/planted")).unwrap();
        let listeners = Listeners {
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            _unix: UnixListener::bind(at("vault/socket")).unwrap(),
            _datagram: UnixDatagram::bind(at("vault/datagram")).unwrap(),
        };
        let stage = Self { home, who, listeners };
        stage.put_gate();
        if is_root() && who == Who::Ordinary {
            stage.hand_over();
        }
        stage
    }

    /// A program that would make whoever executes it root.
    fn put_gate(&self) {
        let gate = self.at("shared/gate");
        fs::copy(INTRUDER, &gate).unwrap();
        fs::set_permissions(&gate, fs::Permissions::from_mode(0o4755)).unwrap();
    }

    fn hand_over(&self) {
        let found =
            Command::new("find").arg(self.home.path()).args(["-not", "-name", "gate"]).output();
        for path in String::from_utf8(found.unwrap().stdout).unwrap().lines() {
            std::os::unix::fs::lchown(path, Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
        chown(self.home.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn place(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn sandbox(&self, code: Code) -> Sandbox {
        let sandbox = Sandbox::system(code).reads(INTRUDER).reads(self.at("shared"));
        sandbox.writes(self.at("work"))
    }

    fn run(&self, tier: Tier, attempts: &[String], sandbox: Option<&Sandbox>) -> Told {
        let argv = std::iter::once(INTRUDER.to_owned()).chain(attempts.iter().cloned());
        self.execute(tier, &json!({ "argv": argv.collect::<Vec<_>>(), "sandbox": sandbox }))
    }

    /// Runs with what is given besides the usual.
    fn execute(&self, tier: Tier, given: &Value) -> Told {
        let mut spec = json!({
            "tier": tier,
            "directory": self.at("work"),
            "log": self.at("log/run.log"),
            "environment": { "PATH": "/usr/bin:/bin", "GIVEN": "this" },
            "limits": ResourceLimits::default(),
            "deadline_s": LONG_S,
        });
        spec.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        let file = self.at("spec.json");
        fs::write(&file, spec.to_string()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let _ = fs::remove_file(self.at("log/run.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealed-run"));
        command.arg(&file).env("SECRET", "key").env_remove("TMPDIR");
        if is_root() && self.who == Who::Ordinary {
            command.uid(ORDINARY).gid(ORDINARY);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let Ok(report) = serde_json::from_str(&text) else {
            panic!("{text}{}", String::from_utf8_lossy(&output.stderr))
        };
        let log = fs::read_to_string(self.at("log/run.log")).unwrap_or_default();
        Told { report, log, tier, case: format!("{tier:?} {:?}", self.who) }
    }
}

/// What came of a run.
struct Told {
    report: Value,
    log: String,
    tier: Tier,
    case: String,
}

impl Told {
    /// Whether there is a sandbox to be had; where there must be one, it is an error that there is
    /// none.
    fn is_there(&self) -> bool {
        let Some(why) = self.report.get("missing") else { return true };
        println!("skipped: {}: {why}", self.case);
        assert!(!is_possible(self.tier), "{}: {why}", self.case);
        false
    }

    /// What an attempt came to.
    fn of(&self, attempt: &str) -> &str {
        let found =
            self.log.lines().find_map(|line| line.strip_prefix(attempt)?.strip_prefix(" = "));
        found.unwrap_or_else(|| panic!("{}: {attempt}: {} {}", self.case, self.report, self.log))
    }

    fn cause(&self) -> &str {
        self.report["outcome"]["cause"].as_str().unwrap_or_default()
    }
}

/// Where there is Landlock one tier has to work, and with namespaces for root with all its capabilities,
/// or for anybody, the other.
fn is_possible(tier: Tier) -> bool {
    let landlock = fs::read_to_string("/sys/kernel/security/lsm");
    let namespaces = || Command::new("unshare").args(["-Urmpf", "--mount-proc", "true"]).output();
    landlock.map_or(true, |modules| modules.contains("landlock"))
        && (tier == Tier::Container || namespaces().is_ok_and(|made| made.status.success()))
}

/// One thing to try, and whether it works for a daemon of this user without a sandbox.
struct Attempt {
    text: String,
    control: Control,
}

#[derive(Clone, Copy, PartialEq)]
enum Control {
    Works,
    WorksForRoot,
    /// For root, and for a program in the daemon's own user namespace.
    WorksInSight,
    /// Depends on the machine.
    Unknown,
}

fn intrusions(stage: &Stage) -> Vec<Attempt> {
    use Control::{Unknown, Works, WorksForRoot, WorksInSight};
    let at = |name: &str| stage.place(name);
    let port = stage.listeners.tcp.local_addr().unwrap().port();
    let (vault, shared, work) = (at("vault/file"), at("shared/file"), at("work"));
    let all = [
        (Works, format!("read:{vault}")),
        (Works, format!("list:{}", at("vault"))),
        (Works, format!("read:{work}/planted")),
        (Works, format!("read-link:{vault}:{work}/own-link")),
        (Works, format!("read-link:../vault/file:{work}/relative-link")),
        (Works, format!("read:{}", at("shared/../vault/file"))),
        (Works, format!("read:{work}/../vault/file")),
        (Works, "read:/etc/hosts".to_owned()),
        (WorksForRoot, "read:/etc/shadow".to_owned()),
        (Unknown, format!("read:/proc/1/root{vault}")),
        (WorksInSight, "read:/proc/{daemon}/environ".to_owned()),
        (WorksForRoot, "read:/proc/{daemon}/maps".to_owned()),
        (Unknown, "read:/proc/{daemon}/mem".to_owned()),
        (WorksInSight, "list:/proc/{daemon}/fd".to_owned()),
        (WorksInSight, format!("read:/proc/{{daemon}}/root{vault}")),
        (Works, format!("hard-link:{shared}:{work}/hard")),
        (Works, format!("append:{shared}")),
        (Works, format!("write:{}", at("shared/new"))),
        (Works, format!("directory:{}", at("shared/directory"))),
        (Works, format!("append:{vault}")),
        (Works, format!("write:{}", at("vault/new"))),
        (Works, format!("chmod:{shared}")),
        (Works, format!("chmod-open:{shared}")),
        (Works, format!("touch:{shared}")),
        (Unknown, format!("attribute:{shared}")),
        (Works, format!("attributes:{shared}")),
        // A file system may not know where.
        (Unknown, format!("extents:{shared}")),
        (Works, format!("put-out:{shared}")),
        (Works, format!("page-out:{shared}")),
        (Works, format!("in-memory:{shared}")),
        // A file system may not know how.
        (Unknown, format!("read-if-there:{shared}")),
        (Works, "count:/proc/vmstat".to_owned()),
        (Works, "count:/proc/loadavg".to_owned()),
        (Works, format!("rename:{work}/mine:{}", at("shared/mine"))),
        (Works, format!("rename:{shared}:{work}/taken")),
        (Works, format!("remove:{}", at("shared/other"))),
        (Works, format!("truncate:{vault}")),
        (Works, format!("tcp:{port}")),
        (Works, format!("udp:{port}")),
        (Works, format!("unix:{}", at("vault/socket"))),
        (Works, format!("pair-send:{}", at("vault/datagram"))),
        (Unknown, "ptrace:{daemon}".to_owned()),
        (Unknown, "memory:{daemon}".to_owned()),
        (Works, "ring".to_owned()),
        (Works, "unmark".to_owned()),
        (WorksForRoot, format!("mount:{work}")),
        // The last one: it gives up what the others need where nothing refuses it.
        (Unknown, "unshare".to_owned()),
    ];
    all.into_iter().map(|(control, text)| Attempt { text, control }).collect()
}

fn texts(attempts: &[Attempt]) -> Vec<String> {
    attempts.iter().map(|attempt| attempt.text.clone()).collect()
}

#[test]
fn nothing_outside_is_reached() {
    for (tier, who) in cases() {
        let stage = Stage::new(who);
        let before = listing(&stage);
        let attempts = intrusions(&stage);
        let told = stage.run(tier, &texts(&attempts), Some(&stage.sandbox(Code::Candidate)));
        if !told.is_there() {
            continue;
        }
        for attempt in &attempts {
            let text = with_daemon(&told, &attempt.text);
            assert!(!told.of(&text).starts_with("ok"), "{}: {text}", told.case);
        }
        assert_eq!(before, listing(&stage), "{}", told.case);
        let stage = Stage::new(who);
        let attempts = intrusions(&stage);
        let control = stage.run(tier, &texts(&attempts), None);
        for attempt in &attempts {
            let must = match attempt.control {
                Control::Works => true,
                Control::WorksForRoot => who == Who::Root,
                Control::WorksInSight => who == Who::Root || tier == Tier::Container,
                Control::Unknown => continue,
            };
            let text = with_daemon(&control, &attempt.text);
            assert!(
                !must || control.of(&text).starts_with("ok"),
                "without: {text} {}",
                control.of(&text)
            );
        }
    }
}

/// The text as it stands in the log.
fn with_daemon(told: &Told, text: &str) -> String {
    let daemon = told.report["daemon"].as_u64();
    let daemon = daemon.unwrap_or_else(|| panic!("{}: {}", told.case, told.report));
    text.replace("{daemon}", &daemon.to_string())
}

/// Names, modes, times and text of all that a run must leave alone.
fn listing(stage: &Stage) -> BTreeMap<PathBuf, (u32, i64, u64)> {
    let entries =
        ["shared", "vault", "."].into_iter().flat_map(|name| fs::read_dir(stage.at(name)).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let kept = paths.filter(|path| !path.ends_with("spec.json") && !path.is_dir());
    kept.map(|path| {
        let found = fs::symlink_metadata(&path).unwrap();
        (path, (found.mode(), found.mtime_nsec(), found.size()))
    })
    .collect()
}

#[test]
fn what_is_given_can_be_used() {
    for (tier, who) in cases() {
        let stage = Stage::new(who);
        let at = |name: &str| stage.place(name);
        let mut attempts = vec![
            format!("read:{}", at("shared/file")),
            format!("list:{}", at("shared")),
            format!("write:{}", at("work/made")),
            format!("append:{}", at("work/made")),
            format!("directory:{}", at("work/below")),
            format!("rename:{}:{}", at("work/made"), at("work/below/moved")),
            format!("hard-link:{}:{}", at("work/below/moved"), at("work/hard")),
            "read-link:mine:link".to_owned(),
            "remove:link".to_owned(),
            "read:/dev/urandom".to_owned(),
            "write:/dev/null".to_owned(),
            "read:/proc/cpuinfo".to_owned(),
            "read:/proc/self/maps".to_owned(),
            "list:/sys/devices/system/cpu".to_owned(),
            "pair".to_owned(),
            "shell:echo a | tr a b".to_owned(),
        ];
        // Where Landlock alone guards the others, modes stay as they are.
        if tier == Tier::Full {
            attempts.push(format!("chmod:{}", at("work/hard")));
        }
        let told = stage.run(tier, &attempts, Some(&stage.sandbox(Code::Candidate)));
        if !told.is_there() {
            continue;
        }
        assert_eq!(told.report["outcome"]["outcome"], "finished", "{}", told.report);
        for attempt in &attempts {
            assert!(
                told.of(attempt).starts_with("ok"),
                "{}: {attempt} {}",
                told.case,
                told.of(attempt)
            );
        }
        assert_eq!(told.of("shell:echo a | tr a b"), "ok b");
        assert_eq!(fs::read_to_string(stage.at("work/below/moved")).unwrap(), "minemore");
        assert_eq!(fs::metadata(stage.at("work/hard")).unwrap().nlink(), 2);
    }
}

#[test]
fn a_run_is_nobody_and_has_only_what_it_is_given() {
    for (tier, who) in cases() {
        let stage = Stage::new(who);
        let gate = stage.place("shared/gate");
        let attempts = ["uid", "capabilities", "environment", "files"].map(str::to_owned);
        let gain = [format!("shell:{gate} uid")];
        let all: Vec<_> = attempts.iter().chain(&gain).cloned().collect();
        let told = stage.run(tier, &all, Some(&stage.sandbox(Code::Candidate)));
        if !told.is_there() {
            continue;
        }
        let own = if is_root() { u64::from(ORDINARY) } else { 0 };
        let uid = told.report["uid"].as_u64();
        match who {
            Who::Root => assert!(uid.is_some_and(|uid| uid != 0), "{}", told.report),
            Who::Ordinary => assert_eq!(uid, None),
        }
        let shown: u64 = told.of("uid").strip_prefix("ok ").unwrap().parse().unwrap();
        assert!(shown != 0 && (!is_root() || shown == uid.unwrap_or(own)), "{}", told.case);
        let kept = if (tier, who) == (Tier::Container, Who::Root) { "4" } else { "0" };
        let capabilities = told.of("capabilities");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            let line = format!("{set}={kept:0>16}");
            assert!(capabilities.contains(&line), "{}: {line}: {capabilities}", told.case);
        }
        assert!(capabilities.ends_with("NoNewPrivs=1"), "{capabilities}");
        if who == Who::Root || tier == Tier::Full {
            assert!(capabilities.contains(&format!("CapBnd={kept:0>16}")), "{capabilities}");
        }
        let mut environment: Vec<_> = told.of("environment").split(' ').skip(1).collect();
        environment.sort_unstable();
        assert_eq!(environment, ["GIVEN=this", "PATH=/usr/bin:/bin"], "{}", told.case);
        assert_eq!(told.of("files"), "ok 0", "{}", told.case);
        let gained = told.of(&gain[0]);
        assert!(gained.contains(&format!("uid = ok {shown}")), "{}: {gained}", told.case);
        let control = stage.run(tier, &all, None);
        if is_root() && tier == Tier::Container {
            assert!(control.of(&gain[0]).contains("uid = ok 0"), "{}", control.log);
        }
    }
}

#[test]
fn the_daemon_is_out_of_reach_of_signals_where_that_is_promised() {
    for (tier, who) in cases() {
        let stage = Stage::new(who);
        let attempts = ["signal:{daemon}".to_owned(), "signal:1".to_owned()];
        let told = stage.run(tier, &attempts, Some(&stage.sandbox(Code::Candidate)));
        if !told.is_there() {
            continue;
        }
        let promised = told.report["signals"].is_string();
        let reached = told.of(&with_daemon(&told, &attempts[0])).starts_with("ok");
        assert!(promised || who == Who::Ordinary && tier == Tier::Container, "{}", told.report);
        assert_eq!(reached, !promised, "{}: {}", told.case, told.log);
        let control = stage.run(tier, &attempts, None);
        // In a namespace of processes it is not to be found without a sandbox either.
        let reached = control.of(&with_daemon(&control, &attempts[0])).starts_with("ok");
        assert_eq!(reached, tier == Tier::Container, "{}", control.log);
    }
}

#[test]
fn limits_hold_and_nothing_is_left() {
    for (tier, who) in cases() {
        let stage = Stage::new(who);
        let sandbox = stage.sandbox(Code::Candidate);
        let run = |attempts: &[&str], limits: ResourceLimits, deadline_s: u64| {
            let argv: Vec<_> = [INTRUDER].iter().chain(attempts).collect();
            let given = json!({
                "argv": argv, "sandbox": sandbox, "limits": limits, "deadline_s": deadline_s,
            });
            stage.execute(tier, &given)
        };
        let none = ResourceLimits::default();
        let told = run(&["orphan", "telltale", "telltale"], none, LONG_S);
        if !told.is_there() {
            continue;
        }
        assert_eq!(told.report["outcome"]["outcome"], "finished", "{}", told.report);
        assert_eq!(
            (&told.report["killed"], &told.report["telltale"]),
            (&json!(1), &json!("score: 1.0"))
        );
        let told = run(&["hang"], none, 1);
        assert_eq!(told.report["outcome"]["outcome"], "timed_out", "{}", told.report);
        assert_eq!(told.report["telltale"], Value::Null);
        let work = stage.place("work");
        let fill = format!("fill:{work}:8");
        let capped = ResourceLimits { directory_bytes: Some(4 << 20), ..none };
        // Whether it is seen while it runs or only at its end.
        for attempts in [vec![fill.as_str()], vec![fill.as_str(), "hang"]] {
            let told = run(&attempts, capped, LONG_S);
            assert_eq!(told.cause(), "too_much_written", "{}", told.report);
        }
        let wide = ResourceLimits { directory_bytes: Some(64 << 20), ..none };
        assert_eq!(run(&[&fill], wide, LONG_S).report["outcome"]["outcome"], "finished");
        let file = ResourceLimits { file_bytes: Some(4096), ..none };
        let told = run(&[&format!("fill:{work}:1")], file, LONG_S);
        assert_eq!(told.cause(), "file_too_large", "{}", told.report);
        let crowd = "shell:i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; wait";
        let told = run(&[crowd], ResourceLimits { processes: Some(20), ..none }, LONG_S);
        assert_eq!(told.cause(), "too_many_processes", "{}", told.report);
    }
}

#[test]
fn what_cannot_be_sealed_is_not_started() {
    for (tier, who) in cases() {
        let stage = Stage::new(who);
        // Its directory cannot be shown: the root itself is nobody's to give.
        for sandbox in [
            stage.sandbox(Code::Candidate).reads("/"),
            stage.sandbox(Code::Candidate).reads("/usr/.."),
        ] {
            let attempt = format!("write:{}", stage.place("work/ran"));
            let told = stage.run(tier, &[attempt], Some(&sandbox));
            if told.is_there() {
                let error = told.report["error"].as_str().unwrap_or_default();
                assert!(
                    error.ends_with(
                        "following the paths of its sandbox: Invalid argument (os error 22)"
                    ),
                    "{}",
                    told.report
                );
            }
            assert!(!stage.at("work/ran").exists());
        }
    }
}

/// A compiler and a linker at work, with a toolchain that may lie in a home of mode 0700.
#[test]
fn a_program_is_compiled_and_linked() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).unwrap().trim());
    for (tier, who) in cases() {
        let stage = Stage::new(who);
        if who == Who::Ordinary && is_root() && sysroot.starts_with("/root") {
            // Behind a door that an ordinary user cannot pass, sandbox or not.
            continue;
        }
        fs::write(stage.at("shared/hello.rs"), "fn main() { println!(\"hello\"); }").unwrap();
        let sandbox = stage.sandbox(Code::Trusted).reads(&sysroot);
        let told = stage.execute(tier, &json!({
            "argv": [sysroot.join("bin/rustc"), stage.at("shared/hello.rs"), "-o", stage.at("work/hello")],
            "sandbox": sandbox,
            "environment": { "PATH": "/usr/bin:/bin", "TMPDIR": stage.at("work") },
        }));
        if !told.is_there() {
            continue;
        }
        assert_eq!(told.report["outcome"]["outcome"], "finished", "{} {}", told.report, told.log);
        let attempt = format!("run:{}", stage.place("work/hello"));
        let told =
            stage.run(tier, std::slice::from_ref(&attempt), Some(&stage.sandbox(Code::Candidate)));
        assert_eq!(told.of(&attempt), "ok hello", "{}", told.case);
    }
}

#[test]
fn directories_are_handed_over_whole_and_links_are_not() {
    use dfr_daemon::runner::{Containment, RunUser, capabilities_with, prepare_writable};
    let user = RunUser::choose(None).unwrap();
    let machine = capabilities_with(Path::new(env!("CARGO_BIN_EXE_dfr-daemon")), user);
    let containment = Containment::choose(None, &machine).unwrap();
    let home = TempDir::new().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir_all(at("work/below")).unwrap();
    fs::write(at("outside"), "").unwrap();
    symlink(at("outside"), at("work/below/link")).unwrap();
    symlink(at("work"), at("link")).unwrap();
    prepare_writable(&at("work"), &containment).unwrap();
    prepare_writable(&at("new"), &containment).unwrap();
    assert!(prepare_writable(&at("link"), &containment).is_err());
    assert!(prepare_writable(&at("outside"), &containment).is_err());
    let own = fs::metadata(home.path()).unwrap().uid();
    let wanted = containment.run_user().map_or(own, |user| user.uid);
    let owners: BTreeSet<u32> = ["work", "work/below", "work/below/link", "new"]
        .iter()
        .map(|name| fs::symlink_metadata(at(name)).unwrap().uid())
        .collect();
    assert_eq!(owners, BTreeSet::from([wanted]));
    assert_eq!(fs::metadata(at("outside")).unwrap().uid(), own);
    assert_eq!(fs::metadata(at("work")).unwrap().mode() & 0o777, 0o700);
}
