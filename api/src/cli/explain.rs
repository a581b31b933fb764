//! `leadyard explain`.

use std::process::ExitCode;

use anyhow::bail;
use leadyard_market::explain::{DecisionExplained, Explanation};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::LeadId;

use crate::app::open_store;
use crate::config::Config;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The lead's id, as its sender was told.
    lead_id: LeadId,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Explains one lead.
pub(super) async fn run(config: &Config, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let Some(explanation) = market.explain(args.lead_id).await? else {
        bail!("there is no lead {} in {}", args.lead_id, crate::app::without_password(&config.database_url));
    };
    if args.json {
        println!("{}", serde_json::to_string(&explanation)?);
    } else {
        print(&explanation);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(explanation: &Explanation) {
    let reason = explanation.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    println!("Lead {}: {}{reason}", explanation.lead_id, explanation.state);
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
            }
        }
    }
}
