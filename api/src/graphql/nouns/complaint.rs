//! Complaints.

use async_graphql::{Context, ID, InputObject, Object, Result};
use leadyard_entity::model::complaint;
use leadyard_entity::read::{self, ComplaintFilter as Filter};
use leadyard_types::Timestamp;

use super::super::connection::connection;
use super::super::id::Kind;
use super::super::scalars::Money;
use super::super::words::{ComplaintReason, ComplaintState};
use super::buyer::Buyer;
use super::campaign::Campaign;
use super::contract::Contract;
use super::lead::Lead;
use super::sale::Sale;
use super::{ids, money, of_row, one, queries, there, words};

of_row! {
    /// A buyer's dispute of a sale.
    Complaint of complaint
}

/// Which complaints. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ComplaintFilter {
    /// In one of these states.
    state: Option<Vec<ComplaintState>>,
    /// Of one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// About sales of one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// Opened at this moment or later.
    opened_since: Option<Timestamp>,
    /// Opened before this moment.
    opened_until: Option<Timestamp>,
}

impl ComplaintFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            states: words(self.state),
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            opened_since: self.opened_since,
            opened_until: self.opened_until,
        })
    }
}

#[Object(use_type_description)]
impl Complaint {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Complaint.id(self.0.id)
    }

    /// The sale it disputes.
    async fn sale(&self, ctx: &Context<'_>) -> Result<Sale> {
        there(one!(ctx, SaleBy(self.0.sale_id) => Sale)?)
    }

    /// The lead that was sold.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Lead> {
        there(one!(ctx, LeadBy(self.0.lead_id) => Lead)?)
    }

    /// The campaign it was sold in.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(self.0.campaign_id) => Campaign)?)
    }

    /// Who complains.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.0.buyer_id) => Buyer)?)
    }

    /// The contract that bought.
    async fn contract(&self, ctx: &Context<'_>) -> Result<Contract> {
        there(one!(ctx, ContractBy(self.0.contract_id) => Contract)?)
    }

    /// Why the buyer complains.
    async fn reason(&self) -> Result<ComplaintReason> {
        ComplaintReason::read(&self.0.reason)
    }

    /// Where it stands.
    async fn state(&self) -> Result<ComplaintState> {
        ComplaintState::read(&self.0.state)
    }

    /// What the buyer got back by it.
    async fn credit(&self) -> Result<Money> {
        money(self.0.credit_minor, &self.0.currency)
    }

    /// What was taken back from the supplier for it.
    async fn clawback(&self) -> Result<Money> {
        money(self.0.clawback_minor, &self.0.currency)
    }

    /// When it was opened.
    async fn opened_at(&self) -> Timestamp {
        self.0.opened_at
    }

    /// When it was decided.
    async fn decided_at(&self) -> Option<Timestamp> {
        self.0.decided_at
    }
}

connection!(ComplaintConnection, ComplaintEdge, Complaint of complaint, "A page of complaints.", "A complaint in a list.", inside by ComplaintsPage);

queries! {
    ComplaintQueries, Complaint, ComplaintBy => Complaint,
    /// A complaint by its id.
    complaint,
    /// The complaints you may see.
    complaints -> ComplaintConnection by TimeOrder of read::TimeOrder, filter ComplaintFilter
}
