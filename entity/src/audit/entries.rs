//! Reading the audit: who did or saw what, newest first. For administrators alone.

use leadyard_types::{Principal, Role, Timestamp};
use sea_orm::sea_query::IntoCondition as _;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::model::audit;
use crate::store::Read;

/// The action of whoever saw personal data.
pub const VIEW: &str = "view";

/// Which entries. What is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Whose, as the audit names them: `user:…`, `source:…`, `system:…`.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To what kind of thing.
    pub noun: Option<String>,
    /// To this thing, or where it was seen.
    pub subject: Option<Uuid>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    fn condition(&self) -> Condition {
        let seen = |id: Uuid| {
            let among = Condition::all()
                .add(audit::Column::Action.eq(VIEW))
                .add(audit::Column::Detail.contains(id.to_string().as_str()));
            let about = audit::Column::NounId.eq(id);
            // Only what was seen names its things in the detail, which no index knows: all else is found by its own.
            let may_be_seen = self.action.as_deref().is_none_or(|action| action == VIEW);
            if may_be_seen { Condition::any().add(about).add(among) } else { about.into_condition() }
        };
        Condition::all()
            .add_option(self.actor.as_deref().map(|actor| audit::Column::Actor.eq(actor)))
            .add_option(self.action.as_deref().map(|action| audit::Column::Action.eq(action)))
            .add_option(self.noun.as_deref().map(|noun| audit::Column::Noun.eq(noun)))
            .add_option(self.subject.map(seen))
            .add_option(self.since.map(|since| audit::Column::At.gte(since)))
            .add_option(self.until.map(|until| audit::Column::At.lt(until)))
    }
}

impl Read {
    /// The newest entries of a filter before a number, at most so many.
    pub async fn audit_entries(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> StoreResult<Vec<audit::Model>> {
        if !matches!(self.principal, Principal::Staff { role: Role::Admin, .. } | Principal::System(_)) {
            return Ok(Vec::new());
        }
        let entries = audit::Entity::find()
            .filter(filter.condition())
            .filter(Condition::all().add_option(before.map(|before| audit::Column::No.lt(before))));
        Ok(entries.order_by_desc(audit::Column::No).limit(limit).all(self.connection()).await?)
    }
}
