//! The command that trains in earnest.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use dfr_contract::modality::Modality;

use super::positive;

/// A month.
const HOURS_MOST: f64 = 744.0;

fn hours(text: &str) -> Result<f64, String> {
    let hours = positive(text)?;
    if hours <= HOURS_MOST { Ok(hours) } else { Err(format!("expected at most {HOURS_MOST}")) }
}

/// Fetches more data, trains for hours, evaluates and exports; killed at any time, it goes on.
#[derive(Args, Debug)]
#[command(
    after_help = "Downloads and packs, trains, evaluates, exports. Started again with the same arguments it goes on: what \
    is done stands in full.json beside the weights and is not repeated unless what it was made of has changed, and a \
    training goes on from its last checkpoint. The pack is made of everything that is there; max_per_class of the \
    task says how much of it is trained on.\n\
    Examples:\n  \
    dfr full --modality video --hours 12 --max-samples 5000 --from-tag video-mar14\n  \
    dfr full --modality video --sample --hours 0.01 --checkpoint-minutes 0.1\n  \
    dfr full --modality image --download-only --max-samples 10000\n\
    Exit codes: 0 done; 2 no such model, task or value; 3 the set-up: no data, no dfr-train, no keep of that tag, \
    another training waits in --out; 4 the world outside; 5 done, but files of the data were left out; 6 the loss was \
    not finite; 8 the recipe's own code failed; 9 the pack did not pass its audit; 10 it cannot be submitted; 130 \
    stopped."
)]
pub struct Full {
    /// Kind of media: image, video or audio
    #[arg(long)]
    pub modality: Modality,

    /// Task [default: the modality's; <modality>-sample with --sample]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// Use the small sample set, which needs no network
    #[arg(long)]
    pub sample: bool,

    /// Model and recipe [default: the task's]
    #[arg(long, visible_alias = "preset", value_name = "NAME")]
    pub model: Option<String>,

    /// Train the best keep of a session for its task, by its own program and as dfr-daemon runs it: in a sandbox.
    /// dfr-daemon is asked whether it would before anything is fetched
    #[arg(long, value_name = "TAG", conflicts_with_all = [
        "trainer", "model", "lr", "batch_size", "keep_schedule", "seed", "from_scratch", "log_file", "out",
    ])]
    pub from_tag: Option<String>,

    /// Hours of training
    #[arg(long, value_name = "H", default_value_t = 2.0, value_parser = hours)]
    pub hours: f64,

    /// Samples that each data set shall have; those that are there count
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(2000).expect("not zero"))]
    pub max_samples: NonZeroUsize,

    /// Data sets fetched at a time [default: 4]; files decoded at a time [default: one per core]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,

    /// Peak learning rate [default: the recipe's]
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub lr: Option<f64>,

    /// Records in a batch [default: the recipe's]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<NonZeroUsize>,

    /// Keep the recipe's own schedule; without this the learning rate falls along a cosine over all hours
    #[arg(long)]
    pub keep_schedule: bool,

    /// Seed of every draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Start from random weights, also where the model has a public checkpoint (dfr weights)
    #[arg(long)]
    pub from_scratch: bool,

    /// Minutes of training between two checkpoints: what a kill costs at most
    #[arg(long, value_name = "M", default_value_t = 10.0, value_parser = positive)]
    pub checkpoint_minutes: f64,

    /// Fetch nothing; the pack is made of what is there
    #[arg(long, conflicts_with = "download_only")]
    pub skip_download: bool,

    /// Fetch and pack, and no more
    #[arg(long)]
    pub download_only: bool,

    /// Stop after the evaluation
    #[arg(long)]
    pub skip_export: bool,

    /// Log of the training, which is added to [default: runs/full_<modality>_<stamp>.log]
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// The dfr-train to run [default: beside dfr, in target/release, on PATH]
    #[arg(long, value_name = "PATH")]
    pub trainer: Option<PathBuf>,

    /// Where weights and checkpoints go [default: results/checkpoints/<modality>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
