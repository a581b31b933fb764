//! Who may administer whom, and what is expected of those who sign in.

use chrono::Duration;
use leadyard_types::{BuyerId, FieldProblem, KeyScopes, Principal, Role, SupplierId, SystemTask, Timestamp, UserId};

/// Shorter passwords are guessed.
const PASSWORD_CHARS_MIN: usize = 12;
/// Longer than any real one; hashing takes time in proportion.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// How many keys of a user may be active: one for each program, and a successor for some.
pub const KEYS_MAX: usize = 20;
/// How many where they are replaced: each may have a successor, and no chain of successors grows without end.
pub const KEYS_AND_SUCCESSORS_MAX: usize = 2 * KEYS_MAX;
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

/// Whether a key may be replaced, beside so many active keys of its user. `successor` is how the key begins that replaced it
/// already and still opens something: whoever lost it ends it first, so that nobody has keys that nobody knows of.
#[must_use]
pub fn check_rotation(successor: Option<&str>, active: usize) -> Option<FieldProblem> {
    if let Some(successor) = successor {
        let message = format!(
            "this key was replaced already, by the key that begins with {successor}: rotate that one; or, if nobody uses it, \
             revoke it (apiKeyRevoke) and rotate this one again"
        );
        return Some(FieldProblem::new("api_key_id", "ALREADY_ROTATED", message));
    }
    let message = format!("{KEYS_AND_SUCCESSORS_MAX} keys are active, with their successors: revoke one first");
    (active >= KEYS_AND_SUCCESSORS_MAX).then(|| FieldProblem::new("api_key_id", "TOO_MANY_KEYS", message))
}

/// How long a key was made for.
#[derive(Debug, Clone, Copy)]
pub struct KeyEnds {
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends, if it does, whatever time it has beside a successor.
    pub ends_at: Option<Timestamp>,
}

/// When the successor of a key ends that was made now: it lives as long as the old one was made for.
#[must_use]
pub fn rotated_end(old: KeyEnds, now: Timestamp) -> Option<Timestamp> {
    old.ends_at.map(|end| now + (end - old.made_at))
}

/// Until when an old key goes on beside its successor: as was said, and never longer than it was made for.
#[must_use]
pub fn old_key_end(old: KeyEnds, until: Timestamp) -> Timestamp {
    old.ends_at.map_or(until, |end| end.min(until))
}

/// How many letters an address is sent in an hour, whoever invites it: some get lost in spam.
pub const LETTERS_PER_ADDRESS: i64 = 3;
/// How many invitations are sent in a day on behalf of a buyer: a large one brings its people in, and no list of strangers.
pub const LETTERS_PER_BUYER: i64 = 30;

/// Whether one more invitation may be sent: the so many-th to the address within an hour, and, where a buyer's people
/// invite, on the buyer's behalf within a day.
#[must_use]
pub fn check_letters(to_address: i64, of_buyer: Option<i64>) -> Vec<FieldProblem> {
    let problem = |field, message| FieldProblem::new(field, "TOO_MANY_REQUESTS", message);
    let address = (to_address > LETTERS_PER_ADDRESS).then(|| {
        problem(
            "email",
            format!("at most {LETTERS_PER_ADDRESS} invitations an hour to an address: try again in an hour"),
        )
    });
    let buyer = of_buyer.filter(|count| *count > LETTERS_PER_BUYER).map(|_| {
        problem("buyer_id", format!("at most {LETTERS_PER_BUYER} invitations a day for a buyer: try again in a day"))
    });
    address.into_iter().chain(buyer).collect()
}

/// Whether somebody may hand an invitation on by themselves where letters are sent: only who administers everybody. From
/// others the address proves itself by the letter.
#[must_use]
pub fn check_by_hand(by_hand: bool, mails: bool, inviter: Domain) -> Option<FieldProblem> {
    let message = "invitations are sent by mail here; only the operator's administrators hand them on: leave it out";
    let refused = by_hand && mails && inviter != Domain::All;
    refused.then(|| FieldProblem::new("by_hand", "NOT_ALLOWED", message))
}

/// Longer than any real address, of which there are 254 letters at most.
const ADDRESS_BYTES_MAX: usize = 1_024;

/// An address that somebody may sign in with. What addresses look like is asked of new ones: whoever has an older one is
/// looked up by it as it is.
#[must_use]
pub fn check_known_address(email: &str) -> Option<FieldProblem> {
    let fits = (1..=ADDRESS_BYTES_MAX).contains(&email.trim().len());
    (!fits).then(|| FieldProblem::new("email", "LENGTH", "the address that signs in is expected"))
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

    /// A key has one successor that opens something; and even a chain of them ends.
    #[test]
    fn a_key_has_one_successor() {
        let told = |successor, active| check_rotation(successor, active).map(|problem| problem.code);
        assert_eq!(told(None, KEYS_AND_SUCCESSORS_MAX - 1), None);
        assert_eq!(told(None, KEYS_AND_SUCCESSORS_MAX).as_deref(), Some("TOO_MANY_KEYS"));
        assert_eq!(told(Some("ly_live_0a"), 2).as_deref(), Some("ALREADY_ROTATED"));
    }

    /// A successor lives as long as the first key was made for; an old key never longer than that, however long it may go on.
    #[test]
    fn an_overlap_is_no_lifetime() {
        let at = |hour: i64| Timestamp::UNIX_EPOCH + Duration::hours(hour);
        let old = KeyEnds { made_at: at(0), ends_at: Some(at(48)) };
        assert_eq!((rotated_end(old, at(1)), old_key_end(old, at(25))), (Some(at(49)), at(25)));
        assert_eq!(old_key_end(old, at(72)), at(48));
        let endless = KeyEnds { ends_at: None, ..old };
        assert_eq!((rotated_end(endless, at(1)), old_key_end(endless, at(25))), (None, at(25)));
    }

    /// An address is spared whoever invites; a buyer's people have a day's worth besides; and what is wrong is all told.
    #[test]
    fn letters_are_bounded() {
        assert!(check_letters(LETTERS_PER_ADDRESS, Some(LETTERS_PER_BUYER)).is_empty());
        assert!(check_letters(1, None).is_empty());
        let many = "TOO_MANY_REQUESTS";
        assert_eq!(codes(&check_letters(LETTERS_PER_ADDRESS + 1, None)), [("email", many)]);
        assert_eq!(codes(&check_letters(99, Some(LETTERS_PER_BUYER + 1))), [("email", many), ("buyer_id", many)]);
    }

    /// Who signs in is looked up by whatever they have; nothing, and what nobody has, is no address.
    #[test]
    fn known_addresses_are_taken_as_they_are() {
        for known in ["admin@localhost", "root", " Ada <ada@example.com>"] {
            assert_eq!(check_known_address(known), None, "{known}");
        }
        for none in ["", "  ", &"x".repeat(1_025)] {
            assert!(check_known_address(none).is_some(), "{none}");
        }
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
