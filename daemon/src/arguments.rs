//! The command line. [clap]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use dfr_contract::modality::Modality;

impl Arguments {
    /// The command line of this process; on a mistake, says so and ends it with code 2.
    pub fn of_process() -> Self {
        Self::parse()
    }
}

/// Runs machine-learning experiments by itself until you stop it.
#[derive(Debug, Parser)]
#[command(name = "dfr-daemon", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 done or stopped as asked; 2 command line; 3 set-up; \
    4 world outside; 70 our bug; 130 stopped at once.\n\
    Ctrl-C once: finish the experiment in hand and stop. Twice (or SIGTERM): abandon it. \
    Three times: stop now.")]
pub struct Arguments {
    /// What to do instead of running the loop.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where everything is.
    #[command(flatten)]
    pub places: Places,
    /// The loop's own flags.
    #[command(flatten)]
    pub run: RunFlags,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Places {
    /// Repository whose trainer is improved [default: the current directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// Where the ledger and the files for people are [default: <repo>/state]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Configuration file [default: dfr.toml in the current directory, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of the loop.
#[derive(Clone, Debug, Default, Args)]
pub struct RunFlags {
    /// image, video or audio
    #[arg(long)]
    pub modality: Option<Modality>,
    /// Name of the session; its branch is autoresearch/<TAG> [default: <modality>-<mon><dd>]
    #[arg(long)]
    pub tag: Option<String>,
    /// A built-in task or a task file [default: the modality's own]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub task: Option<String>,
    /// Commit to start from [default: main, else master]
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// Start from the best keep of an earlier session of the same modality, with what was noted there
    #[arg(long, value_name = "TAG", conflicts_with_all = ["base", "resume"])]
    pub from_tag: Option<String>,
    /// Go on with a session that exists
    #[arg(long)]
    pub resume: bool,
    /// Training time of one experiment, in seconds [default: the task's]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget_s: Option<u64>,
    /// Stop after this many experiments, the baseline included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_experiments: Option<u32>,
    /// Who proposes: llm, playbook, optimiser, or scripted:<DIR>
    #[arg(long, value_name = "WHO")]
    pub proposer: Option<String>,
    /// Who proposes while the LLM endpoint is out: playbook
    #[arg(long, value_name = "WHO")]
    pub fallback: Option<String>,
    /// Model name at the LLM endpoint
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// What a candidate must show to be kept: strict (a higher score), yield (that it probably helps,
    /// by all scores so far) or confirmed (the same after a second run) [default: strict]
    #[arg(long, value_name = "RULE")]
    pub verdict: Option<String>,
    /// Measure the baseline so many times more, each with another seed, to learn by how much scores
    /// differ by chance [default: 3 with yield and confirmed, 0 with strict]
    #[arg(long, value_name = "N")]
    pub noise_runs: Option<u32>,
    /// Before --max-experiments ends it, measure baseline and champion so many times more, each with
    /// new seeds, and state what the session came to
    #[arg(long, value_name = "RUNS")]
    pub certify: Option<u32>,
    /// Do that every day at this local time as well, such as 07:30, and go on [runs: 3]
    #[arg(long, value_name = "HH:MM")]
    pub certify_at: Option<String>,
    /// Seed of every random draw [default: 42]
    #[arg(long)]
    pub seed: Option<u64>,
    /// How runs are kept together: auto, full or container
    #[arg(long, value_name = "TIER")]
    pub containment: Option<String>,
    /// Run candidates without a sandbox where there is none: they can then read the labels that they
    /// are scored on, and every row says so
    #[arg(long)]
    pub unsealed: bool,
    /// User that runs are, when the daemon is root [default: dfr-run if there is one, else 65533]
    #[arg(long, value_name = "UID")]
    pub run_as: Option<u32>,
    /// Refuse to start where a loop must not be left alone; `doctor` tells why
    #[arg(long)]
    pub unattended: bool,
    /// Pause when the session's answers have cost this much, in US dollars
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub max_usd: Option<f64>,
    /// Pause when the session has sent and received this many tokens
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_tokens: Option<u64>,
    /// Limit each answer of the model to this many tokens; one that never comes is charged with them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_answer_tokens: Option<u32>,
    /// Pause when the session has trained and predicted this long
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
    pub max_gpu_hours: Option<f64>,
    /// Pause when the session's daemons have lived this long
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
    pub max_hours: Option<f64>,
    /// Pause when the session's files have grown this large
    #[arg(long, value_name = "GIB", allow_negative_numbers = true)]
    pub max_disk_gib: Option<f64>,
    /// Forget what the session might spend by earlier starts; what this one names holds
    #[arg(long)]
    pub no_caps: bool,
}

/// Commands beside the loop.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What this machine can do for a loop that nobody watches; takes the loop's own flags
    Doctor(Box<RunFlags>),
    /// Put right by hand what every start puts right: leftovers, branch, results.tsv, STATE.md
    Recover {
        /// Name of the session
        #[arg(long)]
        tag: String,
    },
    /// Return to an earlier keep: the branch goes back to it, and what comes next starts from there
    Rollback {
        /// Name of the session
        #[arg(long)]
        tag: String,
        /// Number of the experiment that is to be the incumbent again
        #[arg(long, value_name = "N")]
        to: u32,
    },
    /// Make everything again that follows from the ledger: commits, refs, branch, results.tsv, STATE.md
    Rebuild {
        /// Name of the session
        #[arg(long)]
        tag: String,
    },
    /// Measure a session's baseline and champion again, and state what it came to; takes the loop's
    /// own flags
    Certify {
        /// Runs of each [default: 3]
        #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..))]
        runs: Option<u32>,
        /// How runs are held, as for the loop
        #[command(flatten)]
        run: Box<RunFlags>,
    },
    /// Tell what a keep is worth, by data set and by confidence, from the predictions that were scored
    Evaluate(Keep),
    /// Write a keep as the archive that the competition takes: traced by its own program in a sandbox,
    /// written down, proven and packed by dfr
    Export(Keep),
    /// Train a keep for hours by its own program, on all the data that there is by now, in a sandbox; then
    /// evaluate and export it. Interrupted, it goes on where it was
    Full {
        /// How long, and how often it is secured
        #[command(flatten)]
        times: FullTimes,
        /// Stop after the evaluation
        #[arg(long)]
        skip_export: bool,
        /// Train nothing: say which keep that would be, and for which task, as JSON, or why it cannot be trained
        /// now; dfr full --from-tag asks so before it fetches data
        #[arg(long)]
        check: bool,
        /// Which keep
        #[command(flatten)]
        keep: Keep,
    },
    /// Submit a keep's archive: checked and handed to gascli by dfr push, and recorded in the session's ledger. Its
    /// daemon may be at work
    #[command(
        after_help = "Example: dfr-daemon push --tag video-mar14 -- --wallet-name miner1 --dry-run\n\
        Exit codes: those of dfr push; 3 no such keep."
    )]
    Push {
        /// Name of the session
        #[arg(long)]
        tag: String,
        /// Number of the experiment [default: the best keep]
        #[arg(long, value_name = "N")]
        experiment: Option<u32>,
        /// The archive of its full training (dfr-daemon full)
        #[arg(long)]
        in_full: bool,
        /// More for dfr push, as its help tells: whose wallet, which endpoint
        #[arg(last = true, value_name = "ARGUMENTS")]
        more: Vec<String>,
    },
    /// What each rule for verdicts brings and lets through, on landscapes whose truth is known
    Simulate(SimulateFlags),
    /// About sessions.
    #[command(flatten)]
    Inspect(Inspect),
}

/// Times of a full training.
#[derive(Clone, Copy, Debug, Args)]
pub struct FullTimes {
    /// Hours of training
    #[arg(long, value_name = "H", default_value_t = 2.0, value_parser = hours)]
    pub hours: f64,
    /// Minutes of training between two checkpoints: what an interruption costs at most
    #[arg(long, value_name = "M", default_value_t = 10.0, value_parser = minutes)]
    pub checkpoint_minutes: f64,
}

fn minutes(text: &str) -> Result<f64, String> {
    time(text, "minutes", 60.0 * HOURS_MOST)
}

fn hours(text: &str) -> Result<f64, String> {
    time(text, "hours", HOURS_MOST)
}

fn time(text: &str, unit: &str, most: f64) -> Result<f64, String> {
    let time: f64 = text.parse().map_err(|_| format!("expected a number of {unit}"))?;
    let is_sound = time > 0.0 && time <= most;
    if is_sound { Ok(time) } else { Err(format!("expected more than 0, at most {most}")) }
}

/// A month.
const HOURS_MOST: f64 = 744.0;

/// Which keep, and how its program is held.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example: dfr-daemon export --tag video-mar14 -- --output-dir submissions\n\
    Exit codes: those of dfr evaluate and dfr export; 3 no such keep; 4 its program or files are gone or \
    were changed, or it cannot be traced."
)]
pub struct Keep {
    /// Name of the session; its daemon may be at work
    #[arg(long)]
    pub tag: String,
    /// Number of the experiment [default: the best keep]
    #[arg(long, value_name = "N")]
    pub experiment: Option<u32>,
    /// How its program is kept together: auto, full or container
    #[arg(long, value_name = "TIER")]
    pub containment: Option<String>,
    /// Run it without a sandbox where there is none
    #[arg(long)]
    pub unsealed: bool,
    /// User that it runs as, when this is root [default: dfr-run if there is one, else 65533]
    #[arg(long, value_name = "UID")]
    pub run_as: Option<u32>,
    /// More for the program that delivers it, as its help tells (dfr evaluate, dfr export)
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub more: Vec<String>,
}

/// Flags of a simulation.
#[derive(Clone, Debug, Args)]
pub struct SimulateFlags {
    /// Where ideas come from: A (a fifth of them helps), B (one in twelve), or knobs (a recipe whose
    /// fourteen knobs depend on each other)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "A,B")]
    pub landscape: Vec<String>,
    /// Who turns the knobs: playbook, optimiser, random; the others are multiples of the first
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "playbook,optimiser,random"
    )]
    pub proposer: Vec<String>,
    /// Rules to compare, the first one being what the others are multiples of
    #[arg(
        long,
        value_name = "RULES",
        value_delimiter = ',',
        default_value = "strict,yield,confirmed"
    )]
    pub verdict: Vec<String>,
    /// Standard deviation of scores over runs of one recipe
    #[arg(long, value_name = "SD", value_delimiter = ',', default_value = "0.001,0.004,0.008")]
    pub noise: Vec<f64>,
    /// Length of a night, in training runs
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Nights of each kind, with the seeds from 0 on
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Runs of baseline and champion each that certify the champion at the end
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub certify: u32,
    /// Share of ideas that crash
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub crashes: f64,
}

/// Commands about sessions.
#[derive(Debug, Subcommand)]
pub enum Inspect {
    /// Alive or dead, what it does now, where the time goes, the best and the last rows
    Status {
        /// Name of the session
        #[arg(long)]
        tag: String,
    },
    /// All sessions
    List,
    /// Ask a running session to stop after its experiment
    Stop {
        /// Name of the session
        #[arg(long)]
        tag: String,
        /// Abandon the experiment in hand
        #[arg(long)]
        now: bool,
    },
    /// What each proposer cost, and what came of its answers
    Cost {
        /// Name of the session
        #[arg(long)]
        tag: String,
    },
    /// What a model would be asked now, to be read by people; templates in the repository's prompts/
    /// stand in place of the built-in ones
    Prompt {
        /// Name of the session
        #[arg(long)]
        tag: String,
    },
    /// One experiment: hypothesis, diff, metrics, log
    Show {
        /// Number of the experiment; the baseline is 0
        experiment: u32,
        /// Name of the session
        #[arg(long)]
        tag: String,
    },
}
