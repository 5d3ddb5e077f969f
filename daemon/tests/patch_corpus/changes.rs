//! The changes: each a few replacements in the files of `before/`, made with nothing but `str`.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::{Tree, tree};

pub struct Change {
    pub name: &'static str,
    pub before: Tree,
    pub after: Tree,
}

/// A file, a text that stands once in it, and another one instead.
type Edit = (&'static str, &'static str, &'static str);

const MODEL: &str = "src/model.rs";
const RECIPE: &str = "src/recipe.rs";
const LAYERS: &str = "src/layers/mod.rs";

const EDITS: [(&str, &[Edit]); 14] = [
    ("a_constant", &[(MODEL, "RATE: f64 = 1e-3;", "RATE: f64 = 3e-4;")]),
    (
        "two_places",
        &[
            (MODEL, "DROPOUT: f64 = 0.1;", "DROPOUT: f64 = 0.3;"),
            (
                MODEL,
                "        x.mean_dim([2, 3])\n",
                "        let mean = x.mean_dim([2, 3]);\n        let top = x.amax([2, 3]);\n        (mean + top) / 2.0\n",
            ),
        ],
    ),
    (
        "a_function",
        &[
            (
                RECIPE,
                "    if step < WARM_UP {\n        return f64::from(step) / f64::from(WARM_UP);\n    }\n",
                "    let warm = (f64::from(step) / f64::from(WARM_UP)).min(1.0);\n",
            ),
            (
                RECIPE,
                "    let done = f64::from(step - WARM_UP) / f64::from(steps - WARM_UP);\n",
                "    let left = 1.0 - f64::from(step) / f64::from(steps);\n",
            ),
            (
                RECIPE,
                "    0.5 * (1.0 + (std::f64::consts::PI * done).cos())\n",
                "    warm * left.max(0.0)\n",
            ),
        ],
    ),
    (
        "two_files",
        &[
            (MODEL, "x.dropout(DROPOUT, train)", "x.dropout(DROPOUT / 2.0, train)"),
            (RECIPE, "BATCH: usize = 32", "BATCH: usize = 64"),
        ],
    ),
    (
        "only_new_lines",
        &[(
            RECIPE,
            "        Group { name: \"head\", rate: RATE },\n",
            "        Group { name: \"head\", rate: RATE },\n        Group { name: \"extra\", rate: RATE / 10.0 },\n",
        )],
    ),
    ("only_old_lines", &[(MODEL, "        let x = x.dropout(DROPOUT, train);\n", "")]),
    (
        TWIN,
        &[(
            "src/twin.rs",
            "Right {\n    fn encode(&self, x: &Tensor) -> Tensor {\n        let x = x.gelu();",
            "Right {\n    fn encode(&self, x: &Tensor) -> Tensor {\n        let x = x.silu();",
        )],
    ),
    (
        "crlf",
        &[
            ("src/crlf.rs", "plain * 0.9", "plain * 0.5"),
            (
                "src/crlf.rs",
                "    records / batch\r\n",
                "    let rest = records % batch;\r\n    (records - rest) / batch\r\n",
            ),
        ],
    ),
    ("no_last_newline", &[("src/open.rs", "records / batch", "records.div_ceil(batch)")]),
    (
        "unicode",
        &[
            ("src/maße.rs", "FENSTER: f64 = 0.5", "FENSTER: f64 = 0.25"),
            ("src/maße.rs", "«ruido» 日本語", "más «ruido» 日本語 🎧"),
        ],
    ),
    (
        "python",
        &[
            ("src/train.py", "if torch.isnan(loss):", "if not torch.isfinite(loss):"),
            (
                "src/train.py",
                "    loss.backward()\n",
                "    loss.backward()\n    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n",
            ),
        ],
    ),
    (
        "far_apart",
        &[
            (RECIPE, "BATCH: usize = 32", "BATCH: usize = 16"),
            (RECIPE, "name: \"head\", rate: RATE }", "name: \"head\", rate: RATE * 10.0 }"),
            (RECIPE, "logits.cross_entropy_for_logits(labels)", "focal(logits, labels)"),
        ],
    ),
    (
        "a_layer_through_the_file",
        &[
            (MODEL, "{Conv, Linear};", "{Conv, Linear, Norm};"),
            (MODEL, "    middle: Conv,\n", "    middle: Conv,\n    norm: Norm,\n"),
            (
                MODEL,
                "            middle: Conv::new(width, width),\n",
                "            middle: Conv::new(width, width),\n            norm: Norm::new(width),\n",
            ),
            (
                MODEL,
                "self.middle.forward(&x).relu()",
                "self.norm.forward(&self.middle.forward(&x)).relu()",
            ),
        ],
    ),
    (NEW_FILE, &[(LAYERS, "pub mod conv;\n", "pub mod attention;\npub mod conv;\n")]),
];

/// One that is made of lines which stand twice.
pub const TWIN: &str = "a_twin";
/// One that makes a file as well.
const NEW_FILE: &str = "a_new_file";
const ATTENTION: &str = "use super::*;

/// Attention over time.
pub struct Attention {
    heads: i64,
}

impl Attention {
    pub fn forward(&self, x: &Tensor) -> Tensor {
        attend(x, x, x, self.heads)
    }
}
";

impl Change {
    fn new(name: &'static str, before: &Tree, edits: &[Edit]) -> Self {
        let mut after = before.clone();
        for (path, old, new) in edits {
            let text = after.get_mut(*path).unwrap();
            assert_eq!(text.matches(old).count(), 1, "{name}: {old:?} in {path}");
            *text = text.replacen(old, new, 1);
        }
        Self { name, before: before.clone(), after }
    }

    /// Every file that differs: its path, what it was and what it is.
    pub fn files(&self) -> Vec<(&String, Option<&String>, Option<&String>)> {
        let paths: BTreeSet<_> = self.before.keys().chain(self.after.keys()).collect();
        let sides =
            paths.into_iter().map(|path| (path, self.before.get(path), self.after.get(path)));
        sides.filter(|(_, before, after)| before != after).collect()
    }
}

pub fn all() -> Vec<Change> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/patch_corpus/before");
    let before = tree(&root);
    let mut changes: Vec<_> =
        EDITS.iter().map(|(name, edits)| Change::new(name, &before, edits)).collect();
    let last = changes.last_mut().unwrap();
    last.after.insert("src/layers/attention.rs".to_owned(), ATTENTION.to_owned());
    let gone =
        [(LAYERS, "pub mod linear;\n", ""), (LAYERS, "linear::Linear", "crate::shared::Linear")];
    let mut gone = Change::new("a_file_gone", &before, &gone);
    gone.after.remove("src/layers/linear.rs");
    changes.push(gone);
    changes
}
