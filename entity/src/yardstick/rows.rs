//! The rows of a sold lead, read back and made anew.

use std::collections::BTreeMap;

use leadyard_types::Ids;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseConnection, EntityTrait, IdenStatic, IntoActiveModel, Iterable, ModelTrait,
    QueryFilter, QueryOrder, QuerySelect, Value,
};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::keyring::random_bytes;
use crate::model::{
    cap_counter, consent, decision, delivery, idempotency_record, lead, lead_event, lead_fingerprint, ledger_transfer,
    person, sale, task,
};
use crate::sql::marks;

/// A table and how many rows of it a lead leaves.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: usize,
}

fn table<E: EntityTrait + Default>(rows: usize) -> Table {
    Table { name: E::default().table_name(), columns: E::Column::iter().map(|column| column.as_str()).collect(), rows }
}

/// What a lead that was sold once writes, in an order that foreign keys allow.
pub(super) const TABLES: [fn() -> Table; 11] = [
    || table::<person::Entity>(1),
    || table::<lead::Entity>(1),
    || table::<lead_fingerprint::Entity>(2),
    || table::<consent::Entity>(1),
    || table::<lead_event::Entity>(2),
    || table::<decision::Entity>(1),
    || table::<sale::Entity>(1),
    || table::<delivery::Entity>(1),
    || table::<ledger_transfer::Entity>(2),
    || table::<task::Entity>(1),
    || table::<idempotency_record::Entity>(1),
];

/// Every row of a lead that was sold once.
#[derive(Debug, Clone)]
pub(super) struct SoldLead {
    person: person::Model,
    lead: lead::Model,
    fingerprints: Vec<lead_fingerprint::Model>,
    consent: consent::Model,
    events: Vec<lead_event::Model>,
    decision: decision::Model,
    sale: sale::Model,
    delivery: delivery::Model,
    transfers: Vec<ledger_transfer::Model>,
    task: task::Model,
    answer: idempotency_record::Model,
    counter: cap_counter::Model,
}

/// Leads to make others like.
#[derive(Debug, Clone)]
pub struct Sample(Vec<SoldLead>);

impl Sample {
    pub(super) fn leads(&self) -> &[SoldLead] {
        &self.0
    }

    /// How many leads it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The median size of its decisions.
    #[must_use]
    pub fn decision_bytes(&self) -> usize {
        let mut sizes: Vec<usize> = self.0.iter().map(|lead| lead.decision.data.len()).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied().unwrap_or_default()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest sold leads with exactly the rows that [`TABLES`] names.
    pub(super) async fn read(from: &DatabaseConnection, limit: u64) -> StoreResult<Self> {
        let sold = lead::Entity::find().filter(lead::Column::State.eq("SOLD"));
        let leads = sold.order_by_desc(lead::Column::ReceivedAt).limit(limit).all(from).await?;
        let tasks = task::Entity::find().all(from).await?;
        let mut sample = Vec::new();
        for lead in leads {
            sample.extend(read_lead(from, lead, &tasks).await?);
        }
        if sample.is_empty() {
            Err(StoreError::corrupt("no lead was sold as the yardstick expects"))
        } else {
            Ok(Self(sample))
        }
    }
}

async fn read_lead(
    from: &DatabaseConnection,
    lead: lead::Model,
    tasks: &[task::Model],
) -> StoreResult<Option<SoldLead>> {
    macro_rules! rows {
        ($table:ident, $column:ident, $value:expr) => {
            $table::Entity::find().filter($table::Column::$column.eq($value)).all(from).await?
        };
    }
    let fingerprints = rows!(lead_fingerprint, LeadId, lead.id);
    let events = rows!(lead_event, LeadId, lead.id);
    let transfers = rows!(ledger_transfer, LeadId, lead.id);
    let (mut people, mut consents) = (rows!(person, Id, lead.person_id), rows!(consent, LeadId, lead.id));
    let (mut decisions, mut sales) = (rows!(decision, LeadId, lead.id), rows!(sale, LeadId, lead.id));
    let (mut deliveries, mut answers) = (rows!(delivery, LeadId, lead.id), rows!(idempotency_record, LeadId, lead.id));
    if (fingerprints.len(), events.len(), transfers.len(), sales.len(), deliveries.len()) != (2, 2, 2, 1, 1) {
        return Ok(None);
    }
    let (Some(person), Some(consent), Some(decision), Some(sale), Some(delivery), Some(answer)) =
        (people.pop(), consents.pop(), decisions.pop(), sales.pop(), deliveries.pop(), answers.pop())
    else {
        return Ok(None);
    };
    let task = tasks.iter().find(|task| task.payload.contains(&delivery.id.to_string())).cloned();
    let counter = rows!(cap_counter, OwnerId, sale.contract_id).pop();
    let (Some(task), Some(counter)) = (task, counter) else { return Ok(None) };
    Ok(Some(SoldLead {
        person,
        lead,
        fingerprints,
        consent,
        events,
        decision,
        sale,
        delivery,
        transfers,
        task,
        answer,
        counter,
    }))
}

/// The rows of one new lead as values, ready to be bound.
#[derive(Debug, Clone)]
pub struct LeadRows {
    /// Per table of [`TABLES`].
    tables: Vec<Vec<Value>>,
    /// Fingerprints, and ways to reach the person.
    hashes: Vec<Value>,
    contacts: Vec<Value>,
    /// Scope and key of the request.
    request: [Value; 2],
    wallet: Uuid,
    price_minor: i64,
    counter: cap_counter::Model,
}

fn hash() -> StoreResult<Vec<u8>> {
    Ok(random_bytes()?.to_vec())
}

fn values<E>(rows: Vec<E::Model>) -> Vec<Value>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + ModelTrait<Entity = E>,
{
    let bound = |row: E::Model| {
        let row = row.into_active_model();
        E::Column::iter().filter_map(move |column| row.get(column).into_value()).collect::<Vec<_>>()
    };
    rows.into_iter().flat_map(bound).collect()
}

impl SoldLead {
    /// The same lead of somebody else.
    pub(super) fn renewed(&self, no: i64, ids: &dyn Ids) -> StoreResult<LeadRows> {
        let mut new = self.clone();
        let [person_id, lead_id, decision_id, sale_id, delivery_id] = std::array::from_fn(|_| ids.uuid());
        new.person.id = person_id;
        new.person.identity_hash = Some(hash()?);
        (new.lead.id, new.lead.person_id) = (lead_id, person_id);
        for fingerprint in &mut new.fingerprints {
            (fingerprint.hash, fingerprint.lead_id) = (hash()?, lead_id);
        }
        (new.consent.id, new.consent.lead_id) = (ids.uuid(), lead_id);
        new.events.iter_mut().for_each(|event| event.lead_id = lead_id);
        (new.decision.id, new.decision.lead_id, new.decision.no) = (decision_id, lead_id, no);
        (new.sale.id, new.sale.lead_id, new.sale.decision_id) = (sale_id, lead_id, decision_id);
        (new.delivery.id, new.delivery.sale_id, new.delivery.lead_id) = (delivery_id, sale_id, lead_id);
        for transfer in &mut new.transfers {
            (transfer.id, transfer.sale_id, transfer.lead_id) = (ids.uuid(), Some(sale_id), Some(lead_id));
            let old = self.sale.id.to_string();
            transfer.idempotency_key = transfer.idempotency_key.replace(&old, &sale_id.to_string());
        }
        let old = self.delivery.id.to_string();
        new.task.id = ids.uuid();
        new.task.payload = new.task.payload.replace(&old, &delivery_id.to_string());
        new.task.dedupe_key = new.task.dedupe_key.map(|key| key.replace(&old, &delivery_id.to_string()));
        (new.answer.key, new.answer.request_hash, new.answer.lead_id) = (hash()?, hash()?, lead_id);
        new.into_rows()
    }

    fn into_rows(self) -> StoreResult<LeadRows> {
        let sold = self.transfers.iter().find(|transfer| transfer.kind == "SALE");
        let wallet = sold.map(|transfer| transfer.debit_account_id);
        Ok(LeadRows {
            hashes: self.fingerprints.iter().map(|row| Value::from(row.hash.clone())).collect(),
            contacts: vec![hash()?.into(), hash()?.into()],
            request: [self.answer.scope.clone().into(), self.answer.key.clone().into()],
            wallet: wallet.ok_or_else(|| StoreError::corrupt("a sale without its charge"))?,
            price_minor: self.sale.price_minor,
            counter: self.counter,
            tables: vec![
                values::<person::Entity>(vec![self.person]),
                values::<lead::Entity>(vec![self.lead]),
                values::<lead_fingerprint::Entity>(self.fingerprints),
                values::<consent::Entity>(vec![self.consent]),
                values::<lead_event::Entity>(self.events),
                values::<decision::Entity>(vec![self.decision]),
                values::<sale::Entity>(vec![self.sale]),
                values::<delivery::Entity>(vec![self.delivery]),
                values::<ledger_transfer::Entity>(self.transfers),
                values::<task::Entity>(vec![self.task]),
                values::<idempotency_record::Entity>(vec![self.answer]),
            ],
        })
    }
}

impl LeadRows {
    /// The values of the whole statement, in its order.
    pub(super) fn for_one_statement(&self) -> Vec<Value> {
        let mut bound: Vec<Value> = [&self.hashes[..], &self.contacts[..], &self.request].concat();
        bound.extend([self.price_minor.into(), self.wallet.into(), self.price_minor.into()]);
        bound.extend(count_values(&self.counter, 1, self.price_minor));
        bound.extend(self.tables.iter().flatten().cloned());
        bound
    }
}

/// The looks that must find nothing.
pub(super) fn lookups(leads: &[LeadRows]) -> Vec<(String, Vec<Value>)> {
    let of = |list: fn(&LeadRows) -> &[Value]| leads.iter().flat_map(|lead| list(lead).to_vec()).collect::<Vec<_>>();
    let asked = [
        ("lead_fingerprint", "hash", of(|lead| &lead.hashes)),
        ("suppression_entry", "hash", of(|lead| &lead.contacts)),
    ];
    let count = |(table, column, values): (&str, &str, Vec<Value>)| {
        (format!("SELECT COUNT(*) AS number FROM {table} WHERE {column} IN ({})", marks(values.len())), values)
    };
    let requests = of(|lead| &lead.request);
    let given = vec!["(?,?)"; leads.len()].join(",");
    let answered = format!(
        "WITH given (scope, key) AS (VALUES {given}) SELECT COUNT(*) AS number FROM given
         JOIN idempotency_record record ON record.scope = given.scope AND record.key = given.key"
    );
    asked.into_iter().map(count).chain([(answered, requests)]).collect()
}

pub(super) fn listed(columns: &[&str]) -> String {
    columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(",")
}

/// Every table's rows of all leads in one statement.
pub(super) fn inserts(leads: &[LeadRows]) -> Vec<(String, Vec<Value>)> {
    let insert = |(at, table): (usize, &fn() -> Table)| {
        let Table { name, columns, rows } = table();
        let places = vec![format!("({})", marks(columns.len())); rows * leads.len()].join(",");
        let sql = format!("INSERT INTO {name} ({}) VALUES {places}", listed(&columns));
        (sql, leads.iter().flat_map(|lead| lead.tables[at].iter().cloned()).collect())
    };
    TABLES.iter().enumerate().map(insert).collect()
}

/// Takes room from so many caps: as many as there are, or more where nobody took any yet.
pub(super) fn count_statement(counters: usize) -> String {
    // A cap of a million: there is always room, and it is always asked.
    format!(
        "INSERT INTO cap_counter (owner_id, period, starts_at, ends_at, count, amount_minor) VALUES {}
         ON CONFLICT (owner_id, period, starts_at) DO UPDATE SET count = cap_counter.count + excluded.count,
         amount_minor = cap_counter.amount_minor + excluded.amount_minor WHERE cap_counter.count < 1000000",
        vec!["(?,?,?,?,?,?)"; counters].join(",")
    )
}

fn count_values(counter: &cap_counter::Model, count: i64, amount_minor: i64) -> [Value; 6] {
    [
        counter.owner_id.into(),
        counter.period.clone().into(),
        counter.starts_at.into(),
        counter.ends_at.into(),
        count.into(),
        amount_minor.into(),
    ]
}

/// Money and room, each row once, with how many rows must have had it.
pub(super) fn guarded(leads: &[LeadRows]) -> Vec<(String, Vec<Value>, u64)> {
    let mut wallets: BTreeMap<Uuid, i64> = BTreeMap::new();
    let mut counters: BTreeMap<Uuid, (&cap_counter::Model, i64, i64)> = BTreeMap::new();
    for lead in leads {
        *wallets.entry(lead.wallet).or_default() += lead.price_minor;
        let (_, count, amount_minor) = counters.entry(lead.counter.owner_id).or_insert((&lead.counter, 0, 0));
        *count += 1;
        *amount_minor += lead.price_minor;
    }
    let charge = format!(
        "WITH charge (id, amount_minor) AS (VALUES {})
         UPDATE ledger_account SET balance_minor = balance_minor - charge.amount_minor FROM charge
         WHERE ledger_account.id = charge.id AND balance_minor - held_minor + credit_limit_minor >= charge.amount_minor",
        vec!["(?,?)"; wallets.len()].join(",")
    );
    let of_wallets = wallets.iter().flat_map(|(id, amount)| [Value::from(*id), Value::from(*amount)]).collect();
    let counted = counters.values().flat_map(|(counter, count, amount)| count_values(counter, *count, *amount));
    let size = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    vec![
        (charge, of_wallets, size(wallets.len())),
        (count_statement(counters.len()), counted.collect(), size(counters.len())),
    ]
}
