//! Loaders: what one level of a query needs is read together, by the caller's scoped reader. A query costs as many
//! statements as it has levels, however many rows there are.

mod accounts;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Error};
use leadyard_entity::Read;
use leadyard_entity::complaints::ComplaintTexts;
use leadyard_entity::model::{
    api_key, attempt, buyer, buyer_group, campaign, complaint, consent, contract, conversion, decision, delivery,
    destination, hold, hold_resolution, invitation, lead, lead_event, ledger_account, ledger_transfer, revision, sale,
    session, source, supplier, suppression_entry, user_account, vertical,
};
use leadyard_entity::read::{
    ByParent, Columns, LeadContents, NameOrder, OpenTerms, Page, PageArgs, Part, SaleOrder, TimeOrder,
    consent_shows_a_person,
};
use leadyard_entity::reports::{CampaignLine, LINES_MAX, ProfitBy, ProfitLine, SeriesOf, SplitAsked};
use leadyard_market::Market;
use leadyard_market::experiment::{SplitReport, split_reports};
use leadyard_market::explain::DecisionExplained;
use leadyard_market::statistics::{Pieces, Series, series};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{BuyerTerms, CampaignTerms, Consent, ContractTerms, RevisionId, SourceTerms};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::columns::of_item;
use super::errors::{fixed, internal, statistics, store};
use super::nouns::contract::Contract;
use super::nouns::lead::Lead;
use super::nouns::sale::Sale;
use super::views::Views;

pub(crate) use accounts::{AdSpendOf, EntriesOf, PayablesOf, Periods, StatementOf};

/// The loaders of one request.
#[derive(Debug)]
pub(crate) struct Loaders {
    pub(crate) read: Read,
    pub(crate) market: Arc<Market>,
    /// What is shown of people.
    pub(crate) views: Views,
    /// Of which days statements were asked for.
    pub(crate) periods: Periods,
}

/// The key of something that has an id.
pub(crate) trait ById {
    /// The key of what the field being answered shows.
    fn of(ctx: &Context<'_>, id: Uuid) -> Self;
}

type Loaded<K, V> = Result<HashMap<K, V>, Error>;

/// `By(id)` loads a row by its id.
macro_rules! rows {
    ($($key:ident => $table:ident),+ $(,)?) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $key(pub(crate) Uuid);

        impl ById for $key {
            fn of(_: &Context<'_>, id: Uuid) -> Self {
                Self(id)
            }
        }

        impl Loader<$key> for Loaders {
            type Value = Arc<$table::Model>;
            type Error = Error;
            async fn load(&self, keys: &[$key]) -> Loaded<$key, Self::Value> {
                let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
                let rows = self.read.by_ids::<$table::Entity>(&ids).await.map_err(store)?;
                Ok(rows.into_iter().map(|(id, row)| ($key(id), Arc::new(row))).collect())
            }
        }
    )+};
}

rows! {
    VerticalBy => vertical,
    CampaignBy => campaign,
    SupplierBy => supplier,
    SourceBy => source,
    BuyerBy => buyer,
    BuyerGroupBy => buyer_group,
    ContractRowBy => contract,
    DestinationBy => destination,
    DecisionBy => decision,
    DeliveryBy => delivery,
    ComplaintBy => complaint,
    WalletBy => ledger_account,
    TransferBy => ledger_transfer,
    HoldBy => hold,
    HoldEndBy => hold_resolution,
    ConsentBy => consent,
    ConversionBy => conversion,
    SuppressionEntryBy => suppression_entry,
    UserBy => user_account,
    InvitationBy => invitation,
    SessionBy => session,
    ApiKeyBy => api_key,
}

/// `By::of(ctx, id)` loads a wide row by its id: the columns that the selection needs. Rows of one wave are read together,
/// whatever each of them needs.
macro_rules! parts {
    ($($key:ident => $table:ident as $shown:ty),+ $(,)?) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $key {
            id: Uuid,
            columns: Columns<$table::Entity>,
        }

        impl $key {
            /// A row with these columns.
            pub(crate) fn with(id: Uuid, columns: Columns<$table::Entity>) -> Self {
                Self { id, columns }
            }
        }

        impl ById for $key {
            fn of(ctx: &Context<'_>, id: Uuid) -> Self {
                Self::with(id, of_item::<$shown>(ctx))
            }
        }

        impl Loader<$key> for Loaders {
            type Value = Arc<Part<$table::Entity>>;
            type Error = Error;
            async fn load(&self, keys: &[$key]) -> Loaded<$key, Self::Value> {
                let columns = keys.iter().fold(Columns::NONE, |all, key| all.or(key.columns));
                let ids = distinct(keys.iter().map(|key| key.id));
                let rows = self.read.parts_by_ids(&ids, columns).await.map_err(store)?;
                let rows: HashMap<Uuid, Self::Value> = rows.into_iter().map(|(id, row)| (id, Arc::new(row))).collect();
                Ok(keys.iter().filter_map(|key| Some((*key, Arc::clone(rows.get(&key.id)?)))).collect())
            }
        }
    )+};
}

parts! {
    ContractBy => contract as Contract,
    LeadBy => lead as Lead,
    SaleBy => sale as Sale,
}

/// The sales of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SalesOfLead {
    pub(crate) lead: Uuid,
    pub(crate) columns: Columns<sale::Entity>,
}

impl Loader<SalesOfLead> for Loaders {
    type Value = Vec<Arc<Part<sale::Entity>>>;
    type Error = Error;
    async fn load(&self, keys: &[SalesOfLead]) -> Loaded<SalesOfLead, Self::Value> {
        let columns = keys.iter().fold(Columns::NONE, |all, key| all.or(key.columns));
        let leads = distinct(keys.iter().map(|key| key.lead));
        let lists = self.read.sale_parts_of_leads(&leads, columns).await.map_err(store)?;
        let lists: HashMap<Uuid, Self::Value> =
            lists.into_iter().map(|(lead, rows)| (lead, rows.into_iter().map(Arc::new).collect())).collect();
        Ok(keys.iter().filter_map(|key| Some((*key, lists.get(&key.lead)?.clone()))).collect())
    }
}

/// `Terms(revision)` loads the terms of a revision.
macro_rules! terms {
    ($($key:ident => $terms:ty),+ $(,)?) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $key(pub(crate) RevisionId);

        impl Loader<$key> for Loaders {
            type Value = Arc<$terms>;
            type Error = Error;
            async fn load(&self, keys: &[$key]) -> Loaded<$key, Self::Value> {
                self.terms(keys, |key| key.0).await
            }
        }
    )+};
}

terms! {
    VerticalTermsOf => VerticalTerms,
    CampaignTermsOf => CampaignTerms,
    SourceTermsOf => SourceTerms,
    BuyerTermsOf => BuyerTerms,
    ContractTermsOf => ContractTerms,
}

/// What a campaign's terms tell everybody who takes part in it, by the campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OpenTermsOf(pub(crate) Uuid);

impl Loader<OpenTermsOf> for Loaders {
    type Value = OpenTerms;
    type Error = Error;
    async fn load(&self, keys: &[OpenTermsOf]) -> Loaded<OpenTermsOf, OpenTerms> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = self.read.open_terms_of_campaigns(&ids).await.map_err(store)?;
        Ok(found.into_iter().map(|(id, terms)| (OpenTermsOf(id), terms)).collect())
    }
}

impl Loaders {
    async fn terms<K: Copy + Eq + Hash, T: DeserializeOwned>(
        &self,
        keys: &[K],
        id: fn(&K) -> RevisionId,
    ) -> Loaded<K, Arc<T>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| id(key).0).collect();
        let rows = self.read.by_ids::<revision::Entity>(&ids).await.map_err(store)?;
        keys.iter()
            .filter_map(|key| Some((*key, rows.get(&id(key).0)?)))
            .map(|(key, row)| Ok((key, Arc::new(serde_json::from_str(&row.terms).map_err(internal)?))))
            .collect()
    }
}

/// `Of(parent)` loads the whole short list of something's parts; a part-less parent has an empty list.
macro_rules! lists {
    ($($key:ident => $row:ty = $method:ident),+ $(,)?) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $key(pub(crate) Uuid);

        impl Loader<$key> for Loaders {
            type Value = Vec<Arc<$row>>;
            type Error = Error;
            async fn load(&self, keys: &[$key]) -> Loaded<$key, Self::Value> {
                let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
                let lists: ByParent<$row> = self.read.$method(&ids).await.map_err(store)?;
                Ok(lists.into_iter().map(|(id, rows)| ($key(id), rows.into_iter().map(Arc::new).collect())).collect())
            }
        }
    )+};
}

lists! {
    EventsOfLead => lead_event::Model = events_of_leads,
    DecisionsOfLead => decision::Model = decisions_of_leads,
    ConsentsOfLead => consent::Model = consents_of_leads,
    HoldsOfSale => hold::Model = holds_of_sales,
    TransfersOfSale => ledger_transfer::Model = transfers_of_sales,
    ConversionsOfSale => conversion::Model = conversions_of_sales,
    DeliveriesOfSale => delivery::Model = deliveries_of_sales,
    ComplaintsOfSale => complaint::Model = complaints_of_sales,
    AttemptsOfDelivery => attempt::Model = attempts_of_deliveries,
    DestinationsOfBuyer => destination::Model = destinations_of_buyers,
    AccountsOf => ledger_account::Model = accounts_of,
    KeysOfSource => api_key::Model = keys_of_sources,
}

/// A key of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SourceKeyBy(pub(crate) Uuid);

impl ById for SourceKeyBy {
    fn of(_: &Context<'_>, id: Uuid) -> Self {
        Self(id)
    }
}

impl Loader<SourceKeyBy> for Loaders {
    type Value = Arc<api_key::Model>;
    type Error = Error;
    async fn load(&self, keys: &[SourceKeyBy]) -> Loaded<SourceKeyBy, Self::Value> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = self.read.source_keys(&ids).await.map_err(store)?;
        Ok(rows.into_iter().map(|(id, row)| (SourceKeyBy(id), Arc::new(row))).collect())
    }
}

/// What a person entered, as the caller may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ContentsOfLead(pub(crate) Uuid);

impl Loader<ContentsOfLead> for Loaders {
    type Value = Arc<LeadContents>;
    type Error = Error;
    async fn load(&self, keys: &[ContentsOfLead]) -> Loaded<ContentsOfLead, Self::Value> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let contents = self.read.lead_contents(&ids).await.map_err(store)?;
        let shown = contents.iter().filter(|(_, contents)| contents.shows_a_person()).map(|(id, _)| *id);
        self.views.leads(shown);
        Ok(contents.into_iter().map(|(id, contents)| (ContentsOfLead(id), Arc::new(contents))).collect())
    }
}

/// The consent of a lead, as the caller may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConsentContentsOfLead(pub(crate) Uuid);

impl Loader<ConsentContentsOfLead> for Loaders {
    type Value = Arc<Consent>;
    type Error = Error;
    async fn load(&self, keys: &[ConsentContentsOfLead]) -> Loaded<ConsentContentsOfLead, Self::Value> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let consents = self.read.consent_contents(&ids).await.map_err(store)?;
        let shown = consents.iter().filter(|(_, consent)| consent_shows_a_person(consent)).map(|(id, _)| *id);
        self.views.leads(shown);
        Ok(consents.into_iter().map(|(id, consent)| (ConsentContentsOfLead(id), Arc::new(consent))).collect())
    }
}

/// What was written in a complaint, for those who see personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TextsOfComplaint(pub(crate) Uuid);

impl Loader<TextsOfComplaint> for Loaders {
    type Value = ComplaintTexts;
    type Error = Error;
    async fn load(&self, keys: &[TextsOfComplaint]) -> Loaded<TextsOfComplaint, Self::Value> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let texts = self.read.complaint_texts(&ids).await.map_err(store)?;
        let shown = texts.iter().filter(|(_, texts)| texts.evidence.is_some() || texts.note.is_some());
        self.views.complaints(shown.map(|(id, _)| *id));
        Ok(texts.into_iter().map(|(id, texts)| (TextsOfComplaint(id), texts)).collect())
    }
}

/// What a decision said of every contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ExplanationOf(pub(crate) Uuid);

impl Loader<ExplanationOf> for Loaders {
    type Value = Arc<DecisionExplained>;
    type Error = Error;
    async fn load(&self, keys: &[ExplanationOf]) -> Loaded<ExplanationOf, Self::Value> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = self.read.by_ids::<decision::Entity>(&ids).await.map_err(store)?;
        let explained = self.market.explain_decisions(&self.read, rows.into_values().collect()).await.map_err(store)?;
        Ok(explained.into_iter().map(|(id, explained)| (ExplanationOf(id.0), Arc::new(explained))).collect())
    }
}

/// What the plans of an experiment brought.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SplitReportOf(pub(crate) SplitAsked);

impl Loader<SplitReportOf> for Loaders {
    type Value = Arc<SplitReport>;
    type Error = Error;
    async fn load(&self, keys: &[SplitReportOf]) -> Loaded<SplitReportOf, Self::Value> {
        let asked: Vec<SplitAsked> = keys.iter().map(|key| key.0.clone()).collect();
        let reports = split_reports(&self.read, &asked).await.map_err(store)?;
        Ok(keys.iter().cloned().zip(reports.into_iter().map(Arc::new)).collect())
    }
}

/// The figures of something over time, in its currencies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SeriesBy {
    pub(crate) of: SeriesOf,
    pub(crate) id: Uuid,
    pub(crate) currencies: Vec<String>,
    pub(crate) pieces: Pieces,
}

impl Loader<SeriesBy> for Loaders {
    type Value = Arc<Vec<Series>>;
    type Error = Error;
    async fn load(&self, keys: &[SeriesBy]) -> Loaded<SeriesBy, Self::Value> {
        let mut loaded = HashMap::new();
        for group in grouped(keys, |key| (key.of, key.pieces)) {
            let Some(SeriesBy { of, pieces, .. }) = group.first().cloned() else { continue };
            let wanted = group.iter().map(|key| (key.id, key.currencies.clone())).collect();
            let mut found = series(&self.read, of, &wanted, pieces).await.map_err(statistics)?;
            loaded.extend(group.into_iter().filter_map(|key| {
                let plots = Arc::new(found.remove(&key.id)?);
                Some((key, plots))
            }));
        }
        Ok(loaded)
    }
}

/// The profit and loss of a campaign, from a day to a day.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ProfitOfCampaign {
    pub(crate) id: Uuid,
    pub(crate) since: chrono::NaiveDate,
    pub(crate) until: chrono::NaiveDate,
    pub(crate) by: ProfitBy,
}

impl Loader<ProfitOfCampaign> for Loaders {
    type Value = Vec<ProfitLine>;
    type Error = Error;
    async fn load(&self, keys: &[ProfitOfCampaign]) -> Loaded<ProfitOfCampaign, Self::Value> {
        let mut loaded = HashMap::new();
        for group in grouped(keys, |key| (key.since, key.until, key.by)) {
            let Some(ProfitOfCampaign { since, until, by, .. }) = group.first().cloned() else { continue };
            let ids: Vec<Uuid> = group.iter().map(|key| key.id).collect();
            let (since, until) = (since.to_string(), until.to_string());
            let found = self.read.profit_and_loss_of(&ids, &since, &until, by).await.map_err(store)?;
            if found.len() > usize::try_from(LINES_MAX).unwrap_or(usize::MAX) {
                return Err(fixed(
                    "TOO_MANY_LINES",
                    "at most 10000 lines: a shorter range or fewer campaigns are expected",
                ));
            }
            let mut lines: HashMap<Uuid, Vec<ProfitLine>> = HashMap::new();
            for CampaignLine { campaign_id, line } in found {
                lines.entry(campaign_id).or_default().push(line);
            }
            loaded.extend(group.into_iter().map(|key| {
                let own = lines.remove(&key.id).unwrap_or_default();
                (key, own)
            }));
        }
        Ok(loaded)
    }
}

/// A list inside another thing, by whom it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Inside {
    ContractsOfCampaign(Uuid),
    ContractsOfBuyer(Uuid),
    SourcesOfCampaign(Uuid),
    SourcesOfSupplier(Uuid),
    SalesOfBuyer(Uuid),
    SalesOfContract(Uuid),
    ComplaintsOfBuyer(Uuid),
    TransfersOfWallet(Uuid),
    HoldsOfWallet(Uuid),
}

impl Inside {
    const fn parent(self) -> Uuid {
        match self {
            Self::ContractsOfCampaign(id)
            | Self::ContractsOfBuyer(id)
            | Self::SourcesOfCampaign(id)
            | Self::SourcesOfSupplier(id)
            | Self::SalesOfBuyer(id)
            | Self::SalesOfContract(id)
            | Self::ComplaintsOfBuyer(id)
            | Self::TransfersOfWallet(id)
            | Self::HoldsOfWallet(id) => id,
        }
    }

    /// Which kind of list; the same for all parents.
    fn kind(self) -> std::mem::Discriminant<Self> {
        std::mem::discriminant(&self)
    }
}

/// Each of some ids once: a thing that is asked for twice, with other columns each time, has two keys.
fn distinct(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    ids.collect::<BTreeSet<Uuid>>().into_iter().collect()
}

/// Keys that share everything but their parent, with those parents.
fn grouped<K: Clone, G: Eq + Hash>(keys: &[K], group: impl Fn(&K) -> G) -> Vec<Vec<K>> {
    let mut groups: HashMap<G, Vec<K>> = HashMap::new();
    for key in keys {
        groups.entry(group(key)).or_default().push(key.clone());
    }
    groups.into_values().collect()
}

/// `Page { list, order, args }` loads a page of a list inside another thing.
macro_rules! pages {
    ($($key:ident => $table:ident by $order:ty { $($list:ident => $column:ident),+ $(,)? })+) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub(crate) struct $key {
            pub(crate) list: Inside,
            pub(crate) order: $order,
            pub(crate) args: PageArgs,
        }

        impl Loader<$key> for Loaders {
            type Value = Arc<Page<Arc<$table::Model>>>;
            type Error = Error;
            async fn load(&self, keys: &[$key]) -> Loaded<$key, Self::Value> {
                let mut loaded = HashMap::new();
                for group in grouped(keys, |key| (key.list.kind(), key.order, key.args.clone())) {
                    let Some(first) = group.first() else { continue };
                    let column = match first.list {
                        $(Inside::$list(_) => $table::Column::$column,)+
                        _ => return Err(internal("a list of another kind was asked for")),
                    };
                    let parents: Vec<Uuid> = group.iter().map(|key| key.list.parent()).collect();
                    let pages = self
                        .read
                        .pages_of::<$table::Entity>((column, &parents), &Default::default(), first.order, &first.args)
                        .await
                        .map_err(store)?;
                    let mut pages: HashMap<Uuid, Arc<Page<Arc<$table::Model>>>> =
                        pages.into_iter().map(|(id, page)| (id, Arc::new(page.map(Arc::new)))).collect();
                    loaded.extend(group.into_iter().filter_map(|key| Some((key.clone(), pages.remove(&key.list.parent())?))));
                }
                Ok(loaded)
            }
        }
    )+};
}

pages! {
    SourcesPage => source by NameOrder { SourcesOfCampaign => CampaignId, SourcesOfSupplier => SupplierId }
    ComplaintsPage => complaint by TimeOrder { ComplaintsOfBuyer => BuyerId }
    HoldsPage => hold by TimeOrder { HoldsOfWallet => AccountId }
}

/// `Page { list, order, args, columns }` loads a page of wide rows inside another thing.
macro_rules! part_pages {
    ($($key:ident => $table:ident by $order:ty { $($list:ident => $column:ident),+ $(,)? })+) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub(crate) struct $key {
            pub(crate) list: Inside,
            pub(crate) order: $order,
            pub(crate) args: PageArgs,
            pub(crate) columns: Columns<$table::Entity>,
        }

        impl Loader<$key> for Loaders {
            type Value = Arc<Page<Arc<Part<$table::Entity>>>>;
            type Error = Error;
            async fn load(&self, keys: &[$key]) -> Loaded<$key, Self::Value> {
                let mut loaded = HashMap::new();
                for group in grouped(keys, |key| (key.list.kind(), key.order, key.args.clone())) {
                    let Some(first) = group.first() else { continue };
                    let column = match first.list {
                        $(Inside::$list(_) => $table::Column::$column,)+
                        _ => return Err(internal("a list of another kind was asked for")),
                    };
                    let columns = group.iter().fold(Columns::NONE, |all, key| all.or(key.columns));
                    let parents = distinct(group.iter().map(|key| key.list.parent()));
                    let pages = self
                        .read
                        .part_pages_of((column, &parents), &Default::default(), first.order, &first.args, columns)
                        .await
                        .map_err(store)?;
                    let pages: HashMap<Uuid, Self::Value> =
                        pages.into_iter().map(|(id, page)| (id, Arc::new(page.map(Arc::new)))).collect();
                    let page = |key: $key| Some((key.clone(), Arc::clone(pages.get(&key.list.parent())?)));
                    loaded.extend(group.into_iter().filter_map(page));
                }
                Ok(loaded)
            }
        }
    )+};
}

part_pages! {
    ContractsPage => contract by NameOrder { ContractsOfCampaign => CampaignId, ContractsOfBuyer => BuyerId }
    SalesPage => sale by SaleOrder { SalesOfBuyer => BuyerId, SalesOfContract => ContractId }
}

/// A page of the transfers that touch a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TransfersPage {
    pub(crate) list: Inside,
    pub(crate) order: TimeOrder,
    pub(crate) args: PageArgs,
}

impl Loader<TransfersPage> for Loaders {
    type Value = Arc<Page<Arc<ledger_transfer::Model>>>;
    type Error = Error;
    async fn load(&self, keys: &[TransfersPage]) -> Loaded<TransfersPage, Self::Value> {
        let mut loaded = HashMap::new();
        for group in grouped(keys, |key| (key.order, key.args.clone())) {
            let Some(TransfersPage { order, args, .. }) = group.first().cloned() else { continue };
            let wallets: Vec<Uuid> = group.iter().map(|key| key.list.parent()).collect();
            let mut pages = self.read.transfers_of(&wallets, order, &args).await.map_err(store)?;
            loaded.extend(group.into_iter().filter_map(|key| {
                let page = pages.remove(&key.list.parent())?;
                Some((key, Arc::new(page.map(Arc::new))))
            }));
        }
        Ok(loaded)
    }
}

/// How many rows a list inside another thing has.
impl Loader<Inside> for Loaders {
    type Value = u64;
    type Error = Error;
    async fn load(&self, keys: &[Inside]) -> Loaded<Inside, Self::Value> {
        let mut loaded = HashMap::new();
        for group in grouped(keys, |list| list.kind()) {
            let Some(first) = group.first().copied() else { continue };
            let parents: Vec<Uuid> = group.iter().map(|list| list.parent()).collect();
            let read = &self.read;
            let counts = match first {
                Inside::ContractsOfCampaign(_) => {
                    read.counts_of::<contract::Entity>(contract::Column::CampaignId, &parents).await
                }
                Inside::ContractsOfBuyer(_) => {
                    read.counts_of::<contract::Entity>(contract::Column::BuyerId, &parents).await
                }
                Inside::SourcesOfCampaign(_) => {
                    read.counts_of::<source::Entity>(source::Column::CampaignId, &parents).await
                }
                Inside::SourcesOfSupplier(_) => {
                    read.counts_of::<source::Entity>(source::Column::SupplierId, &parents).await
                }
                Inside::SalesOfBuyer(_) => read.counts_of::<sale::Entity>(sale::Column::BuyerId, &parents).await,
                Inside::SalesOfContract(_) => read.counts_of::<sale::Entity>(sale::Column::ContractId, &parents).await,
                Inside::ComplaintsOfBuyer(_) => {
                    read.counts_of::<complaint::Entity>(complaint::Column::BuyerId, &parents).await
                }
                Inside::TransfersOfWallet(_) => read.counts_of_transfers(&parents).await,
                Inside::HoldsOfWallet(_) => read.counts_of::<hold::Entity>(hold::Column::AccountId, &parents).await,
            };
            let counts = counts.map_err(store)?;
            loaded.extend(group.into_iter().filter_map(|list| Some((list, *counts.get(&list.parent())?))));
        }
        Ok(loaded)
    }
}
