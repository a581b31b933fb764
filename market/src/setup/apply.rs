//! Applying a document: everything it changes in one transaction, by the same writes as single changes, or nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use leadyard_entity::setup::{Current, Noun as Table, Revised};
use leadyard_entity::{StoreError, Write};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{
    AccountKind, BuyerId, BuyerTerms, CampaignId, CampaignTerms, ContractTerms, DestinationId, DestinationKind,
    SourceId, SourceTerms, Status, SupplierId, VerticalId,
};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bounds::forget_counters_if_capped_otherwise;
use super::{
    NewBuyer, NewCampaign, NewContract, NewDestination, NewSource, NewVertical, Setup, SetupError, SetupResult, buyer,
    campaign, destination, revise, source,
};
use crate::configuration::{Change, Document, Fields, Noun, Plan, Problems, Secrets, Standing, plan};
use crate::configuration::{head_text, typed};
use crate::delivery::requeue_waiting;
use crate::waiting::{wake, wake_for};

/// Why a document was not applied. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The document is wrong; every problem is named.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// Somebody changed the configuration since the plan was made.
    #[error(
        "the configuration was changed meanwhile (version {planned} was planned for, {current} stands): plan again"
    )]
    Changed {
        /// The version the plan was made for.
        planned: i64,
        /// The version that stands.
        current: i64,
    },
    /// Changing the set-up failed.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl From<StoreError> for ApplyError {
    fn from(error: StoreError) -> Self {
        Self::Setup(error.into())
    }
}

/// What was applied.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// How many things were made.
    pub new: usize,
    /// How many were changed.
    pub changed: usize,
    /// The version of the configuration that stands now.
    pub version: i64,
    /// Signing secrets made for new destinations, by destination and buyer; each is shown this once.
    pub secrets: Vec<(String, SecretString)>,
}

impl Setup {
    /// The configuration that stands, for those who may change it.
    pub async fn standing(&self) -> SetupResult<Standing> {
        self.allowed()?;
        Ok(Standing::read(&self.store.read(self.principal)).await?)
    }

    /// What a document would change.
    pub async fn plan(&self, document: &Document, secrets: &Secrets) -> Result<Plan, ApplyError> {
        let standing = self.standing().await?;
        Ok(plan(document, &standing, secrets, self.store.ids().as_ref(), &self.policy)?)
    }

    /// Does what a plan showed, if it still holds: within the transaction the document is compared again, with what
    /// stands then.
    pub async fn apply(&self, document: &Document, secrets: &Secrets, shown: &Plan) -> Result<Applied, ApplyError> {
        let mut write = self.change().await?;
        // The transaction's own touch raised it by one.
        let version = write.config_version().await?.config;
        let changed = ApplyError::Changed { planned: shown.version, current: version - 1 };
        if shown.version != version - 1 {
            return Err(changed);
        }
        let standing = Standing::of(write.whole_configuration().await?)?;
        let plan = plan(document, &standing, secrets, self.store.ids().as_ref(), &self.policy)?;
        if !plan.same(shown) {
            return Err(changed);
        }
        if plan.changes.is_empty() {
            write.rollback().await?;
            return Ok(Applied { version: version - 1, ..Applied::default() });
        }
        if !self.hold(&write, &plan).await? {
            return Err(changed);
        }
        // Before anything takes a number of the decisions: taking a destination up locks what waits for it.
        for change in plan.changes.iter().filter(|change| change.noun == Noun::Destination && !change.new) {
            alter_destination(&mut write, change).await?;
        }
        heads(&write, &plan).await?;
        let mut applied = Applied { version, ..Applied::default() };
        (applied.new, applied.changed) = plan.counts();
        for noun in Noun::ALL {
            let changes: Vec<&Change> = plan.changes.iter().filter(|change| change.noun == *noun).collect();
            let (new, changed): (Vec<&Change>, Vec<&Change>) = changes.into_iter().partition(|change| change.new);
            self.make(&write, *noun, &new, secrets, &mut applied).await?;
            self.alter(&write, *noun, &changed).await?;
        }
        wake_leads(&mut write, &plan).await?;
        let detail = json!({ "new": applied.new, "changed": applied.changed, "version": version });
        write.audit("apply", "configuration", None, &detail).await?;
        let _ = write.commit().await?;
        Ok(applied)
    }

    /// Locks what will be written, in the order of locks, before the first of it is. Answers whether destinations, which
    /// workers set aside by themselves, are still as they were compared.
    async fn hold(&self, write: &Write, plan: &Plan) -> SetupResult<bool> {
        let of = |change: &Change, field: &str| head_text(&change.after, field).parse::<Uuid>().ok();
        let (mut campaigns, mut buyers) = (BTreeSet::new(), BTreeSet::new());
        for change in plan.changes.iter().filter(|change| !change.new) {
            match change.noun {
                Noun::Campaign => campaigns.extend([CampaignId(change.id)]),
                Noun::Source => campaigns.extend(of(change, "campaign").map(CampaignId)),
                Noun::Buyer => buyers.extend([BuyerId(change.id)]),
                Noun::Contract => buyers.extend(of(change, "buyer").map(BuyerId)),
                Noun::Vertical | Noun::Supplier | Noun::BuyerGroup | Noun::Destination => {}
            }
        }
        write.lock_campaigns(&campaigns).await?;
        write.lock_wallets(&buyers).await?;
        let wallets = plan.wallets().into_iter().map(|(buyer, currency)| (AccountKind::BuyerWallet, buyer, currency));
        write.ensure_accounts(&wallets.collect()).await?;
        let destinations = plan.changes.iter().filter(|change| change.noun == Noun::Destination && !change.new);
        let ordered: BTreeMap<Uuid, Option<&Fields>> =
            destinations.map(|change| (change.id, change.before.as_ref())).collect();
        for (id, before) in ordered {
            let row = write.lock_destination(DestinationId(id)).await?;
            if row.map(|row| row.status).as_deref() != before.map(|before| head_text(before, "status")) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what is new of one noun.
    async fn make(
        &self,
        write: &Write,
        noun: Noun,
        new: &[&Change],
        secrets: &Secrets,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        if noun == Noun::Contract {
            return Ok(self.make_contracts(write, new).await?);
        }
        for change in new {
            let (id, fields) = (change.id, &change.after);
            let name = text(fields, "name");
            match noun {
                Noun::Vertical => {
                    let new = NewVertical { key: text(fields, "key"), name, terms: terms(change)? };
                    self.add_vertical(write, id, new).await?;
                }
                Noun::Supplier => self.add_supplier(write, id, &name, email(fields), status(change)?).await?,
                Noun::Campaign => self.add_campaign(write, id, new_campaign(change, name)?).await?,
                Noun::Source => {
                    let (supplier_id, campaign_id) = (refers(fields, "supplier"), refers(fields, "campaign"));
                    let new = NewSource {
                        supplier_id: SupplierId(supplier_id),
                        campaign_id: CampaignId(campaign_id),
                        name,
                        terms: terms(change)?,
                    };
                    self.add_source(write, id, new).await?;
                }
                Noun::BuyerGroup => self.add_buyer_group(write, id, &name).await?,
                Noun::Buyer => {
                    let new = NewBuyer { name, email: email(fields), terms: terms(change)?, wallets: Vec::new() };
                    self.add_buyer(write, id, new).await?;
                }
                Noun::Destination => self.make_destination(write, change, secrets, applied).await?,
                Noun::Contract => {}
            }
            write.audit("create", noun.as_str(), Some(id), &json!({})).await?;
        }
        Ok(())
    }

    async fn make_destination(
        &self,
        write: &Write,
        change: &Change,
        secrets: &Secrets,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        let kind: DestinationKind = head_text(&change.after, "kind").parse().map_err(StoreError::corrupt)?;
        let given = change.secret.as_ref().and_then(|place| secrets.get(place)).and_then(|found| found.as_ref().ok());
        let secret = match given {
            Some(given) => Some(given.clone()),
            None => destination::new_secret(kind)?,
        };
        if let (None, Some(made)) = (given, &secret) {
            let buyer = change.fields.iter().find(|field| field.path == "buyer").and_then(|field| field.after.as_ref());
            let buyer = buyer.and_then(Value::as_str).unwrap_or_default();
            applied.secrets.push((format!("{} of {buyer}", change.name), made.clone()));
        }
        let new = NewDestination {
            buyer_id: BuyerId(refers(&change.after, "buyer")),
            name: text(&change.after, "name"),
            kind,
            config: change.after.get("config").cloned().unwrap_or_default(),
        };
        Ok(self.add_destination(write, DestinationId(change.id), new, status(change)?, secret.as_ref()).await?)
    }

    async fn make_contracts(&self, write: &Write, new: &[&Change]) -> SetupResult<()> {
        if new.is_empty() {
            return Ok(());
        }
        let contract = |change: &&Change| {
            Ok(NewContract {
                campaign_id: CampaignId(refers(&change.after, "campaign")),
                buyer_id: BuyerId(refers(&change.after, "buyer")),
                name: text(&change.after, "name"),
                terms: terms(change)?,
            })
        };
        let contracts = new.iter().map(contract).collect::<SetupResult<Vec<_>>>()?;
        let ids: Vec<Uuid> = new.iter().map(|change| change.id).collect();
        // Their wallets are there since the locks were taken.
        self.add_contracts(write, &ids, contracts, &BTreeSet::new()).await
    }

    /// Writes what changes of one noun.
    async fn alter(&self, write: &Write, noun: Noun, changed: &[&Change]) -> SetupResult<()> {
        let ids = changed.iter().map(|change| change.id);
        let heads = match noun {
            Noun::Vertical => write.current(Revised::Vertical, ids).await?,
            Noun::Campaign => write.current(Revised::Campaign, ids).await?,
            Noun::Source => write.current(Revised::Source, ids).await?,
            Noun::Buyer => write.current(Revised::Buyer, ids).await?,
            Noun::Contract => write.current(Revised::Contract, ids).await?,
            Noun::Supplier | Noun::BuyerGroup | Noun::Destination => HashMap::new(),
        };
        for change in changed {
            let head = heads.get(&change.id);
            match noun {
                Noun::Vertical => revised::<VerticalTerms>(write, head, change, |_| None).await?,
                Noun::Campaign => {
                    let (before, after): (CampaignTerms, CampaignTerms) = both(change)?;
                    campaign::recount(write, CampaignId(change.id), &before, &after).await?;
                    revised::<CampaignTerms>(write, head, change, |terms| Some(terms.status)).await?;
                }
                Noun::Source => {
                    let (before, after): (SourceTerms, SourceTerms) = both(change)?;
                    source::recount(write, SourceId(change.id), &before, &after).await?;
                    revised::<SourceTerms>(write, head, change, |terms| Some(terms.status)).await?;
                }
                Noun::Buyer => {
                    let (before, after): (BuyerTerms, BuyerTerms) = both(change)?;
                    buyer::recount(write, BuyerId(change.id), &before, &after).await?;
                    revised::<BuyerTerms>(write, head, change, |terms| Some(terms.status)).await?;
                }
                Noun::Contract => {
                    let (before, after): (ContractTerms, ContractTerms) = both(change)?;
                    if let Some(head) = head {
                        forget_counters_if_capped_otherwise(write, head, &before, &after).await?;
                    }
                    revised::<ContractTerms>(write, head, change, |terms| Some(terms.status)).await?;
                }
                Noun::Destination => {}
                Noun::Supplier | Noun::BuyerGroup => {
                    let table = if noun == Noun::Supplier { Table::Supplier } else { Table::BuyerGroup };
                    write.raise_version(table, change.id).await?;
                    write.audit("revise", noun.as_str(), Some(change.id), &json!({})).await?;
                }
            }
        }
        Ok(())
    }
}

/// Names and whatever else stands beside the terms of what exists.
async fn heads(write: &Write, plan: &Plan) -> SetupResult<()> {
    let tables = [
        (Noun::Vertical, Table::Vertical),
        (Noun::Supplier, Table::Supplier),
        (Noun::Campaign, Table::Campaign),
        (Noun::Source, Table::Source),
        (Noun::BuyerGroup, Table::BuyerGroup),
        (Noun::Buyer, Table::Buyer),
        (Noun::Contract, Table::Contract),
    ];
    for (noun, table) in tables {
        let mut names = Vec::new();
        for change in plan.changes.iter().filter(|change| change.noun == noun) {
            let Some(before) = &change.before else { continue };
            let differs = |field: &str| before.get(field) != change.after.get(field);
            if differs(noun.naming()) {
                names.push((change.id, text(&change.after, noun.naming())));
            }
            if noun == Noun::Vertical && differs("name") {
                write.set_vertical_name(change.id, head_text(&change.after, "name")).await?;
            }
            if differs("email") {
                write.set_email(table, change.id, email(&change.after).as_deref()).await?;
            }
            if noun == Noun::Supplier && differs("status") {
                write.set_supplier_status(change.id, status(change)?).await?;
            }
        }
        write.rename(table, &names).await?;
    }
    Ok(())
}

/// Leads that wait are offered again, once for every campaign: what was agreed anew may buy them.
async fn wake_leads(write: &mut Write, plan: &Plan) -> SetupResult<()> {
    let (mut campaigns, mut buyers) = (BTreeSet::new(), BTreeSet::new());
    for change in &plan.changes {
        match change.noun {
            Noun::Campaign => campaigns.extend([CampaignId(change.id)]),
            Noun::Contract => campaigns.extend([CampaignId(refers(&change.after, "campaign"))]),
            Noun::Buyer if !change.new => buyers.extend([BuyerId(change.id)]),
            _ => {}
        }
    }
    wake(write, &campaigns).await?;
    for buyer in buyers {
        wake_for(write, buyer).await?;
    }
    Ok(())
}

async fn alter_destination(write: &mut Write, change: &Change) -> SetupResult<()> {
    let id = DestinationId(change.id);
    let mut row = write.lock_destination(id).await?.ok_or(SetupError::NotFound("destination"))?;
    let status = status(change)?;
    let taken_up = row.status != status.as_str();
    row.name = text(&change.after, "name");
    row.config = change.after.get("config").map(Value::to_string).unwrap_or_default();
    row.status = status.as_str().to_owned();
    if taken_up && status == Status::Active {
        (row.notice, row.failing_since) = (None, None);
    }
    let version = destination::save_destination(write, row).await?;
    if status != Status::Paused {
        // What waited for it is due now, or is given up.
        requeue_waiting(write, id).await?;
    }
    write.audit("revise", "destination", Some(change.id), &json!({ "version": version })).await?;
    Ok(())
}

/// A new revision; also where only a name changed: running processes read what has a new revision.
async fn revised<T: DeserializeOwned + serde::Serialize>(
    write: &Write,
    head: Option<&Current>,
    change: &Change,
    status: impl Fn(&T) -> Option<Status>,
) -> SetupResult<()> {
    let terms: T = terms(change)?;
    let head = head.ok_or(SetupError::NotFound(change.noun.as_str()))?;
    revise(write, head, status(&terms), &terms).await.map(|_| ())
}

fn new_campaign(change: &Change, name: String) -> SetupResult<NewCampaign> {
    Ok(NewCampaign {
        vertical_id: VerticalId(refers(&change.after, "vertical")),
        name,
        country: text(&change.after, "country"),
        currency: head_text(&change.after, "currency").parse().map_err(StoreError::corrupt)?,
        terms: terms(change)?,
    })
}

fn text(fields: &Fields, name: &str) -> String {
    head_text(fields, name).to_owned()
}

fn email(fields: &Fields) -> Option<String> {
    fields.get("email").and_then(Value::as_str).map(str::to_owned)
}

/// What a field refers to; the plan made sure that it does.
fn refers(fields: &Fields, name: &str) -> Uuid {
    head_text(fields, name).parse().unwrap_or_default()
}

fn status(change: &Change) -> SetupResult<Status> {
    Ok(head_text(&change.after, "status").parse().map_err(StoreError::corrupt)?)
}

/// The terms agreed; the plan made sure that they are.
fn terms<T: DeserializeOwned>(change: &Change) -> SetupResult<T> {
    Ok(typed(change.noun, &change.after).map_err(StoreError::corrupt)?)
}

/// The terms before and after.
fn both<T: DeserializeOwned>(change: &Change) -> SetupResult<(T, T)> {
    let before = change.before.as_ref().ok_or(SetupError::NotFound(change.noun.as_str()))?;
    Ok((typed(change.noun, before).map_err(StoreError::corrupt)?, terms(change)?))
}
