//! `doctor`: what this machine can do for a loop that nobody watches.

use std::fmt;

use super::Style;
use super::style::Ink;
use super::table::{Edge, table};

/// Everything that was looked at, in the order in which it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup {
    /// What contains runaway programs here.
    pub tier: Tier,
    /// One for each thing.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// What is there.
    pub found: String,
    /// Whether that will do.
    pub grade: Grade,
    /// What it means and the way out; empty when all is well.
    pub meaning: String,
    /// A session that is under way waits for it to pass.
    pub is_waited_for: bool,
}

/// Whether what was found will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// It will.
    Ok,
    /// It will, with a drawback.
    Warn,
    /// It will not, when nobody watches.
    Missing,
}

/// What keeps a program from outliving its experiment. A lower one is never taken in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A namespace of process ids, or a control group that can be killed: nothing gets out.
    Full,
    /// Orphans come to the daemon, which finds them in /proc and ends them.
    Container,
    /// Neither: what leaves its process group may stay for ever.
    None,
}

/// What the containment in force is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containment {
    /// What it amounts to.
    pub tier: Tier,
    /// Namespaces of process ids can be made.
    pub pid_namespace: bool,
    /// Control groups can be made and killed as one.
    pub cgroup_kill: bool,
    /// Orphans of our children become our children.
    pub subreaper: bool,
    /// Processes are to be seen in /proc.
    pub proc: bool,
    /// A cap on the size of files holds.
    pub file_limit: bool,
    /// What limits the memory of a run.
    pub memory_limit: Option<&'static str>,
    /// What limits the processes of a run.
    pub process_limit: Option<&'static str>,
}

impl Finding {
    /// All is well.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::warn(name, found, "").graded(Grade::Ok)
    }

    /// It will do, but: what it means.
    pub fn warn(name: &'static str, found: impl Into<String>, meaning: impl Into<String>) -> Self {
        let (found, meaning) = (found.into(), meaning.into());
        Self { name, found, grade: Grade::Warn, meaning, is_waited_for: false }
    }

    fn graded(self, grade: Grade) -> Self {
        Self { grade, ..self }
    }

    /// It will not do: the way out.
    pub fn missing(
        name: &'static str,
        found: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Self {
        Self::warn(name, found, meaning).graded(Grade::Missing)
    }

    /// The same of what a session waits for that is under way.
    pub fn missing_now(
        name: &'static str,
        found: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Self {
        Self { is_waited_for: true, ..Self::missing(name, found, meaning) }
    }
}

impl Containment {
    /// Each of them as a finding. What a better one stands in for is no lack.
    pub fn findings(self) -> Vec<Finding> {
        let full = self.tier == Tier::Full;
        let better = |name, there, meaning| match (there, full) {
            (true, _) => Finding::ok(name, "works"),
            (false, true) => Finding::ok(name, "not here, and not needed"),
            (false, false) => Finding::warn(name, "not here", meaning),
        };
        let needed = |name, there, meaning| match (there, full) {
            (false, false) => Finding::missing(name, "not here", meaning),
            _ => better(name, there, meaning),
        };
        let limit = |name, by: Option<&str>, meaning| match by {
            Some(by) => Finding::ok(name, by),
            None => Finding::warn(name, "not here", meaning),
        };
        vec![
            better("pid namespace", self.pid_namespace, NAMESPACE),
            better("cgroup kill", self.cgroup_kill, CGROUP),
            needed("subreaper", self.subreaper, SUBREAPER),
            needed("/proc", self.proc, PROC),
            limit("memory limit", self.memory_limit, MEMORY),
            limit("process limit", self.process_limit, PROCESSES),
            limit("file limit", self.file_limit.then_some("rlimit"), FILES),
        ]
    }
}

const NAMESPACE: &str = "runs are ended by the daemon, not by the kernel; user namespaces would do \
    better (sysctl user.max_user_namespaces)";
const CGROUP: &str = "processes of a run are ended one by one; Delegate=yes in the service's unit \
    would do better";
const SUBREAPER: &str = "a program that leaves its process group is lost sight of; Linux has this \
    since 3.4, so look at what forbids it, such as a seccomp profile";
const PROC: &str = "leftovers of a run cannot be found; mount /proc, without hidepid";
const MEMORY: &str = "a run is watched instead, and may take the machine's memory before it is \
    ended; Delegate=yes in the service's unit would do better";
const PROCESSES: &str = "a run is watched instead, and may fork for a moment without end";
const FILES: &str = "a run may fill the disk with one file";

impl Tier {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Container => "container",
            Self::None => "none",
        }
    }

    fn promise(self) -> &'static str {
        match self {
            Self::Full => "the kernel ends whatever a run started",
            Self::Container => "the daemon finds and ends whatever a run started",
            Self::None => "what leaves its process group may outlive its run",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Grade {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Missing => "missing",
        }
    }
}

impl From<Grade> for Ink {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Ok => Self::Plain,
            Grade::Warn => Self::Yellow,
            Grade::Missing => Self::Red,
        }
    }
}

/// Why a loop must not be left alone here, by name; nothing when it may. One that is under way waits for
/// what passes: that ends no night.
pub fn refuse_unattended(checkup: &Checkup, is_under_way: bool) -> Option<String> {
    let lacks = checkup.findings.iter().filter(|finding| {
        finding.grade == Grade::Missing && !(is_under_way && finding.is_waited_for)
    });
    let mut lacks: Vec<_> =
        lacks.map(|finding| format!("{} ({})", finding.name, finding.found)).collect();
    let is_missing = |finding: &Finding| finding.grade == Grade::Missing;
    // What could not be tried is no word on the tier.
    if checkup.tier == Tier::None && !checkup.findings.iter().any(is_missing) {
        lacks.push("containment (none)".to_owned());
    }
    (!lacks.is_empty()).then(|| lacks.join(", "))
}

/// A table of findings, what they mean, the containment in force, and the verdict.
pub fn doctor_text(checkup: &Checkup, style: Style) -> String {
    let columns = [("check", Edge::Left), ("status", Edge::Left), ("found", Edge::Left)];
    let cells = checkup.findings.iter().map(|finding| {
        vec![finding.name.to_owned(), finding.grade.as_str().to_owned(), finding.found.clone()]
    });
    let lines = table(&columns, &cells.collect::<Vec<_>>());
    let inks = checkup.findings.iter().map(|finding| finding.grade.into());
    let mut text: String = std::iter::once(Ink::Bold)
        .chain(inks)
        .zip(&lines)
        .map(|(ink, line)| style.paint(ink, line) + "\n")
        .collect();
    let meant = checkup.findings.iter().filter(|finding| !finding.meaning.is_empty());
    let meanings: Vec<_> =
        meant.map(|finding| format!("{}: {}\n", finding.name, finding.meaning)).collect();
    if !meanings.is_empty() {
        text.push('\n');
        text.push_str(&meanings.concat());
    }
    text + &verdict(checkup, style)
}

fn verdict(checkup: &Checkup, style: Style) -> String {
    let tier = checkup.tier;
    let unattended = match refuse_unattended(checkup, false) {
        None => style.paint(Ink::Green, "unattended: yes"),
        Some(lacks) => style.paint(Ink::Red, &format!("unattended: no: {lacks}")),
    };
    format!("\ncontainment: {tier}: {}\n{unattended}\n", tier.promise())
}

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;
