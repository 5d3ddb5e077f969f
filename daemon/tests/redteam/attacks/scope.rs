//! Patches outside the editable room.

use super::Ends::NoPatch;
use super::{Attack, Step::Files};

const REFUSED: super::Ends = NoPatch("matches no editable path");

pub const ATTACKS: [Attack; 7] = [
    Attack::new(
        "edits the harness",
        &[Files(&[("trainer/harness/src/clock.rs", "//! No clock.\n")])],
        REFUSED,
    )
    .in_lab_alone(),
    Attack::new(
        "edits the contract",
        &[Files(&[("trainer/contract/src/metrics.rs", "//! No metrics.\n")])],
        REFUSED,
    )
    .in_lab_alone(),
    Attack::new(
        "edits a manifest",
        &[Files(&[("trainer/lab/Cargo.toml", "[package]\nname = \"dfr-lab\"\n")])],
        REFUSED,
    )
    .in_lab_alone(),
    Attack::new(
        "adds a build script",
        &[Files(&[("trainer/lab/build.rs", "fn main() {}\n")])],
        REFUSED,
    )
    .in_lab_alone(),
    Attack::new(
        "adds settings of cargo",
        &[Files(&[("trainer/lab/src/.cargo/config.toml", "[build]\nrustc-wrapper = \"sh\"\n")])],
        REFUSED,
    )
    .in_lab_alone(),
    Attack::new(
        "adds a toolchain",
        &[Files(&[("rust-toolchain.toml", "[toolchain]\npath = \"toolchain\"\n")])],
        REFUSED,
    )
    .in_lab_alone(),
    Attack::new(
        "edits the daemon and its tests",
        &[Files(&[("daemon/src/scorer.rs", "//! No scorer.\n"), ("daemon/tests/tidy.rs", "")])],
        REFUSED,
    )
    .in_lab_alone(),
];
