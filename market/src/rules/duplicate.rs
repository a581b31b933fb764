//! Check 5: what counts as the same enquiry again (domain page, section 2; decisions 11).
//!
//! The caller hashes each pair of [`fingerprint_fields`] with its key (the field's key belongs into the hash, so that
//! a phone number never equals a customer number) and looks the hashes up. Rejected and test leads do not count: the
//! caller leaves them out of the hits. Leads still in flight count: it puts them in.

use chrono::TimeDelta;
use leadyard_types::terms::{DuplicateMatch, DuplicatePolicy, DuplicateScope};
use leadyard_types::{CampaignId, Fields, LeadId, Timestamp};

use super::text::fold;

/// A keyed hash of a field's key and canonical value.
pub type Fingerprint = [u8; 32];

/// What to fingerprint: the policy's fields that were given, each once, with the value lower-cased and inner blanks
/// made one. Empty values never match, so they are left out.
#[must_use]
pub fn fingerprint_fields(policy: &DuplicatePolicy, fields: &Fields) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::with_capacity(policy.fields.len());
    for key in &policy.fields {
        let Some(value) = fields.get(key) else { continue };
        let value = fold(&value.to_text().split_whitespace().collect::<Vec<_>>().join(" "));
        if !value.is_empty() && pairs.iter().all(|(earlier, _)| earlier != key) {
            pairs.push((key.clone(), value));
        }
    }
    pairs
}

/// An earlier lead that has one of the fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The fingerprint it shares.
    pub hash: Fingerprint,
    /// The earlier lead.
    pub lead_id: LeadId,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// When it came in.
    pub received_at: Timestamp,
}

/// The earliest lead this one repeats, by the policy. `own` are this lead's fingerprints, `hits` every earlier lead
/// found under one of them.
///
/// With ALL, one earlier lead must share every field of the policy; a lead that left one empty repeats none. The
/// window includes its edge; a window of 0 days finds nothing.
#[must_use]
pub fn is_duplicate(
    policy: &DuplicatePolicy,
    campaign_id: CampaignId,
    own: &[Fingerprint],
    hits: &[Hit],
    now: Timestamp,
) -> Option<LeadId> {
    let window = TimeDelta::try_days(i64::from(policy.window_days)).filter(|window| !window.is_zero())?;
    let counts = |hit: &&Hit| {
        own.contains(&hit.hash)
            && now.signed_duration_since(hit.received_at) <= window
            && (policy.scope == DuplicateScope::Operator || hit.campaign_id == campaign_id)
    };
    let shares_all = |lead_id: LeadId| {
        own.len() == distinct(&policy.fields)
            && own.iter().all(|hash| hits.iter().filter(counts).any(|hit| hit.lead_id == lead_id && hit.hash == *hash))
    };
    let repeats = |hit: &&Hit| policy.matching == DuplicateMatch::Any || shares_all(hit.lead_id);
    let mut matching: Vec<_> = hits.iter().filter(counts).filter(repeats).collect();
    matching.sort_by_key(|hit| (hit.received_at, hit.lead_id));
    matching.first().map(|hit| hit.lead_id)
}

/// How many different fields a policy names.
fn distinct(fields: &[String]) -> usize {
    fields.iter().enumerate().filter(|(position, key)| !fields[..*position].contains(key)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadyard_types::FieldValue;
    use uuid::Uuid;

    fn policy(matching: DuplicateMatch, scope: DuplicateScope) -> DuplicatePolicy {
        DuplicatePolicy { fields: vec!["email".into(), "phone".into()], matching, window_days: 30, scope }
    }

    fn at(days_ago: i64) -> Timestamp {
        "2026-07-06T12:00:00Z".parse::<Timestamp>().unwrap() - TimeDelta::days(days_ago)
    }

    fn hit(hash: u8, lead: u128, campaign: u128, days_ago: i64) -> Hit {
        Hit {
            hash: [hash; 32],
            lead_id: LeadId(Uuid::from_u128(lead)),
            campaign_id: CampaignId(Uuid::from_u128(campaign)),
            received_at: at(days_ago),
        }
    }

    fn found(policy: &DuplicatePolicy, own: &[u8], hits: &[Hit]) -> Option<u128> {
        let own: Vec<_> = own.iter().map(|byte| [*byte; 32]).collect();
        is_duplicate(policy, CampaignId(Uuid::from_u128(7)), &own, hits, at(0)).map(|lead| lead.0.as_u128())
    }

    /// Empty and absent values never match; case and blanks do not matter.
    #[test]
    fn only_given_values_are_fingerprinted() {
        let mut policy = policy(DuplicateMatch::Any, DuplicateScope::Campaign);
        policy.fields.push("email".into());
        let fields =
            Fields::from([("email".into(), FieldValue::text("A@B.de ")), ("phone".into(), FieldValue::text(" "))]);
        assert_eq!(fingerprint_fields(&policy, &fields), [("email".to_owned(), "a@b.de".to_owned())]);
    }

    /// ANY: one shared field is enough, and the earliest such lead is named.
    #[test]
    fn any_needs_one_field() {
        let any = policy(DuplicateMatch::Any, DuplicateScope::Campaign);
        assert_eq!(found(&any, &[1, 2], &[hit(2, 20, 7, 1), hit(1, 10, 7, 5)]), Some(10));
        assert_eq!(found(&any, &[1, 2], &[hit(3, 20, 7, 1)]), None);
        assert_eq!(found(&any, &[], &[hit(1, 20, 7, 1)]), None);
    }

    /// ALL: one earlier lead must share every field; halves of two leads do not add up, nor does an empty field.
    #[test]
    fn all_needs_every_field_of_one_lead() {
        let all = policy(DuplicateMatch::All, DuplicateScope::Campaign);
        assert_eq!(found(&all, &[1, 2], &[hit(1, 10, 7, 5), hit(2, 20, 7, 1)]), None);
        assert_eq!(found(&all, &[1, 2], &[hit(1, 10, 7, 5), hit(2, 10, 7, 5)]), Some(10));
        assert_eq!(found(&all, &[1], &[hit(1, 10, 7, 5)]), None);
    }

    /// The window counts back from now, its edge included; 0 days find nothing; scope is the campaign or everywhere.
    #[test]
    fn window_and_scope_bound_the_search() {
        let campaign = policy(DuplicateMatch::Any, DuplicateScope::Campaign);
        let operator = policy(DuplicateMatch::Any, DuplicateScope::Operator);
        assert_eq!(found(&campaign, &[1], &[hit(1, 10, 7, 30)]), Some(10));
        assert_eq!(found(&campaign, &[1], &[hit(1, 10, 7, 31)]), None);
        assert_eq!(found(&campaign, &[1], &[hit(1, 10, 8, 1)]), None);
        assert_eq!(found(&operator, &[1], &[hit(1, 10, 8, 1)]), Some(10));
        let none = DuplicatePolicy { window_days: 0, ..operator };
        assert_eq!(found(&none, &[1], &[hit(1, 10, 8, 0)]), None);
    }
}
