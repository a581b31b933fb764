//! The leads of one person, for staff who may see people.

use async_graphql::{Context, Object, OneofObject, Result};
use leadyard_entity::read::{self, LeadFilter};

use super::super::connection::Paging;
use super::super::context::market;
use super::super::order::TimeOrder;
use super::super::scalars::{EmailAddress, PhoneNumber};
use super::lead::LeadConnection;

/// A way to reach a person, whole: one of these.
#[derive(Debug, OneofObject)]
pub(crate) enum ContactInput {
    /// The person's e-mail address.
    Email(EmailAddress),
    /// The person's telephone number.
    Phone(PhoneNumber),
}

impl ContactInput {
    /// The address or number, normalised.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Email(address) => address.into(),
            Self::Phone(number) => number.into(),
        }
    }
}

/// Root fields.
#[derive(Debug, Default)]
pub(crate) struct LeadLookupQueries;

#[Object]
impl LeadLookupQueries {
    /// The leads of whoever has this e-mail address or phone number, whole and exact, in campaigns that look for duplicates
    /// by it. They are found by keyed hash; nothing is decrypted to find them.
    #[allow(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn leads_of_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address or number.")] contact: ContactInput,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: TimeOrder,
    ) -> Result<LeadConnection> {
        let fingerprints = market(ctx)?.contact_fingerprints(&contact.text()).into_iter().collect();
        let filter = LeadFilter { fingerprints: Some(fingerprints), ..LeadFilter::default() };
        LeadConnection::load(ctx, filter, read::TimeOrder::from(order_by), Paging { first, after, last, before }).await
    }
}
