//! Conversions: what buyers report about leads they bought.

use async_graphql::{Context, ID, InputObject, Object, Result};
use leadyard_entity::model::conversion;
use leadyard_entity::read::{self, ConversionFilter as Filter};
use leadyard_types::Timestamp;

use super::super::connection::connection;
use super::super::id::Kind;
use super::super::scalars::{Moment, Money};
use super::super::words::ConversionKind;
use super::buyer::Buyer;
use super::lead::Lead;
use super::sale::Sale;
use super::{ids, money, of_row, one, queries, there, words};

of_row! {
    /// What a buyer reports about a lead it bought: reached, quoted, won or lost. Each kind is kept once per sale.
    Conversion of conversion
}

/// Which conversions. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ConversionFilter {
    /// Of one of these kinds.
    kind: Option<Vec<ConversionKind>>,
    /// Reported by one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// Of sales of one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// Of this sale.
    sale_id: Option<ID>,
    /// Reported at this moment or later.
    reported_since: Option<Moment>,
    /// Reported before this moment.
    reported_until: Option<Moment>,
}

impl ConversionFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        let sale = ids(Kind::Sale, self.sale_id.map(|id| vec![id]))?;
        Ok(Filter {
            kinds: words(self.kind),
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            sale: sale.into_iter().next(),
            reported_since: self.reported_since.map(Moment::into),
            reported_until: self.reported_until.map(Moment::into),
        })
    }
}

#[Object(use_type_description)]
impl Conversion {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Conversion.id(self.0.id)
    }

    /// What happened.
    async fn kind(&self) -> Result<ConversionKind> {
        ConversionKind::read(&self.0.kind)
    }

    /// The sale it is about.
    async fn sale(&self, ctx: &Context<'_>) -> Result<Option<Sale>> {
        one!(ctx, SaleBy(self.0.sale_id) => Sale)
    }

    /// The lead it is about.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Option<Lead>> {
        one!(ctx, LeadBy(self.0.lead_id) => Lead)
    }

    /// Who reported it.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.0.buyer_id) => Buyer)?)
    }

    /// What it was worth to the buyer, in the currency of the sale; absent where that was not told.
    async fn value(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        let Some(minor) = self.0.value_minor else { return Ok(None) };
        match one!(ctx, SaleBy(self.0.sale_id) => Sale)? {
            Some(sale) => Ok(Some(money(minor, &sale.0.currency)?)),
            None => Ok(None),
        }
    }

    /// When it happened.
    async fn happened_at(&self) -> Timestamp {
        self.0.happened_at
    }

    /// When it was reported.
    async fn reported_at(&self) -> Timestamp {
        self.0.reported_at
    }
}

connection!(ConversionConnection, ConversionEdge, Conversion of conversion, "A page of conversions.", "A conversion in a list.");

queries! {
    ConversionQueries, Conversion, ConversionBy => Conversion,
    /// A conversion by its id.
    conversion,
    /// What buyers reported, as far as you may see it.
    conversions -> ConversionConnection by TimeOrder of read::TimeOrder, filter ConversionFilter
}
