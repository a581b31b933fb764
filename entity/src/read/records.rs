//! Further lists: what is kept for the record of people and money.

use leadyard_types::{
    AccountId, BuyerId, CampaignId, ConversionKind, FieldKind, HoldState, Principal, SaleId, Timestamp,
};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::lists::{TimeOrder, Wanted, by_time, timed_list};
use super::page::{Cursor, Listed, SortValue};
use crate::keyring::IndexHash;
use crate::model::{buyer, campaign, consent, conversion, hold, lead, ledger_account, sale, suppression_entry};

/// Which holds. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct HoldFilter {
    /// Where they stand.
    pub states: Vec<HoldState>,
    /// On these wallets.
    pub wallets: Vec<AccountId>,
    /// On wallets of these buyers.
    pub buyers: Vec<BuyerId>,
    /// Made at or after.
    pub created_since: Option<Timestamp>,
    /// Made before.
    pub created_until: Option<Timestamp>,
}

/// Which consents. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct ConsentFilter {
    /// Of leads of these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// To this version of a text.
    pub text_version: Option<String>,
    /// On this declared basis.
    pub basis: Option<String>,
    /// For this purpose, among others.
    pub purpose: Option<String>,
    /// Given at or after.
    pub given_since: Option<Timestamp>,
    /// Given before.
    pub given_until: Option<Timestamp>,
    /// Stored at or after.
    pub recorded_since: Option<Timestamp>,
    /// Stored before.
    pub recorded_until: Option<Timestamp>,
}

/// Which suppression entries. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct SuppressionFilter {
    /// For these campaigns alone.
    pub campaigns: Vec<CampaignId>,
    /// Whether they hold everywhere, or for one campaign.
    pub everywhere: Option<bool>,
    /// Of one of these keyed hashes; without any, none.
    pub hashes: Option<Vec<IndexHash>>,
    /// Of this kind of contact.
    pub kind: Option<FieldKind>,
    /// Added at or after.
    pub created_since: Option<Timestamp>,
    /// Added before.
    pub created_until: Option<Timestamp>,
}

/// Which conversions. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct ConversionFilter {
    /// Of these kinds.
    pub kinds: Vec<ConversionKind>,
    /// Reported by these buyers.
    pub buyers: Vec<BuyerId>,
    /// Of sales of these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// Of this sale.
    pub sale: Option<SaleId>,
    /// Reported at or after.
    pub reported_since: Option<Timestamp>,
    /// Reported before.
    pub reported_until: Option<Timestamp>,
}

timed_list! {
    hold by created_at (CreatedAt): HoldFilter = |wanted, filter| in_states(wanted, &filter.states)
        .one_of(hold::Column::AccountId, ledger_account::Column::Id, &filter.wallets)
        .of_buyers(&filter.buyers)
        .within(hold::Column::CreatedAt, filter.created_since, filter.created_until);
    consent by created_at (CreatedAt): ConsentFilter = |wanted, filter| of_campaigns(wanted, &filter.campaigns)
        .text(consent::Column::TextVersion, filter.text_version.as_ref())
        .text(consent::Column::Basis, filter.basis.as_ref())
        .named(consent::Column::Purposes, filter.purpose.as_deref())
        .within(consent::Column::GivenAt, filter.given_since, filter.given_until)
        .within(consent::Column::CreatedAt, filter.recorded_since, filter.recorded_until);
    suppression_entry by created_at (CreatedAt): SuppressionFilter = |wanted, filter| suppressed(wanted, filter)
        .one_of(suppression_entry::Column::CampaignId, campaign::Column::Id, &filter.campaigns)
        .within(suppression_entry::Column::CreatedAt, filter.created_since, filter.created_until);
    conversion by reported_at (ReportedAt): ConversionFilter = |wanted, filter| converted(wanted, &filter.campaigns)
        .word(conversion::Column::Kind, &filter.kinds, ConversionKind::as_str)
        .one_of(conversion::Column::BuyerId, buyer::Column::Id, &filter.buyers)
        .one_of(conversion::Column::SaleId, sale::Column::Id, filter.sale.as_slice())
        .within(conversion::Column::ReportedAt, filter.reported_since, filter.reported_until);
}

impl Wanted {
    /// Holds on wallets of some buyers, as far as the caller sees both.
    fn of_buyers(self, buyers: &[BuyerId]) -> Self {
        if buyers.is_empty() {
            return self;
        }
        let owned = self.fresh().one_of(ledger_account::Column::OwnerId, buyer::Column::Id, buyers).all;
        let wallets =
            Query::select().column(Alias::new("id")).from(ledger_account::Entity).cond_where(owned).to_owned();
        self.and(hold::Column::AccountId.in_subquery(wallets))
    }

    /// With a text among the texts that a column lists as JSON.
    fn named(self, column: consent::Column, text: Option<&str>) -> Self {
        let Some(text) = text else { return self };
        // As the column spells it, quotes and all: no text is a part of another.
        let spelt = serde_json::Value::from(text).to_string();
        // LIKE would ignore the case of ASCII on SQLite: what taking the text out of it changes, has it, on both databases.
        let without = Func::cust("replace").args([column.into_expr(), Expr::value(spelt), Expr::value("")]);
        self.and(Expr::expr(without).ne(column.into_expr()))
    }
}

/// Holds that stand so.
fn in_states(wanted: Wanted, states: &[HoldState]) -> Wanted {
    if states.is_empty() {
        return wanted;
    }
    let name = Alias::new;
    let ended = |words: Vec<&'static str>| -> SelectStatement {
        let mut ends = Query::select();
        ends.column(name("hold_id")).from(name("hold_resolution"));
        if !words.is_empty() {
            ends.and_where(Expr::col(name("kind")).is_in(words));
        }
        ends
    };
    let words: Vec<&str> =
        states.iter().filter(|state| **state != HoldState::Open).map(|state| state.as_str()).collect();
    let mut any = Condition::any();
    if states.contains(&HoldState::Open) {
        any = any.add(hold::Column::Id.not_in_subquery(ended(Vec::new())));
    }
    if !words.is_empty() {
        any = any.add(hold::Column::Id.in_subquery(ended(words)));
    }
    wanted.and(any)
}

/// Consents of leads of some campaigns.
fn of_campaigns(wanted: Wanted, campaigns: &[CampaignId]) -> Wanted {
    if campaigns.is_empty() {
        return wanted;
    }
    let fit = wanted.fresh().one_of(lead::Column::CampaignId, campaign::Column::Id, campaigns).all;
    let leads = Query::select().column(lead::Column::Id).from(lead::Entity).cond_where(fit).to_owned();
    wanted.and(consent::Column::LeadId.in_subquery(leads))
}

/// Conversions of sales of some campaigns.
fn converted(wanted: Wanted, campaigns: &[CampaignId]) -> Wanted {
    if campaigns.is_empty() {
        return wanted;
    }
    let fit = wanted.fresh().one_of(sale::Column::CampaignId, campaign::Column::Id, campaigns).all;
    let sales = Query::select().column(sale::Column::Id).from(sale::Entity).cond_where(fit).to_owned();
    wanted.and(conversion::Column::SaleId.in_subquery(sales))
}

fn suppressed(wanted: Wanted, filter: &SuppressionFilter) -> Wanted {
    use suppression_entry::Column;
    let mut fit = Condition::all();
    if let Some(everywhere) = filter.everywhere {
        let nowhere_alone = Column::CampaignId.eq(Uuid::nil());
        fit = fit.add(if everywhere { nowhere_alone } else { nowhere_alone.not() });
    }
    if let Some(hashes) = &filter.hashes {
        fit = fit.add(Column::Hash.is_in(hashes.iter().map(|hash| hash.to_vec())));
    }
    wanted.and(fit.add_option(filter.kind.map(|kind| Column::Field.eq(kind.as_str()))))
}
