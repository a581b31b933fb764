//! Check 4: consent present, not expired, purpose fits. The check is as strict as the campaign says; what is required
//! is always enforced (decisions 10).

use chrono::TimeDelta;
use leadyard_types::terms::ConsentPolicy;
use leadyard_types::{Check, Consent, Refusal, Timestamp};

use super::text::{listed, same};

/// How far a sender's clock may be ahead of ours, in seconds, before its moment of consent lies in the future.
pub const CLOCK_SKEW_SECONDS: i64 = 60;

/// Check 4. A declared `basis` stands in for the moment of consent where there is none (decisions 29).
///
/// # Errors
/// The first rule that is not met, in the order: present, not in the future, not too old, purposes.
pub fn check_consent(policy: &ConsentPolicy, consent: Option<&Consent>, now: Timestamp) -> Result<(), Refusal> {
    let Some(consent) = consent.filter(|consent| consent.given_at.is_some() || has_basis(consent)) else {
        return if policy.required {
            let message = "consent is required: send consent.given_at, the moment the person agreed, or consent.basis";
            Err(Refusal::new(Check::Consent, message).seeing("consent", "none"))
        } else {
            Ok(())
        };
    };
    if let Some(given_at) = consent.given_at {
        check_moment(policy, given_at, now)?;
    }
    check_purposes(policy, consent)
}

fn has_basis(consent: &Consent) -> bool {
    consent.basis.as_deref().is_some_and(|basis| !basis.trim().is_empty())
}

fn check_moment(policy: &ConsentPolicy, given_at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let age = now - given_at;
    if age < -TimeDelta::seconds(CLOCK_SKEW_SECONDS) {
        let message = "the consent lies in the future; send the moment the person agreed";
        return Err(Refusal::new(Check::Consent, message).seeing("consent.given_at", given_at.to_rfc3339()));
    }
    match policy.max_age_hours {
        Some(hours) if age > TimeDelta::hours(i64::from(hours)) => {
            let message = format!("the consent is too old: at most {hours} hours are accepted");
            Err(Refusal::new(Check::Consent, message).seeing("consent age", format!("{} hours", age.num_hours())))
        }
        _ => Ok(()),
    }
}

fn check_purposes(policy: &ConsentPolicy, consent: &Consent) -> Result<(), Refusal> {
    let given = |wanted: &&String| consent.purposes.iter().any(|purpose| same(purpose.trim(), wanted.trim()));
    let missing: Vec<_> = policy.purposes.iter().filter(|wanted| !given(wanted)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("the consent must name the purpose: {}", listed(missing));
    Err(Refusal::new(Check::Consent, message).seeing("consent.purposes", listed(&consent.purposes)))
}

/// Check 8, consent names the buyer: one of the recipients is the buyer's name (case and blanks around it do not
/// matter).
///
/// # Errors
/// The refusal, with the recipients named.
pub fn check_names_buyer(consent: Option<&Consent>, buyer_name: &str) -> Result<(), Refusal> {
    let recipients = consent.map(|consent| consent.recipients.as_slice()).unwrap_or_default();
    if recipients.iter().any(|recipient| same(recipient.trim(), buyer_name.trim())) {
        return Ok(());
    }
    let refusal =
        Refusal::new(Check::ConsentNamesBuyer, format!("the consent does not name {buyer_name} as a recipient"));
    Err(refusal.seeing("consent.recipients", if recipients.is_empty() { "none".into() } else { listed(recipients) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(required: bool, max_age_hours: Option<u32>, purposes: &[&str]) -> ConsentPolicy {
        ConsentPolicy {
            required,
            max_age_hours,
            purposes: purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
        }
    }

    fn now() -> Timestamp {
        "2026-07-06T12:00:00Z".parse().unwrap()
    }

    fn given(hours_ago: i64, purposes: &[&str]) -> Consent {
        Consent {
            given_at: Some(now() - TimeDelta::hours(hours_ago)),
            purposes: purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
            ..Consent::default()
        }
    }

    fn refused(policy: &ConsentPolicy, consent: Option<&Consent>) -> String {
        check_consent(policy, consent, now()).unwrap_err().message
    }

    /// Required means required; not required means absent is fine. An empty consent is none.
    #[test]
    fn a_required_consent_must_be_there() {
        let strict = policy(true, None, &[]);
        assert!(refused(&strict, None).contains("required"));
        assert!(refused(&strict, Some(&Consent::default())).contains("required"));
        assert!(
            refused(&strict, Some(&Consent { basis: Some(" ".into()), ..Consent::default() })).contains("required")
        );
        assert_eq!(check_consent(&strict, Some(&given(1, &[])), now()), Ok(()));
        assert_eq!(check_consent(&policy(false, Some(1), &["x"]), None, now()), Ok(()));
    }

    /// A consent that was sent is held against age and future even where none is required; the edge is included.
    #[test]
    fn age_is_limited_and_never_negative() {
        let fresh = policy(false, Some(24), &[]);
        assert_eq!(check_consent(&fresh, Some(&given(24, &[])), now()), Ok(()));
        assert!(refused(&fresh, Some(&given(25, &[]))).contains("24 hours"));
        assert!(refused(&fresh, Some(&given(-1, &[]))).contains("future"));
        let slightly_ahead =
            Consent { given_at: Some(now() + TimeDelta::seconds(CLOCK_SKEW_SECONDS)), ..Consent::default() };
        assert_eq!(check_consent(&fresh, Some(&slightly_ahead), now()), Ok(()));
    }

    /// A declared basis stands in for the moment, not for the purposes.
    #[test]
    fn a_basis_stands_in_for_the_moment() {
        let strict = policy(true, Some(1), &["contact_by_phone"]);
        let basis = |purposes: &[&str]| Consent {
            given_at: None,
            basis: Some("existing customer".into()),
            ..given(0, purposes)
        };
        assert_eq!(check_consent(&strict, Some(&basis(&["Contact_by_phone "])), now()), Ok(()));
        assert!(refused(&strict, Some(&basis(&["newsletter"]))).contains("contact_by_phone"));
    }

    /// Every purpose the campaign asks for must be named.
    #[test]
    fn all_purposes_must_be_named() {
        let strict = policy(true, None, &["phone", "email"]);
        let message = refused(&strict, Some(&given(0, &["phone"])));
        assert!(message.contains("email") && !message.contains("phone,"));
        assert_eq!(check_consent(&strict, Some(&given(0, &["email", "phone"])), now()), Ok(()));
    }

    /// A contract that asks for it only buys where the consent names its buyer.
    #[test]
    fn the_buyer_must_be_named_where_asked() {
        let consent = Consent { recipients: vec!["Sonne GmbH ".into()], ..Consent::default() };
        assert_eq!(check_names_buyer(Some(&consent), "sonne gmbh"), Ok(()));
        assert_eq!(check_names_buyer(Some(&consent), "Mond AG").unwrap_err().check, Check::ConsentNamesBuyer);
        assert!(check_names_buyer(None, "Mond AG").is_err());
    }
}
