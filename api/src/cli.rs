//! The command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks on the terminal")]

mod bench;
mod config;
mod demo;
mod doctor;
mod example;
mod explain;
mod import;
mod keys;
mod names;
mod people;
mod report;
mod schema;
mod serve;
mod simulate;
mod standing;
mod territory;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{CommonArgs, Config};

/// Self-hosted lead distribution: takes leads in, checks them, sells each to the right buyer, and proves it.
#[derive(Debug, Parser)]
#[command(name = "leadyard", version, about)]
struct Cli {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP and run the workers.
    Serve(serve::ServeArgs),
    /// Make a believable market, send leads through it, and show what happens.
    Demo(demo::DemoArgs),
    /// Bring the database's schema up to date (every command does).
    Migrate,
    /// Measure this build on this machine, beside SQL written by hand. Touches no database but its own.
    Bench(bench::BenchArgs),
    /// Say why a lead went where it went.
    Explain(explain::ExplainArgs),
    /// Print a report: `report split CAMPAIGN`.
    Report(report::ReportArgs),
    /// Say how a buyer stands: what stands in the way of its getting leads, and what to do.
    Standing(standing::StandingArgs),
    /// Show which postal codes are bought from by whom, where buyers meet, and where nobody buys.
    Territory(territory::TerritoryArgs),
    /// Replay historic leads under other terms, and say what would have changed. Writes nothing.
    Simulate(simulate::SimulateArgs),
    /// Prove the books and say what is wrong and how to mend it.
    Doctor(doctor::DoctorArgs),
    /// Bring in files: leads, postal codes, conversions.
    Import(import::ImportArgs),
    /// The configuration of the market as a text file: write it, see what a file would change, change it.
    Config(config::ConfigArgs),
    /// Make the market of an example in an empty database.
    Example(example::ExampleArgs),
    /// Users of the operator, of buyers and of suppliers.
    User(people::UserArgs),
    /// API keys of sources and of users.
    Key(keys::KeyArgs),
    /// Print the GraphQL schema, as `schema.graphql` holds it; or write its reference.
    Schema(schema::SchemaArgs),
    /// Print the description of the HTTP doors (OpenAPI), as `openapi.json` holds it.
    Openapi,
}

/// After how many tasks a busy worker looks for what came in from outside. Tokio's own 61 suits tasks of a microsecond; ours
/// place a batch of leads or resolve a question (BENCH.md, P8).
const EVENT_INTERVAL: u32 = 4;

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("LEADYARD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().event_interval(EVENT_INTERVAL).build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::from(error)),
    };
    match runtime.block_on(Box::pin(run(cli))) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("leadyard: {error:#}");
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = Config::load(&cli.common)?;
    match cli.command {
        Command::Serve(args) => serve::run(&config, &args).await,
        Command::Demo(args) => demo::run(&config, &args).await,
        Command::Migrate => {
            crate::app::open_store(&config).await?.close().await;
            println!("The schema of {} is up to date.", crate::app::without_password(&config.database_url));
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(args) => Box::pin(bench::run(&config, &args)).await,
        Command::Explain(args) => explain::run(&config, &args).await,
        Command::Report(args) => report::run(&config, &args).await,
        Command::Standing(args) => standing::run(&config, &args).await,
        Command::Territory(args) => territory::run(&config, &args).await,
        Command::Simulate(args) => simulate::run(&config, &args).await,
        Command::Doctor(args) => doctor::run(&config, &args).await,
        Command::Import(args) => import::run(&config, &args).await,
        Command::Config(args) => config::run(&config, &args).await,
        Command::Example(args) => example::run(&config, &args).await,
        Command::User(args) => people::user(&config, &args).await,
        Command::Key(args) => keys::key(&config, &args).await,
        Command::Schema(args) => schema::run(&args),
        Command::Openapi => {
            print!("{}", crate::http::openapi::text()?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
