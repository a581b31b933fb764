//! Sales.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::StoreError;
use leadyard_entity::model::sale;
use leadyard_entity::read::{self, Columns, SaleFilter as Filter};
use leadyard_types::{SaleId, Timestamp};

use super::super::columns::{column, shown};
use super::super::connection::connection;
use super::super::context::{loader, market, principal};
use super::super::errors::{UserError, store};
use super::super::id::Kind;
use super::super::loaders::SaleBy;
use super::super::scalars::{MinorUnits, Moment, Money};
use super::super::words::{SaleState, Verdict};
use super::buyer::Buyer;
use super::campaign::Campaign;
use super::complaint::Complaint;
use super::contract::Contract;
use super::conversion::Conversion;
use super::decision::Decision;
use super::delivery::Delivery;
use super::hold::Hold;
use super::lead::Lead;
use super::source::Source;
use super::supplier::Supplier;
use super::transfer::Transfer;
use super::{ids, int, many, money, one, queries, there, words};

shown! {
    /// A lead sold to one contract at one price. A shared lead has several.
    Sale of sale {
        "lead": [LeadId],
        "campaign": [CampaignId],
        "source": [SourceId],
        "supplier": [SupplierId],
        "buyer": [BuyerId],
        "contract": [ContractId],
        "decision": [DecisionId],
        "stage": [Stage],
        "leg": [Leg],
        "test": [Test],
        "exclusive": [Exclusive],
        "verdict": [Verdict],
        "state": [State],
        "price": [PriceMinor, Currency],
        "payout": [PayoutMinor, Currency],
        "soldAt": [SoldAt],
        "stateSince": [StateSince],
        "reference": [Reference],
        "reason": [Reason],
        "deliveries": [],
        "hold": [],
        "transfers": [],
        "conversions": [],
        "complaints": [],
    }
}

/// Which sales. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct SaleFilter {
    /// In one of these states.
    state: Option<Vec<SaleState>>,
    /// Of one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// To one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// By one of these contracts.
    contract_ids: Option<Vec<ID>>,
    /// Of leads from one of these sources.
    source_ids: Option<Vec<ID>>,
    /// Of this lead.
    lead_id: Option<ID>,
    /// Sold at this moment or later.
    sold_since: Option<Moment>,
    /// Sold before this moment.
    sold_until: Option<Moment>,
    /// At this price or more, in minor units.
    price_min_minor: Option<MinorUnits>,
    /// At this price or less, in minor units.
    price_max_minor: Option<MinorUnits>,
}

impl SaleFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        let lead = ids(Kind::Lead, self.lead_id.map(|id| vec![id]))?;
        Ok(Filter {
            states: words(self.state),
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            contracts: ids(Kind::Contract, self.contract_ids)?,
            sources: ids(Kind::Source, self.source_ids)?,
            lead: lead.into_iter().next(),
            sold_since: self.sold_since.map(Moment::into),
            sold_until: self.sold_until.map(Moment::into),
            price_min_minor: self.price_min_minor.map(|least| least.0),
            price_max_minor: self.price_max_minor.map(|most| most.0),
        })
    }
}

#[Object(use_type_description)]
impl Sale {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Sale.id(self.0.id())
    }

    /// What was sold.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Lead> {
        there(one!(ctx, LeadBy(*column(self.0.lead_id())?) => Lead)?)
    }

    /// The campaign it was sold in.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(*column(self.0.campaign_id())?) => Campaign)?)
    }

    /// The channel the lead came through.
    async fn source(&self, ctx: &Context<'_>) -> Result<Source> {
        there(one!(ctx, SourceBy(*column(self.0.source_id())?) => Source)?)
    }

    /// Who sent the lead.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Supplier> {
        there(one!(ctx, SupplierBy(*column(self.0.supplier_id())?) => Supplier)?)
    }

    /// Who bought.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(*column(self.0.buyer_id())?) => Buyer)?)
    }

    /// By which contract.
    async fn contract(&self, ctx: &Context<'_>) -> Result<Contract> {
        there(one!(ctx, ContractBy(*column(self.0.contract_id())?) => Contract)?)
    }

    /// The routing run that chose the contract.
    async fn decision(&self, ctx: &Context<'_>) -> Result<Decision> {
        there(one!(ctx, DecisionBy(*column(self.0.decision_id())?) => Decision)?)
    }

    /// The step of the campaign it was sold in.
    fn stage(&self) -> Result<&str> {
        Ok(column(self.0.stage())?)
    }

    /// Its place among the sales of its lead, 1 first.
    fn leg(&self) -> Result<i32> {
        Ok(int(*column(self.0.leg())?))
    }

    /// Whether its lead is a test: it was not billed.
    fn test(&self) -> Result<bool> {
        Ok(*column(self.0.test())?)
    }

    /// Whether nobody else gets the lead.
    fn exclusive(&self) -> Result<bool> {
        Ok(*column(self.0.exclusive())?)
    }

    /// Whether the buyer answers when the lead is posted.
    fn verdict(&self) -> Result<Verdict> {
        Verdict::read(column(self.0.verdict())?)
    }

    /// Where it stands.
    fn state(&self) -> Result<SaleState> {
        SaleState::read(column(self.0.state())?)
    }

    /// What the buyer pays.
    fn price(&self) -> Result<Money> {
        money(*column(self.0.price_minor())?, column(self.0.currency())?)
    }

    /// What the supplier earns by it.
    fn payout(&self) -> Result<Money> {
        money(*column(self.0.payout_minor())?, column(self.0.currency())?)
    }

    /// When it was sold.
    fn sold_at(&self) -> Result<Timestamp> {
        Ok(*column(self.0.sold_at())?)
    }

    /// Since when it has stood where it stands.
    fn state_since(&self) -> Result<Timestamp> {
        Ok(*column(self.0.state_since())?)
    }

    /// The buyer's own reference, from its answer.
    fn reference(&self) -> Result<Option<&str>> {
        Ok(column(self.0.reference())?.as_deref())
    }

    /// Why the buyer refused it, from its answer.
    fn reason(&self) -> Result<Option<&str>> {
        Ok(column(self.0.reason())?.as_deref())
    }

    /// How it reaches the buyer.
    async fn deliveries(&self, ctx: &Context<'_>) -> Result<Vec<Delivery>> {
        many!(ctx, DeliveriesOfSale(self.0.id()) => Delivery)
    }

    /// The money that was reserved while the buyer's answer was awaited; absent where none was.
    async fn hold(&self, ctx: &Context<'_>) -> Result<Option<Hold>> {
        Ok(many!(ctx, HoldsOfSale(self.0.id()) => Hold)?.pop())
    }

    /// Every movement of money that it caused, oldest first. Buyers see those of their own wallets.
    async fn transfers(&self, ctx: &Context<'_>) -> Result<Vec<Transfer>> {
        many!(ctx, TransfersOfSale(self.0.id()) => Transfer)
    }

    /// What the buyer reported about it, oldest first.
    async fn conversions(&self, ctx: &Context<'_>) -> Result<Vec<Conversion>> {
        many!(ctx, ConversionsOfSale(self.0.id()) => Conversion)
    }

    /// What the buyer complained about, oldest first.
    async fn complaints(&self, ctx: &Context<'_>) -> Result<Vec<Complaint>> {
        many!(ctx, ComplaintsOfSale(self.0.id()) => Complaint)
    }
}

connection!(SaleConnection, SaleEdge, Sale of parts of sale, "A page of sales.", "A sale in a list.", inside by SalesPage);

queries! {
    SaleQueries, Sale, SaleBy => Sale,
    /// A sale by its id.
    sale,
    /// The sales you may see.
    sales -> SaleConnection by SaleOrder of read::SaleOrder, filter SaleFilter
}

/// What became of a sale whose answer was lost.
#[derive(Debug, InputObject)]
pub(crate) struct SaleResolveUnknownInput {
    /// The sale.
    sale_id: ID,
    /// Whether the buyer has the lead: true charges it, false lets its money go and offers the lead on.
    accepted: bool,
}

/// What came of resolving a sale.
#[derive(Debug, SimpleObject)]
pub(crate) struct SaleResolveUnknownPayload {
    /// The sale as it stands now; absent if nothing was done.
    sale: Option<Sale>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of sales.
#[derive(Debug, Default)]
pub(crate) struct SaleMutations;

#[Object]
impl SaleMutations {
    /// Says what became of a sale whose answer was lost.
    async fn sale_resolve_unknown(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale, and what became of it.")] input: SaleResolveUnknownInput,
    ) -> Result<SaleResolveUnknownPayload> {
        let refused = |error| Ok(SaleResolveUnknownPayload { sale: None, user_errors: vec![error] });
        let loader = loader(ctx)?;
        let found = match Kind::Sale.read(&input.sale_id) {
            Some(id) => loader.load_one(SaleBy::with(id, Columns::NONE)).await?,
            None => None,
        };
        let Some(row) = found else { return refused(UserError::not_found("saleId", "sale")) };
        match market(ctx)?.resolve_unknown(principal(ctx)?, SaleId(row.id()), input.accepted).await {
            Ok(true) => {
                let sale = loader.load_one(SaleBy::with(row.id(), Columns::ALL)).await?.map(Sale);
                Ok(SaleResolveUnknownPayload { sale, user_errors: Vec::new() })
            }
            Ok(false) => {
                refused(UserError::of("saleId", "NOT_POSSIBLE", "its answer is not lost: there is nothing to resolve"))
            }
            Err(StoreError::Conflict(message)) => refused(UserError::of("saleId", "CONFLICT", message)),
            Err(error) => Err(store(error)),
        }
    }
}
