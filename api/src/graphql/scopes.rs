//! What a user's API key may ask for: the table in `scopes.txt`, laid over the schema beside that of the roles. A key asks
//! for what both let through, so it never sees more than its user.

use std::collections::HashMap;

use anyhow::{Context, bail};
use leadyard_types::{KeyScope, KeyScopes};

/// The table.
pub(super) const TABLE: &str = include_str!("scopes.txt");

/// What a key needs for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// Nothing: every key may ask for it.
    Nothing,
    /// One of these scopes.
    OneOf(KeyScopes),
    /// Somebody who is signed in: no key will do.
    Person,
}

impl Needed {
    /// Whether it is let through, with these scopes; without a key (`None`) everything is.
    pub(crate) const fn is_met(self, scopes: Option<KeyScopes>) -> bool {
        match (self, scopes) {
            (_, None) | (Self::Nothing, _) => true,
            (Self::OneOf(needed), Some(scopes)) => needed.meets(scopes),
            (Self::Person, Some(_)) => false,
        }
    }

    /// The right side of a rule.
    fn read(names: &str) -> anyhow::Result<Self> {
        match names.trim() {
            "any" => return Ok(Self::Nothing),
            "person" => return Ok(Self::Person),
            _ => {}
        }
        let scope = |name: &str| -> anyhow::Result<KeyScope> {
            name.to_uppercase().parse().with_context(|| format!("`{name}` is no scope"))
        };
        let scopes = names.split_whitespace().map(scope).collect::<anyhow::Result<KeyScopes>>()?;
        if scopes.is_empty() { bail!("`{names}` names no scopes") } else { Ok(Self::OneOf(scopes)) }
    }
}

/// The rules, and which of them were asked for.
pub(super) struct ScopeRules {
    rules: HashMap<(String, String), (Needed, bool)>,
}

impl ScopeRules {
    pub(super) fn read(table: &str) -> anyhow::Result<Self> {
        let rules = super::policy::rules(table, Needed::read)?;
        Ok(Self { rules: rules.into_iter().map(|(place, needed)| (place, (needed, false))).collect() })
    }

    /// What is needed for a field: by its own rule, that of its type, or that of all types that end like it.
    pub(super) fn needed(&mut self, of: &str, field: &str) -> anyhow::Result<Needed> {
        let endings = ["Connection", "Edge", "Payload"].into_iter().filter(|ending| of.ends_with(ending));
        let by_ending = endings.map(|ending| (format!("*{ending}"), "*".to_owned()));
        let places = [(of.to_owned(), field.to_owned()), (of.to_owned(), "*".to_owned())];
        for place in places.into_iter().chain(by_ending) {
            if let Some((needed, was_asked)) = self.rules.get_mut(&place) {
                *was_asked = true;
                return Ok(*needed);
            }
        }
        bail!("{of}.{field} has no rule in scopes.txt")
    }

    /// Every rule is about something.
    pub(super) fn all_were_asked(&self) -> anyhow::Result<()> {
        let idle = self.rules.iter().filter(|(_, (_, was_asked))| !was_asked).map(|(place, _)| place);
        match idle.min() {
            Some((of, field)) => bail!("scopes.txt has a rule for {of}.{field}, which the schema does not have"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Shape;
    use super::*;

    /// What a key must never do, and what stays apart, stands here a second time on purpose.
    #[test]
    fn the_table_keeps_what_matters() {
        let shape = Shape::read(&crate::graphql::sdl()).unwrap();
        let may =
            |of: &str, field: &str, scopes: KeyScopes| shape.field(of, field).unwrap().needed.is_met(Some(scopes));
        for person in [
            "apiKeyCreate",
            "apiKeyRotate",
            "apiKeyRevoke",
            "sourceKeyCreate",
            "userInvite",
            "userUpdate",
            "userDisable",
            "passwordChange",
            "passwordResetIssue",
            "totpBegin",
            "totpConfirm",
            "totpDisable",
            "sessionRevoke",
        ] {
            assert!(!may("Mutation", person, KeyScopes::all()), "{person} is for people");
        }
        let but = |without: KeyScope| KeyScope::ALL.iter().copied().filter(|scope| *scope != without).collect();
        for (of, field, needed) in [
            ("Lead", "fields", KeyScope::Persons),
            ("Lead", "consent", KeyScope::Persons),
            ("Complaint", "evidence", KeyScope::Persons),
            ("Query", "leadsOfContact", KeyScope::Persons),
            ("Mutation", "walletTopUp", KeyScope::Money),
            ("Mutation", "complaintDecide", KeyScope::Money),
            ("Mutation", "campaignUpdate", KeyScope::Setup),
            ("Mutation", "configurationApply", KeyScope::Setup),
            ("Mutation", "leadSubmit", KeyScope::Submit),
            ("Query", "profitAndLoss", KeyScope::Books),
            ("Query", "users", KeyScope::People),
            ("User", "email", KeyScope::People),
        ] {
            assert!(may(of, field, needed.into()) && !may(of, field, but(needed)), "{of}.{field} needs {needed}");
        }
    }

    /// What is not about a key stays open; a word that is no scope, and a rule without one, are found.
    #[test]
    fn rules_are_read() {
        let leads = KeyScopes::from(KeyScope::Leads);
        assert!(Needed::Person.is_met(None) && !Needed::Person.is_met(Some(KeyScopes::all())));
        assert!(Needed::Nothing.is_met(Some(KeyScopes::NONE)));
        assert_eq!(Needed::read(" leads ").unwrap(), Needed::OneOf(leads));
        assert!(Needed::read("everything").is_err() && Needed::read("").is_err());
    }
}
