//! What a proposer asked to look at, found beside the loop: a repository may be large.

use super::Session;
use super::question::diff;
use crate::experiment::{History, told_reason};
use crate::failure::{Failure, OrFailure as _};
use crate::look::{self, Look, Search};
use crate::prompt;
use crate::repository::{Repository, RepositoryError, Text};
use crate::task::Task;

impl Session {
    /// The answers that only looked, each with what it found.
    pub(super) async fn looks(&self) -> Result<Vec<(String, String)>, Failure> {
        let candidate = self.candidate()?;
        let (asked, commit) = (candidate.looked.clone(), candidate.parent.clone());
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let (root, task) = (self.repository.path().to_owned(), self.task.clone());
        let history = self.history.clone();
        let look = move || {
            // Threads do not share one.
            let repository = &Repository::open(&root)?;
            let place = Place { repository, commit: &commit, task: &task, history: &history };
            let found = |answer: String| Ok((answer.clone(), place.look(&answer)?));
            asked.into_iter().map(found).collect::<Result<_, RepositoryError>>()
        };
        self.aside(look).await.or_outside()
    }
}

/// Where somebody looks around.
struct Place<'a> {
    repository: &'a Repository,
    /// What the candidate is made from.
    commit: &'a str,
    task: &'a Task,
    history: &'a History,
}

impl Place<'_> {
    fn look(&self, answer: &str) -> Result<String, RepositoryError> {
        let looks = look::requests(answer).unwrap_or_default();
        let found = looks.iter().map(|asked| self.find(asked)).collect::<Result<Vec<_>, _>>()?;
        Ok(found.iter().map(|found| look::cut(found, look::FOUND_CHARS) + "\n").collect())
    }

    fn find(&self, asked: &Look) -> Result<String, RepositoryError> {
        Ok(match asked {
            // A path is whatever a model made up.
            Look::File(path, from) => match self.repository.look_at(self.commit, path) {
                Ok(Some(Text::Whole(content))) => {
                    format!("{path}, {}", look::excerpt(&content, *from))
                }
                Ok(Some(Text::Large)) => format!("{path}: too large to be shown\n"),
                Ok(None) | Err(_) => format!("{path}: no such file of text\n"),
            },
            Look::Search(words) => self.search(words)?,
            Look::Experiment(n) => self.experiment(*n),
            Look::Results(theme) => prompt::outcomes(self.task, self.history, theme.as_deref()),
            Look::Unknown(asked) => format!("{asked:?} is none of: {}\n", look::FORMS),
        })
    }

    fn search(&self, words: &str) -> Result<String, RepositoryError> {
        let mut search = Search::new(words);
        self.repository.visit(self.commit, |path, text| match text {
            Text::Whole(content) => search.see(path, Some(content)),
            Text::Large => search.see(path, None),
        })?;
        Ok(search.found())
    }

    fn experiment(&self, n: u32) -> String {
        let Some(row) = self.history.rows.iter().find(|row| row.experiment == n) else {
            return format!("experiment {n} came to no verdict, or is not there\n");
        };
        let (description, hypothesis, verdict) = (&row.description, &row.hypothesis, row.verdict);
        let (diff, why) = (diff(self.repository, row), told_reason(row));
        let curve = row.curve.join("\n");
        format!(
            "experiment {n}, {description}: {verdict}, {why}\n{hypothesis}\n{diff}\nits training:\n{curve}\n"
        )
    }
}
