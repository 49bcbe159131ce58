//! The command line, as clap reads it. Every verb that acts has a row in the table of actions.

use super::code::EXIT_CODES;
use super::{machine, values};
use crate::config::Wanted;
use crate::model::Span;
use crate::ui::Kiosk;
use clap::builder::{PossibleValuesParser, Resettable, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Moves a live service on Kubernetes from one version to the next, customer by customer, and back.
///
/// Without a verb it opens the console. `pilothouse demo` shows it on a cluster of its own and needs nothing.
#[derive(Clone, Debug, Parser)]
#[command(name = "pilothouse", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// What to do; the console when absent.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Which cluster and plan.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How the console looks.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Which cluster and plan.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which cluster")]
pub struct ClusterArgs {
    /// The kubeconfig context; its current one when absent.
    #[arg(long, global = true, env = "PILOTHOUSE_CONTEXT", value_name = "NAME", hide_env_values = true)]
    pub context: Option<String>,
    /// The namespace; the context's when absent.
    #[arg(long, short, global = true, env = "PILOTHOUSE_NAMESPACE", value_name = "NAME", hide_env_values = true)]
    pub namespace: Option<String>,
    /// The RolloutPlan; the only one there is when absent. For `manifests`: a file with one.
    #[arg(long, global = true, env = "PILOTHOUSE_PLAN", value_name = "NAME", hide_env_values = true)]
    pub plan: Option<String>,
    /// The kubeconfig file; where kubectl looks when absent.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A Prometheus URL, instead of the plan's source.
    #[arg(long, global = true, env = "PILOTHOUSE_METRICS_URL", value_name = "URL", hide_env_values = true)]
    pub metrics_url: Option<String>,
}

/// How the console looks.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How it looks")]
pub struct LookArgs {
    /// A theme by name or path; `pilothouse theme list` names them; auto when absent.
    #[arg(long, global = true, env = "PILOTHOUSE_THEME", value_name = "NAME", hide_env_values = true)]
    pub theme: Option<String>,
    /// A keymap by name or path.
    #[arg(long, global = true, env = "PILOTHOUSE_KEYMAP", value_name = "NAME", hide_env_values = true)]
    pub keymap: Option<String>,
    /// Which time of day is shown: utc or local.
    #[arg(long, global = true, env = "PILOTHOUSE_TIME", value_name = "ZONE", hide_env_values = true)]
    pub time: Option<String>,
    /// Draw with ASCII alone.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Where the key `e` writes its files; `exports` in the state folder when absent.
    #[arg(long, global = true, env = "PILOTHOUSE_EXPORT_DIR", value_name = "DIR", hide_env_values = true)]
    pub export_dir: Option<PathBuf>,
}

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Open the console for looking only: nothing that could write exists.
    Watch(WatchArgs),
    /// Open the console on an embedded cluster, in this process; needs nothing.
    Demo(DemoArgs),
    /// Say where the release stands, and exit with a code for it.
    #[command(after_help = EXIT_CODES)]
    Status(StatusArgs),
    /// Print the customers, the journal or the releases, for a spreadsheet, a report or a program.
    #[command(subcommand)]
    Export(ExportVerb),
    /// Look at everything a release needs, from the terminal to the metrics, and name the first missing step.
    Doctor(DoctorArgs),
    /// Start a release: put the new version into the idle slot and install its routes; nobody moves yet.
    Start(StartArgs),
    /// Move the next wave of customers to the new version.
    Next(MoveArgs),
    /// Stop every forward act until a person resumes.
    Hold(ReasonArgs),
    /// Let forward acts go on after a hold.
    Resume(ForwardArgs),
    /// Approve the ring that waits for an approval.
    Approve(ApproveArgs),
    /// Route all customers back to the old version.
    Rollback(RollbackArgs),
    /// Move everybody who is in no customer list to the new version.
    Promote(MoveArgs),
    /// Wait for the old version's drain proof, then retire it and remove the managed routes.
    Finish(FinishArgs),
    /// Delete the routes that an ended release has left behind and that serve nobody.
    Cleanup(CleanupArgs),
    /// Print the custom resources and the rights that viewers and operators need.
    Manifests,
    /// Say which configuration holds, and where each value comes from.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Read a keymap: what is wrong with it, and what its keys do.
    #[command(subcommand)]
    Keymap(KeymapVerb),
    /// Read a theme: whether its colours can be read, and what they mean.
    #[command(subcommand)]
    Theme(ThemeVerb),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of the program or of one verb.
    Man {
        /// The verb; the program when absent.
        verb: Option<String>,
    },
    /// Print the files that adopt today's Deployment, Service and HTTPRoute; changes nothing.
    ///
    /// Reads the namespace with GET alone and prints, in the order in which they are applied: custom resources and rights,
    /// slot b (a copy that nothing of slot a selects), the patch of the route, customers, the plan, what the application
    /// has to export, and what GitOps tools must leave alone; then what could not be decided. --plan names the plan
    /// (else it is called as the Deployment), --metrics-url its metrics source.
    Init(InitArgs),
}

/// What can be done with the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Print what holds as a config.toml, each value with its flag, variable, line or default.
    Print,
}

/// What can be done with a keymap.
#[derive(Clone, Debug, Subcommand)]
pub enum KeymapVerb {
    /// Say everything that is wrong with a keymap, and what some terminals take for themselves.
    Check {
        /// A file or a name; the keymap that holds when absent.
        file: Option<String>,
    },
    /// List every key with what it does.
    Show {
        /// A file or a name; the keymap that holds when absent.
        file: Option<String>,
    },
}

/// What can be done with a theme.
#[derive(Clone, Debug, Subcommand)]
pub enum ThemeVerb {
    /// Say everything that makes a theme hard to read, and which roles some eyes may mistake.
    Check {
        /// A file or a name; the theme that holds when absent.
        file: Option<String>,
    },
    /// List every role with its colour, weight, signs and contrast.
    Show {
        /// A file or a name; the theme that holds when absent.
        file: Option<String>,
    },
    /// List the themes there are.
    List,
}

/// What can be exported, each in the forms it has.
#[derive(Clone, Debug, Subcommand)]
pub enum ExportVerb {
    /// Print every listed customer.
    Customers {
        /// The form; csv when absent.
        #[arg(long, short, value_parser = forms(&[Form::Csv]))]
        output: Option<Form>,
        /// Print signs instead of customers' names.
        #[arg(long)]
        privacy: bool,
    },
    /// Print the journal of the release under way, or of the last one.
    Audit {
        /// The form; md when absent.
        #[arg(long, short, value_parser = forms(&[Form::Md, Form::Json]))]
        output: Option<Form>,
        /// Print signs instead of customers' names.
        #[arg(long)]
        privacy: bool,
    },
    /// Print every release of the plan, with the figures of delivery.
    Releases {
        /// The form; csv when absent.
        #[arg(long, short, value_parser = forms(&[Form::Csv, Form::Json]))]
        output: Option<Form>,
        /// Print signs instead of customers' names.
        #[arg(long)]
        privacy: bool,
    },
}

/// Which list is exported, and how.
#[derive(Clone, Debug)]
pub struct ExportArgs {
    /// Which list.
    pub list: ListName,
    /// The form; the list's first one when absent.
    pub output: Option<Form>,
    /// Whether signs stand for customers' names.
    pub privacy: bool,
}

impl From<ExportVerb> for ExportArgs {
    fn from(verb: ExportVerb) -> Self {
        match verb {
            ExportVerb::Customers { output, privacy } => Self { list: ListName::Customers, output, privacy },
            ExportVerb::Audit { output, privacy } => Self { list: ListName::Audit, output, privacy },
            ExportVerb::Releases { output, privacy } => Self { list: ListName::Releases, output, privacy },
        }
    }
}

/// Reads one of some forms.
fn forms(of: &'static [Form]) -> impl TypedValueParser<Value = Form> {
    let values = of.iter().filter_map(ValueEnum::to_possible_value);
    PossibleValuesParser::new(values).try_map(|word| Form::from_str(&word, false))
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListName {
    /// Every listed customer.
    Customers,
    /// The journal of the release under way, or of the last one.
    Audit,
    /// Every release of the plan, with the figures of delivery.
    Releases,
}

/// Forms of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Comma-separated values.
    Csv,
    /// Markdown.
    Md,
    /// One JSON value.
    Json,
}

/// What `watch` takes.
#[derive(Clone, Debug, Default, Args)]
pub struct WatchArgs {
    /// A screen for a wall: large words, pages in turn, no key needed; old data takes it over as a whole.
    #[arg(long)]
    pub kiosk: bool,
    /// How long each page of the kiosk stays; 0s for ever.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = Span::parse, requires = "kiosk")]
    pub cycle: Span,
    /// Show signs instead of customers' names.
    #[arg(long)]
    pub privacy: bool,
    /// Let no key leave the kiosk.
    #[arg(long, requires = "kiosk")]
    pub no_quit: bool,
}

impl WatchArgs {
    /// Returns how a kiosk behaves; `None` for a console.
    pub fn kiosk(&self) -> Option<Kiosk> {
        let cycle_ms = u64::try_from(self.cycle.0.as_millis()).unwrap_or(u64::MAX);
        self.kiosk.then_some(Kiosk { cycle_ms, no_quit: self.no_quit })
    }
}

/// What `demo` takes.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// A scenario by name or path.
    #[arg(long, default_value = "good", value_name = "NAME|FILE")]
    pub scenario: String,
    /// Everything random follows from it; the scenario's own when absent.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Run the cluster alone, for kubectl and other programs: prints the path of a kubeconfig and serves until interrupted.
    #[arg(long)]
    pub serve: bool,
}

/// What `init` takes.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// The Deployment that serves today; it stays untouched as slot a.
    #[arg(long, value_name = "NAME")]
    pub deployment: String,
    /// Its Service.
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// The team's own HTTPRoute.
    #[arg(long, value_name = "NAME")]
    pub route: String,
    /// The request header that names the customer.
    #[arg(long, value_name = "HEADER")]
    pub header: String,
    /// A list of customers that exists already: YAML, a list of {id, name, tier, region, labels}.
    #[arg(long, value_name = "FILE")]
    pub customers: Option<PathBuf>,
    /// Write the files into this folder instead of printing them; none is overwritten.
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// What `status` takes.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// For people or for programs.
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// What `doctor` takes.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// For people or for programs.
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

/// What every verb takes that moves something forward.
#[derive(Clone, Debug, Default, Args)]
pub struct ForwardArgs {
    /// The word that would be typed to confirm; asked on the terminal when absent.
    #[arg(long, value_name = "WORD")]
    pub yes: Option<String>,
    /// Take driving over from another console, for this reason.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub take: Option<String>,
}

/// What `start` takes.
#[derive(Clone, Debug, Args)]
pub struct StartArgs {
    /// The version; a proposed release of this version or name is started, else a new one is made.
    pub version: String,
    /// The image; the active slot's repository with the version as tag when absent.
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// The commit the version was built from.
    #[arg(long, value_name = "SHA", requires = "commit_time")]
    pub commit: Option<String>,
    /// When it was made, as 2026-05-04T03:02:01Z.
    #[arg(long, value_name = "TIME", requires = "commit")]
    pub commit_time: Option<jiff::Timestamp>,
    /// Confirmation and takeover.
    #[command(flatten)]
    pub forward: ForwardArgs,
}

/// What `next` and `promote` take.
#[derive(Clone, Debug, Args)]
pub struct MoveArgs {
    /// Go on although gates are unknown for lack of traffic, and only for that; the reason is journaled.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub accept_no_traffic: Option<String>,
    /// Confirmation and takeover.
    #[command(flatten)]
    pub forward: ForwardArgs,
}

/// What `finish` takes.
#[derive(Clone, Debug, Args)]
pub struct FinishArgs {
    /// Retire the slot although its drain is not proven, for this reason: what is open there is cut.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub force: Option<String>,
    /// The phrase that would be typed to confirm `--force`.
    #[arg(long, value_name = "PHRASE", requires = "force")]
    pub phrase: Option<String>,
    /// Confirmation and takeover.
    #[command(flatten)]
    pub forward: ForwardArgs,
}

/// What `rollback` takes.
#[derive(Clone, Debug, Args)]
pub struct RollbackArgs {
    /// Why; it is shown to everybody and journaled.
    #[arg(default_value = "no reason given")]
    pub reason: String,
    /// Needs nothing but the right to patch HTTPRoutes: no Release, no driver, no metrics; takes no pods away.
    #[arg(long)]
    pub break_glass: bool,
    /// The team's own HTTPRoute; the only marked one when absent.
    #[arg(long, value_name = "NAME", requires = "break_glass")]
    pub route: Option<String>,
    /// The phrase that would be typed to send everybody to an old version that is retired.
    #[arg(long, value_name = "PHRASE", requires = "break_glass")]
    pub phrase: Option<String>,
}

/// What `hold` takes.
#[derive(Clone, Debug, Args)]
pub struct ReasonArgs {
    /// Why; it is shown to everybody and journaled.
    #[arg(default_value = "no reason given")]
    pub reason: String,
}

/// What `cleanup` takes.
#[derive(Clone, Debug, Args)]
pub struct CleanupArgs {
    /// The word that would be typed to confirm; asked on the terminal when absent.
    #[arg(long, value_name = "WORD")]
    pub yes: Option<String>,
}

/// What `approve` takes.
#[derive(Clone, Debug, Args)]
pub struct ApproveArgs {
    /// The ring.
    pub ring: String,
    /// The word that would be typed to confirm; asked on the terminal when absent.
    #[arg(long, value_name = "WORD")]
    pub yes: Option<String>,
}

/// Reads a reason that must be given: it is written down, and shown to everybody.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why: it is written into the journal and shown to everybody".to_owned()),
        text => Ok(text.to_owned()),
    }
}

impl Cli {
    /// Reads the arguments of this process and what the environment stands in for.
    ///
    /// # Errors
    /// Fails on a mistake, and when help or the version is asked for.
    pub fn of_process() -> Result<(Self, Wanted), clap::Error> {
        let matches = values::command().mut_args(without_empty_variable).try_get_matches()?;
        let cli = Self::from_arg_matches(&matches)?;
        let mut wanted = cli.wanted();
        let is_from_environment = |id: &&str| matches.value_source(id) == Some(ValueSource::EnvVariable);
        let flags = matches.ids().map(clap::Id::as_str).filter(is_from_environment);
        wanted.from_environment = flags.map(|id| id.replace('_', "-")).collect();
        Ok((cli, wanted))
    }

    /// Returns what flags and environment ask for.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            context: self.cluster.context.clone(),
            namespace: self.cluster.namespace.clone(),
            plan: self.cluster.plan.clone(),
            kubeconfig: self.cluster.kubeconfig.clone(),
            metrics_url: self.cluster.metrics_url.clone(),
            theme: self.look.theme.clone(),
            keymap: self.look.keymap.clone(),
            time: self.look.time.clone(),
            ascii: self.look.ascii,
            exports: self.look.export_dir.clone(),
            from_environment: BTreeSet::new(),
        }
    }
}

/// A variable that is empty stands in for nothing.
fn without_empty_variable(flag: clap::Arg) -> clap::Arg {
    if flag.get_env().is_some_and(machine::is_empty) { flag.env(Resettable::Reset) } else { flag }
}
