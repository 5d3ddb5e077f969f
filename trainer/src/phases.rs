//! The phases: each opens what it is given, lets the harness work, and writes the results.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dfr_contract::footer::Claims;
use dfr_contract::pack::file;
use dfr_contract::resumed;
use dfr_harness::clock::BudgetClock;
use dfr_harness::pack::Part;
use dfr_harness::recipe::{KnobError, Recipe};
use dfr_harness::resume::Checkpoints;
use dfr_harness::train::{Start, TrainError, TrainOptions, train};
use dfr_harness::{allocator, canary, checkpoint, device, predict, smoke, trace};
use tch::Device;

use crate::cli::{Cli, Knobs, Origin, Phase, PredictArgs, SmokeArgs, TraceArgs, TrainArgs};
use crate::exportable;
use crate::failure::Failure;

/// File name of the claims inside a run directory.
const CLAIMS_FILE: &str = "claims.json";

/// Runs the phase that was asked for.
pub fn run(cli: &Cli) -> Result<(), Failure> {
    allocator::keep_freed_memory();
    if let Some(threads) = cli.threads {
        tch::set_num_threads(threads);
    }
    let device = device::choose();
    match &cli.phase {
        Phase::Train(args) => run_train(args, device),
        Phase::Predict(args) => run_predict(args, device),
        Phase::Smoke(args) => run_smoke(args, device),
        Phase::Trace(args) => run_trace(args),
        Phase::Canary => {
            canary::canary(device)?;
            say(&format!("canary: sound on {}", device::name(device)))
        }
    }
}

/// The recipe of a preset, with knobs turned.
fn recipe(preset: &str, knobs: &Knobs) -> Result<Box<dyn Recipe>, Failure> {
    let mut recipe = dfr_lab::recipe(preset)?;
    knobs.set.iter().try_for_each(|(knob, value)| recipe.set(knob, value))?;
    for (knob, value) in &knobs.prefer {
        match recipe.set(knob, value) {
            Err(KnobError::Unknown { .. }) => {
                eprintln!("note: this recipe takes no {knob} from outside: it stays as it is");
            }
            turned => turned?,
        }
    }
    Ok(recipe)
}

fn run_train(args: &TrainArgs, device: Device) -> Result<(), Failure> {
    let recipe = recipe(&args.preset, &args.knobs)?;
    let part = Part::open(&args.data)?;
    let weights = weights(&*recipe, &args.origin)?;
    make_dir(&args.out)?;
    let mut checkpoints = checkpoints(args, &*recipe, (&part, weights.is_some()))?;
    let process_start = Instant::now();
    let clock = BudgetClock::new(
        Duration::from_secs(args.budget_s),
        Box::new(move || process_start.elapsed()),
    );
    let start = Start { seed: args.seed, device, weights };
    let options = TrainOptions { clock, start, checkpoints: checkpoints.as_mut() };
    let trained = train(&*recipe, &part, options, &mut io::stdout().lock())?;
    checkpoint::save(&trained.variables, &args.out.join(checkpoint::FILE))?;
    tell_records(&args.data, &args.out)?;
    write_claims(&trained.claims, &args.out)?;
    say(&format!("\n{}\n{}", "=".repeat(60), trained.claims))
}

/// Leaves beside the weights what records they were trained on. Written, not copied: to copy sets a mode too, which
/// not every sandbox allows.
fn tell_records(data: &Path, out: &Path) -> Result<(), Failure> {
    let path = out.join(file::PART);
    fs::read(data.join(file::PART))
        .and_then(|part| fs::write(&path, part))
        .map_err(|source| Failure::Write { path, source })
}

/// Where this training is kept, if it is to be.
fn checkpoints(
    args: &TrainArgs,
    recipe: &dyn Recipe,
    (part, pretrained): (&Part, bool),
) -> Result<Option<Checkpoints>, TrainError> {
    let Some(every_s) = args.checkpoint_every_s else { return Ok(None) };
    let facts = recipe.facts();
    let start = if pretrained { "its public checkpoint" } else { "random weights" };
    let identity = [
        ("preset", args.preset.clone()),
        ("seed", args.seed.to_string()),
        ("a budget in seconds of", args.budget_s.to_string()),
        ("data", format!("{:016x}", part.fingerprint())),
        ("a batch size of", facts.batch_size.to_string()),
        ("a learning rate of", facts.learning_rate.to_string()),
        ("knobs turned to", args.knobs.to_string()),
        ("a start from", start.to_owned()),
        ("a program of fingerprint", format!("{:016x}", own_fingerprint())),
    ];
    let identity = identity.map(|(name, value)| (name.to_owned(), value)).into();
    let dir = args.out.join(resumed::DIR);
    Ok(Some(Checkpoints::open(&dir, Duration::from_secs(every_s), identity)?))
}

/// Tells this program from others: one of another tree may have another model of the same shapes.
fn own_fingerprint() -> u64 {
    let program = std::env::current_exe().and_then(fs::read).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    program.hash(&mut hasher);
    hasher.finish()
}

fn run_predict(args: &PredictArgs, device: Device) -> Result<(), Failure> {
    let recipe = recipe(&args.preset, &args.knobs)?;
    let part = Part::open(&args.inputs)?;
    let weights = trained(&args.model)?;
    make_dir(&args.out)?;
    let p_synthetic = predict::predict(&*recipe, &part, &weights, device)?;
    let path = predict::write(&p_synthetic, &args.out)?;
    say(&format!("{} predictions: {}", p_synthetic.len(), path.display()))
}

fn run_trace(args: &TraceArgs) -> Result<(), Failure> {
    let recipe = dfr_lab::recipe(&args.preset)?;
    let weights = trained(&args.model)?;
    make_dir(&args.out)?;
    trace::write(&*recipe, &args.shape, &weights, &args.out)?;
    say(&format!("trace: {}", args.out.display()))
}

/// The weights in a run's directory.
fn trained(run: &Path) -> Result<PathBuf, Failure> {
    let weights = run.join(checkpoint::FILE);
    if weights.exists() { Ok(weights) } else { Err(Failure::Untrained(weights)) }
}

fn run_smoke(args: &SmokeArgs, device: Device) -> Result<(), Failure> {
    let recipe = dfr_lab::recipe(&args.preset)?;
    let part = Part::open(&args.data)?;
    let start = Start { seed: 0, device, weights: weights(&*recipe, &args.origin)? };
    let smoked = smoke::smoke(&*recipe, &part, &start)?;
    exportable::require(&smoked, &part)?;
    say(&format!("smoke: first loss {:.4}, exportable", smoked.loss))
}

/// Where the recipe's weights lie, if it has any and is to start from them.
fn weights(recipe: &dyn Recipe, origin: &Origin) -> Result<Option<PathBuf>, Failure> {
    match (recipe.pretrained(), &origin.weights) {
        (None, _) => Ok(None),
        (Some(_), _) if origin.from_scratch => Ok(None),
        (Some(pretrained), Some(dir)) => {
            pretrained.file(dir)?;
            Ok(Some(dir.clone()))
        }
        (Some(pretrained), None) => Err(Failure::NoWeights(pretrained.model)),
    }
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|source| Failure::Write { path: path.to_owned(), source })
}

fn write_claims(claims: &Claims, dir: &Path) -> Result<(), Failure> {
    let path = dir.join(CLAIMS_FILE);
    let partial = path.with_extension("json.partial");
    let text = serde_json::to_vec_pretty(claims).expect("claims are plain numbers and strings");
    fs::write(&partial, text)
        .and_then(|()| fs::rename(&partial, &path))
        .map_err(|source| Failure::Write { path, source })
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::Output)
}
