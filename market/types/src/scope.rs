//! Scopes: what a user's API key may do of what its user may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{UnknownWord, words};

words! {
    /// A part of the work, as keys are given it. Which fields belong to which scope is one table at the edge.
    pub enum KeyScope("key scope") {
        /// Reads how the market is set up and how it stands.
        Market = "MARKET",
        /// Changes how the market is set up: the operator's terms, a buyer's own bids.
        Setup = "SETUP",
        /// Reads leads and what became of them, without what people entered.
        Leads = "LEADS",
        /// Reads what people entered, beside the leads themselves.
        Persons = "PERSONS",
        /// Sends leads.
        Submit = "SUBMIT",
        /// Sees to what was sold: deliveries again, lost answers, complaints.
        Delivery = "DELIVERY",
        /// Reads balances, transfers and figures.
        Books = "BOOKS",
        /// Moves money.
        Money = "MONEY",
        /// Reads who the users are, their keys, and what they did.
        People = "PEOPLE",
    }
}

/// A set of scopes. Stored as words with a blank between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyScopes(u16);

impl KeyScopes {
    /// No scope.
    pub const NONE: KeyScopes = KeyScopes(0);

    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        KeyScope::ALL.iter().copied().collect()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a scope is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The scopes, in the order they are documented.
    pub fn iter(self) -> impl Iterator<Item = KeyScope> {
        KeyScope::ALL.iter().copied().filter(move |scope| self.meets((*scope).into()))
    }
}

impl From<KeyScope> for KeyScopes {
    fn from(scope: KeyScope) -> Self {
        Self(1 << (scope as u16))
    }
}

impl FromIterator<KeyScope> for KeyScopes {
    fn from_iter<I: IntoIterator<Item = KeyScope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, |all, one| all.or(one.into()))
    }
}

impl fmt::Display for KeyScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, scope) in self.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { " " })?;
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for KeyScopes {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_whitespace().map(str::parse).collect::<Result<Vec<KeyScope>, _>>().map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set is written as its words and read again; what is no scope is refused.
    #[test]
    fn sets_are_words() {
        let some: KeyScopes = [KeyScope::Books, KeyScope::Leads].into_iter().collect();
        assert_eq!(some.to_string(), "LEADS BOOKS");
        assert_eq!("BOOKS  LEADS".parse(), Ok(some));
        assert_eq!(KeyScopes::all().to_string().parse(), Ok(KeyScopes::all()));
        assert_eq!(KeyScopes::all().iter().count(), KeyScope::ALL.len());
        assert!(KeyScopes::NONE.is_empty() && "".parse() == Ok(KeyScopes::NONE));
        assert!(some.meets(KeyScope::Leads.into()) && !some.meets(KeyScope::Money.into()));
        assert!("LEADS EVERYTHING".parse::<KeyScopes>().is_err());
    }
}
