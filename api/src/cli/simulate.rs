//! `leadyard simulate`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, NaiveDate, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use leadyard_connectors::OutboundPolicy;
use leadyard_market::configuration::Problems;
use leadyard_market::draft::Draft;
use leadyard_market::simulation::{ChangedLead, Compared, SaleShown, SalesOf, Simulation, SimulationRequest};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{Currency, Money, Principal, SystemTask, Timestamp};

use crate::app::open_store;
use crate::config::Config;
use crate::market_file;

/// How many changed leads, buyers and contracts the terminal shows.
const SHOWN: usize = 20;

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct SimulateArgs {
    /// From this moment on: `2026-03-02` (UTC) or `2026-03-02T08:00:00+01:00`. Without it: from the beginning.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Until before this moment. Without it: to the end.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// The terms that change: a configuration file (TOML) that may name only what it changes, as `config plan` takes it.
    /// Without it history is replayed as it was.
    #[arg(long, value_name = "FILE")]
    change: Option<PathBuf>,
    /// Let destinations be at this exact loopback address and port, for tests and trials; may be repeated.
    #[arg(long, value_name = "IP:PORT", hide = true)]
    allow_destination: Vec<SocketAddr>,
    /// Write every lead that goes elsewhere into this CSV file.
    #[arg(long, value_name = "FILE")]
    leads: Option<PathBuf>,
    /// Answer as JSON, with every lead that goes elsewhere.
    #[arg(long)]
    json: bool,
}

/// A day (its beginning in UTC) or a moment.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let day: Option<NaiveDate> = text.parse().ok();
    let begin = day.and_then(|day| day.and_hms_opt(0, 0, 0)).map(|begin| begin.and_utc());
    begin.ok_or_else(|| format!("`{text}` is no moment; write 2026-03-02 or 2026-03-02T08:00:00+01:00"))
}

/// Simulates, and says what came of it.
pub(super) async fn run(config: &Config, args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let draft = match &args.change {
        Some(path) => draft(config, args, &market, path).await?,
        None => Draft::default(),
    };
    let request = SimulationRequest { since: args.since, until: args.until, draft, decisions_max: None };
    let bar = progress(args.json, market.store().read(Principal::System(SystemTask::Operate)).count_decisions().await?);
    let found = market.simulate(request, |count| bar.inc(count)).await?;
    bar.finish_and_clear();
    if let Some(path) = &args.leads {
        write_leads(path, &found.changes).with_context(|| format!("{} could not be written", path.display()))?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        print(&found, args.leads.is_none());
    }
    Ok(ExitCode::SUCCESS)
}

/// The terms that a file changes; everything that is wrong with it is told with its line.
async fn draft(config: &Config, args: &SimulateArgs, market: &Market, path: &Path) -> anyhow::Result<Draft> {
    if config.production && !args.allow_destination.is_empty() {
        bail!("--allow-destination is for trials on loopback, not for production");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let refused = |problems: Problems| {
        let lines: Vec<String> = problems.0.iter().map(|problem| format!("\n  {problem}")).collect();
        anyhow!("{} cannot be simulated:{}", path.display(), lines.concat())
    };
    let document = market_file::parse(&text).map_err(refused)?;
    let policy = OutboundPolicy::new(config.production);
    let policy = args.allow_destination.iter().fold(policy, |policy, address| policy.allowing(*address));
    market.drafted(&document, &policy).await?.map_err(refused)
}

fn progress(json: bool, decisions: u64) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} decisions, {eta} to go");
    ProgressBar::new(decisions).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// One line per lead that goes elsewhere.
fn write_leads(path: &PathBuf, changes: &[ChangedLead]) -> anyhow::Result<()> {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record(["lead_id", "currency", "before", "before_minor", "after", "after_minor", "reason"])?;
    let names = |sales: &[SaleShown]| sales.iter().map(|sale| sale.contract.as_str()).collect::<Vec<_>>().join(" + ");
    let total = |sales: &[SaleShown]| sales.iter().map(|sale| sale.price_minor).sum::<i64>().to_string();
    for change in changes {
        file.write_record([
            &change.lead_id.to_string(),
            change.currency.as_str(),
            &names(&change.before),
            &total(&change.before),
            &names(&change.after),
            &total(&change.after),
            &change.reason,
        ])?;
    }
    file.flush()?;
    Ok(())
}

fn print(found: &Simulation, say_more: bool) {
    println!("{} leads, {} decisions made again.", found.leads, found.decisions);
    println!("{} leads go to others, {} to the same at other prices.", found.changed_leads, found.repriced_leads);
    let percent = |points: i64| format!("{}.{:02} %", points / 100, points % 100);
    let (sold, rate) = (found.sold_leads, found.sales_rate_basis_points);
    println!("Sold: {} → {}; sales rate {} → {}", sold.before, sold.after, percent(rate.before), percent(rate.after));
    for sums in &found.currencies {
        for (what, figure) in [
            ("revenue", sums.revenue),
            ("payouts", sums.payout),
            ("profit", sums.profit),
            ("credits", sums.credits),
            ("clawbacks", sums.clawbacks),
        ] {
            println!("  {what:<10} {}", compared(figure, sums.currency));
        }
    }
    print_sales("buyer", &found.buyers);
    print_sales("contract", &found.contracts);
    print_changes(&found.changes, say_more);
    print_limits(found);
}

fn compared(figure: Compared, currency: Currency) -> String {
    let money = |minor| Money::new(minor, currency).to_string();
    let sign = if figure.delta > 0 { "+" } else { "" };
    format!("{:>16} → {:>16}   ({sign}{})", money(figure.before), money(figure.after), money(figure.delta))
}

/// Those whose sales change.
fn print_sales<Id>(noun: &str, list: &[SalesOf<Id>]) {
    let changed = || list.iter().filter(|entry| entry.revenue_minor.delta != 0 || entry.sales.delta != 0);
    if changed().next().is_none() {
        return;
    }
    println!("\nBy {noun}:");
    for entry in changed().take(SHOWN) {
        let sales = format!("{} → {}", entry.sales.before, entry.sales.after);
        println!("  {:<30} {sales:>14} sales  {}", entry.name, compared(entry.revenue_minor, entry.currency));
    }
    let more = changed().count().saturating_sub(SHOWN);
    if more > 0 {
        println!("  … and {more} more (--json shows all)");
    }
}

fn print_changes(changes: &[ChangedLead], say_more: bool) {
    if changes.is_empty() {
        return;
    }
    println!("\nLeads that go to others:");
    let names = |sales: &[SaleShown], currency| {
        let sale = |sale: &SaleShown| format!("{} at {}", sale.contract, Money::new(sale.price_minor, currency));
        let names: Vec<String> = sales.iter().map(sale).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(" + ") }
    };
    for change in changes.iter().take(SHOWN) {
        let (before, after) = (names(&change.before, change.currency), names(&change.after, change.currency));
        println!("  {}  {before} → {after}\n      {}", change.lead_id, change.reason);
    }
    let more = changes.len().saturating_sub(SHOWN);
    if more > 0 && say_more {
        println!("  … and {more} more (--json or --leads FILE.csv shows all)");
    }
}

/// What was assumed, and what was not simulated.
fn print_limits(found: &Simulation) {
    let not = found.not_replayed;
    let count = |list: usize| u64::try_from(list).unwrap_or(u64::MAX);
    for (number, what) in [
        (
            count(found.assumed_verdicts.len()),
            "leads: a buyer's verdict was not recorded and is taken as an acceptance",
        ),
        (count(found.unknown_bids.len()), "leads: a bid was not recorded; its contract took part without one"),
        (count(found.assumed_balances.len()), "new buyers are taken to have money enough"),
        (not.other_rules, "decisions by other versions of the rules: repeated as they were"),
        (not.erased, "decisions about erased people: repeated as they were"),
        (not.other_postal_codes, "decisions under other postal codes: made again with today's circles"),
        (not.decisions_fallen_away, "later offers of leads that are sold by then: left out"),
        (
            not.waiting_without_history,
            "leads would wait and be offered again at moments history does not have: left unsold",
        ),
    ] {
        if number > 0 {
            println!("{number} {what}.");
        }
    }
}
