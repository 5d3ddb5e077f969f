//! What is installed to run the daemon as a service: the unit, the script that starts a session,
//! and the one that installs them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dfr_contract::exit;
use tempfile::TempDir;

const UNIT: &str = "dfr-daemon@.service";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").canonicalize().unwrap()
}

fn unit() -> String {
    fs::read_to_string(deploy().join(UNIT)).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn check(unit: &Path) -> Output {
    Command::new(deploy().join("check.sh")).arg(unit).output().unwrap()
}

/// Whether systemd's own checks can be run here; says so when not.
fn can_check() -> bool {
    let found = Command::new("systemd-analyze").arg("--version").output().is_ok();
    if !found {
        eprintln!("not checked: no systemd-analyze here");
    }
    found
}

#[test]
fn the_unit_passes_systemds_own_checks() {
    if !can_check() {
        return;
    }
    let checked = check(&deploy().join(UNIT));
    let said = said(&checked);
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("verify: passes") && said.contains("security: exposure "), "{said}");
}

#[test]
fn a_wrong_unit_and_an_exposed_one_do_not_pass() {
    if !can_check() {
        return;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(UNIT);
    for (line, instead, finding) in [
        ("NoNewPrivileges=yes", "NoOldPrivileges=yes", "NoOldPrivileges"),
        ("ExecStart=/usr/local/bin/dfr-session", "ExecStart=/usr/local/bin/none", "none"),
        ("CapabilityBoundingSet=", "", "security: exposure"),
    ] {
        let unit = unit();
        assert!(unit.contains(&format!("\n{line}\n")), "{line}");
        fs::write(&path, unit.replace(&format!("\n{line}\n"), &format!("\n{instead}\n"))).unwrap();
        let checked = check(&path);
        assert_eq!(checked.status.code(), Some(1), "{instead}: {}", said(&checked));
        assert!(said(&checked).contains(finding), "{instead}: {}", said(&checked));
    }
}

#[test]
fn the_unit_knows_the_exit_codes() {
    let unit = unit();
    for line in [
        format!("RestartPreventExitStatus={} {}", exit::USAGE, exit::CONFIGURATION),
        format!("SuccessExitStatus={}", exit::INTERRUPTED),
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

/// A fault of the world outside (an endpoint, the network, a disk) may last all night.
#[test]
fn no_number_of_starts_is_the_last() {
    let unit = unit();
    assert!(unit.lines().any(|line| line == "StartLimitIntervalSec=0"), "{unit}");
    assert!(!unit.contains("StartLimitBurst"));
    let readme = fs::read_to_string(deploy().join("README.md")).unwrap();
    assert!(readme.contains("--restart on-failure ") && !readme.contains("on-failure:"));
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// `dfr-session` beside a daemon that prints its arguments, and whose `status` ends with this code.
/// It runs in that directory, which is made ready before.
fn session(status: u8, ready: impl FnOnce(&Path, &mut Command)) -> Output {
    let directory = TempDir::new().unwrap();
    let at = directory.path().join("dfr-session");
    fs::copy(deploy().join("dfr-session"), &at).unwrap();
    let text = format!("#!/bin/sh\n[ \"$1\" != status ] || exit {status}\necho \"$*\"\n");
    program(&directory.path().join("dfr-daemon"), &text);
    let mut command = Command::new(at);
    command.arg("--seed=1").env("DFR_TAG", "t").current_dir(directory.path());
    command.env_remove("DFR_STATE_DIR").env_remove("DFR_REPO").env_remove("DFR_CONFIG");
    ready(directory.path(), &mut command);
    command.output().unwrap()
}

#[test]
fn a_session_that_is_there_goes_on_and_another_is_started() {
    for (status, arguments) in [
        (exit::OK, "--resume --unattended --seed=1\n"),
        (exit::CONFIGURATION, "--unattended --seed=1\n"),
        (exit::OUTSIDE, "--resume --unattended --seed=1\n"),
    ] {
        let started = session(status, |_, _| ());
        assert!(started.status.success());
        assert_eq!(said(&started), arguments, "status ended with {status}");
    }
    let nameless = session(exit::OK, |_, command| {
        command.env("DFR_TAG", "");
    });
    assert_eq!(nameless.status.code(), Some(i32::from(exit::USAGE)));
    assert!(said(&nameless).contains("DFR_TAG"));
}

#[test]
fn a_sessions_own_file_of_settings_is_named_where_it_is() {
    for (there, arguments) in [
        (true, "--resume --config my session.toml --unattended --seed=1\n"),
        (false, "--resume --unattended --seed=1\n"),
    ] {
        let started = session(exit::OK, |directory, command| {
            command.env("DFR_CONFIG", "my session.toml");
            if there {
                fs::write(directory.join("my session.toml"), "max_hours = 1\n").unwrap();
            }
        });
        assert_eq!(said(&started), arguments);
    }
    assert!(unit().contains("\nEnvironment=DFR_CONFIG=/etc/dfr/%i.toml\n"));
}

#[test]
fn a_session_whose_ledger_is_lost_goes_on_from_its_journal() {
    for (state, variable, value) in [
        ("state", "DFR_TAG", "t"),
        ("repo/state", "DFR_REPO", "repo"),
        ("elsewhere", "DFR_STATE_DIR", "elsewhere"),
    ] {
        for (tag, arguments) in
            [("t", "--resume --unattended --seed=1\n"), ("u", "--unattended --seed=1\n")]
        {
            let started = session(exit::CONFIGURATION, |directory, command| {
                let session = directory.join(state).join(tag);
                fs::create_dir_all(&session).unwrap();
                fs::write(session.join("journal.jsonl"), "{}\n").unwrap();
                command.env(variable, value);
            });
            assert_eq!(said(&started), arguments, "{state} of {tag}");
        }
    }
}

/// A root to install into, and programs to install.
struct Root {
    directory: TempDir,
}

impl Root {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let root = Self { directory };
        fs::create_dir(root.path("from")).unwrap();
        fs::create_dir(root.path("root")).unwrap();
        for name in ["dfr-daemon", "dfr"] {
            program(&root.path("from").join(name), "#!/bin/sh\n");
        }
        root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    #[track_caller]
    fn install(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(deploy().join("install.sh"));
        command.arg("--root").arg(self.path("root")).arg("--from").arg(self.path("from"));
        let done = command.args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", said(&done));
        said(&done)
    }

    fn mode(&self, path: &str) -> Option<u32> {
        let metadata = fs::metadata(self.path("root").join(path)).ok()?;
        Some(metadata.permissions().mode() & 0o7777)
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(self.path("root")).unwrap().next().is_none()
    }
}

const KEY: &str = "etc/dfr/openai_api_key";

#[test]
fn an_installation_is_whole_and_a_second_one_changes_nothing() {
    let root = Root::new();
    let first = root.install(&[]);
    for (path, mode) in [
        ("usr/local/bin/dfr-daemon", 0o755),
        ("usr/local/bin/dfr", 0o755),
        ("usr/local/bin/dfr-session", 0o755),
        ("etc/systemd/system/dfr-daemon@.service", 0o644),
        ("usr/local/share/doc/dfr/README.md", 0o644),
        ("etc/dfr", 0o750),
        (KEY, 0o600),
        ("var/lib/dfr", 0o750),
        ("var/lib/dfr/state", 0o750),
        ("var/lib/dfr/cache", 0o750),
    ] {
        assert_eq!(root.mode(path), Some(mode), "{path}");
        assert!(first.contains(path), "{path} was not told:\n{first}");
    }
    let second = root.install(&[]);
    assert!(!second.contains("install ") && !second.contains("make the directory"), "{second}");
}

#[test]
fn a_dry_run_says_it_and_does_nothing() {
    let root = Root::new();
    let told = root.install(&["--dry-run"]);
    assert!(told.contains("would install /usr/local/bin/dfr-daemon"), "{told}");
    assert!(root.is_empty());
}

#[test]
fn an_update_replaces_programs_and_no_key() {
    let root = Root::new();
    root.install(&[]);
    fs::write(root.path("root").join(KEY), "sk-mine\n").unwrap();
    program(&root.path("from/dfr"), "#!/bin/sh\necho newer\n");
    let told = root.install(&[]);
    assert!(told.starts_with("no /etc/passwd"), "{told}");
    assert_eq!(told.matches("install ").count(), 1, "{told}");
    let installed = fs::read_to_string(root.path("root/usr/local/bin/dfr")).unwrap();
    assert!(installed.contains("newer"));
    assert_eq!(fs::read_to_string(root.path("root").join(KEY)).unwrap(), "sk-mine\n");
}

#[test]
fn an_uninstallation_leaves_what_is_the_users() {
    let root = Root::new();
    root.install(&[]);
    root.install(&["--uninstall"]);
    for gone in ["usr/local/bin/dfr-daemon", "etc/systemd/system/dfr-daemon@.service"] {
        assert_eq!(root.mode(gone), None, "{gone}");
    }
    for kept in [KEY, "var/lib/dfr/state"] {
        assert!(root.mode(kept).is_some(), "{kept}");
    }
}

/// The file that is installed first holds no key, so that a forgotten one is told at the start.
#[test]
fn the_placeholder_is_no_key() {
    let text = fs::read_to_string(deploy().join("openai_api_key.example")).unwrap();
    assert!(!text.is_empty() && text.lines().all(|line| line.starts_with('#')), "{text}");
}

/// Major and minor number after the first `name` and some of these characters.
fn version_after(text: &str, name: &str) -> (u32, u32) {
    let rest = text.split(name).nth(1).unwrap().trim_start_matches([' ', '=', '"']);
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn the_image_pins_a_toolchain_that_is_new_enough() {
    let manifest = fs::read_to_string(deploy().join("../Cargo.toml")).unwrap();
    let wanted = version_after(&manifest, "rust-version");
    let image = fs::read_to_string(deploy().join("Containerfile")).unwrap();
    let pinned = version_after(&image, "ARG RUST");
    assert!(pinned >= wanted, "{pinned:?} is older than {wanted:?}");
}
