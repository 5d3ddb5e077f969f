//! The built-in tasks, as data: what is compared, what may be edited, how it is built and run.
//!
//! The text is TOML; `dfr` reads the input section and `dfr-daemon` reads all of it.

/// Name and text of every built-in task. A task named after its modality is that modality's default.
pub const BUILT_IN: [(&str, &str); 6] = [
    ("image", include_str!("../tasks/image.toml")),
    ("image-sample", include_str!("../tasks/image-sample.toml")),
    ("video", include_str!("../tasks/video.toml")),
    ("video-sample", include_str!("../tasks/video-sample.toml")),
    ("audio", include_str!("../tasks/audio.toml")),
    ("audio-sample", include_str!("../tasks/audio-sample.toml")),
];

/// The text of a built-in task.
pub fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
