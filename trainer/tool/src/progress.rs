//! Progress: a bar on a terminal, a few plain lines otherwise.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dfr_contract::CLOCK_STARTED;
use indicatif::{ProgressBar, ProgressStyle};

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

/// Shows a run's output, and on a terminal how much of its time budget is spent.
pub struct Clock {
    budget: Duration,
    started: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Clock {
    /// Stands still until the run says that its clock started.
    pub fn new(budget: Duration) -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} s");
        let bar = std::io::stderr().is_terminal().then(|| {
            ProgressBar::new(budget.as_secs())
                .with_style(style.expect("the template is valid"))
                .with_message("starting")
        });
        Self { budget, started: None, bar }
    }

    /// Shows a line; the one of the started clock starts the bar.
    pub fn line(&mut self, line: &str) {
        if line == CLOCK_STARTED {
            self.started = Some(Instant::now());
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
        let spent = started.elapsed();
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
