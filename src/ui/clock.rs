//! Times of day, in UTC or in the time of the machine the console runs on.

use crate::model::Timestamp;
use jiff::tz::TimeZone;

/// Which time of day is shown.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    utc: bool,
    local: Option<TimeZone>,
}

impl Clock {
    /// Makes a clock; the machine's zone is read once.
    pub fn new(utc: bool) -> Self {
        Self { utc, local: local_zone() }
    }

    /// Switches between UTC and local time; tells whether there is a local time to switch to.
    pub fn toggle(&mut self) -> bool {
        self.utc = !self.utc || self.local.is_none();
        self.local.is_some()
    }

    /// Writes a time with its zone: `03:07:12Z`, `04:07:12 CET`.
    pub fn time(&self, at: Option<Timestamp>) -> String {
        match (at, &self.local) {
            (None, _) => super::num::UNKNOWN.to_owned(),
            (Some(at), Some(zone)) if !self.utc => at.to_zoned(zone.clone()).strftime("%H:%M:%S %Z").to_string(),
            (Some(at), _) => at.strftime("%H:%M:%SZ").to_string(),
        }
    }

    /// Writes a time without its zone, for columns.
    pub fn short(&self, at: Option<Timestamp>) -> String {
        match (at, &self.local) {
            (None, _) => super::num::NOTHING.to_owned(),
            (Some(at), Some(zone)) if !self.utc => at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
            (Some(at), _) => at.strftime("%H:%M:%S").to_string(),
        }
    }

    /// Writes the day and the time without seconds: `2026-05-04 03:07`.
    pub fn day(&self, at: Option<Timestamp>) -> String {
        match (at, &self.local) {
            (None, _) => super::num::NOTHING.to_owned(),
            (Some(at), Some(zone)) if !self.utc => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
            (Some(at), _) => at.strftime("%Y-%m-%d %H:%M").to_string(),
        }
    }

    /// Names the zone of the times without one.
    pub fn zone(&self) -> &'static str {
        if self.utc || self.local.is_none() { "UTC" } else { "local" }
    }
}

/// Reads the machine's zone: `TZ` when it names one, else `/etc/localtime`.
///
/// The files are read here because the date crate's own search would rebuild the Kubernetes client with more features.
fn local_zone() -> Option<TimeZone> {
    let named = std::env::var("TZ").ok().filter(|tz| !tz.is_empty());
    let path = match named.as_deref().map(|tz| tz.trim_start_matches(':')) {
        None => "/etc/localtime".to_owned(),
        Some(tz) if tz.starts_with('/') => tz.to_owned(),
        Some(tz) => match TimeZone::posix(tz) {
            Ok(zone) => return Some(zone),
            Err(_) => format!("/usr/share/zoneinfo/{tz}"),
        },
    };
    let bytes = std::fs::read(path).ok()?;
    TimeZone::tzif("local", &bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_says_its_zone() {
        let at = "2026-11-23T03:07:12Z".parse().ok();
        let mut clock = Clock { utc: true, local: TimeZone::posix("CET-1").ok() };
        assert_eq!(clock.time(at), "03:07:12Z");
        assert!(clock.toggle());
        assert_eq!([clock.time(at), clock.short(at), clock.zone().to_owned()], ["04:07:12 CET", "04:07:12", "local"]);
        assert_eq!(clock.time(None), "?");
    }

    #[test]
    fn without_a_local_zone_the_time_stays_utc() {
        let mut clock = Clock { utc: true, local: None };
        assert!(!clock.toggle());
        assert_eq!(clock.zone(), "UTC");
    }
}
