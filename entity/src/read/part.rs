//! Rows of which only some columns are read. Leads and sales are wide and shown by the hundred, and a question shows a few of
//! their columns: the others would be fetched, decoded and kept for nothing.
//!
//! A column that was not read has no value here, so nobody takes a default for what is stored: asking for it is an error.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, QueryOrder, QueryResult, QueryTrait, Statement,
    TryGetable, Value,
};
use uuid::Uuid;

use super::page::{Cursor, Listed};
use super::{ByParent, uuid_of};
use crate::error::StoreResult;
use crate::model::{contract, lead, sale};
use crate::sql::among;
use crate::store::Read;

/// A table whose rows are read in part.
pub trait Parted: Listed {
    /// Its columns, in the order in which statements name them. At most 64.
    const COLUMNS: &'static [Self::Column];

    /// A column's place among them.
    fn place(column: Self::Column) -> u32;

    /// A row of which some columns were read, the rest being nothing in particular.
    fn model(row: &QueryResult, columns: Columns<Self>) -> Result<Self::Model, DbErr>;
}

/// Some columns of a table.
pub struct Columns<E> {
    bits: u64,
    of: PhantomData<fn() -> E>,
}

impl<E: Parted> Columns<E> {
    /// No column.
    pub const NONE: Self = Self { bits: 0, of: PhantomData };
    /// Every column.
    pub const ALL: Self = Self { bits: u64::MAX, of: PhantomData };

    /// These columns.
    #[must_use]
    pub fn of(columns: &[E::Column]) -> Self {
        columns.iter().fold(Self::NONE, |all, column| all.with(*column))
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, column: E::Column) -> Self {
        Self { bits: self.bits | 1 << E::place(column), ..self }
    }

    /// What is in one or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits, ..self }
    }

    /// Whether a column is among them.
    #[must_use]
    pub fn has(self, column: E::Column) -> bool {
        self.bits & 1 << E::place(column) != 0
    }

    /// They as a statement names them.
    pub(crate) fn named(self) -> impl Iterator<Item = E::Column> {
        E::COLUMNS.iter().copied().filter(move |column| self.has(*column))
    }
}

// Derived, these would ask the table for the same.
impl<E> Clone for Columns<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Columns<E> {}
impl<E> PartialEq for Columns<E> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}
impl<E> Eq for Columns<E> {}
impl<E> Hash for Columns<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}
impl<E> fmt::Debug for Columns<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Columns({:x})", self.bits)
    }
}

/// A row of which some columns were read.
#[derive(Debug, Clone)]
pub struct Part<E: EntityTrait> {
    model: E::Model,
    columns: Columns<E>,
}

/// A column was asked for that was not read: a mistake of this program.
#[derive(Debug, thiserror::Error)]
#[error("the column {0} was not read")]
pub struct NotRead(&'static str);

impl<E: Parted> Part<E> {
    pub(crate) fn read(row: &QueryResult, columns: Columns<E>) -> Result<Self, DbErr> {
        Ok(Self { model: E::model(row, columns)?, columns })
    }

    /// Where it stands in an order, for rows of a list in that order: what it is sorted by is always read.
    pub fn cursor(&self, order: E::Order) -> Cursor {
        debug_assert!(self.columns.has(E::sorting(order).0), "a row of no list has no place");
        E::cursor(&self.model, order)
    }

    /// The value of a column that is always read.
    pub(crate) fn value(&self, column: E::Column) -> Value {
        self.model.get(column)
    }

    fn of<'a, T>(&self, column: E::Column, name: &'static str, value: &'a T) -> Result<&'a T, NotRead> {
        if self.columns.has(column) { Ok(value) } else { Err(NotRead(name)) }
    }
}

impl Read {
    /// The rows of a select, of each some columns.
    pub(crate) async fn parts<E: Parted>(
        &self,
        mut select: SelectStatement,
        columns: Columns<E>,
    ) -> StoreResult<Vec<Part<E>>> {
        select.clear_selects().columns(columns.named().map(|column| (E::default(), column)));
        self.run_parts(self.backend().build(&select), columns).await
    }

    /// The rows of a statement that names these columns in their order.
    pub(crate) async fn run_parts<E: Parted>(
        &self,
        statement: Statement,
        columns: Columns<E>,
    ) -> StoreResult<Vec<Part<E>>> {
        #[cfg(feature = "testing")]
        self.store.faults().ran(&statement.sql);
        let rows = self.connection().query_all_raw(statement).await?;
        Ok(rows.iter().map(|row| Part::read(row, columns)).collect::<Result<_, _>>()?)
    }

    /// Rows by their ids, of each some columns; what is absent or not visible is left out.
    pub async fn parts_by_ids<E: Parted>(
        &self,
        ids: &[Uuid],
        columns: Columns<E>,
    ) -> StoreResult<HashMap<Uuid, Part<E>>> {
        let select = self.select::<E>().filter(among(self.backend(), E::id(), ids)).into_query();
        let rows = self.parts(select, columns.with(E::id())).await?;
        Ok(rows.into_iter().filter_map(|row| Some((uuid_of(row.value(E::id()))?, row))).collect())
    }

    /// The sales of leads, by leg, of each some columns.
    pub async fn sale_parts_of_leads(
        &self,
        leads: &[Uuid],
        columns: Columns<sale::Entity>,
    ) -> StoreResult<ByParent<Part<sale::Entity>>> {
        use sale::{Column, Entity};
        let select = self.select::<Entity>().filter(among(self.backend(), Column::LeadId, leads));
        let select = select.order_by_asc(Column::Leg).into_query();
        let mut lists: ByParent<Part<Entity>> = HashMap::new();
        for row in self.parts(select, columns.with(Column::Id).with(Column::LeadId)).await? {
            lists.entry(row.model.lead_id).or_default().push(row);
        }
        Ok(lists)
    }
}

/// The next column of a row, if it was read.
fn next<T: TryGetable + Default>(row: &QueryResult, place: &mut usize, read: bool) -> Result<T, DbErr> {
    if !read {
        return Ok(T::default());
    }
    let value = row.try_get_by_index(*place)?;
    *place += 1;
    Ok(value)
}

/// `parted! { sale { LeadId lead_id: Uuid, … } }`: all columns of a table beside its id, each with an accessor.
macro_rules! parted {
    ($($table:ident { $($column:ident $field:ident: $type:ty),+ $(,)? })+) => {$(
        impl Parted for $table::Entity {
            const COLUMNS: &'static [$table::Column] = &[$table::Column::Id, $($table::Column::$column),+];

            fn place(column: $table::Column) -> u32 {
                column as u32
            }

            fn model(row: &QueryResult, columns: Columns<Self>) -> Result<$table::Model, DbErr> {
                let mut place = 0;
                let id = next(row, &mut place, columns.has($table::Column::Id))?;
                Ok($table::Model { id, $($field: next(row, &mut place, columns.has($table::Column::$column))?),+ })
            }
        }

        impl Part<$table::Entity> {
            /// Its id, which is always read.
            #[must_use]
            pub fn id(&self) -> Uuid {
                self.model.id
            }
            $(
            #[doc = concat!("The column `", stringify!($field), "`, if it was read.")]
            ///
            /// # Errors
            /// It was not read.
            pub fn $field(&self) -> Result<&$type, NotRead> {
                self.of($table::Column::$column, stringify!($field), &self.model.$field)
            }
        )+}
    )+};
}

type Moment = chrono::DateTime<chrono::Utc>;

parted! {
    contract {
        CampaignId campaign_id: Uuid,
        BuyerId buyer_id: Uuid,
        Name name: String,
        Status status: String,
        RevisionId revision_id: Uuid,
        Version version: i64,
        CreatedAt created_at: Moment,
    }
    lead {
        CampaignId campaign_id: Uuid,
        SourceId source_id: Uuid,
        SupplierId supplier_id: Uuid,
        PersonId person_id: Uuid,
        Door door: String,
        State state: String,
        Reason reason: Option<String>,
        Fields fields: String,
        SealedFields sealed_fields: Option<Vec<u8>>,
        Subid subid: Option<String>,
        ExternalId external_id: Option<String>,
        Accepted accepted: bool,
        Score score: Option<i64>,
        EnquiredAt enquired_at: Moment,
        ReceivedAt received_at: Moment,
        StateSince state_since: Moment,
        RetryUntil retry_until: Option<Moment>,
        Decisions decisions: i64,
        Split split: Option<String>,
        Plan plan: Option<String>,
        OfferAt offer_at: Option<Moment>,
        Test test: bool,
    }
    sale {
        LeadId lead_id: Uuid,
        DecisionId decision_id: Uuid,
        CampaignId campaign_id: Uuid,
        SourceId source_id: Uuid,
        SupplierId supplier_id: Uuid,
        BuyerId buyer_id: Uuid,
        GroupId group_id: Uuid,
        ContractId contract_id: Uuid,
        ContractRevisionId contract_revision_id: Uuid,
        Stage stage: String,
        Leg leg: i64,
        Exclusive exclusive: bool,
        Verdict verdict: String,
        State state: String,
        Counted counted: bool,
        Currency currency: String,
        PriceMinor price_minor: i64,
        PayoutMinor payout_minor: i64,
        Day day: String,
        SoldAt sold_at: Moment,
        StateSince state_since: Moment,
        Reference reference: Option<String>,
        Reason reason: Option<String>,
        Test test: bool,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;

    use super::*;

    fn all_have_a_place<E: Parted>()
    where
        E::Column: Iterable + fmt::Debug,
    {
        let mut places: Vec<u32> = E::COLUMNS.iter().map(|column| E::place(*column)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), E::Column::iter().count(), "columns named twice or not at all");
        assert!(places.iter().all(|place| *place < 64), "more columns than bits");
    }

    /// Every column has a bit of its own and stands in statements once: values would go to other columns else.
    #[test]
    fn every_column_has_its_place() {
        all_have_a_place::<contract::Entity>();
        all_have_a_place::<lead::Entity>();
        all_have_a_place::<sale::Entity>();
    }

    /// What was not read has no value.
    #[test]
    fn what_was_not_read_is_no_default() {
        let model = contract::Model {
            id: Uuid::from_u128(1),
            campaign_id: Uuid::nil(),
            buyer_id: Uuid::nil(),
            name: "Solar North".into(),
            status: String::new(),
            revision_id: Uuid::nil(),
            version: 0,
            created_at: Moment::UNIX_EPOCH,
        };
        let columns = Columns::of(&[contract::Column::Id, contract::Column::Name]);
        let part: Part<contract::Entity> = Part { model: model.clone(), columns };
        assert_eq!(part.name().unwrap(), "Solar North");
        assert_eq!(part.status().unwrap_err().to_string(), "the column status was not read");
        let whole: Part<contract::Entity> = Part { model, columns: Columns::ALL };
        assert_eq!(whole.status().unwrap(), "");
        assert_eq!(columns.named().count(), 2);
        assert_eq!(Columns::<contract::Entity>::ALL.named().count(), 8);
    }
}
