//! The one place that reads the wall clock.

use jiff::{Timestamp, Zoned};

/// Now, as RFC 3339 in UTC, for records.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now, as `yyyymmdd_hhmmss` in local time, for names of logs.
pub fn stamp() -> String {
    Zoned::now().strftime("%Y%m%d_%H%M%S").to_string()
}

/// This week by ISO 8601 in local time, as gasbench names folders.
pub fn week() -> String {
    Zoned::now().strftime("%GW%V").to_string()
}
