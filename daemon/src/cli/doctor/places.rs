//! Where the state and the caches are: file systems and free space.

use std::path::{Path, PathBuf};

use super::gib;
use crate::disk::{self, FLOOR_MIB, Nature, Place};
use crate::notebook::Notebook;
use crate::report::Finding;
use crate::settings::Locations;

pub(super) fn findings(locations: &Locations) -> Vec<Finding> {
    let state = ("state", &locations.state_dir, "--state-dir");
    let cache = ("cache", &locations.cache, "DFRESEARCH_CACHE");
    let look = |(name, path, flag): (_, &PathBuf, _)| {
        let found = kept(name, path);
        match Notebook::new(path, "doctor").probe() {
            Ok(()) => found,
            Err(_) => {
                let meaning = format!("it cannot be written: {flag} names another place");
                Finding::missing(name, found.found, meaning)
            }
        }
    };
    [state, cache].map(look).to_vec()
}

fn kept(name: &'static str, path: &Path) -> Finding {
    match disk::place(path) {
        Ok(place) => judge(name, path, &place),
        Err(error) => Finding::missing(name, path.display().to_string(), error.to_string()),
    }
}

fn judge(name: &'static str, path: &Path, place: &Place) -> Finding {
    let found = format!("{}: {}, {} free", path.display(), place.kind, gib(place.free_mib));
    if place.free_mib < FLOOR_MIB {
        let floor = gib(FLOOR_MIB);
        return Finding::missing(name, found, format!("nothing starts below {floor}: make room"));
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
    use crate::report::Grade;

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
            let finding = judge(name, Path::new("/x"), &place);
            assert_eq!(finding.grade, grade, "{finding:?}");
            assert!(finding.found.starts_with("/x: ext4, "), "{finding:?}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_missing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [state_dir, cache] = ["state", "cache"].map(|name| file.path().join(name));
        let findings = findings(&Locations { repo: "/r".into(), state_dir, cache });
        for (finding, flag) in findings.iter().zip(["--state-dir", "DFRESEARCH_CACHE"]) {
            assert_eq!(finding.grade, Grade::Missing);
            assert!(finding.meaning.contains(flag), "{finding:?}");
        }
    }
}
