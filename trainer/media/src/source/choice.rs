//! Which samples are taken, and in which order. Pure.
//!
//! The order is a keyed hash of names, so samples come from all over a repository, the same ones on
//! every machine, and whoever asks for more later gets the same ones and then others. Archives take
//! turns of [`TURN`] samples each: one archive costs its index, so not every sample has its own.

use crate::catalogue::Entry;

/// Samples that an archive gives before the next one has its turn.
pub const TURN: usize = 50;

/// What decides the order: public, so that two machines choose the same.
const CONTEXT: &str = "dfr 1 choice of samples";

/// Sorting by this spreads a choice over everything there is.
pub fn key(parts: &[&str]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    for part in parts {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    *hasher.finalize().as_bytes()
}

/// How much a configuration allows; `None` is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Samples in all.
    pub samples: Option<usize>,
    /// Samples of one archive.
    pub per_archive: Option<usize>,
    /// Archives.
    pub archives: Option<usize>,
}

impl Limits {
    /// Limits of a data set, with gasbench's defaults of 100 and 5.
    ///
    /// # Source
    /// gasbench `download_and_extract`: files that are media themselves count as one product; rows
    /// that a filter chooses are looked for in every archive until the product is reached.
    pub fn of(entry: &Entry, is_raw: bool) -> Self {
        let limit = |said: Option<i64>, default| usize::try_from(said.unwrap_or(default)).ok();
        let per_archive = limit(entry.media_per_archive, 100);
        let archives = limit(entry.archives_per_dataset, 5);
        let samples = per_archive.zip(archives).map(|(media, archives)| media * archives);
        if is_raw || entry.filter_column.is_some() {
            return Self { samples, per_archive: None, archives: None };
        }
        Self { samples, per_archive, archives }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_that_of_the_names_and_what_is_added_moves_nothing() {
        let order = |names: &[&str]| {
            let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            names.sort_by_cached_key(|name| key(&["o/a", name]));
            names
        };
        let few = order(&["a", "b", "c", "d", "e"]);
        let more = order(&["e", "a", "x", "b", "y", "c", "d"]);
        assert_eq!(more.into_iter().filter(|n| few.contains(n)).collect::<Vec<_>>(), few);
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }

    #[test]
    fn limits_follow_the_configuration() {
        let entry = |media: i64, archives: i64| Entry {
            media_per_archive: Some(media),
            archives_per_dataset: Some(archives),
            ..Entry::default()
        };
        let all = Limits { samples: None, per_archive: None, archives: None };
        assert_eq!(Limits::of(&entry(-1, -1), true), all);
        assert_eq!(Limits::of(&entry(-1, 3), false), Limits { archives: Some(3), ..all });
        assert_eq!(Limits::of(&entry(200, 5), true), Limits { samples: Some(1000), ..all });
        let filtered = Entry { filter_column: Some("label".into()), ..entry(200, 5) };
        assert_eq!(Limits::of(&filtered, false), Limits { samples: Some(1000), ..all });
        let usual = Limits { samples: Some(500), per_archive: Some(100), archives: Some(5) };
        assert_eq!(Limits::of(&Entry::default(), false), usual);
    }
}
