//! `leadyard report`.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use chrono::NaiveDate;
use leadyard_market::experiment::{PlanFigures, SplitReport, asked, split_reports};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{Currency, Money, Principal, SystemTask};

use super::names::campaign_named;
use crate::app::open_store;
use crate::config::Config;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    what: ReportCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReportCommand {
    /// What the two plans of an experiment brought, and whether the difference could be chance.
    Split(SplitArgs),
}

#[derive(Debug, clap::Args)]
struct SplitArgs {
    /// The campaign: its name or its id.
    campaign: String,
    /// The experiment; without it the one that runs, or the only one there was.
    #[arg(long)]
    split: Option<String>,
    /// The first day, in the campaign's time zone: its leads received from then on.
    #[arg(long)]
    since: Option<NaiveDate>,
    /// The last day.
    #[arg(long)]
    until: Option<NaiveDate>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints a report.
pub(super) async fn run(config: &Config, args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let ReportCommand::Split(args) = &args.what;
    if args.since.zip(args.until).is_some_and(|(since, until)| since > until) {
        bail!("the first day is after the last");
    }
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let id = campaign_named(&market, &args.campaign)?;
    let campaign = market.snapshot().campaigns.get(&id).cloned().ok_or_else(|| anyhow!("the campaign is gone"))?;
    let read = market.store().read(Principal::System(SystemTask::Operate));
    let running = campaign.terms.split.as_ref().map(|split| split.key.clone());
    let split = match args.split.clone().or(running) {
        Some(split) => split,
        None => match &read.splits_of(id).await?[..] {
            [only] => only.clone(),
            [] => bail!("{} never divided its leads between two plans", campaign.name),
            several => bail!("name the experiment with --split; there were: {}", several.join(", ")),
        },
    };
    let wanted = asked((id, &campaign.terms), split, args.since, args.until);
    let reports = split_reports(&read, std::slice::from_ref(&wanted)).await?;
    let report = reports.first().ok_or_else(|| anyhow!("there is no report"))?;
    if args.json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        print(report, campaign.currency);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &SplitReport, currency: Currency) {
    let [a, b] = &report.plans;
    let row = |name: &str, figure: &dyn Fn(&PlanFigures) -> String| {
        println!("  {name:<16} {:>20} {:>20}", figure(a), figure(b));
    };
    let money = |minor: i64| Money::new(minor, currency).to_string();
    let maybe = |minor: Option<i64>| minor.map_or_else(|| "-".to_owned(), money);
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    println!("Experiment `{}`", report.split);
    row("", &|plan| format!("plan {}", plan.plan));
    row("leads", &|plan| plan.leads.to_string());
    row("sold leads", &|plan| plan.sold_leads.to_string());
    row("sales", &|plan| plan.sales.to_string());
    row("revenue", &|plan| money(plan.revenue_minor));
    row("credits", &|plan| money(plan.credits_minor));
    row("payout", &|plan| money(plan.payout_minor));
    row("profit", &|plan| money(plan.profit_minor));
    row("sales rate", &|plan| plan.sales_rate.map_or_else(|| "-".to_owned(), percent));
    row("  95 % between", &|plan| {
        let both = |(low, high)| format!("{:.1} and {}", low * 100.0, percent(high));
        plan.sales_rate_between.map_or_else(|| "-".to_owned(), both)
    });
    row("average price", &|plan| maybe(plan.average_price_minor));
    row("profit per lead", &|plan| maybe(plan.profit_per_lead_minor));
    println!("  Sales rate: {}.", report.sales_rate.says);
    println!("  Profit per lead: {}.", report.profit_per_lead.says);
    println!("  (Ad spend belongs to no lead and is not in these figures.)");
}
