//! What stands beside terms: names, keys and addresses, and what is wrong with new ones.

use leadyard_entity::Write;
use leadyard_entity::setup::Noun;
use leadyard_types::FieldProblem;
use uuid::Uuid;

use super::{SetupResult, check, unused};

/// What is changed of a thing beside its terms; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct HeadChange {
    /// What people call it.
    pub name: Option<String>,
    /// The short key; only verticals have one.
    pub key: Option<String>,
    /// Where it is told things, `None` within = nowhere; only buyers and suppliers are.
    pub email: Option<Option<String>>,
}

impl HeadChange {
    /// Everything that is wrong with it. Contracts may share a name, and sources of different campaigns.
    pub(super) async fn problems(
        &self,
        write: &Write,
        noun: Noun,
        id: Uuid,
        campaign: Option<Uuid>,
    ) -> SetupResult<Vec<FieldProblem>> {
        let mut problems = Vec::new();
        if let Some(name) = &self.name {
            problems.extend(check::name("name", name));
        }
        if let Some(key) = &self.key {
            problems.extend(check::key(key));
        }
        if let Some(email) = &self.email {
            problems.extend(check::email(email.as_deref()));
        }
        let named = if noun == Noun::Vertical { &self.key } else { &self.name };
        if let Some(name) = named.as_ref().filter(|_| noun != Noun::Contract) {
            problems.extend(unused(write, noun, name, campaign, Some(id)).await?);
        }
        Ok(problems)
    }

    /// Writes it.
    pub(super) async fn write(self, write: &Write, noun: Noun, id: Uuid) -> SetupResult<()> {
        let named = if noun == Noun::Vertical {
            if let Some(name) = &self.name {
                write.set_vertical_name(id, name).await?;
            }
            self.key
        } else {
            self.name
        };
        if let Some(name) = named {
            write.rename(noun, &[(id, name)]).await?;
        }
        if let Some(email) = self.email {
            write.set_email(noun, id, email.as_deref()).await?;
        }
        Ok(())
    }
}
