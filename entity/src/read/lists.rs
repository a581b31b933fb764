//! The lists people look through: their filters, orders and cursors.

use std::collections::BTreeMap;

use leadyard_types::{
    AccountId, BuyerId, CampaignId, ComplaintState, ContractId, DeliveryState, DestinationId, LeadId, LeadState,
    Principal, Role, SaleState, SourceId, Status, SupplierId, Timestamp, TransferKind, UserId,
};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, IntoCondition, LikeExpr, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::page::{Cursor, Listed, SortValue};
use crate::auth::address;
use crate::keyring::IndexHash;
use crate::model::{
    api_key, buyer, buyer_group, campaign, complaint, contract, delivery, destination, invitation, lead,
    ledger_account, ledger_transfer, sale, source, supplier, user_account, vertical,
};
use crate::scope::Scoped;

/// The order of things that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameOrder {
    /// By name, A first.
    Name,
    /// The newest first.
    Newest,
}

/// The order of things that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeOrder {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
}

/// The order of leads.
pub type LeadOrder = TimeOrder;

/// The order of sales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SaleOrder {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
    /// The dearest first.
    Price,
    /// The cheapest first.
    Cheapest,
}

/// Which leads. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct LeadFilter {
    /// Where they stand.
    pub states: Vec<LeadState>,
    /// Of these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// Of these sources.
    pub sources: Vec<SourceId>,
    /// Of these suppliers.
    pub suppliers: Vec<SupplierId>,
    /// Sold to one of these buyers.
    pub buyers: Vec<BuyerId>,
    /// Sold by one of these contracts.
    pub contracts: Vec<ContractId>,
    /// Sold at this price or more, minor units.
    pub price_min_minor: Option<i64>,
    /// Sold at this price or less, minor units.
    pub price_max_minor: Option<i64>,
    /// With one of these keyed hashes among what duplicates are found by; without any, none.
    pub fingerprints: Option<Vec<IndexHash>>,
    /// With this id of the supplier's own.
    pub external_id: Option<String>,
    /// With this mark of the supplier's own.
    pub subid: Option<String>,
    /// Received at or after.
    pub received_since: Option<Timestamp>,
    /// Received before.
    pub received_until: Option<Timestamp>,
}

/// Which campaigns. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct CampaignFilter {
    /// In which status.
    pub statuses: Vec<Status>,
    /// With this in their name, whatever the case.
    pub name: Option<String>,
}

/// Which sources. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    /// In which status.
    pub statuses: Vec<Status>,
    /// With this in their name, whatever the case.
    pub name: Option<String>,
    /// Into these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// Of these suppliers.
    pub suppliers: Vec<SupplierId>,
}

/// Which buyers. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct BuyerFilter {
    /// In which status.
    pub statuses: Vec<Status>,
    /// With this in their name, whatever the case.
    pub name: Option<String>,
}

/// Which suppliers. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct SupplierFilter {
    /// In which status.
    pub statuses: Vec<Status>,
    /// With this in their name, whatever the case.
    pub name: Option<String>,
}

/// Which contracts. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct ContractFilter {
    /// In which status.
    pub statuses: Vec<Status>,
    /// With this in their name, whatever the case.
    pub name: Option<String>,
    /// In these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// Of these buyers.
    pub buyers: Vec<BuyerId>,
}

/// Which sales. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct SaleFilter {
    /// Where they stand.
    pub states: Vec<SaleState>,
    /// Of these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// To these buyers.
    pub buyers: Vec<BuyerId>,
    /// By these contracts.
    pub contracts: Vec<ContractId>,
    /// Of leads from these sources.
    pub sources: Vec<SourceId>,
    /// Of this lead.
    pub lead: Option<LeadId>,
    /// Sold at or after.
    pub sold_since: Option<Timestamp>,
    /// Sold before.
    pub sold_until: Option<Timestamp>,
    /// At this price or more, minor units.
    pub price_min_minor: Option<i64>,
    /// At this price or less, minor units.
    pub price_max_minor: Option<i64>,
}

/// Which deliveries. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Where they stand.
    pub states: Vec<DeliveryState>,
    /// To these buyers.
    pub buyers: Vec<BuyerId>,
    /// To these destinations.
    pub destinations: Vec<DestinationId>,
    /// Of sales of these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// Of sales by these contracts.
    pub contracts: Vec<ContractId>,
    /// Made at or after.
    pub created_since: Option<Timestamp>,
    /// Made before.
    pub created_until: Option<Timestamp>,
}

/// Which complaints. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct ComplaintFilter {
    /// Where they stand.
    pub states: Vec<ComplaintState>,
    /// Of these buyers.
    pub buyers: Vec<BuyerId>,
    /// About sales of these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// About sales by these contracts.
    pub contracts: Vec<ContractId>,
    /// Opened at or after.
    pub opened_since: Option<Timestamp>,
    /// Opened before.
    pub opened_until: Option<Timestamp>,
}

/// Which users. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Who may do one of these.
    pub roles: Vec<Role>,
    /// Of these buyers.
    pub buyers: Vec<BuyerId>,
    /// Of these suppliers.
    pub suppliers: Vec<SupplierId>,
    /// With this address.
    pub email: Option<String>,
}

/// Which invitations. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct InvitationFilter {
    /// Into these buyers.
    pub buyers: Vec<BuyerId>,
    /// To this address.
    pub email: Option<String>,
}

/// Which keys of users. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyFilter {
    /// Of these users.
    pub users: Vec<UserId>,
    /// Those that open something at this moment.
    pub active_at: Option<Timestamp>,
}

/// Which transfers. Empty lists mean any.
#[derive(Debug, Clone, Default)]
pub struct TransferFilter {
    /// That touch one of these accounts, on either side.
    pub accounts: Vec<AccountId>,
    /// Why money moved.
    pub kinds: Vec<TransferKind>,
    /// About these buyers.
    pub buyers: Vec<BuyerId>,
    /// About these suppliers.
    pub suppliers: Vec<SupplierId>,
    /// About these campaigns.
    pub campaigns: Vec<CampaignId>,
    /// About these contracts.
    pub contracts: Vec<ContractId>,
    /// Posted at or after.
    pub posted_since: Option<Timestamp>,
    /// Posted before.
    pub posted_until: Option<Timestamp>,
}

/// Conditions put together: what was not asked for adds nothing.
pub(super) struct Wanted {
    who: Principal,
    pub(super) all: Condition,
}

impl Wanted {
    pub(super) fn new(who: Principal) -> Self {
        Self { who, all: Condition::all() }
    }

    /// Nothing wanted yet, of the same caller.
    pub(super) fn fresh(&self) -> Self {
        Self::new(self.who)
    }

    pub(super) fn and(self, condition: impl IntoCondition) -> Self {
        Self { all: self.all.add(condition.into_condition()), ..self }
    }

    /// One of these, as far as the caller sees them: otherwise a filter would tell of a row what the row does not.
    pub(super) fn one_of<C, K, T>(self, column: C, key: K, ids: &[T]) -> Self
    where
        C: ColumnTrait,
        K: ColumnTrait,
        K::EntityName: Scoped,
        T: Copy + Into<Uuid>,
    {
        if ids.is_empty() {
            return self;
        }
        let visible = self.visible(key, ids);
        self.and(within_visible(column.is_in(ids.iter().map(|id| (*id).into())), column.into_expr(), visible))
    }

    /// The ids of those that the caller sees; nothing where it sees all.
    fn visible<K, T>(&self, key: K, ids: &[T]) -> Option<SelectStatement>
    where
        K: ColumnTrait,
        K::EntityName: Scoped,
        T: Copy + Into<Uuid>,
    {
        if matches!(self.who, Principal::Staff { .. } | Principal::System(_)) {
            return None;
        }
        let seen = <K::EntityName as Scoped>::visible_to(self.who);
        let rows = K::EntityName::default();
        let mut select = Query::select();
        select.column((rows, key)).from(rows).cond_where(seen).and_where(key.is_in(ids.iter().map(|id| (*id).into())));
        Some(select)
    }

    pub(super) fn word<C: ColumnTrait, T: Copy>(self, column: C, words: &[T], text: fn(T) -> &'static str) -> Self {
        if words.is_empty() { self } else { self.and(column.is_in(words.iter().copied().map(text))) }
    }

    pub(super) fn text<C: ColumnTrait>(self, column: C, text: Option<&String>) -> Self {
        match text {
            Some(text) => self.and(column.eq(text.as_str())),
            None => self,
        }
    }

    pub(super) fn within<C: ColumnTrait>(self, column: C, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        let all = self.all.add_option(since.map(|since| column.gte(since)));
        Self { all: all.add_option(until.map(|until| column.lt(until))), ..self }
    }

    /// With a text somewhere in it, whatever the case. Only for tables short enough to be looked through: what people
    /// set up by hand.
    fn part<C: ColumnTrait>(self, column: C, part: Option<&String>) -> Self {
        let Some(part) = part else { return self };
        let plain = lowered(part).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let like = LikeExpr::new(format!("%{plain}%")).escape('\\');
        // SQLite lowers ASCII alone, and PostgreSQL what its locale knows: letters beyond, where they are looked for, are
        // lowered one by one.
        let name = beyond_ascii(part).into_iter().fold(Expr::col(column.as_column_ref()), |name, (letter, small)| {
            Expr::expr(Func::cust("replace").args([name, Expr::value(letter.to_string()), Expr::value(small)]))
        });
        self.and(Expr::expr(Func::lower(name)).like(like))
    }
}

/// A text in small letters, each by itself: the same whatever stands beside it.
fn lowered(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The letters beyond ASCII that a text has or has in another case, where they are not small, with their small ones.
fn beyond_ascii(text: &str) -> BTreeMap<char, String> {
    let letters = text.chars().filter(|letter| !letter.is_ascii());
    let either_case = letters.flat_map(|letter| std::iter::once(letter).chain(one(letter.to_uppercase())));
    let both = either_case.map(|letter| (letter, letter.to_lowercase().collect::<String>()));
    both.filter(|(letter, small)| !letter.is_ascii() && small.chars().ne([*letter])).collect()
}

/// The only one, if there is only one.
fn one<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}

/// A column of the sales that somebody sees and that fit. What others paid is no way to tell leads apart.
fn sales(who: Principal, column: sale::Column, condition: Condition) -> SelectStatement {
    let visible = sale::Entity::visible_to(who).add(condition);
    Query::select().column(column).from(sale::Entity).cond_where(visible).to_owned()
}

/// Deliveries of the sales of some campaigns and contracts.
fn delivered(wanted: Wanted, filter: &DeliveryFilter) -> Wanted {
    if filter.campaigns.is_empty() && filter.contracts.is_empty() {
        return wanted;
    }
    let fit = Wanted::new(wanted.who).one_of(sale::Column::CampaignId, campaign::Column::Id, &filter.campaigns).one_of(
        sale::Column::ContractId,
        contract::Column::Id,
        &filter.contracts,
    );
    let sales = sales(wanted.who, sale::Column::Id, fit.all);
    wanted.and(delivery::Column::SaleId.in_subquery(sales))
}

/// Transfers that touch one of some accounts.
fn touching(wanted: Wanted, accounts: &[AccountId]) -> Wanted {
    if accounts.is_empty() {
        return wanted;
    }
    let side = |column| Wanted::new(wanted.who).one_of(column, ledger_account::Column::Id, accounts).all;
    let sides = [ledger_transfer::Column::DebitAccountId, ledger_transfer::Column::CreditAccountId].map(side);
    wanted.and(sides.into_iter().fold(Condition::any(), Condition::add))
}

pub(super) fn by_time(at: Timestamp, id: Uuid) -> Cursor {
    Cursor { value: SortValue::Time(at), id }
}

/// Lists of things with a name, a status and a moment of making.
macro_rules! named_list {
    ($($table:ident: $filter:ty = $condition:expr;)+) => {$(
        impl Listed for $table::Entity {
            type Filter = $filter;
            type Order = NameOrder;
            fn condition(filter: &Self::Filter, who: Principal) -> Condition {
                let wanted: fn(Wanted, &$filter) -> Wanted = $condition;
                wanted(Wanted::new(who), filter).all
            }
            fn sorting(order: NameOrder) -> (Self::Column, bool) {
                match order {
                    NameOrder::Name => ($table::Column::Name, false),
                    NameOrder::Newest => ($table::Column::CreatedAt, true),
                }
            }
            fn cursor(row: &Self::Model, order: NameOrder) -> Cursor {
                match order {
                    NameOrder::Name => Cursor { value: SortValue::Text(row.name.clone()), id: row.id },
                    NameOrder::Newest => by_time(row.created_at, row.id),
                }
            }
            fn id() -> Self::Column {
                $table::Column::Id
            }
            fn fits(cursor: &Cursor, order: NameOrder) -> bool {
                match order {
                    NameOrder::Name => matches!(cursor.value, SortValue::Text(_)),
                    NameOrder::Newest => matches!(cursor.value, SortValue::Time(_)),
                }
            }
        }
    )+};
}

named_list! {
    vertical: () = |wanted, ()| wanted;
    campaign: CampaignFilter = |wanted, filter| wanted
        .word(campaign::Column::Status, &filter.statuses, Status::as_str)
        .part(campaign::Column::Name, filter.name.as_ref());
    supplier: SupplierFilter = |wanted, filter| wanted
        .word(supplier::Column::Status, &filter.statuses, Status::as_str)
        .part(supplier::Column::Name, filter.name.as_ref());
    buyer_group: () = |wanted, ()| wanted;
    source: SourceFilter = |wanted, filter| wanted
        .word(source::Column::Status, &filter.statuses, Status::as_str)
        .part(source::Column::Name, filter.name.as_ref())
        .one_of(source::Column::CampaignId, campaign::Column::Id, &filter.campaigns)
        .one_of(source::Column::SupplierId, supplier::Column::Id, &filter.suppliers);
    buyer: BuyerFilter = |wanted, filter| wanted
        .word(buyer::Column::Status, &filter.statuses, Status::as_str)
        .part(buyer::Column::Name, filter.name.as_ref());
    contract: ContractFilter = |wanted, filter| wanted
        .word(contract::Column::Status, &filter.statuses, Status::as_str)
        .part(contract::Column::Name, filter.name.as_ref())
        .one_of(contract::Column::CampaignId, campaign::Column::Id, &filter.campaigns)
        .one_of(contract::Column::BuyerId, buyer::Column::Id, &filter.buyers);
    user_account: UserFilter = |wanted, filter| wanted
        .word(user_account::Column::Role, &filter.roles, Role::as_str)
        .one_of(user_account::Column::BuyerId, buyer::Column::Id, &filter.buyers)
        .one_of(user_account::Column::SupplierId, supplier::Column::Id, &filter.suppliers)
        .text(user_account::Column::Email, filter.email.as_deref().map(address).as_ref());
}

/// Lists of things that happened.
macro_rules! timed_list {
    ($($table:ident by $at:ident ($column:ident): $filter:ty = $condition:expr;)+) => {$(
        impl Listed for $table::Entity {
            type Filter = $filter;
            type Order = TimeOrder;
            fn condition(filter: &Self::Filter, who: Principal) -> Condition {
                let wanted: fn(Wanted, &$filter) -> Wanted = $condition;
                wanted(Wanted::new(who), filter).all
            }
            fn sorting(order: TimeOrder) -> (Self::Column, bool) {
                ($table::Column::$column, order == TimeOrder::Newest)
            }
            fn cursor(row: &Self::Model, _: TimeOrder) -> Cursor {
                by_time(row.$at, row.id)
            }
            fn id() -> Self::Column {
                $table::Column::Id
            }
            fn fits(cursor: &Cursor, _: TimeOrder) -> bool {
                matches!(cursor.value, SortValue::Time(_))
            }
        }
    )+};
}

pub(super) use timed_list;

timed_list! {
    lead by received_at (ReceivedAt): LeadFilter = leads;
    delivery by created_at (CreatedAt): DeliveryFilter = |wanted, filter| delivered(wanted, filter)
        .word(delivery::Column::State, &filter.states, DeliveryState::as_str)
        .one_of(delivery::Column::BuyerId, buyer::Column::Id, &filter.buyers)
        .one_of(delivery::Column::DestinationId, destination::Column::Id, &filter.destinations)
        .within(delivery::Column::CreatedAt, filter.created_since, filter.created_until);
    complaint by opened_at (OpenedAt): ComplaintFilter = |wanted, filter| wanted
        .word(complaint::Column::State, &filter.states, ComplaintState::as_str)
        .one_of(complaint::Column::BuyerId, buyer::Column::Id, &filter.buyers)
        .one_of(complaint::Column::CampaignId, campaign::Column::Id, &filter.campaigns)
        .one_of(complaint::Column::ContractId, contract::Column::Id, &filter.contracts)
        .within(complaint::Column::OpenedAt, filter.opened_since, filter.opened_until);
    invitation by created_at (CreatedAt): InvitationFilter = |wanted, filter| wanted
        .one_of(invitation::Column::BuyerId, buyer::Column::Id, &filter.buyers)
        .text(invitation::Column::Email, filter.email.as_deref().map(address).as_ref());
    api_key by created_at (CreatedAt): ApiKeyFilter = keys;
    ledger_transfer by posted_at (PostedAt): TransferFilter = |wanted, filter| touching(wanted, &filter.accounts)
        .word(ledger_transfer::Column::Kind, &filter.kinds, TransferKind::as_str)
        .one_of(ledger_transfer::Column::BuyerId, buyer::Column::Id, &filter.buyers)
        .one_of(ledger_transfer::Column::SupplierId, supplier::Column::Id, &filter.suppliers)
        .one_of(ledger_transfer::Column::CampaignId, campaign::Column::Id, &filter.campaigns)
        .one_of(ledger_transfer::Column::ContractId, contract::Column::Id, &filter.contracts)
        .within(ledger_transfer::Column::PostedAt, filter.posted_since, filter.posted_until);
}

fn keys(wanted: Wanted, filter: &ApiKeyFilter) -> Wanted {
    let wanted = wanted.one_of(api_key::Column::UserId, user_account::Column::Id, &filter.users);
    let Some(now) = filter.active_at else { return wanted };
    let goes_on = Condition::any().add(api_key::Column::ExpiresAt.is_null()).add(api_key::Column::ExpiresAt.gt(now));
    wanted.and(api_key::Column::RevokedAt.is_null()).and(goes_on)
}

fn leads(wanted: Wanted, filter: &LeadFilter) -> Wanted {
    let marked = filter.external_id.is_some() || filter.subid.is_some();
    let wanted = wanted
        .word(lead::Column::State, &filter.states, LeadState::as_str)
        .one_of(lead::Column::CampaignId, campaign::Column::Id, &filter.campaigns)
        .one_of(lead::Column::SourceId, source::Column::Id, &filter.sources)
        .one_of(lead::Column::SupplierId, supplier::Column::Id, &filter.suppliers)
        .text(lead::Column::ExternalId, filter.external_id.as_ref())
        .text(lead::Column::Subid, filter.subid.as_ref())
        .within(lead::Column::ReceivedAt, filter.received_since, filter.received_until);
    // A supplier's own marks are not for who buys.
    let hidden = marked && matches!(wanted.who, Principal::Buyer { .. });
    let wanted = if hidden { wanted.and(Expr::value(1).eq(0)) } else { wanted };
    let wanted = match known(filter) {
        Some(leads) => wanted.and(lead::Column::Id.in_subquery(leads)),
        None => wanted,
    };
    bought(wanted, filter)
}

/// Leads that were sold as the filter says, as far as the caller sees it.
fn bought(wanted: Wanted, filter: &LeadFilter) -> Wanted {
    let prices = (filter.price_min_minor, filter.price_max_minor);
    if filter.buyers.is_empty() && filter.contracts.is_empty() && prices == (None, None) {
        return wanted;
    }
    let fit = Wanted::new(wanted.who)
        .word(sale::Column::State, &[SaleState::Sold], SaleState::as_str)
        .one_of(sale::Column::BuyerId, buyer::Column::Id, &filter.buyers)
        .one_of(sale::Column::ContractId, contract::Column::Id, &filter.contracts);
    let fit = fit
        .all
        .add_option(prices.0.map(|least| sale::Column::PriceMinor.gte(least)))
        .add_option(prices.1.map(|most| sale::Column::PriceMinor.lte(most)));
    let sales = sales(wanted.who, sale::Column::LeadId, fit);
    wanted.and(lead::Column::Id.in_subquery(sales))
}

/// The leads that have one of the keyed hashes.
fn known(filter: &LeadFilter) -> Option<SelectStatement> {
    let hashes = filter.fingerprints.as_ref()?;
    let hash = Expr::col(Alias::new("hash")).is_in(hashes.iter().map(|hash| hash.to_vec()));
    let table = Alias::new("lead_fingerprint");
    Some(Query::select().column(Alias::new("lead_id")).from(table).and_where(hash).to_owned())
}

fn within_visible(named: Expr, column: Expr, visible: Option<SelectStatement>) -> Condition {
    Condition::all().add(named).add_option(visible.map(|visible| column.in_subquery(visible)))
}

impl Listed for sale::Entity {
    type Filter = SaleFilter;
    type Order = SaleOrder;

    fn condition(filter: &SaleFilter, who: Principal) -> Condition {
        let wanted = Wanted::new(who)
            .word(sale::Column::State, &filter.states, SaleState::as_str)
            .one_of(sale::Column::CampaignId, campaign::Column::Id, &filter.campaigns)
            .one_of(sale::Column::BuyerId, buyer::Column::Id, &filter.buyers)
            .one_of(sale::Column::ContractId, contract::Column::Id, &filter.contracts)
            .one_of(sale::Column::SourceId, source::Column::Id, &filter.sources)
            .one_of(sale::Column::LeadId, lead::Column::Id, filter.lead.as_slice())
            .within(sale::Column::SoldAt, filter.sold_since, filter.sold_until);
        wanted
            .all
            .add_option(filter.price_min_minor.map(|least| sale::Column::PriceMinor.gte(least)))
            .add_option(filter.price_max_minor.map(|most| sale::Column::PriceMinor.lte(most)))
    }

    fn sorting(order: SaleOrder) -> (sale::Column, bool) {
        match order {
            SaleOrder::Newest => (sale::Column::SoldAt, true),
            SaleOrder::Oldest => (sale::Column::SoldAt, false),
            SaleOrder::Price => (sale::Column::PriceMinor, true),
            SaleOrder::Cheapest => (sale::Column::PriceMinor, false),
        }
    }

    fn cursor(row: &sale::Model, order: SaleOrder) -> Cursor {
        match order {
            SaleOrder::Newest | SaleOrder::Oldest => by_time(row.sold_at, row.id),
            SaleOrder::Price | SaleOrder::Cheapest => Cursor { value: SortValue::Number(row.price_minor), id: row.id },
        }
    }

    fn id() -> sale::Column {
        sale::Column::Id
    }

    fn fits(cursor: &Cursor, order: SaleOrder) -> bool {
        match order {
            SaleOrder::Newest | SaleOrder::Oldest => matches!(cursor.value, SortValue::Time(_)),
            SaleOrder::Price | SaleOrder::Cheapest => matches!(cursor.value, SortValue::Number(_)),
        }
    }
}
