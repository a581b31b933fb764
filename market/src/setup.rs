//! Setting a market up and changing it. Whoever does it (GraphQL, the command line, the demo, an example) calls these
//! use cases: validate everything at once, then one transaction with revision, head, configuration version and audit.

mod check;
mod create;
mod revise;

use leadyard_connectors::OutboundPolicy;
use leadyard_entity::{Store, StoreError, Write};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, CampaignTerms, ContractTerms, Currency, DestinationKind, FieldProblem, Principal,
    Role, SourceTerms, SupplierId, VerticalId,
};

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
            Principal::Staff { role: Role::Admin | Role::Manager, .. } | Principal::System(_) => Ok(()),
            _ => Err(SetupError::NotAllowed),
        }
    }

    /// A transaction that changes the configuration: every process sees it before its next placement.
    async fn change(&self) -> SetupResult<Write> {
        self.allowed()?;
        let write = self.store.write(self.principal).await?;
        write.touch_configuration().await?;
        Ok(write)
    }
}

/// A vertical to be made.
#[derive(Debug, Clone)]
pub struct NewVertical {
    /// A short key, lower-case letters, digits and hyphens.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// Its fields.
    pub terms: VerticalTerms,
}

/// A campaign to be made.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    /// Its vertical.
    pub vertical_id: VerticalId,
    /// What people call it.
    pub name: String,
    /// ISO 3166, two letters.
    pub country: String,
    /// Its one currency.
    pub currency: Currency,
    /// Its terms.
    pub terms: CampaignTerms,
}

/// A source to be made.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Its supplier.
    pub supplier_id: SupplierId,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// What people call it.
    pub name: String,
    /// Its terms.
    pub terms: SourceTerms,
}

/// A buyer to be made.
#[derive(Debug, Clone)]
pub struct NewBuyer {
    /// What people call it.
    pub name: String,
    /// Where it is told things.
    pub email: Option<String>,
    /// Its terms.
    pub terms: BuyerTerms,
    /// Its wallets: currency and credit limit in minor units.
    pub wallets: Vec<(Currency, i64)>,
}

/// A destination to be made.
#[derive(Debug, Clone)]
pub struct NewDestination {
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// What people call it.
    pub name: String,
    /// What kind of place it is.
    pub kind: DestinationKind,
    /// Its settings as JSON, as the connector of that kind reads them.
    pub config: serde_json::Value,
}

/// A contract to be made.
#[derive(Debug, Clone)]
pub struct NewContract {
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// What people call it.
    pub name: String,
    /// Its terms.
    pub terms: ContractTerms,
}
