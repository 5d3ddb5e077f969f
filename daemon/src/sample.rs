//! Made-up sessions, and entries of made-up experiments, for the tests of every room.

use std::collections::BTreeMap;

use dfr_contract::modality::Modality;

use crate::experiment::{Entry, History, Idea, Notes, Phase, Purpose, RunOutcome, Usage, Verdict};
use crate::session::NewSession;

/// A made-up session.
pub fn new_session(tag: &str) -> NewSession {
    NewSession {
        tag: tag.to_owned(),
        task: "video-sample".to_owned(),
        modality: Modality::Video,
        base_commit: object_id(0),
        pack_hash: "b7".to_owned(),
        repository: "/home/human/dfresearch".into(),
        settings: serde_json::json!({"budget_s": 30, "proposer": "playbook"}),
        created_at_ms: 1_773_500_000_000,
    }
}

/// A made-up experiment.
#[derive(Clone, Debug)]
pub struct Tried {
    pub verdict: Verdict,
    pub score: f64,
    pub description: String,
    pub notes: Notes,
    pub idea: Idea,
}

/// An experiment with nothing to note.
pub fn tried(verdict: Verdict, score: f64, description: &str) -> Tried {
    Tried {
        verdict,
        score,
        description: description.to_owned(),
        notes: Notes::default(),
        idea: Idea::default(),
    }
}

/// A made-up full object id.
pub fn object_id(experiment: u32) -> String {
    format!("{:07x}{:033}", 0x00c0_ffee_u32 + experiment, 0)
}

/// The entries of one experiment, from opened to settled; a crash ends in its run.
pub fn entries(experiment: u32, tried: &Tried) -> Vec<Entry> {
    let crashed = tried.verdict == Verdict::Crash;
    let mut entries = vec![
        Entry::Opened {
            parent: object_id(experiment.saturating_sub(1)),
            proposer: "scripted".to_owned(),
            purpose: Purpose::Candidate,
        },
        Entry::Proposed {
            hypothesis: format!("{} should help", tried.description),
            description: tried.description.clone(),
            notes: tried.notes.clone(),
            idea: tried.idea.clone(),
            usage: Usage { prompt_tokens: 1000, completion_tokens: 50 },
        },
        Entry::Committed { commit: object_id(experiment) },
        Entry::Built { program: None },
    ];
    if crashed {
        entries.push(Entry::Ran {
            run: RunOutcome::Crashed { code: Some(101), signal: None, cause: None },
            seconds: 75.0,
            startup_s: 0.0,
            claims: None,
            curve: Vec::new(),
            problem: Some("training exit code 101".to_owned()),
            tampered: None,
        });
    } else {
        entries.extend([
            Entry::Ran {
                run: RunOutcome::Finished,
                seconds: 75.0,
                startup_s: 0.0,
                claims: None,
                curve: Vec::new(),
                problem: None,
                tampered: None,
            },
            Entry::Predicted {
                run: RunOutcome::Finished,
                seconds: 5.0,
                problem: None,
                tampered: None,
            },
            scored(tried.score),
        ]);
    }
    let reason = if crashed { "exit code 101" } else { "as told" };
    entries.push(Entry::Decided {
        verdict: tried.verdict,
        reason: reason.to_owned(),
        evidence: None,
    });
    entries.push(Entry::Settled { phase_seconds: phase_seconds() });
    entries
}

/// A whole session.
pub fn history(all: &[Tried]) -> History {
    let mut history = History::default();
    for (experiment, tried) in (0..).zip(all) {
        for entry in entries(experiment, tried) {
            history.apply(experiment, &entry, i64::from(experiment) * 60_000).unwrap();
        }
    }
    history
}

fn scored(score: f64) -> Entry {
    let metrics =
        BTreeMap::from([("sn34_score".to_owned(), score), ("accuracy".to_owned(), score + 0.1)]);
    Entry::Scored {
        metrics,
        peak_vram_mb: 12_340.0,
        records: 0,
        sources: BTreeMap::new(),
        tampered: None,
    }
}

fn phase_seconds() -> BTreeMap<Phase, f64> {
    let phases = Phase::ALL.into_iter().filter(|phase| *phase != Phase::Holdout);
    phases.zip([4.0, 12.0, 3.0, 75.0, 5.0, 0.5, 0.5]).collect()
}
