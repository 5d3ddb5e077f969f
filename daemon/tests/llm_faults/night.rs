//! One night of questions to an endpoint that fails, and everything that was seen of it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use dfr_daemon::context::{Context, Now};
use dfr_daemon::experiment::{History, Usage};
use dfr_daemon::proposer::{
    Gate, Halt, Llm, LlmSettings, Notice, Patient, Playbook, Policy, Proposer, Said,
};
use dfr_daemon::task::Task;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, timeout};
use tower::Service;

use crate::endpoint::{Call, Transport};

/// Questions of a night.
const QUESTIONS: u32 = 6;
/// Things that a question may bring before the night goes on without an answer.
const ASKS: u32 = 12;
/// Longest wait for an answer; at no whole second, where nobody gives up.
pub const LIMIT: Duration = Duration::from_millis(60_500);

/// Most tokens of an answer.
const ANSWER_TOKENS: u32 = 400;

/// Something that the endpoint or the caller saw.
#[derive(Clone, Debug)]
pub enum Event {
    /// `untold`: what it was told of before it was recorded.
    Gate {
        is_open: bool,
        untold: Usage,
    },
    Called(Call),
    /// `is_dropped`: the caller went away.
    Ended {
        call: Call,
        usage: Usage,
        is_dropped: bool,
    },
    Waits {
        wait: Duration,
        is_alert: bool,
    },
    FallsBack,
    Shrinks,
    Recovers,
    /// Written down: who, what it cost, whether it was an answer.
    Recorded {
        proposer: String,
        usage: Usage,
        is_answer: bool,
    },
    Capped,
    /// Nobody waited any longer.
    Dropped,
}

/// Everything in its order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<(Instant, Event)>>>);

impl Log {
    pub fn note(&self, event: Event) {
        self.0.lock().unwrap().push((Instant::now(), event));
    }
}

/// What happened.
pub struct Night {
    pub policy: Policy,
    pub has_fallback: bool,
    /// Most tokens.
    pub cap: u64,
    pub events: Vec<(Instant, Event)>,
    /// Told at the very end.
    pub abandoned: Usage,
}

pub fn tokens(usage: Usage) -> u64 {
    usage.prompt_tokens + usage.completion_tokens
}

/// A gate that counts what was recorded.
struct Purse {
    log: Log,
    cap: u64,
    spent: u64,
}

impl Gate for Purse {
    type Cap = ();

    fn may_call(&mut self, untold: Usage) -> Result<(), ()> {
        let is_open = self.spent + tokens(untold) < self.cap;
        self.log.note(Event::Gate { is_open, untold });
        if is_open { Ok(()) } else { Err(()) }
    }

    fn open_for(&self) -> Duration {
        Duration::MAX
    }

    fn hear(&mut self, notice: &Notice<'_>) {
        self.log.note(match *notice {
            Notice::Waits { cause, wait, is_alert, .. } => {
                assert!(!cause.is_empty());
                Event::Waits { wait, is_alert }
            }
            Notice::FallsBack { .. } => Event::FallsBack,
            Notice::Recovers => Event::Recovers,
            Notice::Shrinks { .. } => Event::Shrinks,
            Notice::FallbackFails { cause } => panic!("{cause}"),
        });
    }
}

/// A night from its seed.
pub fn pass(seed: u64) -> Night {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(live(seed))
}

async fn live(seed: u64) -> Night {
    let mut rng = ChaCha8Rng::seed_from_u64(!seed);
    let policy = policy(&mut rng);
    let has_fallback = rng.random_bool(0.5);
    let log = Log::default();
    let cap = if rng.random_bool(0.3) { rng.random_range(1..15_000) } else { u64::MAX };
    let fallback = || Box::new(Playbook::new(seed)) as Box<dyn Proposer>;
    let llm = proposer(Transport::new(seed, log.clone()));
    let mut patient = Patient::new(Box::new(llm), has_fallback.then(fallback), policy, seed);
    let mut purse = Purse { log: log.clone(), cap, spent: 0 };
    for _ in 0..QUESTIONS {
        question(&mut patient, &mut purse, &mut rng).await;
        // The experiment, in which an endpoint may recover.
        tokio::time::sleep(Duration::from_secs(rng.random_range(0..200))).await;
    }
    let events = log.0.lock().unwrap().clone();
    Night { policy, has_fallback, cap, events, abandoned: patient.abandoned() }
}

fn policy(rng: &mut ChaCha8Rng) -> Policy {
    let opens_after = rng.random_range(1..5);
    Policy { opens_after, ..Policy::default() }
}

/// Makes requests for all nights; it sends none.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);

/// The proposer of the product over a transport in memory.
pub fn proposer<S>(transport: S) -> Llm
where
    S: Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let settings = LlmSettings {
        base_url: "http://endpoint.test/v1".to_owned(),
        api_key: "sk-0123456789".to_owned(),
        model: "m".to_owned(),
        timeout: LIMIT,
        max_answer_tokens: Some(ANSWER_TOKENS),
    };
    Llm::over(transport, HTTP.clone(), settings).unwrap()
}

/// Asks until there is an answer, the purse is empty, or it was enough.
async fn question(patient: &mut Patient, purse: &mut Purse, rng: &mut ChaCha8Rng) {
    let task = Task::load("video-sample").unwrap();
    let recipe = "learning_rate: 3e-3, // knob: 1e-3 | 3e-3 | 1e-2 | 3e-2\n".to_owned();
    let files = BTreeMap::from([
        (task.edit.recipe.clone(), recipe),
        ("trainer/lab/src/other.rs".to_owned(), "// not the recipe".to_owned()),
    ]);
    let history = History::default();
    let context = Context {
        task: &task,
        program: "p",
        state: "s",
        history: &history,
        files: &files,
        budget_s: 20,
        now: &Now::default(),
        looks: &[],
        repair: None,
    };
    let mut asks = 0;
    while asks < ASKS {
        let patience_s = if rng.random_bool(0.2) { rng.random_range(0..100) } else { 10_000_000 };
        let asked = timeout(Duration::from_secs(patience_s), patient.ask(&context, purse)).await;
        match asked {
            Err(_) => purse.log.note(Event::Dropped),
            // A wait takes as many looks as it takes.
            Ok(Err(Halt::Waits)) => continue,
            Ok(Err(Halt::Capped(()))) => return purse.log.note(Event::Capped),
            Ok(Err(Halt::Fatal(error))) => panic!("{error}"),
            Ok(Ok(answer)) => {
                purse.spent += tokens(answer.usage);
                let is_answer = !matches!(answer.said, Said::Lost(_));
                let (proposer, usage) = (answer.proposer, answer.usage);
                purse.log.note(Event::Recorded { proposer, usage, is_answer });
                if is_answer {
                    return;
                }
            }
        }
        asks += 1;
    }
}
