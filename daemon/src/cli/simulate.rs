//! `simulate`: what each rule for verdicts brings where the truth is known.

use std::io::{IsTerminal as _, Write as _};

use crate::arguments::SimulateFlags;
use crate::experiment::Rule;
use crate::failure::{Failure, Kind};
use crate::report::{self, Style};
use crate::settings::usual_noise_runs;
use crate::simulate::{Comparison, Landscape, Plan, Proposer, Source, compare};
use crate::terminal::Terminal;

/// The landscape that is a recipe.
const KNOBS: &str = "knobs";

/// Rules side by side, at each landscape and noise.
pub fn run(flags: &SimulateFlags, style: Style) -> Result<String, Failure> {
    let rules = words(&flags.verdict, &Rule::ALL, Rule::as_str)?;
    let proposers = words(&flags.proposer, &Proposer::ALL, Proposer::as_str)?;
    let sources = flags.landscape.iter().map(|name| sources(name, &proposers));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    if let Some(noise) = flags.noise.iter().find(|noise| !(**noise > 0.0 && noise.is_finite())) {
        return Err(usage(format!("--noise {noise}: it must be above 0")));
    }
    if !(0.0..=1.0).contains(&flags.crashes) {
        return Err(usage(format!("--crashes {}: it must be from 0 to 1", flags.crashes)));
    }
    let mut blocks = Vec::new();
    for sources in sources {
        for noise in &flags.noise {
            let plan = |source, rule| Plan {
                source,
                noise: *noise,
                runs: flags.runs,
                rule,
                noise_runs: usual_noise_runs(rule),
                crashes: flags.crashes,
                certify: flags.certify,
            };
            let of = |source: Source| rules.iter().map(move |rule| (source, *rule));
            let compared = sources.iter().copied().flat_map(of).map(|(source, rule)| {
                let (landscape, proposer) = (source.landscape(), source.proposer());
                progress(&format!("landscape {landscape}, noise {noise}, {proposer}, {rule}"));
                compare(plan(source, rule), flags.seeds)
            });
            blocks.push(compared.collect::<Vec<Comparison>>());
        }
    }
    progress("");
    Ok(match flags.json {
        true => report::simulation_json(&blocks),
        false => report::simulation_text(&blocks, style),
    })
}

/// What a landscape's ideas may come from.
fn sources(name: &str, proposers: &[Proposer]) -> Result<Vec<Source>, Failure> {
    if name == KNOBS {
        return Ok(proposers.iter().copied().map(Source::Knobs).collect());
    }
    let found = Landscape::ALL.into_iter().find(|landscape| landscape.as_str() == name);
    match found {
        Some(landscape) => Ok(vec![Source::Drawn(landscape)]),
        None => Err(usage(format!("unknown {name:?}: choose among A, B, {KNOBS}"))),
    }
}

/// Each of the words as what it stands for.
fn words<T: Copy>(
    given: &[String],
    known: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, Failure> {
    let find = |text: &String| {
        let found = known.iter().copied().find(|known| word(*known) == text);
        let all: Vec<_> = known.iter().copied().map(&word).collect();
        found.ok_or_else(|| usage(format!("unknown {text:?}: choose among {}", all.join(", "))))
    };
    given.iter().map(find).collect()
}

fn usage(told: String) -> Failure {
    Failure::new(Kind::Usage, anyhow::anyhow!(told))
}

/// One line on a terminal, which the next one replaces.
fn progress(told: &str) {
    if std::io::stderr().is_terminal() {
        let _ = write!(Terminal, "\r\x1b[K{told}");
    }
}
