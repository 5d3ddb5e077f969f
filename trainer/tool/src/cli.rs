//! The command line.

use std::num::NonZeroUsize;

use clap::{Args, Parser, Subcommand};
use dfr_contract::modality::Modality;

/// Prepares data for deepfake detectors and trains them by hand.
#[derive(Debug, Parser)]
#[command(name = "dfr", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn media in the cache into a pack, or make a small sample set first
    Prepare(Prepare),
}

/// Where the data is: DFRESEARCH_CACHE, by default ~/.cache/dfresearch.
#[derive(Args, Debug)]
pub struct Prepare {
    /// Kind of media: image, video or audio
    #[arg(long)]
    pub modality: Modality,

    /// Make and use the small sample set; fetches nothing
    #[arg(long)]
    pub sample: bool,

    /// Only print what is in the cache
    #[arg(long)]
    pub verify: bool,

    /// Task whose input the pack is made for [default: the modality's; <modality>-sample with --sample]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// Files encoded or decoded at a time [default: one per core]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
}
