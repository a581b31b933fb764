//! Reading the audit: who did or saw what, newest first. For administrators alone.

use std::collections::BTreeSet;

use leadyard_types::{Principal, Role, Timestamp};
use sea_orm::sea_query::{Query, UnionType};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::StoreResult;
use crate::model::{audit, audit_seen};
use crate::sql::among;
use crate::store::Read;

/// The action of whoever saw personal data.
pub(super) const VIEW: &str = "view";

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
        // Both are found by their indexes; one condition or the other would not be.
        let about = |id: Uuid| {
            let mut lines = Query::select();
            lines.column(audit::Column::No).from(audit::Entity).and_where(audit::Column::NounId.eq(id));
            let mut seen = Query::select();
            seen.column(audit_seen::Column::No)
                .from(audit_seen::Entity)
                .and_where(audit_seen::Column::SubjectId.eq(id));
            audit::Column::No.in_subquery(lines.union(UnionType::Distinct, seen).to_owned())
        };
        Condition::all()
            .add_option(self.actor.as_deref().map(|actor| audit::Column::Actor.eq(actor)))
            .add_option(self.action.as_deref().map(|action| audit::Column::Action.eq(action)))
            .add_option(self.noun.as_deref().map(|noun| audit::Column::Noun.eq(noun)))
            .add_option(self.subject.map(about))
            .add_option(self.since.map(|since| audit::Column::At.gte(since)))
            .add_option(self.until.map(|until| audit::Column::At.lt(until)))
    }
}

/// How many lines about views are looked at together.
const VIEWS_AT_ONCE: u64 = 500;
/// How many of those whom they showed are looked up together: fewer than a statement binds.
const SUBJECTS_AT_ONCE: usize = 8_192;

/// Whom a line about a view showed.
#[derive(Deserialize)]
struct Showed {
    #[serde(default)]
    leads: Vec<Uuid>,
    #[serde(default)]
    complaints: Vec<Uuid>,
}

impl Read {
    /// The lines about views that are not found by all whom they showed. A line that cannot be read is for the proof of the
    /// chain to name.
    pub async fn unfound_views(&self) -> StoreResult<Vec<i64>> {
        let (mut unfound, mut after) = (Vec::new(), 0);
        loop {
            let lines = audit::Entity::find()
                .filter(audit::Column::Action.eq(VIEW))
                .filter(audit::Column::No.gt(after))
                .order_by_asc(audit::Column::No)
                .limit(VIEWS_AT_ONCE)
                .all(self.connection())
                .await?;
            let Some(last) = lines.last().map(|line| line.no) else { return Ok(unfound) };
            let mut missing = BTreeSet::new();
            for line in &lines {
                let Ok(Showed { leads, complaints }) = serde_json::from_str(&line.detail) else { continue };
                missing.extend(leads.into_iter().chain(complaints).map(|subject| (line.no, subject)));
            }
            let subjects: BTreeSet<Uuid> = missing.iter().map(|(_, subject)| *subject).collect();
            let subjects: Vec<Uuid> = subjects.into_iter().collect();
            for some in subjects.chunks(SUBJECTS_AT_ONCE) {
                let found = audit_seen::Entity::find()
                    .filter(among(self.backend(), audit_seen::Column::SubjectId, some))
                    .filter(audit_seen::Column::No.between(after + 1, last));
                for row in found.all(self.connection()).await? {
                    missing.remove(&(row.no, row.subject_id));
                }
            }
            let lines: BTreeSet<i64> = missing.into_iter().map(|(no, _)| no).collect();
            unfound.extend(lines);
            after = last;
        }
    }

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
        let entries = entries.order_by_desc(audit::Column::No).limit(limit).into_query();
        let statement = self.backend().build(&entries);
        #[cfg(feature = "testing")]
        self.store.faults().ran(&statement.sql);
        Ok(audit::Model::find_by_statement(statement).all(self.connection()).await?)
    }
}
