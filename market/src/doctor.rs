//! The doctor: proves the books and says what is wrong and how to mend it.

use leadyard_entity::doctor::FAULTS;
use leadyard_entity::{Store, StoreResult};
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
    /// Per currency.
    pub books: Vec<Books>,
    /// The proofs.
    pub proofs: Vec<Proof>,
}

fn proof(name: &str, faults: i64, advice: &str) -> Proof {
    let ok = faults == 0;
    Proof { name: name.to_owned(), ok, faults, advice: (!ok).then(|| advice.to_owned()) }
}

/// Examines a store.
pub async fn examine(store: &Store) -> StoreResult<Report> {
    let read = store.read(Principal::System(SystemTask::Operate));
    let mut proofs = Vec::with_capacity(FAULTS.len() + 3);
    for fault in &FAULTS {
        proofs.push(proof(fault.name, read.count_faults(fault).await?, fault.advice));
    }
    let broken = read.audit_break().await?;
    proofs.push(proof(
        "the audit chain is whole",
        i64::from(broken.is_some()),
        "rows of the audit were changed or removed",
    ));
    if let Some((wal, full, quick)) = read.sqlite_settings().await? {
        let wrong = [wal, full, quick].iter().filter(|right| !**right).count();
        let advice = "open the database with leadyard itself; if the quick check fails, restore a backup";
        proofs.push(proof(
            "SQLite writes ahead, fully synchronous, and is sound",
            i64::try_from(wrong).unwrap_or(3),
            advice,
        ));
    }
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
        proofs,
    })
}
