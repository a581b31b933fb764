//! `leadyard bench`: how fast this build is on this machine, beside SQL written by hand that leaves the same rows with the
//! same durability. Ratios of both sides in one run travel; figures alone do not.

mod child;
mod figures;
mod intake;
mod machine;
mod place;
mod start;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};
use leadyard_entity::Engine;
use leadyard_market::doctor::{Report, examine};
use serde::Serialize;

use crate::app::open_store;
use crate::config::Config;

use child::ChildRole;
use intake::{Intake, Size};
use machine::Machine;
use place::Place;
use start::Start;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    /// Leads per side and round.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(20..))]
    leads: u64,
    /// How often both sides take their turn.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Running contracts of the campaign.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    contracts: u64,
    /// How many suppliers send at once.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    clients: u64,
    /// Where the measurement's files lie while it runs; the temporary folder if not said.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Print one JSON document and nothing else.
    #[arg(long)]
    json: bool,
    /// What the bench starts in processes of their own.
    #[arg(long, hide = true)]
    child: Option<ChildRole>,
    #[arg(long, hide = true)]
    script: Option<PathBuf>,
}

/// Everything that was seen.
#[derive(Debug, Serialize)]
struct Seen {
    version: &'static str,
    engine: &'static str,
    machine: Machine,
    contracts: u64,
    size: Size,
    intake: Intake,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Start>,
    books_ok: bool,
    ledger_sum: i64,
}

/// Measures, and says what is reached, what is not, and what holds it back.
pub(super) async fn run(config: &Config, args: &BenchArgs) -> anyhow::Result<ExitCode> {
    if let Some(role) = args.child {
        return child::run(config, role, args.script.as_deref()).await;
    }
    let contracts = usize::try_from(args.contracts)?;
    let making = bar(args, args.contracts, "contracts");
    let made = |count: usize| making.set_position(count as u64);
    let place = Place::make(config, args.dir.as_deref(), contracts, made).await?;
    making.finish_and_clear();
    // Asked to stop, it still cleans up.
    let seen = tokio::select! {
        seen = measure(&place, args) => seen,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped")),
    };
    place.remove().await?;
    let seen = seen?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&seen)?)
    } else {
        seen.print()
    }
    ensure!(seen.books_ok, "the books do not balance: no figure counts");
    Ok(ExitCode::SUCCESS)
}

async fn measure(place: &Place, args: &BenchArgs) -> anyhow::Result<Seen> {
    let machine = Machine::look(place.folder.path());
    let size = Size {
        leads: usize::try_from(args.leads)?,
        rounds: usize::try_from(args.rounds)?,
        clients: usize::try_from(args.clients)?,
    };
    let start = if place.engine == Engine::Sqlite {
        let progress = bar(args, args.rounds + 1, "starts");
        let start = start::measure(place, size.rounds, &progress).await?;
        progress.finish_and_clear();
        Some(start)
    } else {
        None
    };
    let sides = if place.engine == Engine::Postgres { 3 } else { 2 };
    let progress = bar(args, sides * args.rounds, "turns");
    let intake = intake::measure(place, size, &progress).await?;
    progress.finish_and_clear();
    let report = prove(&place.ours).await?;
    Ok(Seen {
        version: env!("CARGO_PKG_VERSION"),
        engine: if place.engine == Engine::Postgres { "postgresql" } else { "sqlite" },
        machine,
        contracts: args.contracts,
        size,
        intake,
        start,
        books_ok: report.ok,
        ledger_sum: report.ledger_sum,
    })
}

/// A figure whose books do not balance does not count.
async fn prove(config: &Config) -> anyhow::Result<Report> {
    let store = open_store(config).await?;
    let report = examine(&store).await;
    store.close().await;
    Ok(report?)
}

fn bar(args: &BenchArgs, length: u64, what: &'static str) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what)
}

impl Seen {
    fn print(&self) {
        println!("leadyard {} on {}", self.version, self.machine.line());
        let settings = self.intake.database.iter().map(|(name, value)| format!("{name} {value}"));
        println!("{}", settings.collect::<Vec<_>>().join(" · "));
        println!(
            "{} contracts · {} leads a side and round · {} rounds · {} clients\n",
            self.contracts, self.size.leads, self.size.rounds, self.size.clients
        );
        self.print_intake();
        if let Some(start) = &self.start {
            start.print();
        }
        let books = if self.books_ok { "every proof holds" } else { "A PROOF FAILED" };
        println!("\nThe books: sum of all balances {}, {books}.", self.ledger_sum);
    }

    fn print_intake(&self) {
        let ours = &self.intake.ours;
        println!("{:<44}{:>30} leads/s", ours.side.name, ours.side.per_second.to_string());
        for goal in &self.intake.goals {
            println!("{:<44}{:>30} leads/s", goal.against.name, goal.against.per_second.to_string());
        }
        println!(
            "\nanswered in {} ms (p50), {} ms (p99); {} leads a transaction, {} statements a lead, decisions of {} bytes",
            ours.p50_ms, ours.p99_ms, ours.leads_per_transaction, ours.statements_per_lead, self.intake.decision_bytes
        );
        for goal in &self.intake.goals {
            let (must, reach) = (goal.target.must, goal.target.reach);
            println!("{:<12}{}: ratio {}; must {must}, wanted {reach}", goal.id, goal.verdict, goal.ratio);
        }
        println!("Held back by {}.", self.intake.held_back_by);
    }
}

impl Start {
    fn print(&self) {
        println!(
            "\n{:<12}{}: first lead after {} ms; must {}, wanted {} (by hand {} ms, ratio {})",
            self.id,
            self.verdict,
            self.first_lead_ms,
            self.target_ms.must,
            self.target_ms.reach,
            self.by_hand_ms,
            self.ratio
        );
        if let (Some(memory), Some(verdict)) = (self.memory_mb, self.memory_verdict) {
            let (must, reach) = (self.target_mb.must, self.target_mb.reach);
            println!("{:<12}{verdict}: {memory} MB then; must {must}, wanted {reach}", "");
        }
        println!("Held back by: {}.", self.held_back_by);
    }
}
