//! Verbs that act: look, show what would happen, confirm, order, wait.

use super::code::{Code, Failure};
use crate::core::{Command, Confirm, Fact, Preview};
use crate::model::{Level, Refusal, ResourceKind, Span};
use crate::runtime::{Engine, VerbEnd, drive};
use crate::ui::Safe;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long to wait for what this console has not read or asked yet; the rules then say what is missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rules that may say no only because this console has just opened and has seen too few samples.
const EARLY: &[&str] = &[
    "guard.mode",
    "guard.unread",
    "guard.unreached",
    "guard.stale",
    "guard.gate",
    "guard.ready",
    "survey.",
    "metrics.",
];

/// What the way back is planned from: whether the old version has its pods, and whether anybody is on the new one.
const WAY_BACK: [ResourceKind; 3] = [ResourceKind::HTTPRoute, ResourceKind::Deployment, ResourceKind::EndpointSlice];

/// How old the survey of Gateways and policies may be when a release starts.
const SURVEY: Span = Span::seconds(30);

/// What was said on the command line beside the order itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The word that confirms.
    pub yes: Option<String>,
    /// A reason to take driving over first.
    pub take: Option<String>,
}

/// Carries out one order and returns its last words.
///
/// What it does is said on `out` while it lasts. What must be typed and was not given is asked on the terminal, where
/// there is one.
///
/// # Errors
/// Says why it was refused, not confirmed, or stopped.
pub async fn carry_out(
    engine: &mut Engine,
    command: Command,
    answers: &Answers,
    stop: &CancellationToken,
    out: &mut (dyn Write + Send),
) -> Result<String, Failure> {
    let preview = settled(engine, &command, answers.take.is_some(), stop).await?;
    say_findings(engine, &command, out);
    // Another console is stopped only for an order that nothing else refuses, and that is confirmed.
    let (driven, others): (Vec<Refusal>, Vec<Refusal>) = preview.refusals.iter().cloned().partition(is_driven);
    match (&others[..], &driven[..], &answers.take) {
        ([], [], _) | ([], _, Some(_)) => {}
        _ => return Err(refused(&preview.refusals)),
    }
    confirm(engine, &command, &preview, answers, stop, out).await?;
    let preview = match &answers.take {
        Some(reason) if !driven.is_empty() => taken_over(engine, &command, &preview, reason, stop, out).await?,
        _ => preview,
    };
    let mark = (preview.confirm != Confirm::AtOnce).then_some(preview.mark);
    give(engine, command, mark, stop, out).await
}

/// Tells whether a refusal ends when driving is taken over.
fn is_driven(refusal: &Refusal) -> bool {
    refusal.rule == "guard.driver"
}

/// Says what does not refuse a start and should be known before it; refusals are the verb's own last words.
fn say_findings(engine: &Engine, command: &Command, out: &mut (dyn Write + Send)) {
    for finding in engine.findings(command).iter().filter(|finding| finding.level != Level::Refuse) {
        // A reader that went away does not stop the order.
        let _ = writeln!(out, "{}", Safe::new(&finding.to_string()));
    }
}

/// Looks until nothing speaks against the order, or something that more looking will not change; `takes` when driving
/// is taken over for it.
///
/// # Errors
/// Says what was not done when a signal comes meanwhile.
async fn settled(
    engine: &mut Engine,
    command: &Command,
    takes: bool,
    stop: &CancellationToken,
) -> Result<Preview, Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        if matches!(command, Command::Start { .. }) {
            engine.survey(SURVEY);
        }
        let preview = engine.preview(command);
        let may_change = |refusal: &Refusal| EARLY.iter().any(|rule| refusal.rule.starts_with(rule));
        let refusals = || preview.refusals.iter().filter(|refusal| !(takes && is_driven(refusal)));
        let is_final = match command {
            // All of them are said at once, so the last one is waited for.
            Command::Start { .. } => !refusals().any(may_change),
            _ => refusals().next().is_none() || !refusals().all(may_change),
        };
        if is_final && has_heard_enough(engine, command, &preview) {
            return Ok(preview);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Err(not_given(command)),
            step = timeout_at(end, engine.step()) => if step.is_err() { return Ok(preview) },
        }
    }
}

/// Tells whether an order can go by what was heard; the two ways to safety never wait for metrics.
fn has_heard_enough(engine: &Engine, command: &Command, preview: &Preview) -> bool {
    match command {
        Command::Hold { .. } if preview.refusals.is_empty() => true,
        Command::Rollback { .. } if preview.refusals.is_empty() => {
            WAY_BACK.into_iter().all(|kind| engine.has_heard(kind))
        }
        _ => engine.has_heard_all(),
    }
}

/// Gives the order, and waits for its end.
async fn give(
    engine: &mut Engine,
    command: Command,
    mark: Option<String>,
    stop: &CancellationToken,
    out: &mut (dyn Write + Send),
) -> Result<String, Failure> {
    match drive(engine, command.clone(), mark, stop, out).await {
        VerbEnd::Done(text) => Ok(text),
        VerbEnd::Refused(why) => Err(refused(&why)),
        VerbEnd::Stopped(why) => Err(Failure::new(Code::Stopped, format!("stopped: {why}"))),
        VerbEnd::Interrupted => Err(Failure::new(
            Code::Stopped,
            "interrupted: what was begun is left as it is; `pilothouse status` says what that is",
        )),
        VerbEnd::NotGiven => Err(not_given(&command)),
    }
}

/// Says that a signal came before the order was given.
fn not_given(command: &Command) -> Failure {
    let what = command.action().spec().title;
    Failure::new(Code::Stopped, format!("interrupted before \"{what}\" was ordered: nothing of it was done"))
}

/// Takes driving over for an order that was confirmed on `before`, and looks whether it is still the same.
///
/// # Errors
/// Says why driving was not taken over, or what is different now: then the order is not given.
async fn taken_over(
    engine: &mut Engine,
    command: &Command,
    before: &Preview,
    reason: &str,
    stop: &CancellationToken,
    out: &mut (dyn Write + Send),
) -> Result<Preview, Failure> {
    let take = Command::Take { reason: reason.to_owned() };
    let preview = settled(engine, &take, false, stop).await?;
    if !preview.refusals.is_empty() {
        return Err(refused(&preview.refusals));
    }
    give(engine, take, Some(preview.mark), stop, out).await?;
    let preview = settled(engine, command, false, stop).await?;
    if !preview.refusals.is_empty() {
        return Err(refused(&preview.refusals));
    }
    if !is_as_confirmed(before, &preview) {
        let why =
            "driving was taken over, and meanwhile what would move has changed: look again, then give the order again";
        return Err(Failure::new(Code::Refused, why));
    }
    Ok(preview)
}

/// Tells whether the same would be done to the same customers; the driver, and so the mark, is another in any case.
fn is_as_confirmed(before: &Preview, now: &Preview) -> bool {
    let moves =
        |preview: &Preview| preview.facts.iter().find(|fact| fact.label == "moves").map(|fact| fact.text.clone());
    before.title == now.title && moves(before) == moves(now)
}

async fn confirm(
    engine: &mut Engine,
    command: &Command,
    preview: &Preview,
    answers: &Answers,
    stop: &CancellationToken,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let word = match &preview.confirm {
        Confirm::AtOnce => return Ok(()),
        // The way back asks for one key on the screen; on the command line the verb itself is that key.
        Confirm::Yes if matches!(command, Command::Rollback { .. }) => return Ok(()),
        Confirm::Yes => "y",
        Confirm::Type(word) | Confirm::TypeWithReason(word) => word,
    };
    let given = match &answers.yes {
        Some(given) => {
            // Whom a force cuts is named before, also where nobody is asked.
            if matches!(command, Command::Force { .. }) {
                let _ = out.write_all(facts(preview).as_bytes());
            }
            Some(given.clone())
        }
        None => ask(engine, preview, word, stop).await,
    };
    if stop.is_cancelled() {
        return Err(not_given(command));
    }
    match given {
        Some(given) if given == *word => Ok(()),
        Some(_) => {
            Err(Failure::new(Code::Refused, format!("not confirmed: it would have been {word:?}; nothing was done")))
        }
        None => {
            let what = format!("not confirmed: there is no terminal to ask on; say --yes {word:?}");
            Err(Failure::new(Code::Refused, what))
        }
    }
}

/// Asks on the terminal; the engine goes on while a person thinks. `None` without a terminal, or when a signal comes.
async fn ask(engine: &mut Engine, preview: &Preview, word: &str, stop: &CancellationToken) -> Option<String> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let mut question = format!("{}\n{}", Safe::new(&preview.title), facts(preview));
    question.push_str(&format!("Type {} to go: ", Safe::new(word)));
    let mut err = io::stderr();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).ok()?;
    let mut line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    loop {
        tokio::select! {
            answer = &mut line => return Some(answer.ok()?.ok()?.trim().to_owned()),
            () = stop.cancelled() => return None,
            _ = engine.step() => {}
        }
    }
}

/// Writes what would happen, a line each.
fn facts(preview: &Preview) -> String {
    let line = |Fact { label, text, .. }: &Fact| format!("  {}: {}\n", Safe::new(label), Safe::new(text));
    preview.facts.iter().map(line).collect()
}

/// Names every refusal; the exit code is the first one's, unless the cluster is away: the others follow from that.
fn refused(refusals: &[Refusal]) -> Failure {
    let lines: Vec<String> = refusals.iter().map(|refusal| format!("refused: {refusal}")).collect();
    let away = refusals.iter().find(|refusal| refusal.rule == "guard.unreached");
    Failure::new(away.or(refusals.first()).map_or(Code::Refused, code_of), lines.join("\n"))
}

fn code_of(refusal: &Refusal) -> Code {
    match refusal.rule.as_str() {
        rule if rule.contains("driver") => Code::NotDriver,
        "guard.unreached" => Code::Unreachable,
        rule if rule.contains("stale") || rule.contains("unread") => Code::Unknown,
        rule if rule.contains("hold") || rule.contains("blocked") => Code::Held,
        rule if rule.contains("gate") => Code::GateFailed,
        _ => Code::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Action, Tone};

    fn preview(title: &str, moves: &str, mark: &str) -> Preview {
        let fact = |label: &str, text: &str| Fact { label: label.into(), text: text.into(), tone: Tone::Plain };
        Preview {
            action: Action::Next,
            title: title.into(),
            facts: vec![fact("gates", mark), fact("moves", moves)],
            movers: Vec::new(),
            confirm: Confirm::Yes,
            refusals: Vec::new(),
            mark: mark.into(),
        }
    }

    #[test]
    fn what_was_confirmed_before_driving_was_taken_over_is_only_the_same_for_the_same_customers() {
        let before = preview("Move early 1/3?", "2 customers: acme, globex", "m1");
        assert!(is_as_confirmed(&before, &preview("Move early 1/3?", "2 customers: acme, globex", "m2")));
        assert!(!is_as_confirmed(&before, &preview("Move early 2/3?", "2 customers: acme, globex", "m1")));
        assert!(!is_as_confirmed(&before, &preview("Move early 1/3?", "2 customers: acme, hooli", "m1")));
    }
}
