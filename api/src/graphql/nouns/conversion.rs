//! Conversions: what buyers report about leads they bought.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::{conversion, sale};
use leadyard_entity::read::{self, Columns, ConversionFilter as Filter};
use leadyard_market::conversions::ReportedConversion;
use leadyard_types::{SaleId, Timestamp};

use super::super::columns::column;
use super::super::connection::connection;
use super::super::context::{loader, market, principal};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::loaders::SaleBy;
use super::super::scalars::{MinorUnits, Moment, Money};
use super::super::words::ConversionKind;
use super::buyer::Buyer;
use super::lead::Lead;
use super::sale::Sale;
use super::{ids, int, money, of_row, one, queries, there, words};

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
    fn kind(&self) -> Result<ConversionKind> {
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
        let key = SaleBy::with(self.0.sale_id, Columns::of(&[sale::Column::Currency]));
        match loader(ctx)?.load_one(key).await? {
            Some(sale) => Ok(Some(money(minor, column(sale.currency())?)?)),
            None => Ok(None),
        }
    }

    /// When it happened.
    fn happened_at(&self) -> Timestamp {
        self.0.happened_at
    }

    /// When it was reported.
    fn reported_at(&self) -> Timestamp {
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

/// What became of a lead that a buyer bought.
#[derive(Debug, InputObject)]
pub(crate) struct ConversionInput {
    /// The sale it is about, in state SOLD.
    sale_id: ID,
    /// What happened. Each kind is kept once per sale, as it was told first.
    kind: ConversionKind,
    /// What it was worth to the buyer, in minor units of the sale's currency.
    value_minor: Option<MinorUnits>,
    /// When it happened; left out: now.
    happened_at: Option<Moment>,
}

/// What became of leads that were bought.
#[derive(Debug, InputObject)]
pub(crate) struct ConversionsReportInput {
    /// What happened, 1 to 100.
    conversions: Vec<ConversionInput>,
}

/// What came of reporting conversions.
#[derive(Debug, SimpleObject)]
pub(crate) struct ConversionsReportPayload {
    /// The conversions as they are kept, each once, told now or before; none if one of them is wrong.
    conversions: Vec<Conversion>,
    /// How many of them were not known before.
    reported_count: i32,
    /// What to put right, each with its place: `["input", "conversions", "3", "saleId"]`.
    user_errors: Vec<UserError>,
}

/// Mutations of conversions.
#[derive(Debug, Default)]
pub(crate) struct ConversionMutations;

#[Object]
impl ConversionMutations {
    /// Reports what became of leads: by their buyer, or by staff on the buyer's behalf. All of it is kept, or nothing if one
    /// is wrong; what was told before changes nothing, so a report whose answer was lost is sent again.
    async fn conversions_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which sales, and what happened.")] input: ConversionsReportInput,
    ) -> Result<ConversionsReportPayload> {
        // What names no sale is told as a sale that is not there.
        let reported: Vec<ReportedConversion> = input
            .conversions
            .into_iter()
            .map(|conversion| ReportedConversion {
                sale_id: SaleId(Kind::Sale.read(&conversion.sale_id).unwrap_or_default()),
                kind: conversion.kind.into(),
                value_minor: conversion.value_minor.map(|value| value.0),
                happened_at: conversion.happened_at.map(Timestamp::from),
            })
            .collect();
        Ok(match market(ctx)?.report_conversions(principal(ctx)?, &reported).await {
            Ok(kept) => ConversionsReportPayload {
                conversions: kept.conversions.into_iter().map(Conversion::from).collect(),
                reported_count: int(kept.new),
                user_errors: Vec::new(),
            },
            Err(error) => {
                let user_errors = errors::conversion(error)?;
                ConversionsReportPayload { conversions: Vec::new(), reported_count: 0, user_errors }
            }
        })
    }
}
