//! What one would do with an archive: lines that are about this one and no other.

use std::path::Path;

use dfr_contract::input::Source;

use crate::cli::Export;
use crate::task::Task;

/// Stands at the end of the name of what `dfr-daemon full` trained.
const IN_FULL: &str = "-full";

/// The lines, for people.
pub fn steps(request: &Export, task: &Task, zip: &Path) -> String {
    let keep = request.name.as_deref().filter(|_| request.trace.is_some()).and_then(Keep::parse);
    let (modality, file) = (task.modality, zip.display());
    let of_task = of_task(task, keep.is_some());
    let push = match keep {
        Some(keep) => keep.push(request, zip),
        None => format!("dfr push --{modality}-model {file}"),
    };
    format!(
        "\nNext:\n  dfr exam --modality {modality}{of_task} --zip {file}\n  \
         {push} --wallet-name <NAME> --wallet-hotkey <KEY>\n"
    )
}

/// How the task is named, where it is not the modality's.
fn of_task(task: &Task, is_of_a_session: bool) -> String {
    let (Task { name, named, modality, input, .. }, file) = (task, "<FILE.toml>");
    let built_in = Task::find(Some(name), *modality, Source::Downloaded);
    let name = match built_in.is_ok_and(|built_in| built_in.input == *input) {
        true if name == modality.as_str() => return String::new(),
        true => name,
        // It came in a file that goes again: only its owner knows where it is.
        false if is_of_a_session => file,
        false => named,
    };
    format!(" --task {name}")
}

/// Which keep of a session an archive is of.
#[derive(Debug, PartialEq, Eq)]
struct Keep<'a> {
    tag: &'a str,
    experiment: u32,
    is_in_full: bool,
}

impl<'a> Keep<'a> {
    /// From the name that dfr-daemon gives an archive.
    fn parse(name: &'a str) -> Option<Self> {
        let short = name.strip_suffix(IN_FULL);
        let (tag, experiment) = short.unwrap_or(name).rsplit_once('-')?;
        let experiment = experiment.parse().ok()?;
        Some(Self { tag, experiment, is_in_full: short.is_some() })
    }

    fn push(&self, request: &Export, zip: &Path) -> String {
        let Self { tag, experiment, is_in_full } = self;
        let in_full = if *is_in_full { " --in-full" } else { "" };
        // It is looked for where archives go by themselves.
        let elsewhere = request.output_dir.as_ref().map_or_else(String::new, |_| {
            format!(" --{}-model {}", request.checkpoint.modality, zip.display())
        });
        format!("dfr-daemon push --tag {tag} --experiment {experiment}{in_full} --{elsewhere}")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use dfr_contract::modality::Modality;

    use super::*;
    use crate::cli::{Cli, Command};

    const WHOSE: &str = "--wallet-name <NAME> --wallet-hotkey <KEY>";

    /// The lines of an export with these arguments.
    fn lines(arguments: &str, task: &Task) -> [String; 2] {
        let line = format!("dfr export --modality video {arguments}");
        let Command::Export(request) = Cli::parse_from(line.split_whitespace()).command else {
            unreachable!()
        };
        let told = steps(&request, task, Path::new("o/x.zip"));
        let lines = told.strip_prefix("\nNext:\n").unwrap().lines();
        let lines: Vec<_> = lines.map(|line| line.strip_prefix("  ").unwrap().to_owned()).collect();
        lines.try_into().unwrap()
    }

    fn task(name: &str) -> Task {
        Task::find(Some(name), Modality::Video, Source::Downloaded).unwrap()
    }

    #[test]
    fn what_is_submitted_is_the_archive_that_was_written() {
        let push = |arguments: &str| lines(arguments, &task("video"))[1].clone();
        let of_keep = |rest: &str| format!("dfr-daemon push --tag night-a {rest} {WHOSE}");
        assert_eq!(push("--trace t --name night-a-12"), of_keep("--experiment 12 --"));
        let in_full = push("--trace t --name night-a-12-full");
        assert_eq!(in_full, of_keep("--experiment 12 --in-full --"));
        let elsewhere = push("--trace t --name night-a-0-full --output-dir o");
        let rest = "--experiment 0 --in-full -- --video-model o/x.zip";
        assert_eq!(elsewhere, of_keep(rest));
        let by_hand = format!("dfr push --video-model o/x.zip {WHOSE}");
        for arguments in ["", "--name night-a-12", "--trace t", "--trace t --name mine"] {
            assert_eq!(push(arguments), by_hand, "{arguments}");
        }
    }

    #[test]
    fn the_exam_is_about_a_task_that_will_be_there() {
        let keep = "--trace t --name night-12";
        let exam = |arguments: &str, task: &Task| lines(arguments, task)[0].clone();
        let asked = |more: &str| format!("dfr exam --modality video{more} --zip o/x.zip");
        assert_eq!(exam(keep, &task("video")), asked(""));
        assert_eq!(exam(keep, &task("video-sample")), asked(" --task video-sample"));
        // As a session's comes: in a file that is removed, and perhaps under the name of another.
        for name in ["own", "video"] {
            let own = Task { named: "/s/t/deliver/task.toml".into(), ..task("video-sample") };
            let own = Task { name: name.into(), ..own };
            assert_eq!(exam(keep, &own), asked(" --task <FILE.toml>"), "{name}");
            assert_eq!(exam("", &own), asked(" --task /s/t/deliver/task.toml"), "{name}");
        }
    }
}
