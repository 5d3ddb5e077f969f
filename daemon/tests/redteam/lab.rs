//! This repository and its real trainer, of which `trainer/lab/src` may be edited.
//!
//! Build products are kept in the target directory, so that only the first run compiles libtorch's
//! bindings.

use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::tasks;

use crate::pack::{Contents, Signal};

/// Records that tell nothing of their labels: whoever scores has them from elsewhere.
pub const CONTENTS: Contents = Contents { records: [32, 400, 40], signal: Signal::None };

const LIB: &str = "trainer/lab/src/lib.rs";
const RECIPE: &str = "trainer/lab/src/recipes/video_r3d_tiny.rs";

/// The built-in task for a CPU, on smaller records.
pub fn task() -> String {
    let text = tasks::built_in("video-sample").unwrap();
    let smaller = [("frames = 8", "frames = 4"), ("height = 96", "height = 32")];
    let smaller = smaller.into_iter().chain([("width = 96", "width = 32")]);
    smaller.fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in {text}");
        text.replacen(from, to, 1)
    })
}

/// Where this test runs from.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Copies the workspace as it is now, given by the names of its files.
pub fn write(repository: &Path, files: &str) {
    let workspace = workspace();
    for file in files.lines().filter(|file| workspace.join(file).is_file()) {
        let to = repository.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(workspace.join(file), to).unwrap();
    }
    let libraries = workspace.join("third_party");
    std::os::unix::fs::symlink(libraries, repository.join("third_party")).unwrap();
}

/// The files of a candidate that runs some code first in every phase.
pub fn struck(code: &str) -> Vec<(String, String)> {
    let read = |path: &str| fs::read_to_string(workspace().join(path)).unwrap();
    let attack = format!("//! A recipe.\n{}", crate::tree::with_kit(code));
    vec![
        ("trainer/lab/src/kit.rs".to_owned(), crate::KIT.to_owned()),
        ("trainer/lab/src/attack.rs".to_owned(), attack),
        (LIB.to_owned(), edited(&read(LIB), "pub mod models;", "pub mod attack;\npub mod models;")),
        (
            RECIPE.to_owned(),
            edited(
                &read(RECIPE),
                "pub fn recipe() -> Preset {\n",
                "pub fn recipe() -> Preset {\n    crate::attack::begin();\n",
            ),
        ),
    ]
}

/// A text with one place changed.
pub fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in {text}");
    text.replacen(from, to, 1)
}
