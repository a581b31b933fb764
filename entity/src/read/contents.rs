//! What people entered, for those who may see it. Whoever may not gets the names of the personal fields without their
//! values: they are masked here, before they leave this room, not by whoever shows them.

use std::collections::{BTreeMap, HashMap};

use leadyard_types::{Consent, FieldValue, Fields};
use sea_orm::{EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{consent, lead, person};
use crate::placement::{UnsealedLead, open_consent, open_fields, person_key};
use crate::read::{Columns, Part};
use crate::sql::among;
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
    /// Whether the person was erased: personal fields are gone for everybody.
    pub erased: bool,
}

impl LeadContents {
    /// Whether anything in it says who the person is.
    #[must_use]
    pub fn shows_a_person(&self) -> bool {
        self.fields.values().any(|field| field.personal && field.value.is_some())
    }
}

/// Whether anything in a consent says who the person is.
#[must_use]
pub fn consent_shows_a_person(consent: &Consent) -> bool {
    let points = [&consent.text, &consent.page_url, &consent.ip];
    points.iter().any(|value| value.is_some()) || !consent.certificate_urls.is_empty()
}

impl Read {
    /// What people entered into leads, as the caller may see it: leads that are absent or not visible are left out.
    /// Two statements, however many leads.
    pub async fn lead_contents(&self, leads: &[Uuid]) -> StoreResult<HashMap<Uuid, LeadContents>> {
        use lead::Column::{Fields, PersonId, SealedFields};
        let rows = self.parts_by_ids(leads, Columns::of(&[PersonId, Fields, SealedFields])).await?;
        let people = self.people_of(rows.values()).await?;
        let sees = self.principal.sees_personal_data();
        rows.into_iter().map(|(id, row)| Ok((id, self.entered(&row, &people, sees)?))).collect()
    }

    /// The consents of leads, with what says who the person is for those who see personal data alone; where there is none,
    /// and where the lead is not visible, it is left out. Three statements, however many leads.
    pub async fn consent_contents(&self, leads: &[Uuid]) -> StoreResult<HashMap<Uuid, Consent>> {
        let rows = self.parts_by_ids::<lead::Entity>(leads, Columns::of(&[lead::Column::PersonId])).await?;
        let people = self.people_of(rows.values()).await?;
        let seen: Vec<Uuid> = rows.keys().copied().collect();
        let found = consent::Entity::find().filter(among(self.backend(), consent::Column::LeadId, &seen));
        let sees = self.principal.sees_personal_data();
        let open = |stored: consent::Model| {
            let lead = rows.get(&stored.lead_id).ok_or_else(|| StoreError::corrupt("consent"))?;
            let key = person_key(self.store.keyring(), person_of(lead, &people)?)?;
            let consent = open_consent(key.as_ref(), &stored)?;
            Ok((stored.lead_id, if sees { consent } else { without_person(consent) }))
        };
        found.all(self.connection()).await?.into_iter().map(open).collect()
    }

    /// The people behind leads.
    async fn people_of(&self, leads: impl Iterator<Item = &Part<lead::Entity>>) -> StoreResult<People> {
        let ids: Vec<Uuid> =
            leads.map(|lead| lead.person_id().copied()).collect::<Result<_, _>>().map_err(StoreError::corrupt)?;
        let found = person::Entity::find().filter(among(self.backend(), person::Column::Id, &ids));
        Ok(found.all(self.connection()).await?.into_iter().map(|row| (row.id, row)).collect())
    }

    fn entered(&self, lead: &Part<lead::Entity>, people: &People, sees: bool) -> StoreResult<LeadContents> {
        let key = person_key(self.store.keyring(), person_of(lead, people)?)?;
        let clear = lead.fields().map_err(StoreError::corrupt)?;
        let sealed = lead.sealed_fields().map_err(StoreError::corrupt)?;
        // What is stored in the clear is what the vertical does not call personal.
        let open: Fields = serde_json::from_str(clear).map_err(StoreError::corrupt)?;
        let show = |(key, value): (String, FieldValue)| {
            let personal = !open.contains_key(&key);
            (key, LeadFieldValue { personal, value: (!personal || sees).then_some(value) })
        };
        let all = open_fields(key.as_ref(), lead.id(), clear, sealed.as_deref())?;
        Ok(LeadContents { fields: all.into_iter().map(show).collect(), erased: key.is_none() })
    }

    /// Leads that the principal sees, with everything known of them in the clear. It stays in this process: what of it
    /// is shown is decided by who explains or replays a decision.
    pub async fn open_leads(&self, leads: &[Uuid]) -> StoreResult<Vec<UnsealedLead>> {
        let rows: Vec<lead::Model> = self
            .select::<lead::Entity>()
            .filter(among(self.backend(), lead::Column::Id, leads))
            .all(self.connection())
            .await?;
        let people: Vec<Uuid> = rows.iter().map(|row| row.person_id).collect();
        let people = person::Entity::find()
            .filter(among(self.backend(), person::Column::Id, &people))
            .all(self.connection())
            .await?;
        let people: HashMap<Uuid, person::Model> = people.into_iter().map(|row| (row.id, row)).collect();
        let seen: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let consents = consent::Entity::find()
            .filter(among(self.backend(), consent::Column::LeadId, &seen))
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

/// People by their ids.
type People = HashMap<Uuid, person::Model>;

fn person_of<'a>(lead: &Part<lead::Entity>, people: &'a People) -> StoreResult<&'a person::Model> {
    let person = lead.person_id().map_err(StoreError::corrupt)?;
    people.get(person).ok_or_else(|| StoreError::corrupt("person"))
}

/// A consent without what points at the person.
fn without_person(consent: Consent) -> Consent {
    Consent { text: None, page_url: None, ip: None, certificate_urls: Vec::new(), ..consent }
}
