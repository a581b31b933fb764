//! What letters to people say. Plain text, one link, nothing of whoever asked for them.

use leadyard_types::{Role, Timestamp};
use secrecy::{ExposeSecret, SecretString};

/// A letter's words.
#[derive(Debug)]
pub struct Texts {
    /// The subject.
    pub subject: String,
    /// The text, with its link.
    pub text: SecretString,
}

/// The role as people call it.
const fn called(role: Role) -> &'static str {
    match role {
        Role::Admin => "administrator",
        Role::Manager => "manager",
        Role::Finance => "finance",
        Role::Analyst => "analyst",
        Role::BuyerAdmin => "a buyer's administrator",
        Role::BuyerUser => "a buyer's user",
        Role::Supplier => "a supplier's user",
    }
}

fn until(end: Timestamp) -> String {
    end.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// An invitation.
#[must_use]
pub fn invitation_texts(front_end: &str, role: Role, link: &SecretString, end: Timestamp) -> Texts {
    let (role, until, link) = (called(role), until(end), link.expose_secret());
    let text = format!(
        "You are invited to {front_end} ({role}).\n\nChoose your name and password here, once, until {until}:\n\n\
         {link}\n\nIf you expect no invitation, do nothing.\n"
    );
    Texts { subject: "Your invitation".to_owned(), text: text.into() }
}

/// A link to choose a new password.
#[must_use]
pub fn reset_texts(front_end: &str, link: &SecretString, end: Timestamp) -> Texts {
    let (until, link) = (until(end), link.expose_secret());
    let text = format!(
        "Somebody asked for a new password for this address at {front_end}.\n\nChoose it here, once, until {until}:\n\n\
         {link}\n\nIf it was not you, do nothing: your password stays as it is.\n"
    );
    Texts { subject: "Choose a new password".to_owned(), text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The link stands on a line of its own, and both letters say until when it holds.
    #[test]
    fn a_letter_holds_its_link() {
        let link = SecretString::from("https://app.example/invitation#ly_invite_1".to_owned());
        let end: Timestamp = "2026-07-08T10:00:00Z".parse().unwrap();
        for texts in [
            invitation_texts("https://app.example", Role::BuyerUser, &link, end),
            reset_texts("https://app.example", &link, end),
        ] {
            let text = texts.text.expose_secret();
            assert!(text.lines().any(|line| line == link.expose_secret()), "{text}");
            assert!(text.contains("2026-07-08 10:00 UTC") && text.is_ascii() && !texts.subject.contains('\n'));
        }
    }
}
