//! The suppression list: who must not be taken in.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::suppression_entry;
use leadyard_entity::read::{self, SuppressionFilter as Filter};
use leadyard_market::suppression::Suppressing;
use leadyard_types::{CampaignId, FieldKind, Timestamp};

use super::super::connection::{Paging, connection};
use super::super::context::{market, principal};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::order::TimeOrder;
use super::super::scalars::Moment;
use super::campaign::Campaign;
use super::lead_lookup::ContactInput;
use super::user::User;
use super::{ids, int, of_row, one};

of_row! {
    /// A person who must not be taken in, everywhere or in one campaign. Only a keyed hash of an address or a number is
    /// kept: nobody can read from it who it is.
    SuppressionEntry of suppression_entry
}

/// By what somebody is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ContactKind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
}

/// Which entries. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct SuppressionEntryFilter {
    /// Those of whoever has this e-mail address or phone number, whole and exact; it is hashed, and not kept.
    contact: Option<ContactInput>,
    /// Of this kind of contact.
    kind: Option<ContactKind>,
    /// Those that hold in one of these campaigns alone.
    campaign_ids: Option<Vec<ID>>,
    /// True for those that hold everywhere, false for those of single campaigns.
    everywhere: Option<bool>,
    /// Added at this moment or later.
    created_since: Option<Moment>,
    /// Added before this moment.
    created_until: Option<Moment>,
}

impl SuppressionEntryFilter {
    fn read(self, ctx: &Context<'_>) -> Result<Filter> {
        let market = market(ctx)?;
        Ok(Filter {
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            everywhere: self.everywhere,
            hashes: self.contact.map(|contact| market.suppression_hashes(&contact.text())),
            kind: self.kind.map(|kind| match kind {
                ContactKind::Email => FieldKind::Email,
                ContactKind::Phone => FieldKind::Phone,
            }),
            created_since: self.created_since.map(Moment::into),
            created_until: self.created_until.map(Moment::into),
        })
    }
}

#[Object(use_type_description)]
impl SuppressionEntry {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::SuppressionEntry.id(self.0.id)
    }

    /// By what the person is recognised.
    fn kind(&self) -> ContactKind {
        if self.0.field == FieldKind::Phone.as_str() { ContactKind::Phone } else { ContactKind::Email }
    }

    /// The one campaign it holds for; absent where it holds everywhere.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Option<Campaign>> {
        if self.0.campaign_id.is_nil() {
            return Ok(None);
        }
        one!(ctx, CampaignBy(self.0.campaign_id) => Campaign)
    }

    /// Why the person is on the list, as whoever added it wrote.
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The user who added it; absent where a file was imported at the machine itself.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let user = self.0.created_by.as_deref().and_then(|name| name.strip_prefix("user:")?.parse().ok());
        match user {
            Some(user) => one!(ctx, UserBy(user) => User),
            None => Ok(None),
        }
    }

    /// When it was added.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }
}

connection!(
    SuppressionEntryConnection, SuppressionEntryEdge, SuppressionEntry of suppression_entry,
    "A page of the suppression list.", "An entry in the list."
);

/// Root fields.
#[derive(Debug, Default)]
pub(crate) struct SuppressionQueries;

#[Object]
impl SuppressionQueries {
    /// An entry of the suppression list by its id.
    async fn suppression_entry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Result<Option<SuppressionEntry>> {
        match Kind::SuppressionEntry.read(&id) {
            Some(id) => one!(ctx, SuppressionEntryBy(id) => SuppressionEntry),
            None => Ok(None),
        }
    }

    /// The suppression list: who must not be taken in.
    #[allow(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn suppression_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which of them; left out, all.")] filter: Option<SuppressionEntryFilter>,
        #[graphql(desc = "In which order.", default)] order_by: TimeOrder,
    ) -> Result<SuppressionEntryConnection> {
        let filter = filter.unwrap_or_default().read(ctx)?;
        let paging = Paging { first, after, last, before };
        SuppressionEntryConnection::load(ctx, filter, read::TimeOrder::from(order_by), paging).await
    }
}

/// Somebody who must not be taken in.
#[derive(Debug, InputObject)]
pub(crate) struct SuppressionEntryCreateInput {
    /// The e-mail address or phone number. It is normalised and hashed, and not kept.
    contact: String,
    /// Only for this campaign; left out, everywhere.
    campaign_id: Option<ID>,
    /// The country of a number without its country code, two letters; left out, the campaign's.
    country: Option<String>,
    /// Why, 1 to 200 characters, without personal data.
    reason: String,
}

/// What came of putting somebody on the suppression list.
#[derive(Debug, SimpleObject)]
pub(crate) struct SuppressionEntryCreatePayload {
    /// The entry, also where the person was on the list before; absent if nothing was done.
    entry: Option<SuppressionEntry>,
    /// Whether it was added now.
    created: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Several people who must not be taken in.
#[derive(Debug, InputObject)]
pub(crate) struct SuppressionEntriesCreateInput {
    /// E-mail addresses and phone numbers, 1 to 500. They are normalised and hashed, and not kept.
    contacts: Vec<String>,
    /// Only for this campaign; left out, everywhere.
    campaign_id: Option<ID>,
    /// The country of numbers without their country code, two letters; left out, the campaign's.
    country: Option<String>,
    /// Why, 1 to 200 characters, without personal data.
    reason: String,
}

/// What came of putting several people on the suppression list: all of them, or none.
#[derive(Debug, SimpleObject)]
pub(crate) struct SuppressionEntriesCreatePayload {
    /// Their entries, also of those who were on the list before; empty if nothing was done.
    entries: Vec<SuppressionEntry>,
    /// How many were added now.
    created_count: i32,
    /// What to put right, each contact by its place: `["input", "contacts", "3"]`.
    user_errors: Vec<UserError>,
}

/// Which entry is taken off the list.
#[derive(Debug, InputObject)]
pub(crate) struct SuppressionEntryRemoveInput {
    /// The entry of the list.
    suppression_entry_id: ID,
    /// Why, 1 to 200 characters, without personal data; the audit keeps it.
    reason: String,
}

/// What came of taking an entry off the suppression list.
#[derive(Debug, SimpleObject)]
pub(crate) struct SuppressionEntryRemovePayload {
    /// The id of the entry that is gone; absent if nothing was done.
    removed_id: Option<ID>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Which entries are taken off the list.
#[derive(Debug, InputObject)]
pub(crate) struct SuppressionEntriesRemoveInput {
    /// The entries of the list, 1 to 500.
    suppression_entry_ids: Vec<ID>,
    /// Why, 1 to 200 characters, without personal data; the audit keeps it.
    reason: String,
}

/// What came of taking several entries off the suppression list.
#[derive(Debug, SimpleObject)]
pub(crate) struct SuppressionEntriesRemovePayload {
    /// The ids of the entries that are gone.
    removed_ids: Vec<ID>,
    /// What was not done, each with its place: `["input", "suppressionEntryIds", "3"]`. The others were.
    user_errors: Vec<UserError>,
}

/// What both forms of adding have in common.
struct Adding<'a> {
    contacts: &'a [String],
    campaign_id: Option<&'a ID>,
    country: Option<&'a str>,
    reason: &'a str,
}

async fn add(ctx: &Context<'_>, adding: Adding<'_>) -> Result<Result<(Vec<SuppressionEntry>, u64), Vec<UserError>>> {
    let campaign = match adding.campaign_id.map(|id| Kind::Campaign.read(id)) {
        Some(None) => return Ok(Err(vec![UserError::not_found("campaignId", "campaign")])),
        other => other.flatten().map(CampaignId),
    };
    let Adding { contacts, country, reason, .. } = adding;
    let asked = Suppressing { contacts, campaign, country, reason };
    Ok(match market(ctx)?.suppress(principal(ctx)?, asked).await {
        Ok(added) => Ok((added.entries.into_iter().map(SuppressionEntry::from).collect(), added.new)),
        Err(error) => Err(errors::suppression(error)?),
    })
}

/// Mutations of the suppression list.
#[derive(Debug, Default)]
pub(crate) struct SuppressionMutations;

#[Object]
impl SuppressionMutations {
    /// Puts somebody on the suppression list: check 3 refuses whoever has this address or number from now on.
    async fn suppression_entry_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, where and why.")] input: SuppressionEntryCreateInput,
    ) -> Result<SuppressionEntryCreatePayload> {
        let adding = Adding {
            contacts: std::slice::from_ref(&input.contact),
            campaign_id: input.campaign_id.as_ref(),
            country: input.country.as_deref(),
            reason: &input.reason,
        };
        Ok(match add(ctx, adding).await? {
            Ok((entries, new)) => SuppressionEntryCreatePayload {
                entry: entries.into_iter().next(),
                created: new > 0,
                user_errors: Vec::new(),
            },
            Err(user_errors) => {
                let user_errors = user_errors.into_iter().map(of_the_one).collect();
                SuppressionEntryCreatePayload { entry: None, created: false, user_errors }
            }
        })
    }

    /// Puts several people on the suppression list: all of them, or none if one cannot be read.
    async fn suppression_entries_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, where and why.")] input: SuppressionEntriesCreateInput,
    ) -> Result<SuppressionEntriesCreatePayload> {
        let adding = Adding {
            contacts: &input.contacts,
            campaign_id: input.campaign_id.as_ref(),
            country: input.country.as_deref(),
            reason: &input.reason,
        };
        Ok(match add(ctx, adding).await? {
            Ok((entries, new)) => {
                SuppressionEntriesCreatePayload { entries, created_count: int(new), user_errors: Vec::new() }
            }
            Err(user_errors) => SuppressionEntriesCreatePayload { entries: Vec::new(), created_count: 0, user_errors },
        })
    }

    /// Takes somebody off the suppression list. Who did and why stands in the audit.
    async fn suppression_entry_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entry, and why.")] input: SuppressionEntryRemoveInput,
    ) -> Result<SuppressionEntryRemovePayload> {
        let not_found = || UserError::not_found("suppressionEntryId", "suppression entry");
        let refused = |user_errors| Ok(SuppressionEntryRemovePayload { removed_id: None, user_errors });
        let Some(id) = Kind::SuppressionEntry.read(&input.suppression_entry_id) else {
            return refused(vec![not_found()]);
        };
        match market(ctx)?.unsuppress(principal(ctx)?, &[id], &input.reason).await {
            Ok(removed) if removed.is_empty() => refused(vec![not_found()]),
            Ok(_) => {
                let removed_id = Some(Kind::SuppressionEntry.id(id));
                Ok(SuppressionEntryRemovePayload { removed_id, user_errors: Vec::new() })
            }
            Err(error) => refused(errors::suppression(error)?),
        }
    }

    /// Takes several entries off the suppression list; what is not on it is told, and the rest goes.
    async fn suppression_entries_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries, and why.")] input: SuppressionEntriesRemoveInput,
    ) -> Result<SuppressionEntriesRemovePayload> {
        let given: Vec<_> = input.suppression_entry_ids.iter().map(|id| Kind::SuppressionEntry.read(id)).collect();
        // What names nothing is told as what is not there; the number asked for is bounded all the same.
        let wanted: Vec<_> = given.iter().map(|id| id.unwrap_or_default()).collect();
        match market(ctx)?.unsuppress(principal(ctx)?, &wanted, &input.reason).await {
            Ok(removed) => {
                let gone = |id: &Option<uuid::Uuid>| id.is_some_and(|id| removed.contains(&id));
                let missing = given.iter().enumerate().filter(|(_, id)| !gone(id)).map(|(place, _)| {
                    UserError::not_found(&format!("suppressionEntryIds.{place}"), "suppression entry")
                });
                let user_errors = missing.collect();
                let removed_ids = removed.iter().map(|id| Kind::SuppressionEntry.id(*id)).collect();
                Ok(SuppressionEntriesRemovePayload { removed_ids, user_errors })
            }
            Err(error) => {
                let spelt = |mut error: UserError| {
                    if error.field.last().is_some_and(|last| last == "ids") {
                        error.field = vec!["input".to_owned(), "suppressionEntryIds".to_owned()];
                    }
                    error
                };
                let user_errors = errors::suppression(error)?.into_iter().map(spelt).collect();
                Ok(SuppressionEntriesRemovePayload { removed_ids: Vec::new(), user_errors })
            }
        }
    }
}

/// A problem of the first contact of many, as the form with one contact calls it.
fn of_the_one(mut error: UserError) -> UserError {
    if error.field.get(1).is_some_and(|name| name == "contacts") {
        error.field = vec!["input".to_owned(), "contact".to_owned()];
    }
    error
}
