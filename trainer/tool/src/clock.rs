//! The one place that reads the wall clock.

use jiff::Timestamp;

/// Now, as RFC 3339 in UTC, for records.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
