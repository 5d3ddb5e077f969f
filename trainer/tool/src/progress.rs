//! Progress: a bar on a terminal, a few plain lines otherwise.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dfr_contract::CLOCK_STARTED;
use dfr_contract::resumed::Resumed;
use dfr_media::source::crew::Watch;
use dfr_media::source::fetch::Outcome;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Plain lines per piece of work.
const PLAIN_LINES: u64 = 5;

/// Counts files that are done, from any thread.
pub struct Counter {
    what: &'static str,
    total: u64,
    done: AtomicU64,
    bar: Option<ProgressBar>,
}

impl Counter {
    /// Starts at 0 of `total`.
    pub fn new(what: &'static str, total: u64) -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
        let bar = std::io::stderr().is_terminal().then(|| {
            ProgressBar::new(total)
                .with_style(style.expect("the template is valid"))
                .with_message(what)
        });
        Self { what, total, done: AtomicU64::new(0), bar }
    }

    /// One more is done.
    pub fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.bar {
            Some(bar) => bar.inc(1),
            None if crosses_line(done, self.total) => {
                eprintln!("{} {done}/{}", self.what, self.total);
            }
            None => (),
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Data sets that are fetched: on a terminal a bar for each that is in work and one in total, else
/// one line for each that is done.
pub struct Downloads {
    wanted: u64,
    bars: Option<(MultiProgress, ProgressBar)>,
    running: Mutex<HashMap<String, (Instant, Option<ProgressBar>)>>,
}

impl Downloads {
    /// So many data sets, of so many samples each.
    pub fn new(sets: usize, wanted: usize) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let total = all.add(bar("{msg:32!} {wide_bar} {pos}/{len} {elapsed}", sets as u64));
            total.set_message("data sets");
            (all, total)
        });
        Self { wanted: wanted as u64, bars, running: Mutex::default() }
    }
}

fn bar(template: &str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    ProgressBar::new(length).with_style(style)
}

impl Watch for Downloads {
    fn begin(&self, name: &str) {
        let bar = self.bars.as_ref().map(|(all, total)| {
            let bar = bar("{msg:32!} {wide_bar} {pos}/{len} {eta}", self.wanted);
            all.insert_before(total, bar).with_message(name.to_owned())
        });
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(name.to_owned(), (Instant::now(), bar));
    }

    fn advance(&self, name: &str) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, Some(bar))) = running.get(name) {
            bar.inc(1);
        }
    }

    fn end(&self, outcome: &Outcome) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((started, bar)) = running.remove(&outcome.name) else { return };
        let (name, seconds) = (&outcome.name, started.elapsed().as_secs_f64());
        let line = match &outcome.failure {
            Some(failure) => format!("[{name}] FAILED: {failure}"),
            None => format!("[{name}] {} samples in {seconds:.1}s", outcome.have),
        };
        match (&self.bars, bar) {
            (Some((all, total)), Some(bar)) => {
                bar.finish_and_clear();
                total.inc(1);
                // A terminal that is gone takes no lines, which is no reason to stop.
                let _ = all.println(line);
            }
            _ => eprintln!("{line}"),
        }
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        if let Some((_, total)) = &self.bars {
            total.finish_and_clear();
        }
    }
}

/// Shows a run's output, and on a terminal how much of its time budget is spent.
pub struct Clock {
    budget: Duration,
    /// By an earlier start that was cut short.
    spent: Duration,
    started: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Clock {
    /// Stands still until the run says that its clock started.
    pub fn new(budget: Duration) -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} s, {eta} to go");
        let bar = std::io::stderr().is_terminal().then(|| {
            ProgressBar::new(budget.as_secs())
                .with_style(style.expect("the template is valid"))
                .with_message("starting")
        });
        Self { budget, spent: Duration::ZERO, started: None, bar }
    }

    /// Shows a line; the one of the started clock starts the bar.
    pub fn line(&mut self, line: &str) {
        if let Some(resumed) = Resumed::parse(line) {
            self.spent = Duration::try_from_secs_f64(resumed.seconds).unwrap_or(self.budget);
        }
        if line == CLOCK_STARTED {
            self.started = Some(Instant::now());
            // Its estimates begin here.
            self.bar.iter().for_each(|bar| bar.set_position(self.spent.as_secs()));
            self.bar.iter().for_each(ProgressBar::reset_eta);
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
        self.tick();
    }

    /// Moves the bar.
    pub fn tick(&self) {
        let (Some(bar), Some(started)) = (&self.bar, self.started) else { return };
        let spent = self.spent + started.elapsed();
        bar.set_position(spent.min(self.budget).as_secs());
        bar.set_message(if spent < self.budget { "training" } else { "finishing" });
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whether a plain line is due: at each fifth of the work.
fn crosses_line(done: u64, total: u64) -> bool {
    done * PLAIN_LINES / total != (done - 1) * PLAIN_LINES / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_few_and_the_last_is_complete() {
        for total in [1, 3, 5, 7, 720] {
            let lines: Vec<u64> = (1..=total).filter(|done| crosses_line(*done, total)).collect();
            assert_eq!(lines.len() as u64, total.min(PLAIN_LINES));
            assert_eq!(lines.last(), Some(&total));
        }
    }
}
