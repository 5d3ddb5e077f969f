//! The commands that hand over to the competition's own program.

use std::path::PathBuf;

use clap::{Args, value_parser};
use dfr_contract::modality::Modality;

/// Whose models.
#[derive(Args, Clone, Debug)]
pub struct Wallet {
    /// Bittensor wallet
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub wallet_name: String,

    /// Hotkey of the wallet
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub wallet_hotkey: String,
}

/// Checks archives and has gascli submit them.
#[derive(Args, Debug)]
#[command(
    after_help = "Each archive is unpacked and held against the rules before anything is sent, and where python has \
    torch (make setup-python) it is loaded and asked about blank records. At most three models of a modality may \
    stand under one hotkey: submissions/record.jsonl of the cache holds what was pushed from here.\n\
    Examples:\n  \
    dfr push --video-model results/exports/video_detector_r3d-18.zip --wallet-name miner1 --dry-run\n  \
    dfr push --image-model i.zip --audio-model a.zip --wallet-name miner1 --wallet-hotkey hot1\n\
    Exit codes: 0 submitted, or printed with --dry-run; 2 no model; 3 no archive or one of another modality, no python, no gascli; 4 gascli \
    failed or took longer than --timeout-s; 10 an archive breaks a rule or does not work, or would be the fourth of \
    its modality; 130 stopped."
)]
pub struct Push {
    #[command(flatten)]
    pub models: Models,

    #[command(flatten)]
    pub wallet: Wallet,

    /// Number of the subnet
    #[arg(long, value_name = "N", default_value_t = 34)]
    pub netuid: u16,

    /// Where the chain is reached
    #[arg(long, value_name = "URL", default_value = "wss://entrypoint-finney.opentensor.ai:443/")]
    pub chain_endpoint: String,

    /// Seconds until gascli tries again what failed
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub retry_delay: u32,

    /// Seconds after which gascli is stopped: it tries again without end
    #[arg(long, value_name = "S", default_value_t = 3600, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub timeout_s: u64,

    /// Check the archives and print the command, but submit nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Whose keep it is, for the record: TAG-N
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,

    /// A second file that is told the same as submissions/record.jsonl: a session's
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// The Python that checks [default: that of make setup-python, else python3]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
}

/// Archives by modality; at least one. What is named last counts: a session's task names one already.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Models {
    /// Archive of an image detector
    #[arg(long, value_name = "FILE", overrides_with = "image_model")]
    pub image_model: Option<PathBuf>,

    /// Archive of a video detector
    #[arg(long, value_name = "FILE", overrides_with = "video_model")]
    pub video_model: Option<PathBuf>,

    /// Archive of an audio detector
    #[arg(long, value_name = "FILE", overrides_with = "audio_model")]
    pub audio_model: Option<PathBuf>,
}

impl Models {
    /// Those that were named.
    pub fn named(&self) -> Vec<(Modality, &PathBuf)> {
        let all = [
            (Modality::Image, &self.image_model),
            (Modality::Video, &self.video_model),
            (Modality::Audio, &self.audio_model),
        ];
        all.into_iter().filter_map(|(modality, zip)| Some((modality, zip.as_ref()?))).collect()
    }
}

/// Has gascli tell how submitted models fare, and explains its words.
#[derive(Args, Debug)]
#[command(
    after_help = "What gascli prints is passed on; each status in it is explained, counted and recorded in \
    submissions/record.jsonl of the cache.\n\
    Examples:\n  \
    dfr perf --wallet-name miner1 --wallet-hotkey hot1\n  \
    dfr perf --modality image --vertical human\n\
    Exit codes: 0 nothing failed; 3 no gascli; 4 gascli failed, or was not done in 120 s; 10 a row says failed, \
    exam_failed or blocked; 130 stopped."
)]
pub struct Perf {
    /// Kind of media: image, video or audio [default: all]
    #[arg(long)]
    pub modality: Option<Modality>,

    /// The competition's vertical, e.g. human; gascli knows which there are [default: all]
    #[arg(long, value_name = "WORD")]
    pub vertical: Option<String>,

    #[command(flatten)]
    pub wallet: Wallet,

    /// Print the command, but start nothing
    #[arg(long)]
    pub dry_run: bool,
}
