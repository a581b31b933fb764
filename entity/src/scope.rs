//! Who sees which rows: one rule per table, and the only way to a select of the readers in [`crate::read`].
//!
//! Staff and the system see every row; what a *role* of the staff may see of a row is decided by field, at the edge.
//! A buyer sees its own set-up, final sales and the leads behind them; a supplier sees its own sources and leads; a
//! source's key sees its own leads. What is not visible does not exist: no answer tells the two apart.

use leadyard_types::{AccountKind, Principal, Role, SaleState};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

use crate::model::{
    api_key, attempt, buyer, buyer_group, campaign, complaint, consent, contract, conversion, decision, delivery,
    destination, hold, hold_resolution, invitation, lead, lead_event, ledger_account, ledger_transfer, quote, revision,
    sale, session, source, supplier, suppression_entry, user_account, vertical,
};
use crate::store::Read;

/// A table whose rows are reached through a principal.
pub trait Scoped: EntityTrait {
    /// Which rows the principal sees.
    fn visible_to(principal: Principal) -> Condition;
}

impl Read {
    /// The rows of a table that the principal sees. There is no other way to a select for anybody outside this room.
    pub(crate) fn select<E: Scoped>(&self) -> Select<E> {
        E::find().filter(E::visible_to(self.principal))
    }
}

/// Every row.
fn all() -> Condition {
    Condition::all()
}

/// No row.
fn none() -> Condition {
    Condition::all().add(Expr::value(1).eq(0))
}

/// A column of one table whose other column is an id.
fn picked(table: &'static str, column: &'static str, by: &'static str, id: Uuid) -> SelectStatement {
    let name = Alias::new;
    Query::select().column(name(column)).from(name(table)).and_where(Expr::col(name(by)).eq(id)).to_owned()
}

/// The leads that a buyer bought for good.
fn bought(buyer: Uuid) -> SelectStatement {
    let mut leads = picked("sale", "lead_id", "buyer_id", buyer);
    leads.and_where(Expr::col(Alias::new("state")).eq(SaleState::Sold.as_str()));
    leads
}

/// The final sales of a buyer.
fn final_sales(buyer: Uuid) -> SelectStatement {
    let mut sales = picked("sale", "id", "buyer_id", buyer);
    sales.and_where(Expr::col(Alias::new("state")).eq(SaleState::Sold.as_str()));
    sales
}

/// The campaigns a principal takes part in.
fn campaigns_of(principal: Principal) -> Option<SelectStatement> {
    match principal {
        Principal::Buyer { buyer_id, .. } => Some(picked("contract", "campaign_id", "buyer_id", buyer_id.0)),
        Principal::Supplier { supplier_id, .. } => Some(picked("source", "campaign_id", "supplier_id", supplier_id.0)),
        Principal::Source { source_id } => Some(picked("source", "campaign_id", "id", source_id.0)),
        Principal::Staff { .. } | Principal::System(_) => None,
    }
}

/// The verticals a principal takes part in.
fn verticals_of(principal: Principal) -> Option<SelectStatement> {
    let campaigns = campaigns_of(principal)?;
    let mut verticals = Query::select();
    verticals
        .column(Alias::new("vertical_id"))
        .from(Alias::new("campaign"))
        .and_where(Expr::col(Alias::new("id")).in_subquery(campaigns));
    Some(verticals)
}

/// The ledger accounts that are a principal's own.
fn own_accounts(kind: AccountKind, owner: Uuid) -> SelectStatement {
    let mut accounts = picked("ledger_account", "id", "owner_id", owner);
    accounts.and_where(Expr::col(Alias::new("kind")).eq(kind.as_str()));
    accounts
}

/// The holds on a buyer's wallets.
fn own_holds(buyer: Uuid) -> SelectStatement {
    let wallets = own_accounts(AccountKind::BuyerWallet, buyer);
    let mut holds = Query::select();
    let column = Expr::col(Alias::new("account_id"));
    holds.column(Alias::new("id")).from(Alias::new("hold")).and_where(column.in_subquery(wallets));
    holds
}

/// `staff and system: all; everybody else: by rule`.
macro_rules! scoped {
    ($($table:ident: $rule:expr;)+) => {$(
        impl Scoped for $table::Entity {
            fn visible_to(principal: Principal) -> Condition {
                match principal {
                    Principal::Staff { .. } | Principal::System(_) => all(),
                    outsider => {
                        let rule: fn(Principal) -> Condition = $rule;
                        rule(outsider)
                    }
                }
            }
        }
    )+};
}

scoped! {
    vertical: |who| verticals_of(who).map_or_else(none, |ids| all().add(vertical::Column::Id.in_subquery(ids)));
    campaign: |who| campaigns_of(who).map_or_else(none, |ids| all().add(campaign::Column::Id.in_subquery(ids)));
    supplier: |who| match who {
        Principal::Supplier { supplier_id, .. } => all().add(supplier::Column::Id.eq(supplier_id.0)),
        _ => none(),
    };
    source: |who| match who {
        Principal::Supplier { supplier_id, .. } => all().add(source::Column::SupplierId.eq(supplier_id.0)),
        Principal::Source { source_id } => all().add(source::Column::Id.eq(source_id.0)),
        _ => none(),
    };
    buyer: |who| match who {
        Principal::Buyer { buyer_id, .. } => all().add(buyer::Column::Id.eq(buyer_id.0)),
        _ => none(),
    };
    buyer_group: |_| none();
    contract: |who| match who {
        Principal::Buyer { buyer_id, .. } => all().add(contract::Column::BuyerId.eq(buyer_id.0)),
        _ => none(),
    };
    destination: |who| match who {
        Principal::Buyer { buyer_id, .. } => all().add(destination::Column::BuyerId.eq(buyer_id.0)),
        _ => none(),
    };
    revision: revisions_of;
    lead: |who| match who {
        Principal::Buyer { buyer_id, .. } => all().add(lead::Column::Id.in_subquery(bought(buyer_id.0))),
        Principal::Supplier { supplier_id, .. } => all().add(lead::Column::SupplierId.eq(supplier_id.0)),
        Principal::Source { source_id } => all().add(lead::Column::SourceId.eq(source_id.0)),
        _ => none(),
    };
    quote: |who| match who {
        Principal::Supplier { supplier_id, .. } => all().add(quote::Column::SupplierId.eq(supplier_id.0)),
        Principal::Source { source_id } => all().add(quote::Column::SourceId.eq(source_id.0)),
        _ => none(),
    };
    lead_event: |_| none();
    // Evidence goes with its lead.
    consent: |who| match who {
        Principal::Buyer { buyer_id, .. } => all().add(consent::Column::LeadId.in_subquery(bought(buyer_id.0))),
        Principal::Supplier { supplier_id, .. } => {
            all().add(consent::Column::LeadId.in_subquery(picked("lead", "id", "supplier_id", supplier_id.0)))
        }
        Principal::Source { source_id } => {
            all().add(consent::Column::LeadId.in_subquery(picked("lead", "id", "source_id", source_id.0)))
        }
        _ => none(),
    };
    suppression_entry: |_| none();
    decision: |_| none();
    sale: |who| match who {
        Principal::Buyer { buyer_id, .. } => {
            all().add(sale::Column::BuyerId.eq(buyer_id.0)).add(sale::Column::State.eq(SaleState::Sold.as_str()))
        }
        _ => none(),
    };
    delivery: |who| match who {
        Principal::Buyer { buyer_id, .. } => all()
            .add(delivery::Column::BuyerId.eq(buyer_id.0))
            .add(delivery::Column::SaleId.in_subquery(final_sales(buyer_id.0))),
        _ => none(),
    };
    attempt: |who| match who {
        Principal::Buyer { buyer_id, .. } => {
            let mut own = picked("delivery", "id", "buyer_id", buyer_id.0);
            own.and_where(Expr::col(Alias::new("sale_id")).in_subquery(final_sales(buyer_id.0)));
            all().add(attempt::Column::DeliveryId.in_subquery(own))
        }
        _ => none(),
    };
    complaint: |who| match who {
        Principal::Buyer { buyer_id, .. } => all().add(complaint::Column::BuyerId.eq(buyer_id.0)),
        _ => none(),
    };
    conversion: |who| match who {
        Principal::Buyer { buyer_id, .. } => all().add(conversion::Column::BuyerId.eq(buyer_id.0)),
        _ => none(),
    };
    ledger_account: |who| match who {
        Principal::Buyer { buyer_id, .. } => {
            all().add(ledger_account::Column::Id.in_subquery(own_accounts(AccountKind::BuyerWallet, buyer_id.0)))
        }
        Principal::Supplier { supplier_id, .. } => {
            all().add(ledger_account::Column::Id.in_subquery(own_accounts(AccountKind::SupplierPayable, supplier_id.0)))
        }
        _ => none(),
    };
    ledger_transfer: |who| match who {
        Principal::Buyer { buyer_id, .. } => touching(AccountKind::BuyerWallet, buyer_id.0),
        Principal::Supplier { supplier_id, .. } => touching(AccountKind::SupplierPayable, supplier_id.0),
        _ => none(),
    };
    hold: |who| match who {
        Principal::Buyer { buyer_id, .. } => {
            all().add(hold::Column::AccountId.in_subquery(own_accounts(AccountKind::BuyerWallet, buyer_id.0)))
        }
        _ => none(),
    };
    hold_resolution: |who| match who {
        Principal::Buyer { buyer_id, .. } => {
            all().add(hold_resolution::Column::HoldId.in_subquery(own_holds(buyer_id.0)))
        }
        _ => none(),
    };
    user_account: |who| match who {
        Principal::Buyer { buyer_id, role: Role::BuyerAdmin, .. } => all().add(user_account::Column::BuyerId.eq(buyer_id.0)),
        Principal::Buyer { user_id, .. } | Principal::Supplier { user_id, .. } => {
            all().add(user_account::Column::Id.eq(user_id.0))
        }
        _ => none(),
    };
    invitation: |who| match who {
        Principal::Buyer { buyer_id, role: Role::BuyerAdmin, .. } => all().add(invitation::Column::BuyerId.eq(buyer_id.0)),
        _ => none(),
    };
}

/// Sessions are everybody's own, whatever their role.
impl Scoped for session::Entity {
    fn visible_to(principal: Principal) -> Condition {
        principal.user_id().map_or_else(none, |user| all().add(session::Column::UserId.eq(user.0)))
    }
}

/// Keys of users: everybody their own, administrators those of whom they administer. Keys of sources are none of them.
impl Scoped for api_key::Entity {
    fn visible_to(principal: Principal) -> Condition {
        let of_users = all().add(api_key::Column::UserId.is_not_null());
        match principal {
            Principal::Staff { role: Role::Admin, .. } | Principal::System(_) => of_users,
            Principal::Buyer { buyer_id, role: Role::BuyerAdmin, .. } => {
                of_users.add(api_key::Column::UserId.in_subquery(picked("user_account", "id", "buyer_id", buyer_id.0)))
            }
            _ => principal.user_id().map_or_else(none, |user| of_users.add(api_key::Column::UserId.eq(user.0))),
        }
    }
}

/// Transfers that touch an account of the owner's.
fn touching(kind: AccountKind, owner: Uuid) -> Condition {
    Condition::any()
        .add(ledger_transfer::Column::DebitAccountId.in_subquery(own_accounts(kind, owner)))
        .add(ledger_transfer::Column::CreditAccountId.in_subquery(own_accounts(kind, owner)))
}

/// The terms a principal has agreed to: its own, and the fields of its verticals. A campaign's terms are the operator's.
fn revisions_of(who: Principal) -> Condition {
    let of = |noun: &'static str, ids: SelectStatement| {
        all().add(revision::Column::Noun.eq(noun)).add(revision::Column::NounId.in_subquery(ids))
    };
    let verticals = verticals_of(who).map_or_else(none, |ids| of("vertical", ids));
    match who {
        Principal::Buyer { buyer_id, .. } => Condition::any()
            .add(of("contract", picked("contract", "id", "buyer_id", buyer_id.0)))
            .add(of("buyer", picked("buyer", "id", "id", buyer_id.0)))
            .add(verticals),
        Principal::Supplier { supplier_id, .. } => {
            Condition::any().add(of("source", picked("source", "id", "supplier_id", supplier_id.0))).add(verticals)
        }
        _ => verticals,
    }
}
