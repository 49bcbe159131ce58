//! Where the program begins and ends: runtime, logs, last words, exit code.

use super::args::{
    Cli, ConfigVerb, FinishArgs, Format, InitArgs, KeymapVerb, MoveArgs, ReasonArgs, RollbackArgs, StartArgs,
    StatusArgs, ThemeVerb, Verb,
};
use super::code::{self, Code, Failure};
use super::{
    Answers, Demo, Glass, ask_on_terminal, break_glass, carry_out, doctor, export, init, keymap, machine, manifests,
    open, pages, serve, status, theme,
};
use crate::api::Commit;
use crate::config::{self, Need, Settings, Wanted};
use crate::core::{Command, Setup, View};
use crate::model::Finding;
use crate::runtime::{self, Clock, Engine, Exit, LastLine, Links, Why, await_picture, stop_on_signals};
use crate::telemetry;
use crate::ui::{Safe, Told, Ui, json};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long `status` waits for a complete picture.
const PICTURE: Duration = Duration::from_secs(8);

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let (cli, wanted) = match Cli::of_process() {
        Ok(read) => read,
        Err(answer) => return unread(&answer),
    };
    let logs = telemetry::folder(machine::variable("PILOTHOUSE_STATE_DIR").as_deref());
    if let Err(error) = telemetry::install_last_words(logs.clone(), runtime::restore, runtime::last_state, say_last) {
        say(&format!("failures will be reported plainly: {error}"));
    }
    let log = logs.map(|folder| telemetry::start(&folder, machine::variable("PILOTHOUSE_LOG").as_deref()));
    if let Some(Err(error)) = &log {
        say(&format!("there will be no log: {error}; name a folder with PILOTHOUSE_STATE_DIR"));
    }
    let result = start(cli, &wanted);
    // Dropped last, so that the reason for the end is in the log.
    drop(log);
    end(result)
}

/// Says what clap has to say instead of a verb: a mistake, or the help that was asked for.
fn unread(answer: &clap::Error) -> ExitCode {
    let text = answer.render().to_string();
    if !answer.use_stderr() {
        return end(print(&text).map(|()| Code::Ok));
    }
    say(&text);
    ExitCode::from(Code::Usage as u8)
}

fn end(result: Result<Code, Failure>) -> ExitCode {
    let code = result.unwrap_or_else(|failure| {
        say(&failure.text);
        failure.code
    });
    ExitCode::from(code as u8)
}

fn say_last(report: String) {
    runtime::farewell(LastLine::Error, report);
}

fn start(cli: Cli, wanted: &Wanted) -> Result<Code, Failure> {
    if let Some(text) = printed(&cli, wanted) {
        return print(&text?).map(|()| Code::Ok);
    }
    let is_doctor = matches!(cli.verb, Some(Verb::Doctor(_)));
    let (settings, mistakes) = match config::load_for(need(cli.verb.as_ref()), wanted, &machine::surroundings()) {
        Ok((settings, warnings)) => {
            warnings.iter().for_each(|warning| say(&warning.to_string()));
            (settings, Vec::new())
        }
        // What is wrong with the files is a part of what doctor tells.
        Err(mistakes) if is_doctor => (doctor::without_files(wanted).map_err(wrong_configuration)?, mistakes),
        Err(mistakes) => return Err(wrong_configuration(mistakes)),
    };
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Fault, format!("start the runtime: {error}")))?;
    let result = tokio.block_on(dispatch(cli, settings, mistakes));
    if let Err(failure) = &result {
        tracing::warn!(code = failure.code as u8, "{failure}");
    }
    // A thread may be stuck in a write to a terminal that nobody reads; the program ends all the same.
    tokio.shutdown_background();
    result
}

/// Returns what a verb needs of the configuration; nothing else in it may stop a hold or a way back.
fn need(verb: Option<&Verb>) -> Need {
    match verb {
        None | Some(Verb::Watch(_) | Verb::Demo(_) | Verb::Doctor(_)) => Need::Everything,
        Some(Verb::Rollback(args)) if args.break_glass => Need::AimWithoutPlan,
        Some(Verb::Hold(_) | Verb::Rollback(_)) => Need::Aim,
        Some(_) => Need::Evidence,
    }
}

/// Carries out the verbs that only print something and need neither a cluster nor a right configuration.
fn printed(cli: &Cli, wanted: &Wanted) -> Option<Result<String, Failure>> {
    let around = machine::surroundings();
    Some(match cli.verb.as_ref()? {
        Verb::Manifests => {
            // The variable names a plan of the cluster; here a file is meant.
            let file = cli.cluster.plan.as_deref().filter(|_| !wanted.from_environment.contains("plan"));
            manifests::print(file, cli.cluster.namespace.as_deref())
        }
        Verb::Config(ConfigVerb::Print) => config::explain(wanted, &around).map_err(wrong_configuration),
        Verb::Keymap(KeymapVerb::Check { file }) => keymap::check(file.as_deref(), wanted, &around),
        Verb::Keymap(KeymapVerb::Show { file }) => keymap::show(file.as_deref(), wanted, &around),
        Verb::Theme(ThemeVerb::Check { file }) => theme::check(file.as_deref(), wanted, &around),
        Verb::Theme(ThemeVerb::Show { file }) => theme::show(file.as_deref(), wanted, &around),
        Verb::Theme(ThemeVerb::List) => Ok(theme::list(&around)),
        Verb::Completions { shell } => Ok(pages::completions(*shell)),
        Verb::Man { verb } => pages::man(verb.as_deref()),
        _ => return None,
    })
}

fn wrong_configuration(findings: Vec<Finding>) -> Failure {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Failure::new(Code::Configuration, lines.join("\n"))
}

async fn dispatch(cli: Cli, settings: Settings, mistakes: Vec<Finding>) -> Result<Code, Failure> {
    match cli.verb {
        None => console(settings, false).await,
        Some(Verb::Watch(args)) => {
            let mut settings = settings;
            (settings.look.kiosk, settings.look.privacy) = (args.kiosk(), args.privacy);
            console(settings, true).await
        }
        Some(Verb::Demo(args)) => {
            let mut scenario = super::scenario(&args.scenario)?;
            scenario.seed = args.seed.unwrap_or(scenario.seed);
            if args.serve {
                return serve::until_interrupted(&scenario, print).await;
            }
            let demo = Demo::start(&scenario, (machine::clock())())?;
            let (setup, links) = demo.console(machine::person(), machine::session()?, false);
            show(setup, links, demo.clock(), settings).await
        }
        Some(Verb::Doctor(args)) => {
            let report = doctor::run(&settings, mistakes, &signals()?).await?;
            print(&match args.output {
                Format::Text => report.text(),
                Format::Json => written(&report)?,
            })?;
            Ok(report.code())
        }
        Some(Verb::Status(args)) => look(&settings, &args).await,
        Some(Verb::Export(args)) => {
            let (engine, is_complete) = watching(&settings).await?;
            print(&export(&engine, &args.into())?)?;
            Ok(if is_complete { Code::Ok } else { Code::Unknown })
        }
        Some(Verb::Start(args)) => {
            let (command, answers) = start_order(args);
            act(&settings, command, answers).await
        }
        Some(Verb::Next(args)) => act(&settings, next(&args), answers_of(args)).await,
        Some(Verb::Promote(args)) => act(&settings, promote(&args), answers_of(args)).await,
        Some(Verb::Finish(args)) => {
            let (command, answers) = finish_order(args);
            act(&settings, command, answers).await
        }
        Some(Verb::Hold(ReasonArgs { reason })) => act(&settings, Command::Hold { reason }, Answers::default()).await,
        Some(Verb::Rollback(args)) if args.break_glass => {
            let (read, drive) = open::clients(&settings).await?;
            let (route, phrase) = (args.route.as_deref(), args.phrase.as_deref());
            let glass = Glass { route, phrase, ask: &ask_on_terminal };
            let said = break_glass(&read, &drive, glass, &mut io::stderr()).await?;
            print(&format!("{said}\n")).map(|()| Code::Ok)
        }
        Some(Verb::Rollback(RollbackArgs { reason, .. })) => {
            act(&settings, Command::Rollback { reason }, Answers::default()).await
        }
        Some(Verb::Resume(args)) => act(&settings, Command::Resume, Answers { yes: args.yes, take: args.take }).await,
        Some(Verb::Approve(args)) => {
            let answers = Answers { yes: args.yes, take: None };
            act(&settings, Command::Approve { ring: args.ring }, answers).await
        }
        Some(Verb::Cleanup(args)) => act(&settings, Command::Cleanup, Answers { yes: args.yes, take: None }).await,
        // Printed before there was a runtime.
        Some(
            Verb::Manifests
            | Verb::Config(_)
            | Verb::Keymap(_)
            | Verb::Theme(_)
            | Verb::Completions { .. }
            | Verb::Man { .. },
        ) => Ok(Code::Ok),
        Some(Verb::Init(args)) => adoption(&settings, &args).await,
    }
}

async fn console(settings: Settings, watch: bool) -> Result<Code, Failure> {
    let clock = machine::clock();
    let (setup, links) = open::open(&settings, watch, &clock).await?;
    show(setup, links, clock, settings).await
}

/// Opens the screen and stays until it is left.
async fn show(setup: Setup, links: Arc<dyn Links>, clock: Clock, settings: Settings) -> Result<Code, Failure> {
    let fault = |error: io::Error| Failure::new(Code::Fault, format!("open the console: {error}"));
    let stop = stop_on_signals().map_err(fault)?;
    let logs = telemetry::folder(machine::variable("PILOTHOUSE_STATE_DIR").as_deref());
    let manners = machine::manners(&settings, logs.as_deref());
    let errors = logs.and_then(|folder| telemetry::errors(&folder).ok());
    let (terminal, screen) = runtime::enter(errors, manners).map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => Failure::new(Code::Usage, error.to_string()),
        _ => fault(error),
    })?;
    let told = Told::default();
    let keys = runtime::keys(told.clone()).map_err(fault)?;
    let ui = Ui::new(settings.look).on(told);
    let exit = Box::pin(runtime::run(setup, screen, keys, clock, links, ui, stop)).await;
    drop(terminal);
    farewell(&exit)
}

fn farewell(exit: &Exit) -> Result<Code, Failure> {
    let state = runtime::state_in_words(&exit.view);
    match &exit.why {
        Why::Quit => {
            runtime::farewell(LastLine::Output, format!("{}\n", Safe::new(&state)));
            Ok(Code::Ok)
        }
        Why::Signal => Err(Failure::new(Code::Stopped, format!("ended by a signal; {state}"))),
        Why::TerminalLost(why) => Err(Failure::new(Code::Stopped, format!("the terminal is gone ({why}); {state}"))),
    }
}

async fn look(settings: &Settings, args: &StatusArgs) -> Result<Code, Failure> {
    let (engine, is_complete) = watching(settings).await?;
    let view: View = engine.view();
    let output = match args.output {
        Format::Text => status::text(&view),
        Format::Json => written(&view)?,
    };
    print(&output)?;
    Ok(code::of_state(&view, is_complete))
}

/// Looks until the picture is complete, or for a while; tells whether it is.
async fn watching(settings: &Settings) -> Result<(Engine, bool), Failure> {
    let clock = machine::clock();
    // Looking needs no client that could write.
    let (setup, links) = open::open(settings, true, &clock).await?;
    let stop = signals()?;
    let mut engine = Engine::open(Setup { advises: true, ..setup }, clock, links);
    let is_complete = await_picture(&mut engine, PICTURE, &stop).await;
    Ok((engine, is_complete))
}

fn written<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    json(value).map_err(|error| Failure::new(Code::Fault, format!("write JSON: {error}")))
}

async fn act(settings: &Settings, command: Command, answers: Answers) -> Result<Code, Failure> {
    let clock = machine::clock();
    let (setup, links) = open::open(settings, false, &clock).await?;
    let stop = signals()?;
    let mut engine = Engine::open(setup, clock, links);
    let result = carry_out(&mut engine, command, &answers, &stop, &mut io::stderr()).await;
    engine.leave().await;
    let words = result.map_err(|failure| with_state(failure, &engine.view()))?;
    print(&format!("{}\n", Safe::new(&words)))?;
    Ok(Code::Ok)
}

/// Adds where the release stands to what went wrong.
fn with_state(failure: Failure, view: &View) -> Failure {
    Failure { text: format!("{}\n{}", failure.text, runtime::state_in_words(view)), ..failure }
}

async fn adoption(settings: &Settings, args: &InitArgs) -> Result<Code, Failure> {
    let client = open::looking(settings).await?;
    let url = settings.metrics.as_ref().map(|(url, _)| url.clone());
    let ask = init::wanted(args, client.namespace(), settings.plan.clone(), url)?;
    let adoption = init::init(&client, &ask).await?;
    let text = match &args.output {
        Some(folder) => init::write(&adoption, folder)?,
        None => init::stream(&adoption),
    };
    let text = if io::stdout().is_terminal() { init::for_terminal(&text) } else { text };
    print(&text).map(|()| Code::Ok)
}

fn signals() -> Result<tokio_util::sync::CancellationToken, Failure> {
    stop_on_signals().map_err(|error| Failure::new(Code::Fault, format!("listen for signals: {error}")))
}

fn start_order(args: StartArgs) -> (Command, Answers) {
    let commit = args.commit.map(|sha| Commit { sha, time: args.commit_time });
    let command =
        Command::Start { release: None, version: Some(args.version.as_str().into()), image: args.image, commit };
    (command, Answers { yes: args.forward.yes, take: args.forward.take })
}

fn finish_order(args: FinishArgs) -> (Command, Answers) {
    let answers = Answers { yes: args.phrase.or(args.forward.yes), take: args.forward.take };
    match args.force {
        Some(reason) => (Command::Force { reason }, answers),
        None => (Command::Finish, answers),
    }
}

fn next(args: &MoveArgs) -> Command {
    Command::Next { accept_no_traffic: args.accept_no_traffic.clone() }
}

fn promote(args: &MoveArgs) -> Command {
    Command::Promote { accept_no_traffic: args.accept_no_traffic.clone() }
}

fn answers_of(args: MoveArgs) -> Answers {
    Answers { yes: args.forward.yes, take: args.forward.take }
}

/// Writes to standard output; a reader that went away, such as `head`, is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Code::Fault, format!("write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something on standard error, line by line, so that foreign text in it can do nothing.
pub(super) fn say(text: &str) {
    let lines: String = text.lines().map(|line| format!("{}\n", Safe::new(line))).collect();
    runtime::farewell(LastLine::Error, lines);
}
