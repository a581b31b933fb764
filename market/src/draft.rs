//! A configuration that somebody thinks about: which terms would be other than they are now. Nothing of it is written;
//! a simulation replays history under it, and an apply writes the document it was made from.

use std::collections::BTreeMap;

use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, CampaignTerms, ContractId, ContractTerms, SourceId, SourceTerms,
};

/// The terms that differ from the current configuration, and those of what does not exist yet, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Campaigns that change or come.
    pub campaigns: BTreeMap<CampaignId, CampaignTerms>,
    /// Sources that change or come.
    pub sources: BTreeMap<SourceId, SourceTerms>,
    /// Buyers that change or come.
    pub buyers: BTreeMap<BuyerId, BuyerTerms>,
    /// Contracts that change or come.
    pub contracts: BTreeMap<ContractId, DraftContract>,
}

/// A contract of a draft. One that does not exist yet has no head to read its name, campaign and buyer from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftContract {
    /// What people call it.
    pub name: String,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// Its terms.
    pub terms: ContractTerms,
}
