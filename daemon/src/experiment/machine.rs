//! What a score depends on beside the recipe. In a fixed time a faster machine trains more, so that
//! scores of two machines do not compare.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Candidate, History, Purpose, Row, Step};

/// A machine, as far as it decides how much is trained in a time, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Product names of its GPUs, in the driver's order; none where training runs on the CPU.
    pub gpus: Vec<String>,
    /// Version of their driver; empty without one.
    pub driver: String,
    /// Model of the processor.
    pub processor: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Where what the task names as `[paths]` lies, by name: libtorch, above all.
    pub software: BTreeMap<String, String>,
}

impl Machine {
    /// One line for people.
    pub fn told(&self) -> String {
        self.facts().into_values().collect::<Vec<_>>().join(", ")
    }

    /// What is different on another one.
    pub fn changes(&self, other: &Self) -> String {
        let (own, others) = (self.facts(), other.facts());
        let names = own.keys().chain(others.keys()).collect::<std::collections::BTreeSet<_>>();
        let told = |facts: &BTreeMap<_, String>, name| {
            facts.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
        };
        let changed = names.into_iter().filter(|name| own.get(*name) != others.get(*name));
        let changed =
            changed.map(|name| format!("{} instead of {}", told(&others, name), told(&own, name)));
        changed.collect::<Vec<_>>().join("; ")
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let gpus = (!self.gpus.is_empty()).then(|| self.gpus.join(" + "));
        let driver = (!self.driver.is_empty()).then(|| format!("driver {}", self.driver));
        let own = [("0 gpus", gpus), ("1 driver", driver)];
        let own = own.into_iter().filter_map(|(name, told)| Some((name.to_owned(), told?)));
        let processor = format!("{} cores of {}", self.cores, self.processor);
        let software = self
            .software
            .iter()
            .map(|(name, place)| (format!("3 {name}"), format!("{name} {place}")));
        own.chain([("2 processor".to_owned(), processor)]).chain(software).collect()
    }
}

impl History {
    /// Whether the incumbent was trained on another machine, so that nothing here can be compared with
    /// it.
    pub(super) fn has_moved(&self) -> bool {
        let Some(incumbent) = self.incumbent() else { return false };
        match &incumbent.machine {
            Some(_) => !self.is_of_here(incumbent),
            // Early daemons did not write it down: it was the first that was.
            None => self.moves > 1,
        }
    }

    /// Whether a row can be compared with what is measured now, as far as that was written down.
    pub fn is_of_here(&self, row: &Row) -> bool {
        row.machine.is_none() || self.machine.is_none() || row.machine == self.machine
    }

    /// Whether the experiment in hand would be trained here and compared with what was trained elsewhere.
    pub(super) fn is_out_of_place(&self, candidate: &Candidate) -> bool {
        use Step::{Answered, Built, Committed, Opened, Proposed};
        let is_compared =
            matches!(candidate.purpose, Purpose::Candidate | Purpose::Control | Purpose::Noise);
        let is_untrained =
            matches!(candidate.step, Opened | Answered | Proposed | Committed | Built);
        is_compared && is_untrained && self.has_moved()
    }
}

/// The row itself, or where it only measured its commit again on another machine, the one that measured it first.
pub(super) fn first_measured<'a>(history: &'a History, row: &'a Row) -> Option<&'a Row> {
    let mut rows = std::iter::successors(Some(row), |row| history.compared_with(row));
    rows.find(|row| row.purpose != Purpose::Moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(gpu: &str, driver: &str) -> Machine {
        Machine {
            gpus: [gpu].iter().filter(|gpu| !gpu.is_empty()).map(|gpu| (*gpu).to_owned()).collect(),
            driver: driver.to_owned(),
            processor: "a processor".to_owned(),
            cores: 16,
            software: BTreeMap::from([("LIBTORCH".to_owned(), "/torch".to_owned())]),
        }
    }

    #[test]
    fn a_machine_and_what_is_different_on_another_are_told() {
        let (own, other) = (machine("NVIDIA H200", "580.95"), machine("NVIDIA L40S", "580.95"));
        let told = "NVIDIA H200, driver 580.95, 16 cores of a processor, LIBTORCH /torch";
        assert_eq!(own.told(), told);
        assert_eq!(own.changes(&other), "NVIDIA L40S instead of NVIDIA H200");
        let none = "nothing instead of NVIDIA H200; nothing instead of driver 580.95";
        assert_eq!(own.changes(&machine("", "")), none);
        assert_eq!(own.changes(&own), "");
    }
}
