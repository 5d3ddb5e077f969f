//! Command lines with placeholders: `{tree}`, `{target}`, `{pack}`, `{run}` and the like.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// An argument vector whose elements may hold placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Command(Vec<String>);

/// A command line without a program.
#[derive(Debug, thiserror::Error)]
#[error("a command needs at least a program")]
pub struct EmptyCommand;

impl TryFrom<Vec<String>> for Command {
    type Error = EmptyCommand;

    fn try_from(arguments: Vec<String>) -> Result<Self, EmptyCommand> {
        if arguments.is_empty() { Err(EmptyCommand) } else { Ok(Self(arguments)) }
    }
}

/// What the placeholders stand for, by name without braces.
pub type Places = BTreeMap<&'static str, String>;

impl Command {
    /// Whether an argument holds this placeholder.
    pub fn names(&self, place: &str) -> bool {
        let place = format!("{{{place}}}");
        self.0.iter().any(|argument| argument.contains(&place))
    }

    /// The argument vector with every known placeholder filled in; other braces stay as they are.
    pub fn expand(&self, places: &Places) -> Vec<String> {
        self.0.iter().map(|argument| expand(argument, places)).collect()
    }
}

/// One text with every known placeholder filled in, once: what is filled in may hold braces itself.
pub fn expand(text: &str, places: &Places) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let named = rest[open + 1..].split_once('}');
        let known = named.and_then(|(name, after)| Some((places.get(name)?, after)));
        expanded.push_str(&rest[..open]);
        rest = match known {
            Some((value, after)) => {
                expanded.push_str(value);
                after
            }
            None => {
                expanded.push('{');
                &rest[open + 1..]
            }
        };
    }
    expanded + rest
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
        let braces = Places::from([("run", "/{seed}".to_owned()), ("seed", "7".to_owned())]);
        for (text, expanded) in
            [("{run}", "/{seed}"), ("{{seed}", "{7"), ("{", "{"), ("{seed", "{seed")]
        {
            assert_eq!(expand(text, &braces), expanded);
        }
    }

    #[test]
    fn a_command_without_a_program_is_refused() {
        let parsed: Result<BTreeMap<String, Command>, _> = toml::from_str("build = []");
        assert!(parsed.unwrap_err().to_string().contains("at least a program"));
    }
}
