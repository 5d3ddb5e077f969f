//! What proposers noted: merged where they say the same, each with the experiments that say so.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::experiment::{History, NOTED, Notes, Purpose, Verdict};
use crate::report::one_line;

/// Longest line, in characters.
pub(super) const WIDTH: usize = 160;
/// Most lines of facts or of notes under one heading of STATE.md; with six such blocks, the headings and
/// the counts, it stays under 100 lines.
pub(super) const MOST: usize = 12;
/// Notes among which those are chosen: the newest.
const CHOICE: usize = 4 * MOST;
/// Share of their words that two notes have in common when they say the same.
const ALIKE: f64 = 0.7;
/// Experiments that are named for one note. More that say so make it no more worth telling.
const NAMED: usize = 3;

/// Picks a section.
type Section = fn(&Notes) -> &Vec<String>;

/// What one experiment noted, or several in much the same words.
struct Note {
    /// The newest wording.
    text: String,
    words: BTreeSet<String>,
    /// Who said it, newest first: experiments, then an earlier session.
    who: Vec<String>,
}

impl Note {
    fn new(who: String, text: String) -> Self {
        let lower = text.to_lowercase();
        let words = lower.split(|c: char| !c.is_alphanumeric() && !".-+%".contains(c));
        let words = words.map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty());
        let words = words.map(str::to_owned).collect();
        Self { text, words, who: vec![who] }
    }

    /// Whether another says the same. A different number is another finding, however like the words are.
    fn says(&self, other: &Self) -> bool {
        let numbers = |note: &Self| -> BTreeSet<String> {
            let has_digit = |word: &&String| word.chars().any(|c| c.is_ascii_digit());
            note.words.iter().filter(has_digit).cloned().collect()
        };
        let common = self.words.intersection(&other.words).count();
        let all = self.words.len() + other.words.len() - common;
        let is_alike = self.text.to_lowercase() == other.text.to_lowercase()
            || (common as f64 >= ALIKE * all as f64 && common > 0);
        is_alike && numbers(self) == numbers(other)
    }

    fn told(&self) -> String {
        let named = self.who.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = self.who.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("note of {named}{more}: {}", self.text)
    }
}

/// Notes of one section, those first that most experiments say, and of these the newest.
pub(super) fn noted(history: &History, pick: Section) -> Vec<String> {
    merged(history, pick, &BTreeSet::new()).iter().map(Note::told).collect()
}

/// Ideas that were noted and are not, word for word, what an experiment was about.
pub(super) fn untried(history: &History) -> Vec<String> {
    merged(history, |notes| &notes.next, &tried(history)).iter().map(Note::told).collect()
}

/// What a session that begins at this one's champion takes along: what was kept and what was not, and
/// what was noted.
pub fn legacy(history: &History) -> Notes {
    let rows = |kind: fn(Verdict) -> bool| {
        let rows = history.decided().rev().filter(move |row| kind(row.verdict));
        let rows = rows.filter(|row| row.purpose == Purpose::Candidate).take(MOST / 2);
        rows.map(|row| format!("{}: {}", row.verdict, one_line(&row.description, WIDTH)))
    };
    let texts = |pick, without: &BTreeSet<String>| {
        merged(history, pick, without).into_iter().map(|note| note.text)
    };
    let none = BTreeSet::new();
    let kept = rows(|verdict| verdict == Verdict::Keep);
    let failed = rows(|verdict| verdict != Verdict::Keep);
    Notes {
        worked: kept.chain(texts(|notes| &notes.worked, &none)).take(MOST).collect(),
        failed: failed.chain(texts(|notes| &notes.failed, &none)).take(MOST).collect(),
        next: texts(|notes| &notes.next, &tried(history)).collect(),
        observations: texts(|notes| &notes.observations, &none).collect(),
    }
}

/// What experiments were about, word for word.
fn tried(history: &History) -> BTreeSet<String> {
    let tried = history.decided().rev().take(NOTED).map(|row| one_line(&row.description, WIDTH));
    tried.map(|tried| tried.to_lowercase()).collect()
}

fn merged(history: &History, pick: Section, without: &BTreeSet<String>) -> Vec<Note> {
    let rows = history.decided().rev().take(NOTED);
    let own = rows.map(|row| (format!("#{}", row.experiment), pick(&row.notes)));
    let earlier = history.legacy.iter().map(|legacy| (legacy.tag.clone(), pick(&legacy.notes)));
    let mut notes: Vec<Note> = Vec::new();
    for (who, texts) in own.chain(earlier) {
        for text in texts.iter().map(|text| one_line(text, WIDTH)) {
            if text.is_empty() || without.contains(&text.to_lowercase()) {
                continue;
            }
            let note = Note::new(who.clone(), text);
            match notes.iter().position(|known| known.says(&note)) {
                Some(at) if notes[at].who.last() == note.who.last() => {}
                Some(at) => notes[at].who.extend(note.who),
                None if notes.len() < CHOICE => notes.push(note),
                None => {}
            }
        }
    }
    notes.sort_by_key(|note| Reverse(note.who.len().min(NAMED)));
    notes.truncate(MOST);
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, Tried};

    fn history(worked: &[&[&str]]) -> History {
        let tried = |texts: &&[&str]| {
            let worked = texts.iter().map(|text| (*text).to_owned()).collect();
            let notes = Notes { worked, ..Notes::default() };
            Tried { notes, ..sample::tried(Verdict::Discard, 0.5, "x") }
        };
        sample::history(&worked.iter().map(tried).collect::<Vec<_>>())
    }

    #[test]
    fn what_several_say_is_told_once_and_first_with_all_of_them() {
        let history = history(&[
            &["A longer warm-up helps the loss early on"],
            &["a longer warm-up helps the loss early", "mixup hurts"],
            &["a longer warm-up helps the loss early on!"],
            &["A longer warm-up helps the loss early on."],
            &["something else"],
        ]);
        assert_eq!(
            noted(&history, |notes| &notes.worked),
            [
                "note of #3, #2, #1 and 1 more: A longer warm-up helps the loss early on.",
                "note of #4: something else",
                "note of #1: mixup hurts",
            ]
        );
    }

    #[test]
    fn another_number_is_another_finding() {
        let history = history(&[
            &["a learning rate of 3e-4 is better than any that was tried before it"],
            &["a learning rate of 1e-4 is better than any that was tried before it"],
        ]);
        assert_eq!(noted(&history, |notes| &notes.worked).len(), 2);
    }
}
