//! `rollback --break-glass`: everybody back with the right to patch HTTPRoutes and nothing else.

use super::code::{Code, Failure};
use crate::cluster::{DriveClient, ReadClient, read, write};
use crate::core::{Found, OpId, Read, Verb, Write, glass};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef, Span, name_of};
use crate::ui::Safe;
use serde_json::Value;
use std::io;
use std::time::Duration;

/// How long one request may take.
const DEADLINE: Span = Span::seconds(5);
/// How often a route is read and written again before it is given up.
const TRIES: u32 = 20;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Brings the base route back first, then every managed route; says each on `out`, and returns the last words.
///
/// # Errors
/// Names the route that could not be brought back, why, and what to do; those before it are back.
pub async fn break_glass(
    reading: &ReadClient,
    writing: &DriveClient,
    route: Option<&str>,
    out: &mut (dyn io::Write + Send),
) -> Result<String, Failure> {
    let routes = list(reading).await?;
    let base = glass::base(&routes, route).map_err(|why| Failure::new(Code::Refused, why))?;
    let name = name_of(base).to_owned();
    bring_back(reading, writing, &name, out).await?;
    // Listed only now: a route that a console installs meanwhile is on this list, or its shift fails at the base's fence.
    let routes = list(reading).await?;
    let managed = glass::managed(&routes, &name);
    for route in &managed {
        bring_back(reading, writing, name_of(route), out).await?;
    }
    Ok(format!("HTTPRoute {} and {} managed routes send everybody to the old version", Safe::new(&name), managed.len()))
}

/// Writes one route until the server has answered for certain.
async fn bring_back(
    reading: &ReadClient,
    writing: &DriveClient,
    name: &str,
    out: &mut (dyn io::Write + Send),
) -> Result<(), Failure> {
    let target = ResourceRef::new(ResourceKind::HTTPRoute, name);
    let mut last = String::new();
    for _ in 0..TRIES {
        match read(reading, &Read::Get(target.clone()), DEADLINE).await {
            Ok(Found::One(live)) => {
                let ops = glass::way_back(&live)
                    .map_err(|stop| Failure::new(Code::Refused, format!("{target} was not written: {stop}")))?;
                let order = Write {
                    id: OpId::default(),
                    direction: Direction::Backward,
                    target: target.clone(),
                    verb: Verb::Patch(ops),
                    dry_run: false,
                    deadline: DEADLINE,
                };
                match write(writing, &order).await {
                    Outcome::Applied(_) => {
                        // A reader that went away does not stop the way back.
                        let _ = writeln!(out, "  {} is back", Safe::new(&target.to_string()));
                        return Ok(());
                    }
                    Outcome::NotApplied(rejection) if rejection.is_precondition() => last = rejection.to_string(),
                    Outcome::NotApplied(rejection) => {
                        return Err(Failure::new(
                            Code::Refused,
                            format!("the API server refused to write {target}: {rejection}"),
                        ));
                    }
                    Outcome::Unknown(why) => last = why,
                }
            }
            Ok(_) => return Ok(()),
            Err(failure) => last = failure.why,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::new(Code::Unreachable, format!("{target} could not be brought back: {last}; run it again")))
}

async fn list(reading: &ReadClient) -> Result<Vec<Value>, Failure> {
    let all = Read::List { kind: ResourceKind::HTTPRoute, selector: String::new() };
    match read(reading, &all, DEADLINE).await {
        Ok(Found::Many(routes)) => Ok(routes),
        Ok(_) => Ok(Vec::new()),
        Err(failure) => Err(Failure::new(Code::Unreachable, format!("HTTPRoutes cannot be listed: {}", failure.why))),
    }
}
