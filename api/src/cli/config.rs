//! `leadyard config`: the configuration of the market as a text file.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use leadyard_connectors::OutboundPolicy;
use leadyard_market::configuration::{Document, Plan, Problems, Secret, Secrets, Standing, export};
use leadyard_market::setup::{ApplyError, Setup};
use leadyard_types::{CampaignId, Principal, SystemTask};
use secrecy::ExposeSecret as _;

use crate::app::open_store;
use crate::config::Config;
use crate::market_file;

/// What `plan` ends with where something would change: neither success nor failure.
const CHANGES: u8 = 2;

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// Let destinations be at this exact loopback address and port, for tests and trials; may be repeated.
    #[arg(long, value_name = "IP:PORT", hide = true)]
    allow_destination: Vec<SocketAddr>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the configuration as TOML: verticals, campaigns, suppliers, sources, buyers, destinations (without their
    /// secrets) and contracts. Applied to an empty database it makes the same market again.
    Export {
        /// The file to write; without it the text is printed.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Only one campaign with whatever takes part in it: `campaign=NAME`, or its id.
        #[arg(long, value_name = "campaign=NAME")]
        only: Option<String>,
    },
    /// Say what a file would change, field by field. Nothing is changed.
    ///
    /// Ends with 0 where nothing would change, with 2 where something would, with 1 where the file cannot be applied;
    /// then every problem is named with its line.
    Plan {
        /// The file. It may name only what it changes.
        file: PathBuf,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change the configuration to what a file says, all of it or nothing. Running servers act on it at once.
    Apply {
        /// The file. It may name only what it changes.
        file: PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs `config`.
pub(super) async fn run(config: &Config, args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    if config.production && !args.allow_destination.is_empty() {
        bail!("--allow-destination is for trials on loopback, not for production");
    }
    let store = open_store(config).await?;
    let policy = OutboundPolicy::new(config.production);
    let policy = args.allow_destination.iter().fold(policy, |policy, address| policy.allowing(*address));
    let setup = Setup::new(&store, Principal::System(SystemTask::Operate), policy);
    let done = match &args.action {
        Action::Export { out, only } => write_out(&setup, out.as_deref(), only.as_deref()).await,
        Action::Plan { file, json } => show(&setup, file, *json).await,
        Action::Apply { file, yes } => apply(&setup, file, *yes).await,
    };
    store.close().await;
    done
}

async fn write_out(setup: &Setup, out: Option<&Path>, only: Option<&str>) -> anyhow::Result<ExitCode> {
    let standing = setup.standing().await?;
    let only = only.map(|only| campaign(&standing, only)).transpose()?;
    let text = market_file::write(&export(&standing, only));
    match out {
        Some(path) => std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?,
        None => print!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The campaign of `campaign=NAME`.
fn campaign(standing: &Standing, only: &str) -> anyhow::Result<CampaignId> {
    let named = only.strip_prefix("campaign=").with_context(|| format!("--only {only}: write --only campaign=NAME"))?;
    standing.campaign(named).map_err(|message| anyhow!("{message}"))
}

async fn show(setup: &Setup, file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let (document, secrets) = read(file)?;
    let plan = planned(file, setup.plan(&document, &secrets).await)?;
    if json {
        println!("{}", serde_json::to_string(&plan)?);
    } else {
        print_plan(&plan);
    }
    Ok(if plan.changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) })
}

async fn apply(setup: &Setup, file: &Path, yes: bool) -> anyhow::Result<ExitCode> {
    let (document, secrets) = read(file)?;
    let plan = planned(file, setup.plan(&document, &secrets).await)?;
    print_plan(&plan);
    if plan.changes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !yes && !confirmed()? {
        println!("Nothing was changed.");
        return Ok(ExitCode::FAILURE);
    }
    let applied = planned(file, setup.apply(&document, &secrets, &plan).await)?;
    println!(
        "Applied: {} new, {} changed. The configuration is version {}.",
        applied.new, applied.changed, applied.version
    );
    for (name, secret) in &applied.secrets {
        println!("The signing secret of {name}, shown this once: {}", secret.expose_secret());
    }
    let keyless = plan.changes.iter().filter(|change| change.new && change.noun.as_str() == "source");
    for source in keyless {
        println!("{} has no API key yet: leadyard key create {:?}", source.name, source.name);
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks on the terminal; where there is none, nobody could answer.
fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask on: say --yes to apply this plan");
    }
    print!("Apply this? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn print_plan(plan: &Plan) {
    for change in &plan.changes {
        println!("{change}");
    }
    match plan.counts() {
        (0, 0) => println!("Nothing to change."),
        (new, changed) => println!("{new} new, {changed} to change."),
    }
}

/// Problems of a file, each on a line of its own with the file's name before it.
fn planned<T>(file: &Path, result: Result<T, ApplyError>) -> anyhow::Result<T> {
    result.map_err(|error| match error {
        ApplyError::Problems(problems) => refused(file, &problems),
        other => other.into(),
    })
}

/// A file that cannot be applied: its problems, a line each.
pub(super) fn refused(file: &Path, problems: &Problems) -> anyhow::Error {
    let lines: Vec<String> = problems.0.iter().map(|problem| format!("\n  {problem}")).collect();
    anyhow!("{} cannot be applied:{}", file.display(), lines.concat())
}

/// Reads a file; every problem is named with its line.
pub(super) fn read_document(file: &Path) -> anyhow::Result<Document> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    market_file::parse(&text).map_err(|problems| refused(file, &problems))
}

/// Reads a file, and the secrets that it says are elsewhere.
fn read(file: &Path) -> anyhow::Result<(Document, Secrets)> {
    let document = read_document(file)?;
    let secrets = document.secrets().into_iter().map(|secret| (secret.clone(), find(&secret))).collect();
    Ok((document, secrets))
}

fn find(secret: &Secret) -> Result<secrecy::SecretString, String> {
    let found = match secret {
        Secret::Env(name) => std::env::var(name).map_err(|_| "it is not set, or no text".to_owned())?,
        Secret::File(path) => std::fs::read_to_string(path).map_err(|error| error.to_string())?,
    };
    let found = found.trim_end_matches(['\r', '\n']);
    if found.is_empty() { Err("it is empty".to_owned()) } else { Ok(found.to_owned().into()) }
}
