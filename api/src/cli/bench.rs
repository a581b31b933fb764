//! `leadyard bench`: how fast this build is on this machine. Intake and start beside SQL written by hand that leaves the
//! same rows with the same durability: ratios of both sides in one run travel, figures alone do not. Auctions by the
//! bidders' own stamps.

mod auction;
mod child;
mod documents;
mod figures;
mod goal;
mod intake;
mod machine;
mod nested;
mod place;
mod print;
mod readers;
mod start;
mod wire;
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

use auction::hostile::{self, Hostile};
use auction::{AuctionSize, Auctions};
use child::ChildRole;
use documents::{DocumentSize, Documents};
use goal::{Goal, goals};
use intake::{Intake, Size};
use machine::Machine;
use nested::{Nested, NestedSize};
use place::{Ground, Place};
use start::Start;

/// How long bidders have, milliseconds.
const DEADLINE_MS: u32 = 100;
/// Auctions with a hostile bidder that begin in a second.
const HOSTILE_PER_SECOND: u64 = 100;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    /// What is measured; everything that the database allows if not said.
    #[arg(value_enum)]
    goals: Vec<Goal>,
    /// Leads per side and round.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(20..))]
    leads: u64,
    /// How often both sides take their turn, and how often auctions are measured.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Running contracts of the campaign.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    contracts: u64,
    /// How many suppliers send at once.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    clients: u64,
    /// Auctions per round.
    #[arg(long, default_value_t = 2_500, value_parser = clap::value_parser!(u64).range(20..=1_000_000))]
    auctions: u64,
    /// Auctions that begin in a second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    auctions_per_second: u64,
    /// Auctions with each sort of hostile bidder.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    hostile_auctions: u64,
    /// How often each sort of hostile document is sent, and how often the honest client asks beside them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    documents: u64,
    /// Where the peers of P12 lie, with their packages (`npm ci`); whatever is not there is skipped, and said so.
    #[arg(long, value_name = "FOLDER", default_value = "benches/p12")]
    peers: PathBuf,
    /// As little of everything as shows that it runs; the figures mean nothing.
    #[arg(long, conflicts_with_all = ["leads", "rounds", "contracts", "clients", "auctions", "auctions_per_second", "hostile_auctions", "documents"])]
    smoke: bool,
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

/// Everything that was seen. What was not asked for is left out.
#[derive(Debug, Serialize)]
struct Seen {
    version: &'static str,
    engine: &'static str,
    machine: Machine,
    #[serde(flatten)]
    beside: Option<Beside>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auction: Option<Auctions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostile: Option<Hostile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<Documents>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested: Option<Nested>,
    books_ok: bool,
    ledger_sum: i64,
}

/// What was seen beside SQL written by hand.
#[derive(Debug, Serialize)]
struct Beside {
    contracts: u64,
    size: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<Intake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Start>,
}

/// Measures, and says what is reached, what is not, and what holds it back.
pub(super) async fn run(config: &Config, args: &BenchArgs) -> anyhow::Result<ExitCode> {
    if let Some(role) = args.child {
        return child::run(config, role, args.script.as_deref()).await;
    }
    let goals = goals(&args.goals, config)?;
    let wanted = |goal: Goal| goals.contains(&goal);
    let mut seen = Seen {
        version: env!("CARGO_PKG_VERSION"),
        engine: if place::is_postgres(config) { "postgresql" } else { "sqlite" },
        machine: Machine::look(args.dir.as_deref().unwrap_or(&std::env::temp_dir())),
        beside: None,
        auction: None,
        hostile: None,
        documents: None,
        nested: None,
        books_ok: true,
        ledger_sum: 0,
    };
    if [Goal::P1, Goal::P3, Goal::P17].into_iter().any(wanted) {
        let (beside, books) = Box::pin(beside(config, args, &goals)).await?;
        seen.beside = Some(beside);
        seen.add(&books);
    }
    if wanted(Goal::P8) {
        let progress = bar(args, args.auctions().rounds, "rounds");
        let (auction, books) =
            on_ground(config, args, async |config: &Config| auction::measure(config, args.auctions(), &progress).await)
                .await?;
        progress.finish_and_clear();
        seen.auction = Some(auction);
        seen.add(&books);
    }
    if wanted(Goal::Hostile) {
        let progress = bar(args, hostile::SORTS, "sorts");
        let (hostile, books) =
            on_ground(config, args, async |config: &Config| hostile::measure(config, args.hostile(), &progress).await)
                .await?;
        progress.finish_and_clear();
        seen.hostile = Some(hostile);
        seen.add(&books);
    }
    if wanted(Goal::Documents) {
        let progress = bar(args, documents::steps(args.documents()), "sorts");
        let (documents, books) = on_ground(config, args, async |config: &Config| {
            Box::pin(documents::measure(config, args.documents(), &progress)).await
        })
        .await?;
        progress.finish_and_clear();
        seen.documents = Some(documents);
        seen.add(&books);
    }
    if wanted(Goal::P12) {
        let progress = bar(args, nested::SIDES * args.nested().rounds, "turns");
        let (nested, books) = on_ground(config, args, async |config: &Config| {
            Box::pin(nested::measure(config, &args.peers, args.nested(), &progress)).await
        })
        .await?;
        progress.finish_and_clear();
        seen.nested = Some(nested);
        seen.add(&books);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&seen)?)
    } else {
        seen.print()
    }
    ensure!(seen.books_ok, "the books do not balance: no figure counts");
    Ok(ExitCode::SUCCESS)
}

/// Measures beside SQL written by hand, in two databases.
async fn beside(config: &Config, args: &BenchArgs, goals: &[Goal]) -> anyhow::Result<(Beside, Report)> {
    let contracts = if args.smoke { 30 } else { args.contracts };
    let making = bar(args, contracts, "contracts");
    let made = |count: usize| making.set_position(count as u64);
    let place = Place::make(config, args.dir.as_deref(), usize::try_from(contracts)?, made).await?;
    making.finish_and_clear();
    let seen = unless_stopped(measure(&place, args, goals, contracts)).await;
    place.remove().await?;
    seen
}

async fn measure(place: &Place, args: &BenchArgs, goals: &[Goal], contracts: u64) -> anyhow::Result<(Beside, Report)> {
    let size = args.size()?;
    let rounds = size.rounds as u64;
    let (mut start, mut intake) = (None, None);
    if goals.contains(&Goal::P17) {
        let progress = bar(args, rounds + 1, "starts");
        start = Some(start::measure(place, size.rounds, &progress).await?);
        progress.finish_and_clear();
    }
    if goals.contains(&Goal::P1) || goals.contains(&Goal::P3) {
        let sides = if place.engine == Engine::Postgres { 3 } else { 2 };
        let progress = bar(args, sides * rounds, "turns");
        intake = Some(intake::measure(place, size, &progress).await?);
        progress.finish_and_clear();
    }
    Ok((Beside { contracts, size, intake, start }, prove(&place.ours).await?))
}

/// Measures in a database of its own, which goes again whatever happens, and proves its books.
async fn on_ground<T>(
    config: &Config,
    args: &BenchArgs,
    measure: impl AsyncFnOnce(&Config) -> anyhow::Result<T>,
) -> anyhow::Result<(T, Report)> {
    let ground = Ground::make(config, args.dir.as_deref()).await?;
    let seen = unless_stopped(async {
        let measured = measure(&ground.config).await?;
        Ok((measured, prove(&ground.config).await?))
    });
    let seen = seen.await;
    ground.remove().await?;
    seen
}

/// Asked to stop, the bench still cleans up.
async fn unless_stopped<T>(measuring: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        seen = measuring => seen,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped")),
    }
}

/// A figure whose books do not balance does not count.
async fn prove(config: &Config) -> anyhow::Result<Report> {
    let store = open_store(config).await?;
    let report = examine(&store).await;
    store.close().await;
    Ok(report?)
}

impl BenchArgs {
    fn size(&self) -> anyhow::Result<Size> {
        let (leads, rounds, clients) = if self.smoke { (25, 2, 5) } else { (self.leads, self.rounds, self.clients) };
        Ok(Size { leads: leads.try_into()?, rounds: rounds.try_into()?, clients: clients.try_into()? })
    }

    fn auctions(&self) -> AuctionSize {
        if self.smoke {
            // A build without optimisation on a busy machine should be in time as well.
            return AuctionSize { rounds: 2, auctions: 50, per_second: 50, deadline_ms: 3_000 };
        }
        let (auctions, per_second) = (self.auctions, self.auctions_per_second);
        AuctionSize { rounds: self.rounds, auctions, per_second, deadline_ms: DEADLINE_MS }
    }

    fn hostile(&self) -> AuctionSize {
        let few = AuctionSize { rounds: 1, auctions: 10, ..self.auctions() };
        let many = AuctionSize { auctions: self.hostile_auctions, per_second: HOSTILE_PER_SECOND, ..few };
        if self.smoke { few } else { many }
    }

    fn nested(&self) -> NestedSize {
        if self.smoke {
            return NestedSize { leads: 200, rounds: 1, clients: 2, seconds: 0.2 };
        }
        NestedSize { leads: 2_000, rounds: self.rounds, clients: self.clients.min(32), seconds: 3.0 }
    }

    fn documents(&self) -> DocumentSize {
        if self.smoke {
            return DocumentSize { leads: 60, each: 2, rounds: 1, asked: 10 };
        }
        DocumentSize { leads: 2_000, each: self.documents, rounds: self.rounds, asked: self.documents * 3 }
    }
}

impl Seen {
    fn add(&mut self, books: &Report) {
        self.books_ok &= books.ok;
        self.ledger_sum += books.ledger_sum;
    }
}

fn bar(args: &BenchArgs, length: u64, what: &'static str) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what)
}
