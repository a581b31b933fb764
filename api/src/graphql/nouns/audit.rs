//! The audit: who did or saw what.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::audit::AuditFilter as Filter;
use leadyard_entity::model::audit;
use leadyard_types::Timestamp;

use super::super::connection::PageInfo;
use super::super::context::read;
use super::super::errors::{fixed, store};
use super::super::id::Kind;
use super::super::scalars::Moment;
use super::user::User;
use super::{int, of_row, one};

of_row! {
    /// A line of the audit: somebody did, or saw, something. Lines are never changed.
    AuditEntry of audit
}

#[Object(use_type_description)]
impl AuditEntry {
    /// Its number; there are no gaps.
    fn number(&self) -> i32 {
        int(self.0.no)
    }

    /// When it was done.
    fn at(&self) -> Timestamp {
        self.0.at
    }

    /// Who, as the audit names them: `user:…`, `source:…` or `system:…`.
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The user who did it, where one did.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.actor.strip_prefix("user:").and_then(|id| id.parse().ok()) {
            Some(user) => one!(ctx, UserBy(user) => User),
            None => Ok(None),
        }
    }

    /// What was done: `create`, `revise`, `view`, `sign_in` …
    fn action(&self) -> &str {
        &self.0.action
    }

    /// To what kind of thing.
    fn noun(&self) -> &str {
        &self.0.noun
    }

    /// To which thing, without its kind; absent where there were several.
    fn subject_id(&self) -> Option<ID> {
        self.0.noun_id.map(|id| ID(id.to_string()))
    }

    /// More about it as JSON: ids, figures and reasons, never personal values.
    fn detail(&self) -> &str {
        &self.0.detail
    }
}

/// Which lines. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct AuditFilter {
    /// What this user did.
    user_id: Option<ID>,
    /// What was done: `view`, `sign_in_refused` …
    action: Option<String>,
    /// To what kind of thing: `lead`, `contract` …
    noun: Option<String>,
    /// To this thing, or where it was seen.
    subject_id: Option<ID>,
    /// At this moment or later.
    since: Option<Moment>,
    /// Before this moment.
    until: Option<Moment>,
}

impl AuditFilter {
    fn read(self) -> Result<Filter> {
        let invalid = || fixed("ID_INVALID", "an id of this filter's own kind is expected");
        let user = self.user_id.map(|id| Kind::User.read(&id).ok_or_else(invalid)).transpose()?;
        let any = |id: ID| Kind::of(&id).map(|(_, id)| id).or_else(|| id.parse().ok()).ok_or_else(invalid);
        Ok(Filter {
            actor: user.map(|user| format!("user:{user}")),
            action: self.action,
            noun: self.noun,
            subject: self.subject_id.map(any).transpose()?,
            since: self.since.map(Moment::into),
            until: self.until.map(Moment::into),
        })
    }
}

/// A line in the list.
#[derive(Debug, SimpleObject)]
pub(crate) struct AuditEntryEdge {
    /// The line itself.
    node: AuditEntry,
    /// Its place in the list, for `after`.
    cursor: String,
}

/// A page of the audit, the newest lines first.
#[derive(Debug, SimpleObject)]
pub(crate) struct AuditEntryConnection {
    /// The lines of this page with their cursors.
    edges: Vec<AuditEntryEdge>,
    /// The lines of this page without their cursors.
    nodes: Vec<AuditEntry>,
    /// Where this page stands in the list.
    page_info: PageInfo,
}

/// What walking the audit's chain came to.
#[derive(Debug, SimpleObject)]
pub(crate) struct AuditChain {
    /// Whether every line is as it was written, where it was written.
    intact: bool,
    /// How many lines are.
    lines: i32,
    /// The first number whose line is changed, missing or out of place.
    first_broken: Option<i32>,
}

/// Root fields.
#[derive(Debug, Default)]
pub(crate) struct AuditQueries;

#[Object]
impl AuditQueries {
    /// The audit, the newest lines first.
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Which of them; left out, all.")] filter: Option<AuditFilter>,
    ) -> Result<AuditEntryConnection> {
        let size = u64::try_from(first).ok().filter(|size| (1..=100).contains(size));
        let size = size.ok_or_else(|| fixed("PAGE_SIZE_INVALID", "first and last take 1 to 100"))?;
        let invalid = |_| fixed("CURSOR_INVALID", "a cursor of this list and order is expected");
        let before = after.map(|cursor| cursor.parse().map_err(invalid)).transpose()?;
        let filter = filter.unwrap_or_default().read()?;
        let mut rows = read(ctx)?.audit_entries(&filter, before, size + 1).await.map_err(store)?;
        let has_next_page = rows.len() as u64 > size;
        rows.truncate(usize::try_from(size).unwrap_or_default());
        let cursor = |row: &audit::Model| row.no.to_string();
        let page_info = PageInfo {
            has_next_page,
            has_previous_page: before.is_some(),
            start_cursor: rows.first().map(cursor),
            end_cursor: rows.last().map(cursor),
        };
        let nodes: Vec<AuditEntry> = rows.into_iter().map(AuditEntry::from).collect();
        let edge = |node: &AuditEntry| AuditEntryEdge { cursor: cursor(&node.0), node: node.clone() };
        Ok(AuditEntryConnection { edges: nodes.iter().map(edge).collect(), nodes, page_info })
    }

    /// Walks the audit's chain from its beginning to its end: whatever was changed, removed or swapped is found.
    async fn audit_chain(&self, ctx: &Context<'_>) -> Result<AuditChain> {
        let chain = read(ctx)?.audit_chain().await.map_err(store)?;
        Ok(AuditChain {
            intact: chain.first_broken.is_none(),
            lines: int(chain.rows),
            first_broken: chain.first_broken.map(int),
        })
    }
}
