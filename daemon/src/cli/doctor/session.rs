//! What a loop with these flags would meet: proposer, repository, task, data, build.

use std::path::Path;

use dfr_contract::input::Source;

use super::Asked;
use crate::arguments::RunFlags;
use crate::report::{Finding, short};
use crate::repository::Repository;
use crate::settings::{Environment, Locations, ProposerChoice, Settings, SettingsError};
use crate::task::{Places, Task, expand_paths};

pub(super) fn findings(asked: Asked, locations: &Locations) -> Vec<Finding> {
    let mut findings = vec![repository(locations, asked.flags)];
    let resolve = |flags: &RunFlags| Settings::resolve(asked.places, flags, asked.environment);
    let settings = match resolve(asked.flags) {
        Err(error @ (SettingsError::Proposer | SettingsError::Model)) => {
            findings.push(Finding::missing("proposer", "none", error.to_string()));
            // The rest is the same for one that needs no key.
            let playbook = Some("playbook".to_owned());
            resolve(&RunFlags { proposer: playbook, ..asked.flags.clone() })
        }
        Ok(settings) => {
            findings.push(proposer(&settings.proposer));
            Ok(settings)
        }
        Err(error) => {
            findings.push(key(asked.environment));
            Err(error)
        }
    };
    findings.extend(match settings {
        Ok(settings) => task(&settings),
        Err(SettingsError::Task) => {
            let meaning = "name one to have its data and its build looked at: --modality, --task";
            vec![Finding::warn("task", "none named", meaning)]
        }
        Err(error) => vec![Finding::missing("settings", "wrong", error.to_string())],
    });
    findings
}

fn repository(locations: &Locations, flags: &RunFlags) -> Finding {
    let path = locations.repo.display();
    // A session that goes on knows its own base.
    let base = |repository: Repository| match flags.resume {
        true => Ok(path.to_string()),
        false => {
            let base = repository.base(flags.base.as_deref())?;
            Ok(format!("{path}, base {}", short(&base)))
        }
    };
    let found = Repository::open(&locations.repo).and_then(base);
    match found {
        Ok(found) => Finding::ok("repository", found),
        Err(error) => Finding::missing("repository", path.to_string(), error.to_string()),
    }
}

/// What is proposed by; the key itself is never shown.
fn proposer(choice: &ProposerChoice) -> Finding {
    match choice {
        ProposerChoice::Llm { model, .. } => {
            Finding::ok("proposer", format!("{model}; the endpoint's key is set"))
        }
        ProposerChoice::Playbook | ProposerChoice::Optimiser => {
            Finding::ok("proposer", "playbook; needs no key")
        }
        ProposerChoice::Scripted(directory) => {
            Finding::ok("proposer", format!("replies from {}", directory.display()))
        }
    }
}

fn key(environment: &Environment) -> Finding {
    match environment.get("OPENAI_API_KEY") {
        Some(_) => Finding::ok("proposer", "the endpoint's key is set"),
        None => Finding::warn(
            "proposer",
            "no endpoint key",
            "an LLM needs OPENAI_API_KEY; --proposer playbook needs none",
        ),
    }
}

fn task(settings: &Settings) -> Vec<Finding> {
    // A session that goes on knows its own task.
    let Some(name) = &settings.task else { return Vec::new() };
    match Task::load(name) {
        Ok(task) => vec![
            Finding::ok("task", task.name.clone()),
            canary(&task),
            data(settings, &task),
            build(settings, &task),
        ],
        Err(error) => vec![Finding::missing("task", name.clone(), error.to_string())],
    }
}

fn canary(task: &Task) -> Finding {
    match task.commands.canary {
        Some(_) => Finding::ok("canary", "named by the task"),
        None => Finding::warn("canary", "none", "after a fault the next run itself is the test"),
    }
}

fn data(settings: &Settings, task: &Task) -> Finding {
    let link = task.pack_link(&settings.locations.cache);
    let sample = match task.input.source {
        Source::Sample => " --sample",
        Source::Downloaded => "",
    };
    match link.canonicalize() {
        Ok(pack) => Finding::ok("data", pack.display().to_string()),
        Err(_) => Finding::missing(
            "data",
            format!("no {}", link.display()),
            format!("make it: dfr prepare{sample} --modality {}", task.modality),
        ),
    }
}

/// libtorch and whatever else the task says that its commands need.
fn build(settings: &Settings, task: &Task) -> Finding {
    let repository = settings.locations.repo.to_string_lossy().into_owned();
    let places = Places::from([("repository", repository)]);
    let paths = expand_paths(&task.paths, &places);
    let told = |(name, path): &(String, String)| format!("{name} {path}");
    match paths.iter().find(|(_, path)| !Path::new(path).exists()) {
        Some(lacking) => {
            let meaning = "make setup puts it there";
            Finding::missing("build", format!("no {}", told(lacking)), meaning)
        }
        None => Finding::ok("build", paths.iter().map(told).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments;
    use crate::report::Grade;

    fn graded(flags: &RunFlags, pairs: &[(&str, &str)]) -> Vec<(&'static str, Grade)> {
        let home = tempfile::TempDir::new().unwrap();
        let repo = home.path().display().to_string();
        let places = arguments::Places { repo: Some(repo.into()), ..Default::default() };
        let environment = match *pairs {
            [a, b] => Environment::from([("HOME", "/h"), a, b]),
            [a] => Environment::from([("HOME", "/h"), a]),
            _ => Environment::from([("HOME", "/h")]),
        };
        let locations = Locations::resolve(&places, &environment).unwrap();
        let asked = Asked { places: &places, flags, environment: &environment };
        findings(asked, &locations).iter().map(|found| (found.name, found.grade)).collect()
    }

    const KEY: (&str, &str) = ("OPENAI_API_KEY", "sk-1234");

    #[test]
    fn a_task_that_nobody_named_is_not_looked_at() {
        let flags = RunFlags::default();
        let repository = ("repository", Grade::Missing);
        let task = ("task", Grade::Warn);
        assert_eq!(graded(&flags, &[]), [repository, ("proposer", Grade::Warn), task]);
        assert_eq!(graded(&flags, &[KEY]), [repository, ("proposer", Grade::Ok), task]);
    }

    #[test]
    fn one_that_was_named_is_looked_at_whoever_proposes() {
        let flags = RunFlags { task: Some("video-sample".to_owned()), ..RunFlags::default() };
        let after = |proposer| {
            vec![
                ("repository", Grade::Missing),
                ("proposer", proposer),
                ("task", Grade::Ok),
                ("canary", Grade::Ok),
                ("data", Grade::Missing),
                ("build", Grade::Missing),
            ]
        };
        assert_eq!(graded(&flags, &[]), after(Grade::Missing));
        assert_eq!(graded(&flags, &[KEY]), after(Grade::Missing));
        assert_eq!(graded(&flags, &[KEY, ("DFR_MODEL", "m")]), after(Grade::Ok));
        let unknown = RunFlags { task: Some("vidoe".to_owned()), ..RunFlags::default() };
        assert!(graded(&unknown, &[]).contains(&("task", Grade::Missing)));
    }

    #[test]
    fn a_key_is_never_shown() {
        let choice = ProposerChoice::Llm {
            base_url: "http://sk-1234@host".to_owned(),
            api_key: crate::settings::Secret("sk-1234".to_owned()),
            model: "m".to_owned(),
        };
        assert!(!format!("{:?}", proposer(&choice)).contains("sk-1234"));
    }
}
