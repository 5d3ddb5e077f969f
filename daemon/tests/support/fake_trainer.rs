//! A stand-in for a trainer: does what the recipe's `mode` says, well or badly.
//!
//! `fake-trainer build RECIPE [PRODUCT]`, which is a copy of the recipe,
//! `fake-trainer smoke|canary RECIPE`, `fake-trainer trace RECIPE RUN OUT`,
//! `fake-trainer full RECIPE RUN BUDGET_S`, which dies once if the mode says so, `fake-trainer train RECIPE RUN BUDGET_S [SEED]` or
//! `fake-trainer predict RECIPE OUT RECORDS [MODEL]`. The recipe is a text of `name = value` lines;
//! `quality` is the share of records that are predicted right, for labels that alternate between 0
//! and 1, `luck` by how much that depends on the seed, `ms` is how long training takes and `mib` how much memory of the device it claims to. What is
//! not the recipe's doing comes from the environment: `FAKE_NEEDS` and `FAKE_WAITS` name a file
//! without which a run fails or waits, `FAKE_FAULT` one with which the device computes wrong answers,
//! or only the first of them if it says `once`, `FAKE_SLOW` one that holds by how many milliseconds
//! every training takes longer. Every training reads the file that `FAKE_RUNS` names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use dfr_contract::footer::Claims;
use dfr_contract::{CLOCK_STARTED, predictions};

mod runaway;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let recipe = Recipe(fs::read_to_string(&arguments[2]).expect("a recipe to read"));
    match arguments[1].as_str() {
        "build" => build(&recipe, arguments.get(3)),
        "smoke" => check(&recipe, "smoke"),
        "canary" => canary(&recipe),
        "train" => train(&recipe, &arguments[3], arguments.get(5)),
        "predict" => {
            let luck = arguments.get(5).map_or(0.0, |model| luck(&recipe, Path::new(model)));
            predict(&recipe, Path::new(&arguments[3]), &arguments[4], luck)
        }
        "full" => train_in_full(&recipe, Path::new(&arguments[3]), &arguments[4..]),
        "trace" => trace(&recipe, Path::new(&arguments[3]), Path::new(&arguments[4])),
        other => panic!("no step {other}"),
    }
}

struct Recipe(String);

impl Recipe {
    fn get(&self, name: &str) -> &str {
        let line = self.0.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.split("//").next().unwrap_or_default().trim())
        });
        line.unwrap_or_default().trim_end_matches(';')
    }

    fn quality(&self) -> f64 {
        self.get("quality").parse().expect("a quality")
    }

    /// By how much the seed may move the share that is right.
    fn luck(&self) -> f64 {
        self.get("luck").parse().unwrap_or(0.0)
    }

    fn number(&self, name: &str, otherwise: usize) -> usize {
        self.get(name).parse().unwrap_or(otherwise)
    }
}

fn check(recipe: &Recipe, step: &str) -> ExitCode {
    if recipe.get(step) == "broken" {
        println!("error: {step} is broken on line 3");
        return ExitCode::from(101);
    }
    if recipe.get(step) == "device-fault" {
        return fault();
    }
    if recipe.get(step) == "slow" {
        std::thread::sleep(Duration::from_secs(20));
    }
    ExitCode::SUCCESS
}

fn build(recipe: &Recipe, product: Option<&String>) -> ExitCode {
    let checked = check(recipe, "build");
    if let (Some(product), true) = (product, checked == ExitCode::SUCCESS) {
        fs::write(product, &recipe.0).expect("a target directory");
    }
    checked
}

/// Goes on with what an earlier start left.
fn train_in_full(recipe: &Recipe, run: &Path, times: &[String]) -> ExitCode {
    let checkpoint = run.join("resume");
    let was_there = checkpoint.exists();
    fs::create_dir_all(&checkpoint).expect("a run directory");
    if recipe.get("mode") == "full-dies" && !was_there {
        return crash();
    }
    let how = if was_there { "went on" } else { "from the start" };
    fs::write(run.join("model.safetensors"), format!("weights {} s, {how}", times.join(" by ")))
        .expect("a run directory");
    ExitCode::SUCCESS
}

/// Leaves what it knows of the model, and what it can read of the file that the recipe calls `secret`.
fn trace(recipe: &Recipe, run: &Path, out: &Path) -> ExitCode {
    if recipe.get("mode") == "trace-link" {
        std::os::unix::fs::symlink("/etc/passwd", out.join("graph")).expect("an output directory");
    }
    let weights = fs::read_to_string(run.join("model.safetensors")).expect("a model");
    let secret = fs::read(recipe.get("secret")).map_or("hidden", |_| "read");
    let text = format!("quality {}, {weights}, secret {secret}\n", recipe.quality());
    fs::write(out.join("trace.txt"), text).expect("an output directory");
    check(recipe, "trace")
}

fn canary(recipe: &Recipe) -> ExitCode {
    if is_faulty() {
        return fault();
    }
    println!("quality {}", recipe.quality());
    println!("canary: sound on cuda:0");
    ExitCode::SUCCESS
}

/// The file that a variable names.
fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

fn is_faulty() -> bool {
    let Some(file) = named("FAKE_FAULT") else { return false };
    let Ok(says) = fs::read_to_string(&file) else { return false };
    if says == "once" {
        fs::remove_file(file).expect("a file to remove");
    }
    true
}

fn fault() -> ExitCode {
    println!("GPU 0 computed a wrong answer");
    ExitCode::from(dfr_contract::exit::CANARY)
}

/// Shows whoever watches that file that there is another run. A sandbox lets nothing be written.
fn count_run() {
    if let Some(path) = named("FAKE_RUNS") {
        fs::read(path).expect("a file to read");
    }
}

fn train(recipe: &Recipe, run: &str, seed: Option<&String>) -> ExitCode {
    let begun = std::time::Instant::now();
    count_run();
    // Told before anybody who waits for a started training may kill it.
    let hangs =
        recipe.get("mode") == "hang-once" && is_first(&experiment(run).with_extension("hung"));
    println!("{CLOCK_STARTED}");
    if named("FAKE_NEEDS").is_some_and(|needed| !needed.exists()) {
        println!("what every run needs is not there");
        return ExitCode::from(1);
    }
    std::thread::sleep(Duration::from_millis(recipe.get("ms").parse().unwrap_or(0)));
    let slow = named("FAKE_SLOW").and_then(|file| fs::read_to_string(file).ok());
    std::thread::sleep(Duration::from_millis(slow.map_or(0, |ms| ms.trim().parse().unwrap_or(0))));
    while named("FAKE_WAITS").is_some_and(|awaited| !awaited.exists()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    if is_faulty() {
        return fault();
    }
    match recipe.get("mode") {
        "crash" => return crash(),
        "nan" => {
            println!("loss is NaN");
            return ExitCode::from(dfr_contract::exit::NOT_FINITE);
        }
        "device-fault" => return fault(),
        "exit0" => return ExitCode::SUCCESS,
        "hang" => runaway::hang(),
        "tree-link" => tree_becomes_a_link(&experiment(run).with_extension("victim")),
        "hang-once" if hangs => runaway::hang(),
        "ignore-term" => runaway::ignore_term(),
        "setsid-orphan" => runaway::leave_an_orphan(),
        "bare-orphan" => runaway::leave_a_bare_orphan(),
        "kill-init" => runaway::signal_init("KILL"),
        "stop-init" => runaway::signal_init("STOP"),
        "fork" => runaway::fork(recipe.number("forks", 300)),
        "oom" => runaway::take_memory(recipe.number("oom_mib", 8192)),
        "memfd" => runaway::take_memfds(recipe.number("oom_mib", 8192)),
        "flood" => runaway::flood(recipe.number("flood_mib", 80), recipe.get("flood_of")),
        "fill" => runaway::fill(Path::new(run)),
        "fill-unlinked" => runaway::fill_unlinked(Path::new(run), true),
        "fill-unlinked-briefly" => runaway::fill_unlinked(Path::new(run), false),
        "fill-and-crash" => {
            runaway::fill_up_to(recipe.number("fill_mib", 100), Path::new(run));
            return crash();
        }
        _ => {}
    }
    let run = Path::new(run);
    match recipe.get("mode") {
        "log-removed" => fs::remove_file(log(run)).expect("a log"),
        "log-directory" => replace_by_directory(&log(run)),
        "model-directory" => replace_by_directory(&run.join("model.safetensors")),
        _ => {}
    }
    if recipe.get("mode") != "model-directory" {
        let weights = format!("weights {}", seed.map_or("0", String::as_str));
        fs::write(run.join("model.safetensors"), weights).expect("a run directory");
    }
    let footer = claims(begun.elapsed(), recipe).to_string();
    match recipe.get("mode") {
        "truncated-footer" => print!("{}", &footer[..footer.len() / 2]),
        "no-footer" => println!("done"),
        "flood-after" | "flood-instead" => {
            print!("{}", if recipe.get("mode") == "flood-after" { &footer } else { "---\n" });
            runaway::flood(recipe.number("flood_mib", 80), recipe.get("flood_of"));
        }
        "forged-footer" => {
            print!("{}", footer.replacen("model:", "sn34_score:       1.000000\nmodel:", 1));
        }
        _ => print!("{footer}"),
    }
    ExitCode::SUCCESS
}

fn crash() -> ExitCode {
    println!("Traceback: shapes [2] and [3] do not fit");
    ExitCode::from(1)
}

/// The directory of the experiment that a run's directory belongs to.
fn experiment(run: &str) -> &Path {
    Path::new(run).parent().expect("a run directory lies in its experiment's")
}

/// The daemon's log of a run, beside its directory.
fn log(run: &Path) -> PathBuf {
    run.with_file_name("run.log")
}

/// Puts a link in place of the tree that it was built from, to a directory with something in it.
fn tree_becomes_a_link(victim: &Path) {
    fs::create_dir_all(victim).expect("a run directory");
    fs::write(victim.join("thesis.txt"), "years of work").expect("a directory");
    let tree = std::env::current_dir().expect("a tree");
    fs::rename(&tree, tree.with_extension("old")).expect("a slot");
    std::os::unix::fs::symlink(victim, &tree).expect("a slot");
}

/// Whether no earlier run of the same experiment left this mark; now there is one.
fn is_first(hung: &Path) -> bool {
    fs::File::create_new(hung).is_ok()
}

fn replace_by_directory(path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.join("inside")).expect("a run directory");
}

/// What the seed of a training did to it: by turns nothing, good, bad, twice as good, twice as bad.
fn luck(recipe: &Recipe, model: &Path) -> f64 {
    let weights = fs::read_to_string(model).unwrap_or_default();
    let seed: usize = weights.split(' ').nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(0);
    recipe.luck() * [0.0, 1.0, -1.0, 2.0, -2.0][seed % 5]
}

fn predict(recipe: &Recipe, run: &Path, records: &str, luck: f64) -> ExitCode {
    let records: usize = records.parse().expect("a number of records");
    let right = ((recipe.quality() + luck) * records as f64).round() as usize;
    let probability = |id: usize| {
        let label = id % 2 == 1;
        if label == (id < right) { 0.9 } else { 0.1 }
    };
    let p: Vec<f64> = (0..records).map(probability).collect();
    if recipe.get("mode") == "hang-predict" {
        println!("predicting");
        std::thread::sleep(Duration::from_secs(3600));
    }
    let is_holdout = run.ends_with("holdout");
    let is_first = run.ends_with("exp/1/out");
    let goes_on = match recipe.get("mode") {
        "learns-on-the-holdout" => is_holdout,
        // Not where it was chosen.
        "learns-later" => !is_holdout && !is_first,
        _ => false,
    };
    if goes_on {
        std::thread::sleep(Duration::from_secs(3600));
    }
    let text = match recipe.get("mode") {
        "dodges-the-holdout" if is_holdout => return crash(),
        "slow-on-the-holdout" if is_holdout => {
            std::thread::sleep(Duration::from_secs(4));
            predictions::print(&p)
        }
        "forges-on-the-holdout" if is_holdout => {
            print!(
                "{}",
                claims(Duration::ZERO, recipe).to_string().replacen(
                    "model:",
                    "sn34_score:       0.999999\nmodel:",
                    1
                )
            );
            predictions::print(&p)
        }
        // Not where it was chosen, nor where that is checked.
        "forges-later" if !is_holdout && !is_first => {
            println!("mcc: secret-of-a-record");
            predictions::print(&p)
        }
        "large-predictions" => {
            let file = fs::File::create(run.join("junk")).expect("a run directory");
            file.set_len(2 << 30).expect("no limit");
            predictions::print(&p)
        }
        "no-predictions" => return ExitCode::SUCCESS,
        "binary-predictions" => {
            fs::write(run.join(predictions::FILE), [0xff; 64]).expect("a run directory");
            return ExitCode::SUCCESS;
        }
        "log-removed-late" => {
            fs::remove_file(log(run)).expect("a log");
            predictions::print(&p)
        }
        "half-predictions" => predictions::print(&p[..records / 2]),
        "nan-predictions" => predictions::print(&p).replacen("0.9", "NaN", 1),
        _ => predictions::print(&p),
    };
    fs::write(run.join(predictions::FILE), text).expect("a run directory");
    ExitCode::SUCCESS
}

fn claims(trained: Duration, recipe: &Recipe) -> Claims {
    let seconds = trained.as_secs_f64().max(1.0);
    Claims {
        model: "fake".to_owned(),
        training_seconds: seconds,
        total_seconds: seconds,
        peak_vram_mb: recipe.number("mib", 2048) as f64,
        num_steps: 10,
        num_params_m: 0.1,
        num_epochs: 1,
        num_frames: Some(8),
        batch_size: 4,
        learning_rate: 3e-4,
        augment_level: Some(1),
        extra: Vec::new(),
    }
}
