//! Making the nouns of a market.

use std::collections::{BTreeMap, BTreeSet};

use leadyard_connectors::webhook;
use leadyard_entity::model::{buyer, buyer_group, campaign, contract, destination, source, supplier, vertical};
use leadyard_entity::setup::Revised;
use leadyard_entity::{StoreError, Write};
use leadyard_types::{
    AccountKind, BuyerGroupId, BuyerId, CampaignId, ContractId, DestinationId, DestinationKind, FieldProblem,
    RevisionId, SourceId, Status, SupplierId, VerticalId,
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    NewBuyer, NewCampaign, NewContract, NewDestination, NewSource, NewVertical, Setup, SetupError, SetupResult, check,
};
use crate::rules::normalise::check_vertical;
use crate::snapshot::Snapshot;

/// A new source and the path of its web form.
#[derive(Debug, Clone)]
pub struct CreatedSource {
    /// The source.
    pub id: SourceId,
    /// Its form lives at `/f/{form_key}`.
    pub form_key: String,
}

/// A new destination and, for webhooks, its signing secret, which is shown this once.
#[derive(Debug, Clone)]
pub struct CreatedDestination {
    /// The destination.
    pub id: DestinationId,
    /// The secret.
    pub secret: Option<String>,
}

fn refuse(problems: Vec<FieldProblem>) -> SetupResult<()> {
    if problems.is_empty() { Ok(()) } else { Err(SetupError::Problems(problems)) }
}

fn text<T: Serialize>(terms: &T) -> SetupResult<String> {
    Ok(serde_json::to_string(terms).map_err(StoreError::corrupt)?)
}

/// A taken name is the caller's problem, not a fault.
fn taken(error: StoreError) -> SetupError {
    match error {
        StoreError::Conflict(_) => {
            let message = "something with this name exists already, or something referred to does not";
            SetupError::Problems(vec![FieldProblem::new("name", "TAKEN", message)])
        }
        other => other.into(),
    }
}

impl Setup {
    async fn snapshot(&self) -> SetupResult<Snapshot> {
        Ok(Snapshot::load(&self.store).await?)
    }

    async fn first_revision(&self, write: &Write, noun: Revised, id: Uuid, terms: String) -> SetupResult<RevisionId> {
        let ids = write.add_revisions(noun, vec![(id, terms)]).await?;
        ids.first().copied().ok_or_else(|| StoreError::corrupt("revision").into())
    }

    /// Makes a vertical.
    pub async fn create_vertical(&self, new: NewVertical) -> SetupResult<VerticalId> {
        let problems = [check::key(&new.key), check::name("name", &new.name), check_vertical(&new.terms)].concat();
        refuse(problems)?;
        let write = self.change().await?;
        let id = self.store.ids().uuid();
        let revision = self.first_revision(&write, Revised::Vertical, id, text(&new.terms)?).await?;
        let row = vertical::Model {
            id,
            key: new.key,
            name: new.name,
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        write.add_verticals(vec![row]).await.map_err(taken)?;
        self.finish(write, "create", "vertical", id).await?;
        Ok(VerticalId(id))
    }

    /// Makes a campaign.
    pub async fn create_campaign(&self, new: NewCampaign) -> SetupResult<CampaignId> {
        let snapshot = self.snapshot().await?;
        if !snapshot.verticals.contains_key(&new.vertical_id) {
            return Err(SetupError::NotFound("vertical"));
        }
        let terms = check::campaign(&new.terms, &snapshot, new.vertical_id);
        refuse([check::name("name", &new.name), check::country(&new.country), terms].concat())?;
        let write = self.change().await?;
        let id = self.store.ids().uuid();
        let revision = self.first_revision(&write, Revised::Campaign, id, text(&new.terms)?).await?;
        let row = campaign::Model {
            id,
            vertical_id: new.vertical_id.0,
            name: new.name,
            country: new.country,
            currency: new.currency.as_str().to_owned(),
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        write.add_campaigns(vec![row]).await.map_err(taken)?;
        self.finish(write, "create", "campaign", id).await?;
        Ok(CampaignId(id))
    }

    /// Makes a supplier.
    pub async fn create_supplier(&self, name: &str, email: Option<String>) -> SetupResult<SupplierId> {
        refuse(check::name("name", name))?;
        let write = self.change().await?;
        let id = self.store.ids().uuid();
        let row = supplier::Model {
            id,
            name: name.to_owned(),
            email,
            status: Status::Active.as_str().to_owned(),
            created_at: self.store.clock().now(),
        };
        write.add_suppliers(vec![row]).await.map_err(taken)?;
        self.finish(write, "create", "supplier", id).await?;
        Ok(SupplierId(id))
    }

    /// Makes a source. Its web form gets a path nobody can guess.
    pub async fn create_source(&self, new: NewSource) -> SetupResult<CreatedSource> {
        let snapshot = self.snapshot().await?;
        let campaign = snapshot.campaigns.get(&new.campaign_id).ok_or(SetupError::NotFound("campaign"))?;
        refuse([check::name("name", &new.name), check::source(&new.terms, campaign)].concat())?;
        let write = self.change().await?;
        let id = self.store.ids().uuid();
        let revision = self.first_revision(&write, Revised::Source, id, text(&new.terms)?).await?;
        let random = leadyard_entity::keyring::random_bytes()?;
        let form_key: String = random.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let row = source::Model {
            id,
            supplier_id: new.supplier_id.0,
            campaign_id: new.campaign_id.0,
            name: new.name,
            form_key: form_key.clone(),
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        write.add_sources(vec![row]).await.map_err(taken)?;
        self.finish(write, "create", "source", id).await?;
        Ok(CreatedSource { id: SourceId(id), form_key })
    }

    /// Makes a buyer group.
    pub async fn create_buyer_group(&self, name: &str) -> SetupResult<BuyerGroupId> {
        refuse(check::name("name", name))?;
        let write = self.change().await?;
        let id = self.store.ids().uuid();
        let row = buyer_group::Model { id, name: name.to_owned(), created_at: self.store.clock().now() };
        write.add_buyer_groups(vec![row]).await.map_err(taken)?;
        self.finish(write, "create", "buyer_group", id).await?;
        Ok(BuyerGroupId(id))
    }

    /// Makes a buyer with its wallets.
    pub async fn create_buyer(&self, new: NewBuyer) -> SetupResult<BuyerId> {
        let mut problems = [check::name("name", &new.name), check::buyer(&new.terms)].concat();
        if new.wallets.iter().any(|(_, limit)| *limit < 0) {
            problems.push(FieldProblem::new("wallets", "OUT_OF_RANGE", "a credit limit is 0 or more minor units"));
        }
        refuse(problems)?;
        let write = self.change().await?;
        let id = self.store.ids().uuid();
        let revision = self.first_revision(&write, Revised::Buyer, id, text(&new.terms)?).await?;
        let row = buyer::Model {
            id,
            name: new.name,
            email: new.email,
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        write.add_buyers(vec![row]).await.map_err(taken)?;
        for (currency, limit_minor) in new.wallets {
            let wallet = write.ensure_account(AccountKind::BuyerWallet, id, currency).await?;
            write.set_credit_limit(wallet.id, limit_minor).await?;
        }
        self.finish(write, "create", "buyer", id).await?;
        Ok(BuyerId(id))
    }

    /// Makes a destination; a webhook gets a signing secret.
    pub async fn create_destination(&self, new: NewDestination) -> SetupResult<CreatedDestination> {
        let config = text(&new.config)?;
        let mut problems = check::name("name", &new.name);
        problems
            .extend(leadyard_connectors::check_destination(new.kind, &config, &self.policy).err().unwrap_or_default());
        refuse(problems)?;
        let write = self.change().await?;
        let id = DestinationId(self.store.ids().uuid());
        let secret = match new.kind {
            DestinationKind::Webhook => Some(webhook::new_secret(leadyard_entity::keyring::random_bytes()?)),
            DestinationKind::Email | DestinationKind::Portal => None,
        };
        let secret: Option<String> = secret.map(|secret| secrecy::ExposeSecret::expose_secret(&secret).to_owned());
        let sealed_secret = match &secret {
            Some(secret) => Some(write.seal_destination_secret(id, secret)?),
            None => None,
        };
        let row = destination::Model {
            id: id.0,
            buyer_id: new.buyer_id.0,
            name: new.name,
            kind: new.kind.as_str().to_owned(),
            status: Status::Active.as_str().to_owned(),
            config,
            sealed_secret,
            failing_since: None,
            notice: None,
            version: 1,
            created_at: self.store.clock().now(),
        };
        write.add_destinations(vec![row]).await.map_err(taken)?;
        self.finish(write, "create", "destination", id.0).await?;
        Ok(CreatedDestination { id, secret })
    }

    /// Makes contracts, all or none, in set-based statements.
    pub async fn create_contracts(&self, new: Vec<NewContract>) -> SetupResult<Vec<ContractId>> {
        let snapshot = self.snapshot().await?;
        let mut problems = Vec::new();
        for (position, contract) in new.iter().enumerate() {
            let campaign = snapshot.campaigns.get(&contract.campaign_id).ok_or(SetupError::NotFound("campaign"))?;
            if !snapshot.buyers.contains_key(&contract.buyer_id) {
                return Err(SetupError::NotFound("buyer"));
            }
            let found = [check::name("name", &contract.name), check::contract(&contract.terms, campaign)].concat();
            problems.extend(found.into_iter().map(|problem| FieldProblem {
                field: if new.len() == 1 { problem.field.clone() } else { format!("{position}.{}", problem.field) },
                ..problem
            }));
        }
        refuse(problems)?;
        let write = self.change().await?;
        self.destinations_belong(&write, &new).await?;
        let ids: Vec<Uuid> = new.iter().map(|_| self.store.ids().uuid()).collect();
        let terms =
            ids.iter().zip(&new).map(|(id, new)| Ok((*id, text(&new.terms)?))).collect::<SetupResult<Vec<_>>>()?;
        let revisions = write.add_revisions(Revised::Contract, terms).await?;
        let now = self.store.clock().now();
        let rows = new.into_iter().zip(&ids).zip(revisions).map(|((new, id), revision)| contract::Model {
            id: *id,
            campaign_id: new.campaign_id.0,
            buyer_id: new.buyer_id.0,
            name: new.name,
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: now,
        });
        write.add_contracts(rows.collect()).await.map_err(taken)?;
        write.audit("create", "contract", ids.first().copied(), &json!({ "contracts": ids.len() })).await?;
        let _ = write.commit().await?;
        Ok(ids.into_iter().map(ContractId).collect())
    }

    /// Makes one contract.
    pub async fn create_contract(&self, new: NewContract) -> SetupResult<ContractId> {
        let ids = self.create_contracts(vec![new]).await?;
        ids.first().copied().ok_or_else(|| StoreError::corrupt("contract").into())
    }

    /// A contract delivers to its own buyer's destinations only.
    pub(super) async fn destinations_belong(&self, write: &Write, new: &[NewContract]) -> SetupResult<()> {
        let all: BTreeSet<DestinationId> = new.iter().flat_map(|new| new.terms.destinations.iter().copied()).collect();
        let owners: BTreeMap<Uuid, Uuid> =
            write.destination_buyers(&all.into_iter().collect::<Vec<_>>()).await?.into_iter().collect();
        let foreign =
            |new: &&NewContract| new.terms.destinations.iter().any(|id| owners.get(&id.0) != Some(&new.buyer_id.0));
        if new.iter().any(|new| foreign(&new)) {
            return Err(SetupError::NotFound("destination"));
        }
        Ok(())
    }

    pub(super) async fn finish(&self, write: Write, action: &str, noun: &str, id: Uuid) -> SetupResult<()> {
        write.audit(action, noun, Some(id), &json!({})).await?;
        let _ = write.commit().await?;
        Ok(())
    }
}
