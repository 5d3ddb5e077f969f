//! `recover` and `rebuild`: whatever was lost besides the ledger and the base is there again, and
//! what a human did stays.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::signal::Signal::SIGKILL;

use crate::environment::{BETTER, Ended, RECIPE, TestEnvironment, reply};

const BRANCH: &str = "refs/heads/autoresearch/t";
const BOTH: [&str; 2] = ["recover", "rebuild"];
const FILES: [&str; 2] = ["repo/state/t/results.tsv", "repo/state/t/STATE.md"];

fn by_hand(environment: &TestEnvironment, command: &str) -> Ended {
    environment.run(&mut environment.daemon(&[command, "--tag", "t"]))
}

/// A night with a repaired candidate, a kept and a discarded one.
fn night() -> TestEnvironment {
    let environment = TestEnvironment::new();
    let broken = reply("breaks", &[BETTER, ("build = ok", "build = broken")]);
    let worse = reply("worse", &[("quality = 0.700", "quality = 0.500")]);
    let script = environment.script(&[broken, reply("better", &[BETTER]), worse]);
    let arguments = ["--proposer", &script, "--max-experiments", "3"];
    environment.run(&mut environment.session(&arguments)).code(0);
    assert_eq!(environment.verdicts(), ["keep", "keep", "discard"]);
    environment
}

/// Where every reference stands.
fn references(environment: &TestEnvironment) -> String {
    environment.git(&["for-each-ref", "--format=%(refname) %(objectname)"])
}

fn files(environment: &TestEnvironment) -> [String; 2] {
    FILES.map(|name| environment.read(name))
}

/// Loses everything that no branch but `main` holds, and the branch too.
fn lose_all(environment: &TestEnvironment) {
    let all = environment.git(&["for-each-ref", "--format=%(refname)", "refs/dfr", BRANCH]);
    for name in all.lines() {
        environment.git(&["update-ref", "-d", name]);
    }
    environment.git(&["reflog", "expire", "--expire=now", "--all"]);
    environment.git(&["gc", "--prune=now", "--quiet"]);
}

fn backups(environment: &TestEnvironment) -> usize {
    fs::read_dir(environment.path("repo/state/backups")).map_or(0, Iterator::count)
}

#[test]
fn a_backup_is_made_after_so_many_experiments_whatever_became_of_them() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "backup_every = 2\n");
    let nonsense = || "Nice weather.".to_owned();
    let hang = reply("hang", &[("mode = ok", "mode = hang")]);
    let script = environment.script(&[nonsense(), nonsense(), nonsense(), hang]);
    let mut daemon = environment.start(&mut environment.session(&["--proposer", &script]));
    daemon.wait_for_training(2);
    assert_eq!(environment.verdicts(), ["keep"], "the second one was given up");
    assert_eq!(backups(&environment), 1);
}

#[test]
fn a_short_session_leaves_a_backup() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    assert_eq!(backups(&environment), 1);
    // With nothing new, no older one has to go.
    environment.run(&mut environment.session(&["--resume", "--max-experiments", "1"])).code(0);
    assert_eq!(backups(&environment), 1);
}

/// A session that was killed while its first candidate trained.
fn killed_in_training() -> TestEnvironment {
    let environment = TestEnvironment::new();
    let script = environment.script(&[reply("hangs", &[("mode = ok", "mode = hang")])]);
    let mut daemon = environment.start(&mut environment.session(&["--proposer", &script]));
    daemon.wait_for_training(1);
    daemon.signal(SIGKILL);
    assert_eq!(daemon.wait().status.signal(), Some(9));
    environment.wait_for_no_trainer();
    environment
}

#[test]
fn a_session_in_good_order_is_left_as_it_is() {
    let environment = night();
    let before = (references(&environment), files(&environment));
    let recovered = by_hand(&environment, "recover");
    recovered.code(0);
    let told = "nothing to do\nno experiment is in hand: next is experiment 3\n";
    assert_eq!(recovered.out, told);
    let rebuilt = by_hand(&environment, "rebuild");
    rebuilt.code(0);
    let counts = "commits: 0 made again, 4 there, 0 cannot be made; references: 0 put back\n";
    assert_eq!(rebuilt.out, counts.to_owned() + told.trim_start_matches("nothing to do\n"));
    assert_eq!(before, (references(&environment), files(&environment)));
}

#[test]
fn after_a_kill_in_training_the_branch_is_put_right_and_what_comes_next_is_told() {
    let environment = killed_in_training();
    let candidate = environment.git(&["rev-parse", BRANCH]);
    environment.git(&["update-ref", BRANCH, "main"]);
    let recovered = by_hand(&environment, "recover");
    recovered.code(0);
    let main = environment.git(&["rev-parse", "main"]);
    let moved = format!("is moved from {} to {}\n", &main[..7], &candidate[..7]);
    let next = "experiment 1 goes on: next is train, built anew\n";
    for told in [&moved, next] {
        assert!(recovered.out.contains(told), "{recovered:#?}");
    }
    assert_eq!(environment.git(&["rev-parse", BRANCH]), candidate);
    let again = by_hand(&environment, "recover");
    assert_eq!(again.out, format!("nothing to do\n{next}"));
    let arguments = ["--resume", "--max-experiments", "2"];
    let mut session = environment.session(&arguments);
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_log("goes on with the experiment that was in hand");
    daemon.wait_for_log("training for");
    let stop = environment.run(&mut environment.daemon(&["stop", "--tag", "t", "--now"]));
    stop.code(0);
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep"]);
}

#[test]
fn what_a_killed_daemon_left_is_cleared_away_and_told() {
    let environment = night();
    let before = references(&environment);
    let mark = environment.path("repo/state/t").display().to_string();
    let mut left = Command::new("sleep").arg("3600").env("DFR_SESSION", mark).spawn().unwrap();
    environment.write("repo/.git/refs/heads/autoresearch/t.lock", "");
    environment.write("repo/.git/refs/dfr/t/exp/2", "");
    let recovered = by_hand(&environment, "recover");
    recovered.code(0);
    for told in [
        "programs that an earlier daemon left behind were ended: 1",
        "autoresearch/t.lock was held by nobody",
        "refs/dfr/t/exp/2 held nothing",
        "references: 1 put back",
    ] {
        assert!(recovered.out.contains(told), "{told}: {recovered:#?}");
    }
    assert_eq!(left.wait().unwrap().signal(), Some(9));
    assert_eq!(references(&environment), before);
    assert!(!environment.path("repo/.git/refs/heads/autoresearch/t.lock").exists());
}

#[test]
fn a_start_clears_the_same_away() {
    let environment = night();
    let before = references(&environment);
    environment.write("repo/.git/refs/heads/autoresearch/t.lock", "");
    environment.write("repo/.git/refs/dfr/t/exp/1.1", "");
    let arguments = ["--resume", "--max-experiments", "3"];
    let ended = environment.run(&mut environment.session(&arguments));
    ended.code(0).says(&["t.lock was held by nobody", "refs/dfr/t/exp/1.1 held nothing"]);
    assert_eq!(references(&environment), before);
}

#[test]
fn commits_that_git_has_lost_are_made_again_with_the_same_ids() {
    let environment = night();
    let before = references(&environment);
    let kept = environment.git(&["rev-parse", "refs/dfr/t/exp/2"]);
    lose_all(&environment);
    assert_eq!(references(&environment).lines().count(), 1);
    let recovered = by_hand(&environment, "recover");
    recovered.code(4).says(&["belongs on", "which is not here", "dfr-daemon rebuild --tag t"]);
    let rebuilt = by_hand(&environment, "rebuild");
    rebuilt.code(0);
    let counts = "commits: 3 made again, 1 there, 0 cannot be made; references: 4 put back\n";
    assert!(rebuilt.out.starts_with(counts), "{rebuilt:#?}");
    assert!(rebuilt.out.contains("autoresearch/t was gone; it is made again"), "{rebuilt:#?}");
    assert_eq!(references(&environment), before);
    environment.git(&["fsck", "--strict", "--no-dangling"]);
    let recipe = environment.git(&["show", &format!("{kept}:lab/recipe.txt")]);
    assert_eq!(recipe + "\n", RECIPE.replace(BETTER.0, "quality = 0.500"));
    let again = by_hand(&environment, "rebuild");
    assert!(again.out.contains("0 made again, 4 there") && again.out.contains("0 put back"));
    assert_eq!(references(&environment), before);
}

#[test]
fn a_start_makes_commits_that_git_has_lost_again() {
    let environment = night();
    let before = references(&environment);
    lose_all(&environment);
    let arguments = ["--resume", "--max-experiments", "3"];
    let ended = environment.run(&mut environment.session(&arguments));
    ended.code(0).says(&["commits: 3 made again", "autoresearch/t"]);
    assert_eq!(references(&environment), before);
}

#[test]
fn a_commit_that_lacks_a_file_is_made_whole_and_a_damaged_one_is_named() {
    let environment = night();
    let newest = "refs/dfr/t/exp/2";
    let [commit, blob] = [newest, &format!("{newest}:lab/recipe.txt")]
        .map(|name| environment.git(&["rev-parse", name]));
    let object = |id: &str| format!("repo/.git/objects/{}/{}", &id[..2], &id[2..]);
    for id in [&blob, &commit] {
        fs::remove_file(environment.path(&object(id))).unwrap();
        let rebuilt = by_hand(&environment, "rebuild");
        rebuilt.code(0);
        let counts = "commits: 1 made again, 3 there, 0 cannot be made; ";
        assert!(rebuilt.out.starts_with(counts), "{rebuilt:#?}");
        environment.git(&["fsck", "--strict", "--no-dangling"]);
    }
    for id in [&blob, &commit] {
        fs::remove_file(environment.path(&object(id))).unwrap();
        environment.write(&object(id), "");
        let rebuilt = by_hand(&environment, "rebuild");
        rebuilt.code(4);
        let named = format!("experiment 2: {commit} cannot be made: ");
        assert!(rebuilt.out.contains(&named), "{rebuilt:#?}");
        fs::remove_file(environment.path(&object(id))).unwrap();
        by_hand(&environment, "rebuild").code(0);
    }
}

#[test]
fn a_lost_candidate_in_hand_is_made_again_and_goes_on() {
    let environment = killed_in_training();
    let before = references(&environment);
    lose_all(&environment);
    let rebuilt = by_hand(&environment, "rebuild");
    rebuilt.code(0);
    assert!(rebuilt.out.contains("1 made again"), "{rebuilt:#?}");
    assert!(rebuilt.out.ends_with("next is train, built anew\n"), "{rebuilt:#?}");
    assert_eq!(references(&environment), before);
}

#[test]
fn files_for_people_that_are_gone_or_garbled_are_the_same_again() {
    for command in BOTH {
        let environment = night();
        let before = files(&environment);
        environment.write(FILES[0], "garbled \u{0}");
        fs::remove_file(environment.path(FILES[1])).unwrap();
        let ended = by_hand(&environment, command);
        ended.code(0);
        for name in ["results.tsv", "STATE.md"] {
            let told = format!("{name} was not what the ledger tells; it is written anew\n");
            assert!(ended.out.contains(&told), "{ended:#?}");
        }
        assert_eq!(files(&environment), before);
        fs::remove_dir_all(environment.path("repo/state/t")).unwrap();
        by_hand(&environment, command).code(0);
        assert_eq!(files(&environment), before);
    }
}

/// Commits on the session's branch as a human does.
fn commit_by_hand(environment: &TestEnvironment) -> String {
    environment.git(&["checkout", "--quiet", "autoresearch/t"]);
    environment.edit("repo/lab/recipe.txt", ("quality = 0.700", "quality = 0.750"));
    environment.commit_all("mine");
    environment.git(&["rev-parse", "HEAD"])
}

#[test]
fn a_human_s_commit_on_the_branch_stays_and_is_measured_by_the_next_start() {
    for command in BOTH {
        let environment = night();
        let mine = commit_by_hand(&environment);
        for _ in ["found", "known"] {
            let ended = by_hand(&environment, command);
            ended.code(0);
            let told = format!("the branch stands on {}, a commit of somebody else", &mine[..7]);
            assert!(ended.out.contains(&told), "{ended:#?}");
            assert!(!ended.out.contains("nothing to do"), "{ended:#?}");
            let next = format!("next is experiment 3, which measures {}\n", &mine[..7]);
            assert!(ended.out.ends_with(&next), "{ended:#?}");
            assert_eq!(environment.git(&["rev-parse", BRANCH]), mine);
        }
        let arguments = ["--resume", "--max-experiments", "4"];
        environment.run(&mut environment.session(&arguments)).code(0);
        assert_eq!(environment.verdicts()[3], "keep");
        assert_eq!(environment.rows()[3][0], mine[..7]);
        assert_eq!(by_hand(&environment, "recover").out.lines().next(), Some("nothing to do"));
    }
}

#[test]
fn a_human_s_commit_that_does_not_run_is_told_to_be_waited_for() {
    let environment = night();
    environment.git(&["checkout", "--quiet", "autoresearch/t"]);
    environment.edit("repo/lab/recipe.txt", ("mode = ok", "mode = crash"));
    environment.commit_all("mine");
    let mine = environment.git(&["rev-parse", "HEAD"]);
    let arguments = ["--resume", "--max-experiments", "4"];
    environment.run(&mut environment.session(&arguments)).code(0);
    assert_eq!(environment.verdicts()[3..], ["crash"]);
    let recovered = by_hand(&environment, "recover");
    recovered.code(0);
    let told = format!("the branch stands on {}, a commit of somebody else\n", &mine[..7]);
    assert!(recovered.out.starts_with(&told), "{recovered:#?}");
    assert!(recovered.out.contains("the next start waits: "), "{recovered:#?}");
    assert_eq!(environment.git(&["rev-parse", BRANCH]), mine);
}

#[test]
fn a_human_s_commit_that_git_has_lost_is_named() {
    let environment = night();
    let mine = commit_by_hand(&environment);
    let worse = reply("worse", &[("quality = 0.750", "quality = 0.500")]);
    let script = environment.script(&[worse]);
    let arguments = ["--proposer", &script, "--resume", "--max-experiments", "5"];
    environment.run(&mut environment.session(&arguments)).code(0);
    assert_eq!(environment.verdicts()[3..], ["keep", "discard"]);
    let [row, table] = [environment.rows()[4][0].clone(), environment.read(FILES[0])];
    environment.git(&["checkout", "--quiet", "main"]);
    lose_all(&environment);
    fs::remove_file(environment.path(FILES[0])).unwrap();
    let rebuilt = by_hand(&environment, "rebuild");
    rebuilt.code(4);
    let lines: Vec<&str> = rebuilt.out.lines().collect();
    let counts = "commits: 3 made again, 1 there, 2 cannot be made; references: 4 put back";
    assert_eq!(lines[0], counts, "{rebuilt:#?}");
    let theirs = format!("experiment 3: {mine} is a commit of somebody else, and git has lost it");
    assert_eq!(lines[1], theirs);
    assert!(lines[2].starts_with(&format!("experiment 4: {row}")), "{rebuilt:#?}");
    assert!(lines[2].ends_with(&format!("cannot be made without its parent {mine}")));
    assert!(!environment.has_ref(BRANCH));
    assert_eq!(environment.read(FILES[0]), table);
    let arguments = ["--resume", "--max-experiments", "5"];
    let ended = environment.run(&mut environment.session(&arguments));
    let rebuild = "dfr-daemon rebuild --tag t";
    ended.code(4).says(&[&mine, "git has lost it", rebuild, "rollback --tag t --to 1"]);
    let back = ["rollback", "--tag", "t", "--to", "1"];
    environment.run(&mut environment.daemon(&back)).code(0);
    environment.run(&mut environment.session(&arguments)).code(0);
    assert!(environment.has_ref(BRANCH));
}

#[test]
fn while_a_daemon_runs_the_session_both_are_refused() {
    let environment = TestEnvironment::new();
    let script = environment.script(&[reply("hangs", &[("mode = ok", "mode = hang")])]);
    let mut daemon = environment.start(&mut environment.session(&["--proposer", &script]));
    daemon.wait_for_training(1);
    let owner = daemon.id().to_string();
    let trainers = environment.trainers();
    for command in BOTH {
        let refused = by_hand(&environment, command);
        refused.code(3).says(&["held by process", &owner, "runs this session already"]);
        assert_eq!(refused.out, "");
    }
    assert!(!trainers.is_empty());
    assert_eq!(environment.trainers(), trainers);
    environment.run(&mut environment.daemon(&["stop", "--tag", "t", "--now"])).code(0);
    daemon.wait().code(0);
}

#[test]
fn a_session_that_is_not_there_is_named_and_nothing_is_made() {
    let environment = TestEnvironment::new();
    for command in BOTH {
        by_hand(&environment, command).code(3).says(&["no ledger at", "--state-dir"]);
        environment.assert_nothing_created();
        let bad = environment.run(&mut environment.daemon(&[command, "--tag", "a b"]));
        bad.code(2).says(&["is no tag"]);
        environment.run(&mut environment.daemon(&[command])).code(2).says(&["--tag"]);
    }
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    for command in BOTH {
        let unknown = environment.run(&mut environment.daemon(&[command, "--tag", "u"]));
        unknown.code(3).says(&["no session u", "dfr-daemon list"]);
        assert!(!environment.path("repo/state/u").exists());
    }
}

#[test]
fn a_damaged_ledger_is_restored_and_said_to_be() {
    for command in BOTH {
        let environment = night();
        let before = (references(&environment), files(&environment));
        // Closes the ledger in good order: all of it is in the one file then.
        by_hand(&environment, "recover").code(0);
        let ledger = environment.path("repo/state/dfr.db");
        let whole = fs::read(&ledger).unwrap();
        let mut garbled = whole.clone();
        garbled[8192..].fill(0x5a);
        for bytes in [&whole[..whole.len() / 2], &garbled[..], b""] {
            fs::write(&ledger, bytes).unwrap();
            let ended = by_hand(&environment, command);
            ended.code(0);
            assert!(ended.out.starts_with("the ledger was restored ("), "{ended:#?}");
            assert_eq!(before, (references(&environment), files(&environment)));
        }
        let whole = by_hand(&environment, command);
        assert!(!whole.out.contains("restored"), "{whole:#?}");
    }
}

#[test]
fn a_directory_that_somebody_copied_is_no_session_of_its_own() {
    let environment = night();
    let [from, to] = ["repo/state/t", "repo/state/t.bak"].map(|name| environment.path(name));
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
    let recovered = by_hand(&environment, "recover");
    recovered.code(0);
    assert!(recovered.out.starts_with("nothing to do\n"), "{}", recovered.out);
}
