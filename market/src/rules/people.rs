//! Who may administer whom, and what is expected of those who sign in.

use chrono::Duration;
use leadyard_types::{BuyerId, FieldProblem, KeyScopes, Principal, Role, SupplierId, SystemTask, Timestamp, UserId};

/// Shorter passwords are guessed.
const PASSWORD_CHARS_MIN: usize = 12;
/// Longer than any real one; hashing takes time in proportion.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// How many keys of a user may be active: one for each program, and a successor for some.
pub const KEYS_MAX: usize = 20;
/// Longer is for ever, which is said by leaving the end out.
const KEY_YEARS_MAX: i64 = 10;
/// The longest a key goes on beside its successor: whoever needs longer has two programs.
const OVERLAP_DAYS_MAX: i64 = 30;

/// Whose users somebody administers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Everybody's.
    All,
    /// Those of one buyer.
    Buyer(BuyerId),
    /// Nobody's.
    None,
}

/// Whose users a principal administers: administrators everybody's, a buyer's administrator the buyer's own.
#[must_use]
pub const fn domain(who: Principal) -> Domain {
    match who {
        Principal::Staff { role: Role::Admin, .. } | Principal::System(SystemTask::Operate) => Domain::All,
        Principal::Buyer { role: Role::BuyerAdmin, buyer_id, .. } => Domain::Buyer(buyer_id),
        _ => Domain::None,
    }
}

/// Whether a role fits whom somebody is to belong to: staff to nobody, buyers' users to a buyer, a supplier's to one.
#[must_use]
pub fn check_belonging(role: Role, buyer: Option<BuyerId>, supplier: Option<SupplierId>) -> Vec<FieldProblem> {
    let side = |field, expected: bool, given: bool, whose: &str| match (expected, given) {
        (true, false) => Some(FieldProblem::new(field, "REQUIRED", format!("the role {role} is one of a {whose}'s"))),
        (false, true) => {
            Some(FieldProblem::new(field, "NOT_ALLOWED", format!("the role {role} is not one of a {whose}'s")))
        }
        _ => None,
    };
    let buyer = side("buyer_id", role.is_buyer(), buyer.is_some(), "buyer");
    let supplier = side("supplier_id", role == Role::Supplier, supplier.is_some(), "supplier");
    buyer.into_iter().chain(supplier).collect()
}

/// Whether a user may get another role: only one of the same side, because whom they belong to stays.
#[must_use]
pub fn check_new_role(from: Role, to: Role) -> Vec<FieldProblem> {
    let side = |role: Role| (role.is_staff(), role.is_buyer());
    if side(from) == side(to) {
        return Vec::new();
    }
    let message = "a role of the same side is expected: staff stay staff, a buyer's users the buyer's";
    vec![FieldProblem::new("role", "NOT_ALLOWED", message)]
}

/// A password that is worth something.
#[must_use]
pub fn check_password(field: &str, password: &str) -> Vec<FieldProblem> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        let message = format!("a password of at least {PASSWORD_CHARS_MIN} characters is expected");
        return vec![FieldProblem::new(field, "TOO_SHORT", message)];
    }
    if password.len() > PASSWORD_BYTES_MAX {
        let message = format!("a password of at most {PASSWORD_BYTES_MAX} bytes is expected");
        return vec![FieldProblem::new(field, "TOO_LONG", message)];
    }
    Vec::new()
}

/// A key that may do nothing is none.
#[must_use]
pub fn check_scopes(scopes: KeyScopes) -> Vec<FieldProblem> {
    let problem = || FieldProblem::new("scopes", "REQUIRED", "at least one scope is expected");
    scopes.is_empty().then(problem).into_iter().collect()
}

/// Whether a key may end then.
#[must_use]
pub fn check_key_end(end: Timestamp, now: Timestamp) -> Option<FieldProblem> {
    let message = format!("a later moment within {KEY_YEARS_MAX} years is expected");
    let fits = end > now && end <= now + Duration::days(365 * KEY_YEARS_MAX);
    (!fits).then(|| FieldProblem::new("expires_at", "OUT_OF_RANGE", message))
}

/// Whether an old key may go on until then.
#[must_use]
pub fn check_old_key_end(until: Timestamp, now: Timestamp) -> Option<FieldProblem> {
    let message = format!("a later moment within {OVERLAP_DAYS_MAX} days is expected; apiKeyRevoke ends a key at once");
    let fits = until > now && until <= now + Duration::days(OVERLAP_DAYS_MAX);
    (!fits).then(|| FieldProblem::new("old_until", "OUT_OF_RANGE", message))
}

/// How long a key was made for.
#[derive(Debug, Clone, Copy)]
pub struct KeyEnds {
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends, if it does.
    pub ends_at: Option<Timestamp>,
}

/// When the successor of a key ends that was made now: it lives as long as the old one was made for.
#[must_use]
pub fn rotated_end(old: KeyEnds, now: Timestamp) -> Option<Timestamp> {
    old.ends_at.map(|end| now + (end - old.made_at))
}

/// Whether an administrator is left where this one no longer is.
#[must_use]
pub fn leaves_an_administrator(administrators: &[UserId], without: UserId) -> bool {
    administrators.iter().any(|id| *id != without)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn codes(problems: &[FieldProblem]) -> Vec<(&str, &str)> {
        problems.iter().map(|problem| (problem.field.as_str(), problem.code.as_str())).collect()
    }

    /// Staff belong to nobody, buyers' users to a buyer, suppliers' to a supplier; everything wrong is told at once.
    #[test]
    fn a_role_fits_whom_somebody_belongs_to() {
        let (buyer, supplier) = (Some(BuyerId(Uuid::nil())), Some(SupplierId(Uuid::nil())));
        assert!(check_belonging(Role::Admin, None, None).is_empty());
        assert!(check_belonging(Role::BuyerUser, buyer, None).is_empty());
        assert!(check_belonging(Role::Supplier, None, supplier).is_empty());
        assert_eq!(codes(&check_belonging(Role::BuyerAdmin, None, None)), [("buyer_id", "REQUIRED")]);
        assert_eq!(
            codes(&check_belonging(Role::Supplier, buyer, None)),
            [("buyer_id", "NOT_ALLOWED"), ("supplier_id", "REQUIRED")]
        );
    }

    /// Nobody changes sides.
    #[test]
    fn roles_stay_on_their_side() {
        assert!(check_new_role(Role::Admin, Role::Analyst).is_empty());
        assert!(check_new_role(Role::BuyerUser, Role::BuyerAdmin).is_empty());
        for (from, to) in
            [(Role::BuyerAdmin, Role::Admin), (Role::Supplier, Role::BuyerUser), (Role::Finance, Role::Supplier)]
        {
            assert_eq!(codes(&check_new_role(from, to)), [("role", "NOT_ALLOWED")]);
        }
    }

    /// Passwords are counted in characters from below, and bounded in bytes.
    #[test]
    fn passwords_have_a_length() {
        assert!(check_password("password", "ääääääääääää").is_empty());
        assert_eq!(codes(&check_password("password", "elevenchars")), [("password", "TOO_SHORT")]);
        assert_eq!(codes(&check_password("password", &"x".repeat(1_025))), [("password", "TOO_LONG")]);
    }

    /// The last administrator is noticed.
    #[test]
    fn somebody_must_be_left() {
        let (one, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        assert!(leaves_an_administrator(&[one, other], one));
        assert!(!leaves_an_administrator(&[one], one));
    }

    /// Keys end later than now and within bounds; a successor lives as long as the old key was made for.
    #[test]
    fn keys_end_within_bounds() {
        let now: Timestamp = "2026-07-01T10:00:00Z".parse().unwrap();
        let after = |hours| now + Duration::hours(hours);
        assert_eq!([1, 24 * 3_650].map(|hours| check_key_end(after(hours), now).is_none()), [true, true]);
        assert_eq!([0, -1, 24 * 3_651].map(|hours| check_key_end(after(hours), now).is_some()), [true; 3]);
        assert_eq!([1, 24 * 30].map(|hours| check_old_key_end(after(hours), now).is_none()), [true; 2]);
        assert_eq!([0, 24 * 30 + 1].map(|hours| check_old_key_end(after(hours), now).is_some()), [true; 2]);
        let old = KeyEnds { made_at: after(-48), ends_at: Some(after(24)) };
        assert_eq!(rotated_end(old, now), Some(after(72)));
        assert_eq!(rotated_end(KeyEnds { ends_at: None, ..old }, now), None);
        assert_eq!(codes(&check_scopes(KeyScopes::NONE)), [("scopes", "REQUIRED")]);
        assert!(check_scopes(KeyScopes::all()).is_empty());
    }
}
