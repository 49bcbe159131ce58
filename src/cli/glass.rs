//! `rollback --break-glass`: everybody back with the right to patch HTTPRoutes and nothing else.

use super::code::{Code, Failure};
use crate::cluster::{DriveClient, ReadClient, read, write};
use crate::core::glass::{self as core, Stop, Way};
use crate::core::{Found, OpId, Read, Verb, Write};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef, SERVICE_LABEL, Span, counted, name_of, ready_in};
use crate::ui::Safe;
use serde_json::Value;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

/// How long one request may take.
const DEADLINE: Span = Span::seconds(5);
/// How often a route is read and written again before it is given up.
const TRIES: u32 = 20;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// What was said on the command line beside the order, and who can be asked for the rest.
#[derive(Clone, Copy)]
pub struct Glass<'a> {
    /// The team's own HTTPRoute, where it was named.
    pub route: Option<&'a str>,
    /// The phrase that overrides the mark of a retired version, where it was given.
    pub phrase: Option<&'a str>,
    /// Shows a text and returns what was typed; `None` where nobody can be asked.
    pub ask: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// Who brings routes back, and by what.
struct Breaker<'a> {
    reading: &'a ReadClient,
    writing: &'a DriveClient,
    glass: Glass<'a>,
    out: &'a mut (dyn io::Write + Send),
    /// The version that a person sends everybody to although it is retired, and the way there.
    overridden: Option<(String, Way)>,
}

/// Brings the base route back first, then every managed route; says each on `out`, and returns the last words.
///
/// A version that is retired takes a typed phrase, after a warning, and a ready endpoint where that can be seen.
///
/// # Errors
/// Names the route that could not be brought back, why, and what to do; those before it are back.
pub async fn break_glass(
    reading: &ReadClient,
    writing: &DriveClient,
    glass: Glass<'_>,
    out: &mut (dyn io::Write + Send),
) -> Result<String, Failure> {
    let routes = list(reading).await?;
    let base = core::base(&routes, glass.route).map_err(|why| Failure::new(Code::Refused, why))?;
    let name = name_of(base).to_owned();
    let mut breaker = Breaker { reading, writing, glass, out, overridden: None };
    breaker.bring_back(&name).await?;
    // Listed only now: a route that a console installs meanwhile is on this list, or its shift fails at the base's fence.
    let routes = list(reading).await?;
    let managed = core::managed(&routes, &name);
    for route in &managed {
        breaker.bring_back(name_of(route)).await?;
    }
    let mut said = format!(
        "HTTPRoute {} and {} send everybody to the old version",
        Safe::new(&name),
        counted(managed.len(), "managed route")
    );
    if let Some((version, way)) = &breaker.overridden {
        said.push_str(&format!(
            " {}, although it was retired: watch the endpoints of Service {}; the routes keep that mark, and a console that drives stops as drifted",
            Safe::new(version),
            Safe::new(&way.old)
        ));
    }
    Ok(said)
}

impl Breaker<'_> {
    /// Writes one route until the server has answered for certain.
    async fn bring_back(&mut self, name: &str) -> Result<(), Failure> {
        let target = ResourceRef::new(ResourceKind::HTTPRoute, name);
        let mut last = String::new();
        for _ in 0..TRIES {
            match read(self.reading, &Read::Get(target.clone()), DEADLINE).await {
                Ok(Found::One(live)) => {
                    let order = Write {
                        id: OpId::default(),
                        direction: Direction::Backward,
                        target: target.clone(),
                        verb: Verb::Patch(self.ops(&target, &live).await?),
                        dry_run: false,
                        deadline: DEADLINE,
                    };
                    match write(self.writing, &order).await {
                        Outcome::Applied(_) => {
                            // A reader that went away does not stop the way back.
                            let _ = writeln!(self.out, "  {} is back", Safe::new(&target.to_string()));
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

    /// Makes the patch of a route; where its old version is retired, a person decides, once for all routes.
    async fn ops(&mut self, target: &ResourceRef, live: &Value) -> Result<Vec<Value>, Failure> {
        let refused = |stop: &Stop| Failure::new(Code::Refused, format!("{target} was not written: {stop}"));
        if let Some((_, way)) = &self.overridden {
            return core::way_back_all_the_same(live, way).map_err(|stop| refused(&stop));
        }
        match core::way_back(live) {
            Ok(ops) => Ok(ops),
            Err(Stop::Retired { version, way: Some(way) }) => {
                let stop = Stop::Retired { version: version.clone(), way: Some(way.clone()) };
                let given = self.confirmed(target, &refused(&stop).text, &version, &way).await?;
                // What is typed is not safe to print, and what was wrong helps nobody.
                if given != core::phrase(&version) {
                    let text = format!(
                        "not confirmed: it would have been {:?}; {target} was not written",
                        core::phrase(&version)
                    );
                    return Err(Failure::new(Code::Refused, text));
                }
                let ops = core::way_back_all_the_same(live, &way).map_err(|stop| refused(&stop))?;
                self.overridden = Some((version, way));
                Ok(ops)
            }
            Err(stop) => Err(refused(&stop)),
        }
    }

    /// Returns what was typed or given to override the mark of a retired version.
    async fn confirmed(
        &mut self,
        target: &ResourceRef,
        refused: &str,
        version: &str,
        way: &Way,
    ) -> Result<String, Failure> {
        let ready = match self.ready(&way.old).await {
            Some(0) => {
                let text = format!(
                    "{refused}; it cannot be overridden now: Service {} has no ready endpoint, so nobody would answer: scale its Deployment up, then run it again",
                    way.old
                );
                return Err(Failure::new(Code::Refused, text));
            }
            Some(count) => format!("Service {} has {} now", way.old, counted(count, "ready endpoint")),
            None => {
                format!("whether anybody answers behind Service {} is not known: its endpoints cannot be read", way.old)
            }
        };
        let warning = format!("{target} says that version {version} is retired\n{ready}\n{}", core::WARNING);
        if let Some(given) = self.glass.phrase {
            for line in warning.lines() {
                // A reader that went away does not stop the way back.
                let _ = writeln!(self.out, "{}", Safe::new(line));
            }
            return Ok(given.to_owned());
        }
        let shown: String = warning.lines().map(|line| format!("{}\n", Safe::new(line))).collect();
        let question = format!("{shown}Type {} to go: ", Safe::new(&core::phrase(version)));
        (self.glass.ask)(&question).ok_or_else(|| {
            Failure::new(
                Code::Refused,
                format!(
                    "{refused}; or send everybody there all the same, with --phrase {:?}: {}",
                    core::phrase(version),
                    core::WARNING
                ),
            )
        })
    }

    /// Counts the ready endpoints of a Service; `None` where they cannot be read, which this account need not be able to.
    async fn ready(&self, service: &str) -> Option<usize> {
        let selector = format!("{SERVICE_LABEL}={service}");
        let slices = Read::List { kind: ResourceKind::EndpointSlice, selector };
        match read(self.reading, &slices, DEADLINE).await {
            Ok(Found::Many(slices)) => Some(slices.iter().map(ready_in).sum()),
            _ => None,
        }
    }
}

/// Asks on the terminal, where there is one.
pub fn ask_on_terminal(question: &str) -> Option<String> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let mut err = io::stderr();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).ok()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned())
}

async fn list(reading: &ReadClient) -> Result<Vec<Value>, Failure> {
    let all = Read::List { kind: ResourceKind::HTTPRoute, selector: String::new() };
    match read(reading, &all, DEADLINE).await {
        Ok(Found::Many(routes)) => Ok(routes),
        Ok(_) => Ok(Vec::new()),
        Err(failure) => Err(Failure::new(Code::Unreachable, format!("HTTPRoutes cannot be listed: {}", failure.why))),
    }
}
