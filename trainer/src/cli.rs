//! The command line.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// One experiment's training, prediction and checks.
///
/// Exit codes: 0 done, 2 usage, 3 missing or corrupt data, 4 the world outside failed, 6 the loss is not
/// finite, 7 the canary died, 8 the recipe's own code failed.
#[derive(Debug, Parser)]
#[command(name = "dfr-train", version)]
pub struct Cli {
    /// Threads for computing on the CPU [default: all cores]
    #[arg(long, global = true, value_parser = clap::value_parser!(i32).range(1..))]
    pub threads: Option<i32>,
    #[command(subcommand)]
    pub phase: Phase,
}

#[derive(Debug, Subcommand)]
pub enum Phase {
    /// Train for a time budget; write model.safetensors and claims.json
    Train(TrainArgs),
    /// Ask a trained model about every record; write predictions.tsv
    Predict(PredictArgs),
    /// Train one step and predict on two records, to find what cannot work
    Smoke(SmokeArgs),
    /// Write a trained model's evaluation down as a graph, with answers to compare with
    Trace(TraceArgs),
    /// Compute something with a known answer on the device
    Canary,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Recipe to train
    #[arg(long)]
    pub preset: String,
    /// Part of a pack, with labels
    #[arg(long, value_name = "PARTDIR")]
    pub data: PathBuf,
    /// Directory for the results; made if missing
    #[arg(long, value_name = "RUNDIR")]
    pub out: PathBuf,
    /// Time for training, from the first step on
    #[arg(long, value_name = "SECONDS")]
    pub budget_s: u64,
    /// Seed of every random draw
    #[arg(long)]
    pub seed: u64,
    /// Keep what is needed to go on in RUNDIR/resume, every so many seconds of training; started again with
    /// the same arguments, the training goes on there, or ends at once if it had ended [default: nothing is kept]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every_s: Option<u64>,
    #[command(flatten)]
    pub knobs: Knobs,
    #[command(flatten)]
    pub origin: Origin,
}

/// What the weights are at first.
#[derive(Debug, Args)]
pub struct Origin {
    /// Directory with the weights of public checkpoints, which `dfr weights` fills
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
    /// Start from random weights, also where the preset has a public checkpoint
    #[arg(long)]
    pub from_scratch: bool,
}

/// Knobs of the recipe that are turned by hand.
#[derive(Debug, Args)]
pub struct Knobs {
    /// Turn a knob of the recipe: learning_rate, batch_size or schedule (constant, cosine); once for each
    #[arg(long, value_name = "KNOB=VALUE", value_parser = knob)]
    pub set: Vec<(String, String)>,
    /// The same where the recipe has such a knob; where it has none, that is told and nothing is turned
    #[arg(long, value_name = "KNOB=VALUE", value_parser = knob)]
    pub prefer: Vec<(String, String)>,
}

impl fmt::Display for Knobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.set.iter().chain(&self.prefer);
        let said: Vec<_> = all.map(|(knob, value)| format!("{knob}={value}")).collect();
        f.write_str(&said.join(","))
    }
}

fn knob(text: &str) -> Result<(String, String), String> {
    let said = text.split_once('=').filter(|(knob, _)| !knob.is_empty());
    let (knob, value) = said.ok_or("expected KNOB=VALUE")?;
    Ok((knob.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Recipe that trained the model
    #[arg(long)]
    pub preset: String,
    /// Part of a pack
    #[arg(long, value_name = "PARTDIR")]
    pub inputs: PathBuf,
    /// Directory that holds model.safetensors
    #[arg(long, value_name = "RUNDIR")]
    pub model: PathBuf,
    /// Directory for predictions.tsv; made if missing
    #[arg(long, value_name = "RUNDIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub knobs: Knobs,
}

#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Recipe that trained the model
    #[arg(long)]
    pub preset: String,
    /// Shape of a record: T,3,H,W of a clip, 3,H,W of a picture, N of a sound
    #[arg(long, value_delimiter = ',', required = true, value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub shape: Vec<u64>,
    /// Directory that holds model.safetensors
    #[arg(long, value_name = "RUNDIR")]
    pub model: PathBuf,
    /// Directory for the trace; made if missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct SmokeArgs {
    /// Recipe to try
    #[arg(long)]
    pub preset: String,
    /// Part of a pack, with labels
    #[arg(long, value_name = "PARTDIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub origin: Origin,
}
