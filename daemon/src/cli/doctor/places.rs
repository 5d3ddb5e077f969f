//! Where the state and the caches are: file systems and free space.

use std::path::{Path, PathBuf};

use super::gib;
use crate::disk::{self, FLOOR_MIB, Nature, Place};
use crate::notebook::Notebook;
use crate::report::{Finding, Grade};
use crate::settings::Locations;

pub(super) fn findings(locations: &Locations, floor_mib: Option<u64>) -> Vec<Finding> {
    let floor_mib = floor_mib.unwrap_or(FLOOR_MIB);
    let state = ("state", &locations.state_dir, "--state-dir");
    let cache = ("cache", &locations.cache, "DFRESEARCH_CACHE");
    let look = |(name, path, flag): (_, &PathBuf, _)| {
        let found = kept((name, path), floor_mib);
        match Notebook::new(path, "doctor").probe() {
            Ok(()) => found,
            Err(_) => {
                let meaning = format!("it cannot be written: {flag} names another place");
                // On a disk that is full it is that which passes.
                Finding { meaning, grade: Grade::Missing, ..found }
            }
        }
    };
    [state, cache].map(look).to_vec()
}

fn kept((name, path): (&'static str, &Path), floor_mib: u64) -> Finding {
    match disk::place(path) {
        Ok(place) => judge((name, path), &place, floor_mib),
        Err(error) => Finding::missing(name, path.display().to_string(), error.to_string()),
    }
}

fn judge((name, path): (&'static str, &Path), place: &Place, floor_mib: u64) -> Finding {
    let found = format!("{}: {}, {} free", path.display(), place.kind, gib(place.free_mib));
    if place.free_mib < floor_mib {
        let floor = gib(floor_mib);
        let meaning = format!("nothing starts below {floor}: make room");
        return Finding::missing_now(name, found, meaning);
    }
    match (place.nature, name) {
        (Nature::Local, _) => Finding::ok(name, found),
        (Nature::Memory, _) => {
            Finding::warn(name, found, "gone after a reboot: give it a place on a disk")
        }
        (Nature::Layer, _) => {
            Finding::warn(name, found, "gone with the container: give it a place on a volume")
        }
        (Nature::Network, "state") => Finding::missing(
            name,
            found,
            "locks and the ledger's log do not hold on a network file system: \
             --state-dir names another place",
        ),
        (Nature::Network, _) => Finding::warn(
            name,
            found,
            "builds are slow there, and locks may not hold: DFRESEARCH_CACHE names another place",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_graded_by_what_becomes_of_files() {
        let cases = [
            ("state", Nature::Local, FLOOR_MIB, Grade::Ok),
            ("state", Nature::Local, FLOOR_MIB - 1, Grade::Missing),
            ("state", Nature::Network, FLOOR_MIB, Grade::Missing),
            ("cache", Nature::Network, FLOOR_MIB, Grade::Warn),
            ("cache", Nature::Network, 0, Grade::Missing),
            ("state", Nature::Memory, FLOOR_MIB, Grade::Warn),
            ("state", Nature::Layer, FLOOR_MIB, Grade::Warn),
        ];
        for (name, nature, free_mib, grade) in cases {
            let place = Place { kind: "ext4".to_owned(), nature, free_mib };
            let finding = judge((name, Path::new("/x")), &place, FLOOR_MIB);
            assert_eq!(finding.grade, grade, "{finding:?}");
            let is_full = free_mib < FLOOR_MIB;
            assert_eq!(finding.is_waited_for, is_full, "{finding:?}");
            assert!(finding.found.starts_with("/x: ext4, "), "{finding:?}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_missing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [state_dir, cache] = ["state", "cache"].map(|name| file.path().join(name));
        let findings = findings(&Locations { repo: "/r".into(), state_dir, cache }, None);
        for (finding, flag) in findings.iter().zip(["--state-dir", "DFRESEARCH_CACHE"]) {
            assert_eq!(finding.grade, Grade::Missing);
            assert!(finding.meaning.contains(flag), "{finding:?}");
        }
    }
}
