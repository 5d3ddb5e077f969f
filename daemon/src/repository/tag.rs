//! Tags: the names of sessions, of their branches and of their directories.

/// The longest tag; with a lock file's ending it fits every file system.
const TAG_BYTES: usize = 80;

/// How the names of the ledger's files begin, which lie beside the sessions' directories.
const LEDGER: &str = "dfr.db";

/// The directory of the ledger's backups and the ballast, which lie there too.
const TAKEN: [&str; 2] = ["backups", "ballast"];

/// A name that is no tag.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{tag:?} is no tag: use 1 to {TAG_BYTES} letters, digits, `-`, `_` or `.`, not beginning with \
     `.` or `-`, not ending with `.` or `.lock`, without `..`, not beginning with `{LEDGER}`, not `{}`; e.g. video-mar14",
    TAKEN.join("` or `")
)]
pub struct InvalidTag {
    /// As given.
    pub tag: String,
}

/// Whether `autoresearch/<tag>` is a branch name and `<tag>` a directory name everywhere.
///
/// # Errors
/// The rule, with the tag.
pub fn valid_tag(tag: &str) -> Result<(), InvalidTag> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let valid = (1..=TAG_BYTES).contains(&tag.len())
        && tag.chars().all(letters)
        && !tag.starts_with(['.', '-'])
        && !tag.ends_with('.')
        && !tag.ends_with(".lock")
        && !tag.contains("..")
        && !tag.starts_with(LEDGER)
        && !TAKEN.contains(&tag);
    if valid { Ok(()) } else { Err(InvalidTag { tag: tag.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_mislead_git_or_a_shell_are_no_tags() {
        for tag in [
            "",
            ".",
            "..",
            "a..b",
            "-a",
            ".a",
            "a.",
            "a.lock",
            "a/b",
            "/..",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "dfr.db",
            "dfr.db-wal",
            "backups",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "a@{1",
            "ä",
            "a\n",
            "a\0",
        ] {
            assert_eq!(valid_tag(tag), Err(InvalidTag { tag: tag.to_owned() }), "{tag:?}");
        }
        assert!(valid_tag(&"a".repeat(TAG_BYTES + 1)).is_err());
        for tag in ["video-mar14", "a", "1.2", "A_b", &"a".repeat(TAG_BYTES)] {
            assert_eq!(valid_tag(tag), Ok(()), "{tag:?}");
        }
    }

    proptest! {
        #[test]
        fn every_tag_makes_legal_reference_names(tag in "[a-z@.~/ -]{1,6}(\\.lock)?") {
            if valid_tag(&tag).is_ok() {
                let branch = format!("refs/heads/autoresearch/{tag}");
                let kept = format!("refs/dfr/{tag}/exp/5.1");
                prop_assert!(git2::Reference::is_valid_name(&branch));
                prop_assert!(git2::Reference::is_valid_name(&kept));
            }
        }
    }
}
