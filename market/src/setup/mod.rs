//! Setting a market up and changing it. Whoever does it (GraphQL, the command line, the demo, an example) calls these
//! use cases: validate everything at once, then one transaction with revision, head, configuration version and audit.

mod apply;
mod bounds;
mod buyer;
mod campaign;
pub(crate) mod check;
mod contract;
mod destination;
mod head;
mod key;
mod source;
mod supplier;
mod vertical;

use std::collections::HashMap;

use leadyard_connectors::OutboundPolicy;
use leadyard_entity::setup::{Current, Noun, Revised};
use leadyard_entity::{Store, StoreError, Write};
use leadyard_types::{
    BuyerId, CampaignId, FieldProblem, InvalidTransition, Principal, RevisionId, Role, Status, SystemTask,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use crate::waiting::{wake, wake_for};

pub use apply::{Applied, ApplyError};
pub use bounds::OwnChange;
pub use buyer::NewBuyer;
pub use campaign::NewCampaign;
pub use check::AUCTIONS_MS_MAX;
pub use contract::{ContractsStatus, NewContract};
pub(crate) use contract::{Place, References};
pub use destination::{CreatedDestination, DestinationChange, NewDestination};
pub use head::HeadChange;
pub use key::CreatedKey;
pub use source::{CreatedSource, NewSource};
pub use supplier::SupplierChange;
pub use vertical::NewVertical;

/// Why a market could not be changed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The input is wrong; every problem is named.
    #[error("{}", listed(.0))]
    Problems(Vec<FieldProblem>),
    /// Something that is referred to does not exist, or not for the caller.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller's role may not do this.
    #[error("this is not allowed for your role")]
    NotAllowed,
    /// Somebody else changed it since it was read.
    #[error("it was changed meanwhile: the current version is {current}")]
    StaleVersion {
        /// The version to read again.
        current: i64,
    },
    /// Its status does not allow this: what is archived stays so.
    #[error(transparent)]
    InvalidTransition(#[from] InvalidTransition),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn listed(problems: &[FieldProblem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{}: {} ({})", problem.field, problem.message, problem.code))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The result of a set-up use case.
pub type SetupResult<T> = Result<T, SetupError>;

/// The use cases of setting up, on behalf of somebody.
#[derive(Debug, Clone)]
pub struct Setup {
    store: Store,
    principal: Principal,
    policy: OutboundPolicy,
}

impl Setup {
    /// Sets up in this store; `policy` says which addresses destinations may have.
    #[must_use]
    pub fn new(store: &Store, principal: Principal, policy: OutboundPolicy) -> Self {
        Self { store: store.clone(), principal, policy }
    }

    /// Staff who run the market, and the administrator of the machine.
    fn allowed(&self) -> SetupResult<()> {
        match self.principal {
            Principal::Staff { role: Role::Admin | Role::Manager, .. } | Principal::System(SystemTask::Operate) => {
                Ok(())
            }
            _ => Err(SetupError::NotAllowed),
        }
    }

    /// Whether the caller may also grant credit: that is money, which managers do not give away.
    fn may_grant_credit(&self) -> bool {
        matches!(self.principal, Principal::Staff { role: Role::Admin, .. } | Principal::System(SystemTask::Operate))
    }

    /// A transaction that changes the configuration: every process sees it before its next placement. Until it ends
    /// nobody else changes the set-up, so what it reads stays true.
    async fn change(&self) -> SetupResult<Write> {
        self.allowed()?;
        let write = self.store.write(self.principal).await?;
        write.touch_configuration().await?;
        Ok(write)
    }

    async fn finish(&self, write: Write, action: &str, noun: &str, id: Uuid) -> SetupResult<()> {
        write.audit(action, noun, Some(id), &json!({})).await?;
        let _ = write.commit().await?;
        Ok(())
    }

    /// An id for something new.
    fn new_id(&self) -> Uuid {
        self.store.ids().uuid()
    }

    /// The head of something, if it exists.
    async fn head(&self, write: &Write, noun: Revised, id: Uuid) -> SetupResult<Current> {
        let mut found = write.current(noun, [id]).await?;
        found.remove(&id).ok_or(SetupError::NotFound(noun.as_str()))
    }

    /// Writes a new revision and commits. The terms were checked; the version is compared here.
    async fn save<T: Serialize>(
        &self,
        mut write: Write,
        current: &Current,
        status: Option<Status>,
        terms: &T,
    ) -> SetupResult<i64> {
        let version = revise(&write, current, status, terms).await?;
        self.wake(&mut write, current).await?;
        let _ = write.commit().await?;
        Ok(version)
    }
}

/// Writes a new revision, with its line in the audit.
async fn revise<T: Serialize>(write: &Write, current: &Current, status: Option<Status>, terms: &T) -> SetupResult<i64> {
    if let (Some(from), Some(to)) = (current.status, status) {
        from.change(current.noun.as_str(), to)?;
    }
    let version = write.revise(current, status, to_text(terms)?).await?;
    write.audit("revise", current.noun.as_str(), Some(current.id), &json!({ "version": version })).await?;
    Ok(version)
}

impl Setup {
    /// Leads that wait are offered again: what was agreed anew may buy them.
    async fn wake(&self, write: &mut Write, changed: &Current) -> SetupResult<()> {
        match (changed.noun, changed.parent_id) {
            (Revised::Campaign, _) => wake(write, &[CampaignId(changed.id)].into()).await?,
            (Revised::Contract, Some(campaign)) => wake(write, &[CampaignId(campaign)].into()).await?,
            (Revised::Buyer, _) => wake_for(write, BuyerId(changed.id)).await?,
            _ => {}
        }
        Ok(())
    }
}

/// Somebody who read an older version must read again before changing anything.
fn expect_version(current: i64, expected: i64) -> SetupResult<()> {
    if current == expected { Ok(()) } else { Err(SetupError::StaleVersion { current }) }
}

fn refuse(problems: Vec<FieldProblem>) -> SetupResult<()> {
    if problems.is_empty() { Ok(()) } else { Err(SetupError::Problems(problems)) }
}

fn to_text<T: Serialize>(terms: &T) -> SetupResult<String> {
    Ok(serde_json::to_string(terms).map_err(StoreError::corrupt)?)
}

fn from_text<T: DeserializeOwned>(current: &Current) -> SetupResult<T> {
    Ok(serde_json::from_str(&current.terms).map_err(StoreError::corrupt)?)
}

/// The first revision of one thing.
async fn first_revision<T: Serialize>(write: &Write, noun: Revised, id: Uuid, terms: &T) -> SetupResult<RevisionId> {
    let ids = write.add_revisions(noun, vec![(id, to_text(terms)?)]).await?;
    ids.first().copied().ok_or_else(|| StoreError::corrupt("revision").into())
}

/// A name that another one has, who is not `own`, is a problem like any other.
async fn unused(
    write: &Write,
    noun: Noun,
    name: &str,
    campaign: Option<Uuid>,
    own: Option<Uuid>,
) -> SetupResult<Vec<FieldProblem>> {
    if write.named(noun, name, campaign).await?.iter().all(|id| Some(*id) == own) {
        return Ok(Vec::new());
    }
    let field = if noun == Noun::Vertical { "key" } else { "name" };
    Ok(vec![FieldProblem::new(field, "TAKEN", "there is one of this name already")])
}

/// Something referred to must exist.
async fn must_exist(write: &Write, noun: Noun, id: Uuid) -> SetupResult<()> {
    if write.existing(noun, [id]).await?.contains(&id) { Ok(()) } else { Err(SetupError::NotFound(noun.as_str())) }
}

/// What is read of a campaign before its sources and contracts are checked.
pub(crate) struct CampaignFacts {
    pub(crate) country: String,
    pub(crate) currency: leadyard_types::Currency,
    pub(crate) terms: leadyard_types::CampaignTerms,
    pub(crate) vertical: leadyard_types::terms::VerticalTerms,
}

impl CampaignFacts {
    /// Reads campaigns with their verticals, in two statements.
    async fn load(write: &Write, ids: impl IntoIterator<Item = Uuid>) -> SetupResult<HashMap<Uuid, Self>> {
        let heads = write.current(Revised::Campaign, ids).await?;
        let verticals = write.current(Revised::Vertical, heads.values().filter_map(|head| head.parent_id)).await?;
        let missing = || StoreError::corrupt("a campaign without its vertical, country or currency");
        heads
            .into_iter()
            .map(|(id, head)| {
                let vertical = head.parent_id.and_then(|id| verticals.get(&id)).ok_or_else(missing)?;
                let currency = head.currency.as_deref().ok_or_else(missing)?;
                let facts = Self {
                    country: head.country.clone().ok_or_else(missing)?,
                    currency: currency.parse().map_err(StoreError::corrupt)?,
                    terms: from_text(&head)?,
                    vertical: from_text(vertical)?,
                };
                Ok((id, facts))
            })
            .collect()
    }

    async fn one(write: &Write, id: Uuid) -> SetupResult<Self> {
        Self::load(write, [id]).await?.remove(&id).ok_or(SetupError::NotFound("campaign"))
    }
}
