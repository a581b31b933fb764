//! Complaints.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::complaint;
use leadyard_entity::read::{self, ComplaintFilter as Filter};
use leadyard_market::complaints::{ComplaintDecision, NewComplaint};
use leadyard_types::{ComplaintId, SaleId, Timestamp};

use super::super::connection::connection;
use super::super::context::{loader, market, principal};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::loaders::{ComplaintBy, TextsOfComplaint};
use super::super::scalars::{MinorUnits, Moment, Money};
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
    /// About sales by one of these contracts.
    contract_ids: Option<Vec<ID>>,
    /// Opened at this moment or later.
    opened_since: Option<Moment>,
    /// Opened before this moment.
    opened_until: Option<Moment>,
}

impl ComplaintFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            states: words(self.state),
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            contracts: ids(Kind::Contract, self.contract_ids)?,
            opened_since: self.opened_since.map(Moment::into),
            opened_until: self.opened_until.map(Moment::into),
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
    fn reason(&self) -> Result<ComplaintReason> {
        ComplaintReason::read(&self.0.reason)
    }

    /// Where it stands.
    fn state(&self) -> Result<ComplaintState> {
        ComplaintState::read(&self.0.state)
    }

    /// What the buyer got back by it.
    fn credit(&self) -> Result<Money> {
        money(self.0.credit_minor, &self.0.currency)
    }

    /// What was taken back from the supplier for it.
    fn clawback(&self) -> Result<Money> {
        money(self.0.clawback_minor, &self.0.currency)
    }

    /// Whether the buyer wrote something about it.
    fn has_evidence(&self) -> bool {
        self.0.evidence.is_some()
    }

    /// What the buyer wrote about it. Absent where nothing was written, for those who see no personal data, and once the
    /// person was erased.
    async fn evidence(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let texts = loader(ctx)?.load_one(TextsOfComplaint(self.0.id)).await?;
        Ok(texts.and_then(|texts| texts.evidence))
    }

    /// What the buyer was told with the decision; absent in the same cases.
    async fn note(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let texts = loader(ctx)?.load_one(TextsOfComplaint(self.0.id)).await?;
        Ok(texts.and_then(|texts| texts.note))
    }

    /// When it was opened.
    fn opened_at(&self) -> Timestamp {
        self.0.opened_at
    }

    /// When it was decided.
    fn decided_at(&self) -> Option<Timestamp> {
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

/// A complaint to be opened.
#[derive(Debug, InputObject)]
pub(crate) struct ComplaintOpenInput {
    /// The sale it is about: sold, and not complained about already.
    sale_id: ID,
    /// Why; one of the reasons that the campaign takes.
    reason: ComplaintReason,
    /// What is wrong with the lead, up to 2000 characters; required where the reason is OTHER.
    evidence: Option<String>,
}

/// What is decided about a complaint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ComplaintVerdict {
    /// The buyer is right and gets money back.
    Uphold,
    /// The buyer gets nothing back.
    Refuse,
}

/// A decision about a complaint. It is final; the buyer may open another complaint.
#[derive(Debug, InputObject)]
pub(crate) struct ComplaintDecideInput {
    /// The complaint.
    complaint_id: ID,
    /// What is decided.
    verdict: ComplaintVerdict,
    /// How much is credited, in minor units; left out: all that is left of the price. Only where it is upheld.
    credit_minor: Option<MinorUnits>,
    /// What the buyer is told, up to 2000 characters.
    note: Option<String>,
}

/// What came of opening or deciding a complaint.
#[derive(Debug, SimpleObject)]
pub(crate) struct ComplaintPayload {
    /// The complaint as it stands now; absent if nothing was done.
    complaint: Option<Complaint>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl ComplaintPayload {
    const fn refused(user_errors: Vec<UserError>) -> Self {
        Self { complaint: None, user_errors }
    }

    async fn done(ctx: &Context<'_>, id: ComplaintId) -> Result<Self> {
        let complaint = loader(ctx)?.load_one(ComplaintBy(id.0)).await?.map(Complaint);
        Ok(Self { complaint, user_errors: Vec::new() })
    }
}

/// Mutations of complaints.
#[derive(Debug, Default)]
pub(crate) struct ComplaintMutations;

#[Object]
impl ComplaintMutations {
    /// Opens a complaint about a sale: by its buyer, or by staff on the buyer's behalf.
    async fn complaint_open(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale, and what is wrong with it.")] input: ComplaintOpenInput,
    ) -> Result<ComplaintPayload> {
        let Some(sale) = Kind::Sale.read(&input.sale_id) else {
            return Ok(ComplaintPayload::refused(vec![UserError::not_found("saleId", "sale")]));
        };
        let new = NewComplaint { sale_id: SaleId(sale), reason: input.reason.into(), evidence: input.evidence };
        match market(ctx)?.open_complaint(principal(ctx)?, new).await {
            Ok(id) => ComplaintPayload::done(ctx, id).await,
            Err(error) => Ok(ComplaintPayload::refused(errors::complaint(error)?)),
        }
    }

    /// Upholds a complaint with a credit, or refuses it.
    async fn complaint_decide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The complaint, and what is decided.")] input: ComplaintDecideInput,
    ) -> Result<ComplaintPayload> {
        let Some(id) = Kind::Complaint.read(&input.complaint_id).map(ComplaintId) else {
            return Ok(ComplaintPayload::refused(vec![UserError::not_found("complaintId", "complaint")]));
        };
        let decision = ComplaintDecision {
            complaint_id: id,
            upheld: input.verdict == ComplaintVerdict::Uphold,
            credit_minor: input.credit_minor.map(|credit| credit.0),
            note: input.note,
        };
        match market(ctx)?.decide_complaint(principal(ctx)?, decision).await {
            Ok(()) => ComplaintPayload::done(ctx, id).await,
            Err(error) => Ok(ComplaintPayload::refused(errors::complaint(error)?)),
        }
    }
}
