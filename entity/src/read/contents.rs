//! What people entered, for those who may see it. Whoever may not gets the names of the personal fields without their
//! values: they are masked here, before they leave this room, not by whoever shows them.

use std::collections::{BTreeMap, HashMap};

use leadyard_types::{Consent, FieldValue, Fields};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{consent, lead, person};
use crate::placement::UnsealedLead;
use crate::store::Read;

/// The value of one field, as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadFieldValue {
    /// Whether the field says who the person is.
    pub personal: bool,
    /// The value; `None` where it is masked.
    pub value: Option<FieldValue>,
}

/// What a person entered, as the caller may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct LeadContents {
    /// The fields by key.
    pub fields: BTreeMap<String, LeadFieldValue>,
    /// The consent; its text, page and addresses only for those who see personal data.
    pub consent: Option<Consent>,
    /// Whether the person was erased: personal fields are gone for everybody.
    pub erased: bool,
}

impl LeadContents {
    /// Whether anything in it says who the person is.
    #[must_use]
    pub fn shows_a_person(&self) -> bool {
        let said = |consent: &Consent| {
            let points = [&consent.text, &consent.page_url, &consent.ip];
            points.iter().any(|value| value.is_some()) || !consent.certificate_urls.is_empty()
        };
        self.fields.values().any(|field| field.personal && field.value.is_some())
            || self.consent.as_ref().is_some_and(said)
    }
}

impl Read {
    /// The contents of leads, as the caller may see them: leads that are absent or not visible are left out.
    /// Three statements, however many leads.
    pub async fn lead_contents(&self, leads: &[Uuid]) -> StoreResult<HashMap<Uuid, LeadContents>> {
        let opened = self.open_leads(leads).await?;
        let sees = self.principal.sees_personal_data();
        opened.into_iter().map(|lead| Ok((lead.row.id, contents(lead, sees)?))).collect()
    }

    /// Leads that the principal sees, with everything known of them in the clear. It stays in this process: what of it
    /// is shown is decided by [`LeadContents`] or by the explanation of a decision.
    pub async fn open_leads(&self, leads: &[Uuid]) -> StoreResult<Vec<UnsealedLead>> {
        let rows: Vec<lead::Model> = self
            .select::<lead::Entity>()
            .filter(lead::Column::Id.is_in(leads.iter().copied()))
            .all(self.connection())
            .await?;
        let people = person::Entity::find()
            .filter(person::Column::Id.is_in(rows.iter().map(|row| row.person_id)))
            .all(self.connection())
            .await?;
        let people: HashMap<Uuid, person::Model> = people.into_iter().map(|row| (row.id, row)).collect();
        let consents = consent::Entity::find()
            .filter(consent::Column::LeadId.is_in(rows.iter().map(|row| row.id)))
            .all(self.connection())
            .await?;
        let mut consents: HashMap<Uuid, consent::Model> = consents.into_iter().map(|row| (row.lead_id, row)).collect();
        rows.into_iter()
            .map(|row| {
                let person = people.get(&row.person_id).ok_or_else(|| StoreError::corrupt("person"))?;
                let consent = consents.remove(&row.id);
                UnsealedLead::open(self.store.keyring(), row, person, consent)
            })
            .collect()
    }
}

fn contents(lead: UnsealedLead, sees_personal_data: bool) -> StoreResult<LeadContents> {
    // What is stored in the clear is what the vertical does not call personal.
    let open: Fields = serde_json::from_str(&lead.row.fields).map_err(StoreError::corrupt)?;
    let show = |key: &str, value: FieldValue| {
        let personal = !open.contains_key(key);
        LeadFieldValue { personal, value: (!personal || sees_personal_data).then_some(value) }
    };
    let fields = lead.fields.into_iter().map(|(key, value)| (key.clone(), show(&key, value))).collect();
    let consent = lead.consent.map(|consent| if sees_personal_data { consent } else { without_person(consent) });
    Ok(LeadContents { fields, consent, erased: lead.erased })
}

/// A consent without what points at the person.
fn without_person(consent: Consent) -> Consent {
    Consent { text: None, page_url: None, ip: None, certificate_urls: Vec::new(), ..consent }
}
