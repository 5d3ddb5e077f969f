//! The one place that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time for people and records: milliseconds since 1970. Never used to measure.
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Monotonic time, for everything that is measured.
pub fn now() -> Instant {
    Instant::now()
}

/// `yyyymmdd_hhmmss` in local time, as the customer stamps run logs.
pub fn stamp(wall_ms: i64) -> String {
    zoned(wall_ms).strftime("%Y%m%d_%H%M%S").to_string()
}

/// `<modality>-<mon><dd>`'s date half, e.g. `mar14`, in local time.
pub fn month_day(wall_ms: i64) -> String {
    zoned(wall_ms).strftime("%b%d").to_string().to_lowercase()
}

/// `2026-03-14 21:05:59` in local time, for tables.
pub fn readable(wall_ms: i64) -> String {
    zoned(wall_ms).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A date as HTTP headers have it, `Sun, 06 Nov 1994 08:49:37 GMT`, in milliseconds since 1970.
pub fn http_date_ms(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

fn zoned(wall_ms: i64) -> jiff::Zoned {
    let timestamp =
        jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(jiff::tz::TimeZone::system())
}
