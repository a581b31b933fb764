//! Things as people name them on the command line: by id, or by name.

use anyhow::bail;
use leadyard_market::Market;
use leadyard_types::{BuyerId, CampaignId, SourceId};

/// A source by its id, or by its name where only one has it.
pub(super) fn source_named(market: &Market, named: &str) -> anyhow::Result<SourceId> {
    let sources = &market.snapshot().sources;
    if let Some(id) = named.parse::<SourceId>().ok().filter(|id| sources.contains_key(id)) {
        return Ok(id);
    }
    let found: Vec<SourceId> = sources.values().filter(|source| source.name == named).map(|source| source.id).collect();
    let mut names: Vec<&str> = sources.values().map(|source| source.name.as_str()).collect();
    only("source", named, &found, &mut names)
}

/// A campaign by its id, or by its name where only one has it.
pub(super) fn campaign_named(market: &Market, named: &str) -> anyhow::Result<CampaignId> {
    let campaigns = &market.snapshot().campaigns;
    if let Some(id) = named.parse::<CampaignId>().ok().filter(|id| campaigns.contains_key(id)) {
        return Ok(id);
    }
    let found: Vec<CampaignId> = campaigns.values().filter(|it| it.name == named).map(|it| it.id).collect();
    let mut names: Vec<&str> = campaigns.values().map(|campaign| campaign.name.as_str()).collect();
    only("campaign", named, &found, &mut names)
}

/// A buyer by its id, or by its name where only one has it.
pub(super) fn buyer_named(market: &Market, named: &str) -> anyhow::Result<BuyerId> {
    let buyers = &market.snapshot().buyers;
    if let Some(id) = named.parse::<BuyerId>().ok().filter(|id| buyers.contains_key(id)) {
        return Ok(id);
    }
    let found: Vec<BuyerId> = buyers.values().filter(|buyer| buyer.name == named).map(|buyer| buyer.id).collect();
    let mut names: Vec<&str> = buyers.values().map(|buyer| buyer.name.as_str()).collect();
    only("buyer", named, &found, &mut names)
}

/// The one thing of a name; otherwise what there is.
fn only<T: Copy>(noun: &str, named: &str, found: &[T], names: &mut Vec<&str>) -> anyhow::Result<T> {
    /// The most names an error lists.
    const LISTED_MAX: usize = 20;
    match found {
        [id] => Ok(*id),
        [] if names.is_empty() => bail!("there is no {noun} `{named}`; there is none at all yet"),
        [] => {
            names.sort_unstable();
            names.dedup();
            names.truncate(LISTED_MAX);
            bail!("there is no {noun} `{named}`; there are: {}", names.join(", "))
        }
        _ => bail!("several are called `{named}`: name the {noun} by its id"),
    }
}
