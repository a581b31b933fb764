//! `leadyard territory`.

use std::process::ExitCode;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use leadyard_market::territory::{
    Territory, TerritoryBuyer, TerritoryDraft, TerritoryError, TerritoryHole, TerritoryOverlap, TerritoryQuestion,
    campaigns_of,
};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{CampaignId, Status};

use super::names::campaign_named;
use crate::app::open_store;
use crate::config::Config;

/// Arguments of `territory`.
#[derive(Debug, clap::Args)]
pub(super) struct TerritoryArgs {
    /// The campaign, by its id or its name.
    #[arg(required_unless_present = "country")]
    campaign: Option<String>,
    /// Every campaign of a country instead, such as DE.
    #[arg(long, conflicts_with = "campaign")]
    country: Option<String>,
    /// Only this part of the country: state:BE,BB or prefix:10,12 or range:01000-01999 or codes:10115,10117 or
    /// radius:10115:25 (km); several are taken together.
    #[arg(long = "in", value_name = "AREA")]
    region: Vec<String>,
    /// What a contract with this area would meet and fill; written as with --in.
    #[arg(long = "with", value_name = "AREA")]
    draft: Vec<String>,
    /// Count contracts and buyers that are set aside as if they bought.
    #[arg(long)]
    include_paused: bool,
    /// The most lines of each list.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    most: u16,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows who covers what.
pub(super) async fn run(config: &Config, args: &TerritoryArgs) -> anyhow::Result<ExitCode> {
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let campaigns = campaigns(&market, args)?;
    let question = TerritoryQuestion {
        region: args.region.clone(),
        draft: args.draft.clone(),
        include_paused: args.include_paused,
        most: usize::from(args.most),
    };
    let bar = if args.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {percent} %").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let shown = bar.clone();
    let progress = move |done, of| {
        shown.set_length(of);
        shown.set_position(done);
    };
    let found = market.territories(&campaigns, &question, progress).await.map_err(named)?;
    bar.finish_and_clear();
    if args.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        found.iter().for_each(|territory| print(territory, args));
    }
    Ok(ExitCode::SUCCESS)
}

fn campaigns(market: &Market, args: &TerritoryArgs) -> anyhow::Result<Vec<CampaignId>> {
    let Some(country) = &args.country else {
        return Ok(vec![campaign_named(market, args.campaign.as_deref().unwrap_or_default())?]);
    };
    let found = campaigns_of(&market.snapshot(), country);
    if found.is_empty() {
        bail!("there is no campaign of country `{country}`; a country is a two-letter ISO 3166 code such as DE");
    }
    Ok(found)
}

/// The problem with the option's own name.
fn named(error: TerritoryError) -> anyhow::Error {
    match error {
        TerritoryError::Problem(problem) => {
            let option = match problem.field.as_str() {
                "region" => "--in: ",
                "draft" => "--with: ",
                _ => "",
            };
            anyhow::anyhow!("{option}{}", problem.message)
        }
        TerritoryError::Store(error) => error.into(),
    }
}

fn print(territory: &Territory, args: &TerritoryArgs) {
    let Territory { campaign, country, codes, covered, conditional, open, .. } = territory;
    println!("{campaign} ({country}): {codes} postal codes, {covered} covered, {open} open.");
    if *conditional > 0 {
        println!("{conditional} are covered conditionally: something beside the place decides.");
    }
    let most = usize::from(args.most);
    if !territory.buyers.is_empty() {
        println!("\n{:<30} {:>8} {:>12} {:>8}  contracts", "buyer", "codes", "conditional", "alone");
        territory.buyers.iter().take(most).for_each(print_buyer);
        print_rest(territory.buyers.len(), most, "buyers");
    }
    if !territory.overlaps.is_empty() {
        println!("\nWhere buyers meet ({} pairs):", territory.overlaps_total);
        territory.overlaps.iter().for_each(print_overlap);
        print_rest(usize::try_from(territory.overlaps_total).unwrap_or(usize::MAX), most, "pairs");
    }
    if !territory.holes.is_empty() {
        println!("\nWhere nobody buys:");
        territory.holes.iter().take(most).for_each(print_hole);
        print_rest(territory.holes.len(), most, "states");
    }
    if let Some(draft) = &territory.draft {
        print_draft(draft, &args.draft.join(" "));
    }
    println!();
}

fn print_rest(count: usize, most: usize, what: &str) {
    if count > most {
        println!("  … and {} more {what}", count - most);
    }
}

fn print_buyer(buyer: &TerritoryBuyer) {
    let paused = |status| if status == Status::Paused { " (paused)" } else { "" };
    let contracts: Vec<String> =
        buyer.contracts.iter().map(|one| format!("{}{}", one.contract, paused(one.status))).collect();
    let TerritoryBuyer { buyer, codes, conditional, alone, .. } = buyer;
    println!("{buyer:<30} {codes:>8} {conditional:>12} {alone:>8}  {}", contracts.join(", "));
}

fn print_overlap(overlap: &TerritoryOverlap) {
    let [a, b] = &overlap.buyers;
    println!(
        "{:>8}  {} – {}: {}",
        overlap.codes,
        a.contracts.join(", "),
        b.contracts.join(", "),
        some(&overlap.examples, overlap.codes)
    );
}

fn print_hole(hole: &TerritoryHole) {
    /// More neighbourhoods would not be read.
    const PREFIXES: usize = 6;
    let state = match (&hole.state, &hole.name) {
        (Some(state), Some(name)) => format!("{state} {name}"),
        (Some(state), None) => state.clone(),
        (None, _) => "no state known".to_owned(),
    };
    let mut prefixes: Vec<_> = hole.prefixes.iter().collect();
    prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.codes));
    let shown: Vec<String> =
        prefixes.iter().take(PREFIXES).map(|found| format!("{}… {}", found.prefix, found.codes)).collect();
    let more = if prefixes.len() > PREFIXES { ", …" } else { "" };
    let examples = some(&hole.examples, hole.codes);
    println!("{:>8} of {} in {state} ({}{more}): {examples}", hole.codes, hole.of, shown.join(", "));
}

fn print_draft(draft: &TerritoryDraft, written: &str) {
    println!("\nA contract for {written} would take {} postal codes.", draft.codes);
    if draft.unknown_total > 0 {
        println!(
            "{} of what it names is not in the postal data: {}",
            draft.unknown_total,
            some(&draft.unknown_codes, u32::try_from(draft.unknown_total).unwrap_or(u32::MAX))
        );
    }
    if draft.fills > 0 {
        println!("{:>8}  that nobody takes now: {}", draft.fills, some(&draft.fill_examples, draft.fills));
    }
    for meets in &draft.meets {
        println!("{:>8}  that {} takes too: {}", meets.codes, meets.buyer, some(&meets.examples, meets.codes));
    }
    print_rest(draft.meets_total, draft.meets.len(), "buyers");
}

/// The first codes, and that there are more.
fn some(examples: &[String], of: u32) -> String {
    let more = if examples.len() < usize::try_from(of).unwrap_or(usize::MAX) { " …" } else { "" };
    format!("{}{more}", examples.join(", "))
}
