//! Durations as people write them: `45m`, `1h30m`, `90s`.
//! Knows nothing of what they are for.

use std::time::Duration;

/// The units, as advice names them.
pub const UNITS: &str = "write it with `ms`, `s`, `m`, `h` or `d`, such as 45m, 1h30m or 90s";

/// The units and their long forms.
const KNOWN: [&str; 21] = [
    "ms", "millis", "msec", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h",
    "hr", "hrs", "hour", "hours", "d", "day", "days",
];

/// The duration; none where it is not one. The library takes more: `5M` is five months to it, and to us a slip in five minutes.
pub fn parse(text: &str) -> Option<Duration> {
    let mut units = text.split(|c: char| c.is_ascii_digit() || c.is_whitespace()).filter(|unit| !unit.is_empty());
    let duration = humantime::parse_duration(text).ok()?;
    units.all(|unit| KNOWN.contains(&unit)).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_meant_otherwise_is_no_duration() {
        for (text, seconds) in [("90s", 90), ("45m", 2_700), ("1h30m", 5_400), ("30min", 1_800), ("2 hours", 7_200)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["5M", "1y", "2w", "1month", "5", "", "1us", "soon", "-1s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
