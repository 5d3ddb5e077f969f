//! Command lines with placeholders: `{tree}`, `{target}`, `{pack}`, `{run}` and the like.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// An argument vector whose elements may hold placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Command(Vec<String>);

/// What the placeholders stand for, by name without braces.
pub type Places = BTreeMap<&'static str, String>;

impl Command {
    /// The argument vector with every known placeholder filled in; other braces stay as they are.
    pub fn expand(&self, places: &Places) -> Vec<String> {
        self.0.iter().map(|argument| expand(argument, places)).collect()
    }
}

/// One text with every known placeholder filled in.
pub fn expand(text: &str, places: &Places) -> String {
    places
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Environment variables that hold paths, with links resolved where the path exists, so that a
/// link to one shared copy has the same value in every clone.
pub fn expand_paths(paths: &BTreeMap<String, String>, places: &Places) -> Vec<(String, String)> {
    let resolve = |path: String| {
        std::fs::canonicalize(Path::new(&path))
            .map_or(path, |resolved| resolved.to_string_lossy().into_owned())
    };
    paths.iter().map(|(name, path)| (name.clone(), resolve(expand(path, places)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_placeholders_are_filled_and_other_braces_stay() {
        let places = Places::from([("run", "/r".to_owned()), ("seed", "7".to_owned())]);
        let command = Command(vec!["{run}/x".into(), "{seed}{seed}".into(), "{other}".into()]);
        assert_eq!(command.expand(&places), ["/r/x", "77", "{other}"]);
    }
}
