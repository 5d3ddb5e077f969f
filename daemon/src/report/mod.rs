//! What people are shown: `status`, `list`, `show` and `doctor`, as text made from given data.
//!
//! Pure: it reads no file, no clock and no environment, and prints nothing.

mod certificate;
mod cost;
mod doctor;
mod line;
mod list;
mod prompt;
mod show;
mod simulation;
mod status;
mod style;
mod table;
mod time;

pub use certificate::certificate_text;
pub use cost::cost_text;
pub use doctor::{Checkup, Containment, Finding, Grade, Tier, doctor_text, refuse_unattended};
pub use line::{one_line, printable, short};
pub use list::{Listed, list_text};
pub use prompt::prompt_text;
pub use show::{Shown, show_text};
pub use simulation::{simulation_json, simulation_text};
pub use status::{Status, status_text};
pub use style::Style;
pub use time::{duty_cycle, phase_table, span};

/// Memory is counted in MiB and told in GiB.
pub const MIB_PER_GIB: f64 = 1024.0;

#[cfg(test)]
mod tests;
