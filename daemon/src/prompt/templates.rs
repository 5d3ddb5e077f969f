//! The texts around what a model is told: our own, or the human's in their place.

use std::collections::BTreeMap;

use handlebars::Handlebars;

/// Characters of all templates together, at most: the size of a question counts on it.
pub(super) const FRAME_LIMIT: usize = 12_000;

/// The templates, by name.
const OWN: [(&str, &str); 3] = [
    ("system", include_str!("../../../prompts/system.hbs")),
    ("propose", include_str!("../../../prompts/propose.hbs")),
    ("repair", include_str!("../../../prompts/repair.hbs")),
];

/// Why there is no prompt.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A template asks for something that it is not given.
    #[error("prompts/{template}.hbs cannot be filled in: {source}")]
    Render {
        /// Its name.
        template: &'static str,
        /// What is wrong.
        source: Box<handlebars::RenderError>,
    },
    /// A text is no template.
    #[error("prompts/{name}.hbs is no template: {source}")]
    Template {
        /// Its name.
        name: &'static str,
        /// What is wrong, and where.
        source: Box<handlebars::TemplateError>,
    },
    /// The templates leave too little room.
    #[error(
        "the templates in prompts/ have {chars} characters, and at most {FRAME_LIMIT} have room"
    )]
    TooLong {
        /// All of them together.
        chars: usize,
    },
}

/// The templates of `prompts/`, ready to be filled in.
#[derive(Clone, Debug)]
pub struct Templates(Handlebars<'static>);

impl Default for Templates {
    /// Our own.
    fn default() -> Self {
        let mut templates = empty();
        for (name, text) in OWN {
            templates.register_template_string(name, text).expect("our own are well-formed");
        }
        Self(templates)
    }
}

impl Templates {
    /// What the files are called that may stand in place of our own.
    pub fn names() -> impl Iterator<Item = &'static str> {
        OWN.iter().map(|(name, _)| *name)
    }

    /// These, by name, and our own in place of those that are not there.
    ///
    /// # Errors
    /// A text that is no template; all of them together are too long.
    pub fn with(texts: &BTreeMap<&str, String>) -> Result<Self, PromptError> {
        let mut templates = empty();
        let mut chars = 0;
        for (name, own) in OWN {
            let text = texts.get(name).map_or(own, String::as_str);
            chars += text.chars().count();
            templates
                .register_template_string(name, text)
                .map_err(|source| PromptError::Template { name, source: Box::new(source) })?;
        }
        match chars {
            0..=FRAME_LIMIT => Ok(Self(templates)),
            chars => Err(PromptError::TooLong { chars }),
        }
    }

    pub(super) fn render(
        &self,
        template: &'static str,
        view: &serde_json::Value,
    ) -> Result<String, PromptError> {
        self.0
            .render(template, view)
            .map_err(|source| PromptError::Render { template, source: Box::new(source) })
    }
}

fn empty() -> Handlebars<'static> {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(handlebars::no_escape);
    templates
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(name: &str, text: &str) -> Result<Templates, PromptError> {
        Templates::with(&BTreeMap::from([(name, text.to_owned())]))
    }

    #[test]
    fn a_humans_template_stands_in_place_of_ours() {
        let templates = with("system", "Improve {{objective}}.").unwrap();
        let said = templates.render("system", &json!({ "objective": "auc" })).unwrap();
        assert_eq!(said, "Improve auc.");
        let view = json!({ "stage": "build", "problem": "p", "turns_left": 1, "last": false });
        let own = Templates::default().render("repair", &view).unwrap();
        assert_eq!(templates.render("repair", &view).unwrap(), own);
    }

    #[test]
    fn what_is_no_template_is_named_with_its_place() {
        let error = with("propose", "one\n{{#each files}}\n").unwrap_err().to_string();
        assert!(error.contains("prompts/propose.hbs is no template"), "{error}");
        let error = with("propose", &"words ".repeat(3000)).unwrap_err().to_string();
        assert!(error.contains("at most 12000"), "{error}");
        let error = with("system", "{{labels}}").unwrap().render("system", &json!({}));
        assert!(error.unwrap_err().to_string().contains("prompts/system.hbs cannot be filled in"));
    }
}
