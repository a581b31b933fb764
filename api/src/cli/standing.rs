//! `leadyard standing`: why a buyer gets no leads.

use std::process::ExitCode;

use anyhow::anyhow;
use leadyard_market::standing::{CapStanding, ContractStanding, LEADS_MAX, LastLeads};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{Money, Timestamp};

use super::names::buyer_named;
use crate::app::open_store;
use crate::config::Config;

/// Arguments of `standing`.
#[derive(Debug, clap::Args)]
pub(super) struct StandingArgs {
    /// The buyer, by its id or its name.
    buyer: String,
    /// How many of each campaign's last leads are looked at.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=i64::from(LEADS_MAX)))]
    leads: u32,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows how a buyer stands.
pub(super) async fn run(config: &Config, args: &StandingArgs) -> anyhow::Result<ExitCode> {
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let buyer = buyer_named(&market, &args.buyer)?;
    let standing = market.standing(buyer, args.leads).await?.ok_or_else(|| anyhow!("the buyer is gone"))?;
    if args.json {
        println!("{}", serde_json::to_string(&standing)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}: {}", standing.buyer, standing.status);
    standing.contracts.iter().for_each(print);
    println!("\n{}", standing.verdict);
    Ok(ExitCode::SUCCESS)
}

fn moment(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn line(head: &str, text: &str) {
    println!("  {head:<14}{text}");
}

fn print(contract: &ContractStanding) {
    let missing = if contract.stage_exists { "" } else { ", which the campaign does not have" };
    println!("\n{} in {}", contract.contract, contract.campaign);
    let ContractStanding { status, campaign_status, stage, .. } = contract;
    line("status", &format!("{status}; campaign {campaign_status}; stage {stage}{missing}"));
    let hours = match (contract.open_now, contract.opens_at) {
        (true, _) => "open now".to_owned(),
        (false, Some(at)) => format!("closed; open next at {}", moment(at)),
        (false, None) => "never open".to_owned(),
    };
    line("hours", &hours);
    contract.caps.iter().for_each(|cap| line("cap", &cap_line(cap, contract.available)));
    let price = contract.price.map_or_else(|| "as it bids".to_owned(), |price| price.to_string());
    line("balance", &format!("{} available; price {price}", contract.available));
    for found in &contract.destinations {
        let notice = found.notice.as_deref().map(|notice| format!("; {notice}")).unwrap_or_default();
        let since = found.failing_since.map(|at| format!("; failing since {}", moment(at))).unwrap_or_default();
        line("destination", &format!("{} ({}): {}{since}{notice}", found.name, found.kind, found.status));
    }
    print_last(&contract.last, contract.available);
    line("so", &contract.verdict);
}

fn cap_line(cap: &CapStanding, money: Money) -> String {
    let amount = |minor| Money::new(minor, money.currency);
    let count = cap.count_max.map(|most| format!("{} of {most}", cap.count));
    let spent = cap.amount_max_minor.map(|most| format!("{} of {}", amount(cap.amount_minor), amount(most)));
    let used: Vec<String> = [count, spent].into_iter().flatten().collect();
    let until = cap.resets_at.map(|at| format!("; resets at {}", moment(at))).unwrap_or_default();
    let full = if cap.full { " – full" } else { "" };
    format!("{} per {}: {}{full}{until}", cap.owner, cap.period.as_str().to_lowercase(), used.join(", "))
}

fn print_last(last: &LastLeads, money: Money) {
    line("last leads", &format!("{} of {} fit its terms of today", last.matched, last.leads));
    for missed in &last.missed {
        line("", &format!("{:>6} do not: {}", missed.leads, missed.condition));
    }
    if last.matched == 0 {
        return;
    }
    line("", &format!("{:>6} bought, {} went to others", last.sold, last.lost));
    if let Some(by) = last.lost_by_minor {
        let by = Money::new(by, money.currency);
        line("", &format!("{:>6} auctions lost by price, by {by} at the median", last.auctions_lost));
    }
    for refused in &last.refused {
        line("", &format!("{:>6} {}: {}", refused.leads, refused.check, refused.message));
    }
    for (count, what) in [
        (last.other_terms, "were decided before it had these terms"),
        (last.unknown, "cannot be told: the person was erased, or other rules decided"),
    ] {
        if count > 0 {
            line("", &format!("{count:>6} {what}"));
        }
    }
}
