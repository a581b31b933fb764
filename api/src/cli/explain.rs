//! `leadyard explain`.

use std::process::ExitCode;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use leadyard_market::explain::{DecisionExplained, Explanation};
use leadyard_market::verify::Verified;
use leadyard_market::{Market, MarketSettings};
use leadyard_types::LeadId;

use crate::app::open_store;
use crate::config::Config;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The lead's id, as its sender was told.
    #[arg(required_unless_present = "all")]
    lead_id: Option<LeadId>,
    /// Make the decisions again from what they stored, and say whether they come out the same.
    #[arg(long)]
    verify: bool,
    /// Verify every decision there is.
    #[arg(long, requires = "verify", conflicts_with = "lead_id")]
    all: bool,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Explains one lead.
pub(super) async fn run(config: &Config, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let missing =
        |id: LeadId| anyhow!("there is no lead {id} in {}", crate::app::without_password(&config.database_url));
    let Some(id) = args.lead_id else { return verify_all(&market, args.json).await };
    if args.verify {
        return verified(&market.verify_lead(id).await?.ok_or_else(|| missing(id))?, args.json);
    }
    let explanation = market.explain(id).await?.ok_or_else(|| missing(id))?;
    if args.json {
        println!("{}", serde_json::to_string(&explanation)?);
    } else {
        print(&explanation);
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify_all(market: &Market, json: bool) -> anyhow::Result<ExitCode> {
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} decisions verified")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let found = market.verify_all(|count| bar.inc(count)).await?;
    bar.finish_and_clear();
    verified(&found, json)
}

/// Says what verifying came to; a decision that differs is a failure.
fn verified(found: &Verified, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string(found)?);
    } else {
        println!("{} decisions made again, {} differ.", found.checked, found.differing);
        for (count, what) in [
            (found.erased, "about erased people: compared without their data"),
            (found.other_postal_codes, "under other postal codes: their contracts were not derived again"),
            (found.other_rules, "by other versions of the rules: not made again"),
        ] {
            if count > 0 {
                println!("{count} {what}.");
            }
        }
        for difference in &found.differences {
            println!("  no. {} (lead {}): {}", difference.no, difference.lead_id, difference.what);
        }
    }
    Ok(if found.differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(explanation: &Explanation) {
    let reason = explanation.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let test = if explanation.test { " (a test: not billed, capped or counted)" } else { "" };
    println!("Lead {}: {}{reason}{test}", explanation.lead_id, explanation.state);
    for step in &explanation.steps {
        println!("  {}  {:<20} {}", step.at.format("%Y-%m-%d %H:%M:%S"), step.kind, step.detail);
    }
    explanation.decisions.iter().for_each(print_decision);
}

fn print_decision(decision: &DecisionExplained) {
    println!("\nDecision {} of this lead (no. {} of the market): {}", decision.number, decision.no, decision.outcome);
    if let Some(note) = &decision.note {
        println!("  {note}");
    }
    if let Some(plan) = &decision.plan {
        println!("  {plan}");
    }
    if let Some(waits) = decision.waits {
        let contract = decision.contracts.iter().find(|entry| entry.verdict.contract_id == waits.contract_id);
        let name = contract.map_or_else(|| waits.contract_id.to_string(), |entry| entry.contract.clone());
        let held = if waits.held { ", and is held back for it" } else { "" };
        println!("  it waits for {name}, which opens at {}{held}", waits.opens_at.format("%Y-%m-%d %H:%M:%S"));
    }
    if let Some(next) = &decision.runner_up {
        let buyers = next.contracts.len();
        println!(
            "  the next best sale, to {buyers}, would have brought {} net of complaints; this one {}",
            next.net_minor, next.best_net_minor
        );
    }
    for entry in &decision.contracts {
        let rank = entry.verdict.rank.map_or_else(|| "  -".to_owned(), |rank| format!("{rank:3}"));
        match &entry.verdict.refusal {
            None => println!("  {rank}  {} ({}): bought at {}", entry.contract, entry.buyer, entry.verdict.price_minor),
            Some(refusal) => {
                let seen: Vec<String> =
                    refusal.seen.iter().map(|seen| format!("{}: {}", seen.name, seen.value)).collect();
                let seen = if seen.is_empty() { String::new() } else { format!(" [{}]", seen.join("; ")) };
                println!(
                    "  {rank}  {} ({}): {} – {}{seen}",
                    entry.contract, entry.buyer, refusal.check, refusal.message
                );
                if let Some(price) = entry.verdict.would_win_at_minor {
                    println!("       would have won at {price}");
                }
            }
        }
    }
}
