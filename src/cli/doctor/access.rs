//! Until when one is logged in, and who drives.

use super::{Area, Line, State};
use crate::cluster::{Login, Until};
use crate::core::{Found, ReadFailure};
use crate::model::{Span, Timestamp};

/// A login that ends sooner than this may end in the middle of a release.
const SOON: i64 = 30 * 60;

/// Says how one is logged in and until when.
pub(super) fn login(login: &Login, now: Timestamp) -> Line {
    let line = |state, text: String| Line::new(Area::Cluster, "cluster.login", state, text);
    let by = &login.by;
    let end = match &login.until {
        Until::At(end) => *end,
        Until::Unknown(why) => {
            return line(State::Note, format!("logged in by {by}; until when is not known: {why}"));
        }
    };
    let left = end.as_second() - now.as_second();
    let time = Span::seconds(left.unsigned_abs());
    let renewed = if login.is_renewed { "; then a new one is asked for" } else { "" };
    match left {
        ..=0 => line(State::Warn, format!("logged in by {by}, which ended {time} ago ({end}): log in again")),
        left if left < SOON && !login.is_renewed => line(
            State::Warn,
            format!(
                "logged in by {by} for {time} more (until {end}): log in again before a release, which takes longer"
            ),
        ),
        _ => line(State::Ok, format!("logged in by {by} for {time} more (until {end}){renewed}")),
    }
}

/// Says who drives, by the Lease.
pub(super) fn driver(found: &Result<Found, ReadFailure>, now: Timestamp) -> Line {
    let line = |state, text: String| Line::new(Area::Cluster, "cluster.driver", state, text);
    let lease = match found {
        Ok(Found::One(lease)) => lease,
        Ok(_) => return line(State::Ok, "nobody drives: there is no Lease yet".into()),
        Err(failure) => return line(State::Unknown, format!("who drives is not known ({})", failure.why)),
    };
    let spec = &lease["spec"];
    let holder = spec["holderIdentity"].as_str().unwrap_or_default();
    let who = holder.split('/').next().unwrap_or_default();
    let renewed = spec["renewTime"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let age = renewed.map(|at| (now.as_second() - at.as_second()).max(0));
    let lasts = spec["leaseDurationSeconds"].as_i64().unwrap_or(0);
    match age {
        _ if who.is_empty() => line(State::Ok, "nobody drives: the Lease was let go".into()),
        Some(age) if age <= lasts => {
            line(State::Note, format!("{who} drives; last sign of life {} ago", Span::seconds(age.unsigned_abs())))
        }
        Some(age) => line(
            State::Ok,
            format!("nobody drives: {who} did, its Lease ended {} ago", Span::seconds((age - lasts).unsigned_abs())),
        ),
        None => line(State::Unknown, format!("{who} holds the Lease; since when is not readable")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        "2026-05-04T03:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_login_that_ends_before_a_release_would_is_warned_of_unless_it_is_renewed() {
        let said = |seconds: i64, is_renewed| {
            let until = Until::At(Timestamp::from_second(now().as_second() + seconds).unwrap());
            let line = login(&Login { by: "a token".into(), until, is_renewed }, now());
            (line.state, line.text)
        };
        assert_eq!(said(7200, false).0, State::Ok);
        assert_eq!(said(600, false).0, State::Warn);
        let expected = "logged in by a token for 10m more (until 2026-05-04T03:10:00Z); then a new one is asked for";
        assert_eq!(said(600, true), (State::Ok, expected.into()));
        assert!(said(-60, true).1.contains("ended 1m ago") && said(-60, true).0 == State::Warn);
        let opaque = Login { by: "a token".into(), until: Until::Unknown("it says no end".into()), is_renewed: false };
        assert_eq!(login(&opaque, now()).state, State::Note);
    }

    #[test]
    fn the_lease_says_who_drives_and_an_old_one_says_nobody() {
        let lease = |holder: &str, renewed: &str| -> Value {
            json!({ "spec": { "holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15 } })
        };
        let said = |found| {
            let line = driver(&found, now());
            (line.state, line.text)
        };
        let anna = || "anna@jump02/00aa";
        assert_eq!(
            said(Ok(Found::One(lease(anna(), "2026-05-04T02:59:57.000000Z")))),
            (State::Note, "anna@jump02 drives; last sign of life 3s ago".into())
        );
        assert_eq!(
            said(Ok(Found::One(lease(anna(), "2026-05-04T02:58:45.000000Z")))),
            (State::Ok, "nobody drives: anna@jump02 did, its Lease ended 1m ago".into())
        );
        assert_eq!(said(Ok(Found::One(lease("", "2026-05-04T02:59:57Z")))).0, State::Ok);
        assert_eq!(said(Ok(Found::Missing)).0, State::Ok);
        assert_eq!(said(Err(ReadFailure { why: "x".into(), forbidden: true })).0, State::Unknown);
    }
}
