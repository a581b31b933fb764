//! The doctor: proves the books and says what is wrong and how to mend it.

use leadyard_entity::doctor::{FAULTS, Faulty};
use leadyard_entity::{Read, Store, StoreResult};
use leadyard_types::{Principal, SystemTask};
use serde::Serialize;

/// One proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What is proven.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// How many faults were found.
    pub faults: i64,
    /// The first rows at fault, for example `ledger_account 0190…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// What to do, where it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// A currency's books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Books {
    /// The currency.
    pub currency: String,
    /// The sum of all stored balances.
    pub sum_minor: i64,
    /// How many transfers were posted.
    pub transfers: i64,
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether everything holds.
    pub ok: bool,
    /// The sum of all stored balances of all currencies: zero.
    pub ledger_sum: i64,
    /// How many rows of the audit chain are proven.
    pub audit_rows: i64,
    /// Per currency.
    pub books: Vec<Books>,
    /// The proofs.
    pub proofs: Vec<Proof>,
}

fn proof(name: &str, found: Faulty, advice: &str) -> Proof {
    let ok = found.count == 0;
    let advice = (!ok).then(|| advice.to_owned());
    Proof { name: name.to_owned(), ok, faults: found.count, rows: found.rows, advice }
}

/// Examines a store.
pub async fn examine(store: &Store) -> StoreResult<Report> {
    let read = store.read(Principal::System(SystemTask::Operate));
    let mut proofs = Vec::with_capacity(FAULTS.len() + 3);
    for fault in &FAULTS {
        proofs.push(proof(fault.name, read.find_faults(fault).await?, fault.advice));
    }
    proofs.push(proof(
        "every view of personal data is found by whom it showed",
        Faulty::of(&read.unfound_views().await?),
        "rows of audit_seen were removed by hand: whom these lines of the audit showed stands in their detail",
    ));
    let chain = read.audit_chain().await?;
    let broken: Vec<String> = chain.first_broken.iter().map(|no| format!("audit {no}")).collect();
    proofs.push(proof(
        "the audit chain is whole",
        Faulty { count: i64::from(!broken.is_empty()), rows: broken },
        "this row of the audit was changed, removed or put in: compare it and those after it with a backup",
    ));
    proofs.extend(sqlite(&read).await?);
    let books: Vec<Books> = read
        .ledger_sums()
        .await?
        .into_iter()
        .map(|sum| Books { currency: sum.currency, sum_minor: sum.sum_minor, transfers: sum.transfers })
        .collect();
    Ok(Report {
        ok: proofs.iter().all(|proof| proof.ok),
        ledger_sum: books.iter().map(|books| books.sum_minor).sum(),
        books,
        audit_rows: chain.rows,
        proofs,
    })
}

/// What keeps acknowledged leads on SQLite; nothing to prove elsewhere.
async fn sqlite(read: &Read) -> StoreResult<Option<Proof>> {
    let Some((wal, full, quick)) = read.sqlite_settings().await? else { return Ok(None) };
    let wrong: Vec<String> = [(wal, "journal_mode"), (full, "synchronous"), (quick, "quick_check")]
        .into_iter()
        .filter(|(right, _)| !right)
        .map(|(_, name)| name.to_owned())
        .collect();
    let found = Faulty { count: i64::try_from(wrong.len()).unwrap_or(i64::MAX), rows: wrong };
    let advice = "open the database with leadyard itself; if the quick check fails, restore a backup";
    Ok(Some(proof("SQLite writes ahead, fully synchronous, and is sound", found, advice)))
}
