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

/// A time of day.
pub type TimeOfDay = jiff::civil::Time;

/// `07:30`, in local time.
pub fn time_of_day(text: &str) -> Option<TimeOfDay> {
    TimeOfDay::strptime("%H:%M", text).ok()
}

/// The next moment after this one at which local clocks show a time of day, in milliseconds since 1970.
pub fn next_ms(time: TimeOfDay, wall_ms: i64) -> i64 {
    let today = zoned(wall_ms);
    let mut next =
        [Ok(today.clone()), today.tomorrow()].into_iter().filter_map(|day| at(time, &day.ok()?));
    next.find(|at_ms| *at_ms > wall_ms).unwrap_or(i64::MAX)
}

/// The moment of the same day at which they did, once it has come.
pub fn today_ms(time: TimeOfDay, wall_ms: i64) -> Option<i64> {
    at(time, &zoned(wall_ms)).filter(|at_ms| *at_ms <= wall_ms)
}

fn at(time: TimeOfDay, day: &jiff::Zoned) -> Option<i64> {
    let moment = day.date().to_datetime(time).to_zoned(day.time_zone().clone());
    Some(moment.ok()?.timestamp().as_millisecond())
}

fn zoned(wall_ms: i64) -> jiff::Zoned {
    let timestamp =
        jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(jiff::tz::TimeZone::system())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_comes_within_a_day_and_never_at_once() {
        let morning = time_of_day("07:30").unwrap();
        for now in [0, 1_773_500_000_000, wall_ms()] {
            let next = next_ms(morning, now);
            // A day with a change of the clocks has 25 hours.
            assert!(now < next && next - now <= 25 * 3_600_000, "{now} {next}");
            assert_eq!(stamp(next)[9..], *"073000");
            assert!(next_ms(morning, next) > next);
            assert_eq!(today_ms(morning, next), Some(next));
            assert!(today_ms(morning, next - 1).is_none_or(|earlier| earlier < next - 1));
        }
        assert!(["7.30", "25:00", "soon", ""].map(time_of_day).iter().all(Option::is_none));
    }
}
