//! The command line.

mod competition;
mod full;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};
use clap_complete::Shell;
use dfr_contract::modality::{Modality, UnknownModality};
use dfr_media::catalogue::MEDIA_TYPES;
use dfr_media::folders::Said;

pub use competition::{Perf, Push, Wallet};
pub use full::Full;

/// Prepares data for deepfake detectors, trains them by hand, and takes them to the competition.
#[derive(Debug, Parser)]
#[command(
    name = "dfr",
    version,
    after_help = "Data lies below DFRESEARCH_CACHE, by default ~/.cache/dfresearch; results lie below the working \
    directory. A .env file there is read. dfr COMMAND --help tells the flags, examples and exit codes of a command.\n\
    Examples, without network or GPU:\n  \
    dfr prepare --sample --modality video\n  \
    dfr train --modality video --task video-sample\n  \
    dfr evaluate --modality video\n  \
    dfr export --modality video"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch data sets and turn them into a pack, or make a small sample set
    Prepare(Prepare),
    /// Turn an existing data set into a pack, wherever it is; changes nothing of it
    Seal(Seal),
    /// Look for what tells the classes of a pack apart besides its content
    Audit(Audit),
    /// Train, predict and score once, by hand
    Train(Train),
    /// Tell what a trained model is worth on the validation part
    Evaluate(Evaluate),
    /// Write a trained model as the archive that the competition takes
    Export(Export),
    /// Take the competition's entrance exam with an archive, offline
    Exam(Exam),
    /// Fetch more, train for hours, evaluate and export; goes on after a kill
    Full(Full),
    /// Submit archives to the competition, through gascli
    Push(Push),
    /// Ask how submitted models fare, through gascli
    Perf(Perf),
    /// List, fetch or import the weights of public checkpoints that models start from
    Weights(Weights),
    /// Print completions of this command line for a shell
    Completions(Completions),
    /// Decode pictures and sounds for another dfr
    #[command(hide = true)]
    DecodeWorker,
}

/// Prints a script that completes commands and flags.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    dfr completions bash > ~/.local/share/bash-completion/completions/dfr\n  \
    dfr completions zsh > ~/.zfunc/_dfr (a folder of fpath)\n  \
    dfr completions fish > ~/.config/fish/completions/dfr.fish\n\
    Exit codes: 0 done; 2 no such shell.")]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Where the data is: DFRESEARCH_CACHE, by default ~/.cache/dfresearch.
#[derive(Args, Debug)]
#[command(
    after_help = "What is missing in the cache is fetched from Hugging Face (HF_TOKEN, HF_ENDPOINT); \
    what is there is used as it is, without network. Interrupted, it goes on where it was.\n\
    Examples:\n  \
    dfr prepare --sample --modality all\n  \
    dfr prepare --modality video --max-samples 100 --max-gb 20\n  \
    dfr prepare --verify --modality video\n\
    Exit codes: 0 done; 3 nothing is set up; 4 nothing could be fetched; 5 done, but data sets or \
    files were left out, each named; 9 the pack did not pass its audit and was removed."
)]
pub struct Prepare {
    /// Kind of media: image, video, audio or all
    #[arg(long, default_value = "all", value_parser = modalities)]
    pub modality: Modalities,

    /// Make and use the small sample set of that kind; fetches nothing
    #[arg(long)]
    pub sample: bool,

    /// Only print what is in the cache, and what is wrong with it
    #[arg(long)]
    pub verify: bool,

    /// Only fetch the lists of data sets anew
    #[arg(long, conflicts_with = "sample")]
    pub refresh_configs: bool,

    /// Samples that each data set shall have; those that are there count
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(500).expect("not zero"))]
    pub max_samples: NonZeroUsize,

    /// Gigabytes (10^9 bytes) to fetch at most, shared by the data sets [default: no limit]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub max_gb: Option<f64>,

    /// Task whose input the pack is made for [default: the modality's; <modality>-sample with --sample]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// Data sets fetched at a time [default: 4]; files encoded or decoded at a time [default: one per
    /// core]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
}

/// One kind of media, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modalities(pub Vec<Modality>);

fn modalities(word: &str) -> Result<Modalities, String> {
    if word == "all" {
        return Ok(Modalities(Modality::ALL.to_vec()));
    }
    let one = word.parse().map(|modality| Modalities(vec![modality]));
    one.map_err(|error: UnknownModality| format!("{error}, or all"))
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let is_sound = number.is_finite() && number > 0.0;
    if is_sound { Ok(number) } else { Err("expected a number above 0".to_owned()) }
}

/// Seals data sets that are there already; needs no network.
#[derive(Args, Debug)]
#[command(
    after_help = "DIR holds what dfresearch downloads: DIR/datasets/<modality>/<name>/. None of \
    it is changed. The pack and its vault go to the cache: DFRESEARCH_CACHE, by default \
    ~/.cache/dfresearch.\n\
    Examples:\n  \
    dfr seal --modality video\n  \
    dfr seal --modality image --data /data/dfresearch --media-type my-photos=real\n\
    Exit codes: 0 done; 3 no data, or nothing says what it is; 5 done, but files that cannot be \
    decoded were named and left out; 9 the pack did not pass its audit and was removed."
)]
pub struct Seal {
    /// Kind of media: image, video or audio
    #[arg(long)]
    pub modality: Modality,

    /// Folder that holds datasets/ and, where there is one, gasbench_configs/ [default: the cache]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// What a data set is: real, synthetic or semisynthetic; once for each that no configuration names
    #[arg(long, value_name = "NAME=WORD", value_parser = media_type)]
    pub media_type: Vec<Said>,

    /// Task whose input the pack is made for [default: the modality's]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// Files decoded at a time [default: one per core]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
}

/// Audits the newest pack of a task.
#[derive(Args, Debug)]
#[command(
    after_help = "A simple classifier is trained on everything about the records of validation \
    and holdout but their content, and must not tell the classes apart better than chance allows. \
    Fewer than 200 of a class give no verdict.\n\
    Examples:\n  \
    dfr audit --modality video --task video-sample\n\
    Exit codes: 0 passed, or no verdict; 3 no pack; 9 it tells the classes apart."
)]
pub struct Audit {
    /// Kind of media: image, video or audio
    #[arg(long)]
    pub modality: Modality,

    /// Task whose pack is audited: e.g. video, or video-sample for the sample set [default: the
    /// modality's]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
}

/// Runs `dfr-train` on a pack that `dfr prepare` made.
#[derive(Args, Debug)]
#[command(
    after_help = "Prints the footer with the scores on the validation part; log, weights and predictions lie in --out.\n\
    Examples:\n  \
    dfr train --modality video --task video-sample\n  \
    dfr train --modality image --model efficientnet-b4 --lr 3e-4 --batch-size 16 --time-budget 3600\n\
    Exit codes: 0 done; 2 no such model or value; 3 no pack, no weights to start from, no dfr-train, \
    a full training (dfr full) in --out; 4 the disk, or it was not done in time; 6 the loss was not finite; 8 the recipe's own code failed; 130 stopped."
)]
pub struct Train {
    /// Kind of media: image, video or audio
    #[arg(long)]
    pub modality: Modality,

    /// Task to train for: e.g. video, or video-sample for the sample set [default: the modality's]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// Model and recipe [default: the task's]
    #[arg(long, visible_alias = "model", value_name = "NAME")]
    pub preset: Option<String>,

    /// Peak learning rate [default: the recipe's]
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub lr: Option<f64>,

    /// Records in a batch [default: the recipe's]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<NonZeroUsize>,

    /// Seconds of training, from the first step on [default: the task's]
    #[arg(long, value_name = "S", value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub time_budget: Option<u64>,

    /// Start from random weights, also where the model has a public checkpoint (dfr weights)
    #[arg(long)]
    pub from_scratch: bool,

    /// Seed of every draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// The dfr-train to run [default: beside dfr, in target/release, on PATH]
    #[arg(long, value_name = "PATH")]
    pub trainer: Option<PathBuf>,

    /// Where weights, predictions and run.log go [default: results/checkpoints/<modality>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Which trained model.
#[derive(Args, Debug)]
pub struct Checkpoint {
    /// Kind of media: image, video or audio
    #[arg(long)]
    pub modality: Modality,

    /// Folder of the trained model [default: results/checkpoints/<modality>]
    #[arg(long, visible_alias = "checkpoint-dir", value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,

    /// Task it was trained for [default: what trained.json there says, else the modality's]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub task: Option<String>,

    /// Model that it is [default: what trained.json there says]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// The dfr-train to run: that of the tree the model was trained with [default: beside dfr, in
    /// target/release, on PATH]
    #[arg(long, value_name = "PATH")]
    pub trainer: Option<PathBuf>,
}

/// Predicts the validation part and tells scores, confusion, calibration and accuracy by data set.
#[derive(Args, Debug)]
#[command(
    after_help = "sn34_score is what the loop maximises (1 - Brier), sn34_competition what the competition \
    pays for (Brier against 0.25).\n\
    Examples:\n  \
    dfr evaluate --modality video --task video-sample\n\
    Exit codes: 0 done; 3 no weights, no pack, or a model of another task; 4 the prediction failed, else the \
    code of dfr-train."
)]
pub struct Evaluate {
    #[command(flatten)]
    pub checkpoint: Checkpoint,

    /// File of weights [default: model.safetensors in --checkpoint]
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    pub weights: Option<PathBuf>,

    /// Predictions that were made already: nothing is predicted, and no weights are needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["checkpoint", "weights", "trainer"])]
    pub predictions: Option<PathBuf>,

    /// Pack whose validation part it is [default: the newest of the task]
    #[arg(long, value_name = "DIR")]
    pub pack: Option<PathBuf>,

    /// Records asked about at a time [default: the recipe's]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<NonZeroUsize>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Writes a trained model down in Python, proves that it answers alike, and packs it.
#[derive(Args, Debug)]
#[command(
    after_help = "The archive holds model.safetensors, model.py and model_config.yaml. model.py is written from what \
    the model computes, so that it exports whatever was trained. Parity is proven where python has torch, numpy \
    and safetensors (make setup-python); the rules are checked by any python3.\n\
    Examples:\n  \
    dfr export --modality video --task video-sample --model r3d-tiny\n\
    Exit codes: 0 done; 3 no weights, no python, --dtype without torch for python, or records that the competition \
    does not feed; 4 the world \
    outside; 10 it cannot be submitted, and why; else the code of dfr-train."
)]
pub struct Export {
    #[command(flatten)]
    pub checkpoint: Checkpoint,

    /// Folder of the archive, <modality>_detector_<name>.zip [default: results/exports]
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,

    /// Name in the archive's file name and configuration [default: the model's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Weights in half the bytes: bfloat16 or float16. The scores before and after are told
    #[arg(long, value_name = "KIND", value_parser = ["bfloat16", "float16"])]
    pub dtype: Option<String>,

    /// Predictions of the validation part that were scored: an archive that answers otherwise is refused
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,

    /// Pack whose validation part is meant [default: the newest of the task]
    #[arg(long, value_name = "DIR")]
    pub pack: Option<PathBuf>,

    /// What `dfr-train trace` left of this model: nothing is traced, and no dfr-train is needed
    #[arg(long, value_name = "DIR", conflicts_with = "trainer")]
    pub trace: Option<PathBuf>,

    /// The Python that checks and proves [default: that of make setup-python, else python3]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
}

/// Asks the archive's own model.py about recordings prepared the competition's way.
#[derive(Args, Debug)]
#[command(
    after_help = "Taken with the recordings of validation and holdout that the task's pack was made of, or with \
    --data; where gasbench is installed it is asked about the same ones, unless --offline. Passed with an accuracy of \
    80 % or more within the time of the competition: 5100 s, 18000 s with --full. Needs a python with torch, numpy \
    and safetensors (make setup-python).\n\
    Examples:\n  \
    dfr exam --modality video --task video-sample --zip results/exports/video_detector_r3d-tiny.zip\n\
    Exit codes: 0 passed; 3 no archive, no recordings or none that can be read, no python or none with torch; 4 the \
    world outside, gasbench included; 10 not passed, refused, or not one recording was answered."
)]
pub struct Exam {
    /// Kind of media: image, video or audio
    #[arg(long)]
    pub modality: Modality,

    /// Archive that dfr export wrote
    #[arg(long, value_name = "FILE")]
    pub zip: PathBuf,

    /// Task whose validation and holdout recordings are asked about [default: the modality's]
    #[arg(long, value_name = "NAME", conflicts_with = "data")]
    pub task: Option<String>,

    /// Folder of recordings in the layout of gasbench's cache: DIR/datasets/<name>/samples
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Do without gasbench, also where it is installed
    #[arg(long)]
    pub offline: bool,

    /// As many recordings and as much time as the full benchmark
    #[arg(long)]
    pub full: bool,

    /// The Python that runs model.py [default: that of make setup-python, else python3]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
}

fn media_type(text: &str) -> Result<Said, String> {
    let said = text.rsplit_once('=').filter(|(_, word)| MEDIA_TYPES.contains(word));
    said.map(|(name, word)| Said { name: name.to_owned(), media_type: word.to_owned() }).ok_or_else(
        || format!("expected NAME=WORD with one of {} for WORD", MEDIA_TYPES.join(", ")),
    )
}

/// Weights of public checkpoints, in weights/ of the cache: nothing is fetched while a model trains.
#[derive(Args, Debug)]
#[command(
    after_help = "Fetched from Hugging Face (HF_TOKEN, HF_ENDPOINT), checked against the hash that it lists; \
    interrupted, a fetch goes on where it was.\n\
    Examples:\n  \
    dfr weights\n  \
    dfr weights fetch r3d-18 efficientnet-b4\n  \
    dfr weights import clip-vit-l14 model.safetensors\n\
    Exit codes: 0 done; 2 no such model; 3 the file is no safetensors file, or a pickle that Python must \
    convert; 4 nothing could be fetched."
)]
pub struct Weights {
    /// What to do [default: list]
    #[command(subcommand)]
    pub action: Option<WeightsAction>,
}

/// What to do with weights.
#[derive(Debug, Subcommand)]
pub enum WeightsAction {
    /// Print which models have a public checkpoint, under which licence, and which are here
    List,
    /// Fetch checkpoints
    #[command(after_help = "Example:\n  dfr weights fetch r3d-18 efficientnet-b4")]
    Fetch {
        /// Models
        #[arg(required = true, value_name = "MODEL")]
        models: Vec<String>,
    },
    /// Take a file of this machine
    #[command(after_help = "Example:\n  dfr weights import clip-vit-l14 model.safetensors")]
    Import {
        /// The model
        model: String,
        /// A safetensors file [default: the newest in the cache of the Hugging Face libraries]
        file: Option<PathBuf>,
    },
}
