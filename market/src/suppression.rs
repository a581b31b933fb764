//! Suppression: who must not be taken in, everywhere or in one campaign. Only keyed hashes of normalised contacts are kept;
//! what was entered is forgotten as soon as it is hashed.

use std::collections::BTreeSet;

use leadyard_entity::model::suppression_entry;
use leadyard_entity::setup::Noun;
use leadyard_entity::suppression::Suppressed;
use leadyard_entity::{IndexHash, Keyring, StoreError, StoreResult};
use leadyard_types::{CampaignId, FieldKind, FieldProblem, Principal, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::intake::contact_hash;
use crate::market::Market;
use crate::rules::value;

/// The most entries that are added or removed at once: what fits a request, and one short transaction.
pub const ENTRIES_MAX: usize = 500;
/// The longest reason taken.
const REASON_CHARS_MAX: usize = 200;
/// The longest e-mail address there is.
const CONTACT_CHARS_MAX: usize = 254;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SuppressionError {
    /// Only administrators and managers change the list.
    #[error("only administrators and managers change the suppression list")]
    NotAllowed,
    /// The input is wrong; every problem is named.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Problems(Vec<FieldProblem>),
    /// Something that is referred to does not exist.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who must not be taken in, and why.
#[derive(Debug, Clone, Copy)]
pub struct Suppressing<'a> {
    /// E-mail addresses and phone numbers.
    pub contacts: &'a [String],
    /// Only for this campaign; everywhere where not given.
    pub campaign: Option<CampaignId>,
    /// The country of phone numbers without a country code; the campaign's where not given.
    pub country: Option<&'a str>,
    /// Why, for the record; never personal data.
    pub reason: &'a str,
}

/// What came of adding.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// The entries of all contacts, added now or before.
    pub entries: Vec<suppression_entry::Model>,
    /// How many were not on the list before.
    pub new: u64,
}

impl Market {
    /// Adds contacts to the suppression list: all of them, or none if one cannot be read.
    ///
    /// # Errors
    /// A caller who may not, contacts that cannot be read (each is named by its place), an unknown campaign, a store that
    /// fails.
    pub async fn suppress(&self, principal: Principal, asked: Suppressing<'_>) -> Result<Added, SuppressionError> {
        allowed(principal)?;
        let mut problems = reason_problems(asked.reason);
        if !(1..=ENTRIES_MAX).contains(&asked.contacts.len()) {
            let message = format!("1 to {ENTRIES_MAX} contacts are expected");
            problems.push(FieldProblem::new("contacts", "OUT_OF_RANGE", message));
        }
        let country = self.country(asked, &mut problems).await?;
        // In the order of their hashes: calls with the same contacts wait for each other's in one order, and in no circle.
        let mut entries = BTreeSet::new();
        for (place, contact) in asked.contacts.iter().take(ENTRIES_MAX).enumerate() {
            match suppressed(self.store().keyring(), contact, &country) {
                Ok(entry) => drop(entries.insert(entry)),
                Err(fault) => {
                    let message = match contact_kind(contact) {
                        FieldKind::Phone if country.is_empty() => {
                            "a number with its country code is expected, or the country where it belongs".to_owned()
                        }
                        _ => fault.message,
                    };
                    problems.push(FieldProblem::new(format!("contacts.{place}"), fault.code, message));
                }
            }
        }
        if !problems.is_empty() {
            return Err(SuppressionError::Problems(problems));
        }
        let write = self.store().write(principal).await?;
        if let Some(campaign) = asked.campaign
            && !write.existing(Noun::Campaign, [campaign.0]).await?.contains(&campaign.0)
        {
            return Err(SuppressionError::NotFound("campaign"));
        }
        let entries: Vec<Suppressed> = entries.into_iter().collect();
        let new = write.suppress(&entries, asked.campaign, asked.reason.trim()).await?;
        let hashes: Vec<IndexHash> = entries.iter().map(|entry| entry.hash).collect();
        let entries = write.suppression_entries(&hashes, asked.campaign).await?;
        if new > 0 {
            let one = entries.first().filter(|_| entries.len() == 1).map(|entry| entry.id);
            let detail = json!({ "added": new, "campaign": asked.campaign, "reason": asked.reason.trim() });
            write.audit("suppress", "suppression_entry", one, &detail).await?;
        }
        let _ = write.commit().await?;
        Ok(Added { entries, new })
    }

    /// Takes entries off the suppression list; answers those that were on it. The audit keeps who did and why.
    ///
    /// # Errors
    /// A caller who may not, a reason that cannot be kept, too many entries, a store that fails.
    pub async fn unsuppress(
        &self,
        principal: Principal,
        entries: &[Uuid],
        reason: &str,
    ) -> Result<Vec<Uuid>, SuppressionError> {
        allowed(principal)?;
        let mut problems = reason_problems(reason);
        if !(1..=ENTRIES_MAX).contains(&entries.len()) {
            let message = format!("1 to {ENTRIES_MAX} entries are expected");
            problems.push(FieldProblem::new("ids", "OUT_OF_RANGE", message));
        }
        if !problems.is_empty() {
            return Err(SuppressionError::Problems(problems));
        }
        let write = self.store().write(principal).await?;
        let removed = write.unsuppress(entries).await?;
        for entry in &removed {
            let campaign = Some(entry.campaign_id).filter(|campaign| !campaign.is_nil());
            let detail = json!({ "campaign": campaign, "added_at": entry.created_at, "reason": reason.trim() });
            write.audit("unsuppress", "suppression_entry", Some(entry.id), &detail).await?;
        }
        let _ = write.commit().await?;
        Ok(removed.into_iter().map(|entry| entry.id).collect())
    }

    /// The keyed hashes under which a contact may stand on the list: a number without a country code could be of any
    /// country that is sold in. A text that is neither address nor number has none.
    #[must_use]
    pub fn suppression_hashes(&self, contact: &str) -> Vec<IndexHash> {
        let snapshot = self.snapshot();
        let mut countries: Vec<&str> = snapshot.campaigns.values().map(|campaign| campaign.country.as_str()).collect();
        countries.push("");
        countries.sort_unstable();
        countries.dedup();
        let read = |country: &str| suppressed(self.store().keyring(), contact, country).ok().map(|entry| entry.hash);
        let mut hashes: Vec<IndexHash> = countries.into_iter().filter_map(read).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// Where numbers without a country code belong.
    async fn country(&self, asked: Suppressing<'_>, problems: &mut Vec<FieldProblem>) -> StoreResult<String> {
        if let Some(country) = asked.country {
            let country = country.trim().to_uppercase();
            if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
                let message = "two letters of ISO 3166 are expected, for example DE";
                problems.push(FieldProblem::new("country", "FORMAT", message));
            }
            return Ok(country);
        }
        let Some(campaign) = asked.campaign else { return Ok(String::new()) };
        let snapshot = self.refresh().await?;
        Ok(snapshot.campaigns.get(&campaign).map(|campaign| campaign.country.clone()).unwrap_or_default())
    }
}

fn allowed(principal: Principal) -> Result<(), SuppressionError> {
    match principal {
        Principal::Staff { role: Role::Admin | Role::Manager, .. } | Principal::System(_) => Ok(()),
        _ => Err(SuppressionError::NotAllowed),
    }
}

fn reason_problems(reason: &str) -> Vec<FieldProblem> {
    if (1..=REASON_CHARS_MAX).contains(&reason.trim().chars().count()) {
        return Vec::new();
    }
    vec![FieldProblem::new("reason", "REQUIRED", "a reason of 1 to 200 characters is expected, without personal data")]
}

/// Whether a text is meant as an address or as a number.
pub(crate) fn contact_kind(text: &str) -> FieldKind {
    let is_phone = !text.contains('@') && text.contains(|c: char| c.is_ascii_digit());
    if is_phone { FieldKind::Phone } else { FieldKind::Email }
}

/// The keyed hash of a contact, normalised as check 2 does it.
pub(crate) fn suppressed(keyring: &Keyring, text: &str, country: &str) -> Result<Suppressed, value::Fault> {
    let kind = contact_kind(text);
    if text.chars().count() > CONTACT_CHARS_MAX {
        return Err(value::Fault { code: "TOO_LONG", message: "at most 254 characters are expected".to_owned() });
    }
    let sent = Value::from(text);
    let text = value::as_text(kind, &sent)?.unwrap_or_default();
    let normal = value::typed(kind, country, &sent, &text)?;
    Ok(Suppressed { hash: contact_hash(keyring, kind, &normal.to_text()), kind })
}
