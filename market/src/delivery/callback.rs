//! A buyer says by itself what became of a lead it was posted. It shows by the address that it got the post: the address
//! holds a keyed hash of the sale, which nobody can guess and nothing stores.

use leadyard_connectors::redact::Redactor;
use leadyard_connectors::webhook::is_reference;
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{BuyerVerdict, DeliveryId, SaleId, SaleState, SettledBy, Verdict};
use serde_json::json;
use uuid::Uuid;

use super::staff::PATIENCE;
use super::{DELIVER, package};
use crate::market::Market;
use crate::patience::patiently;
use crate::settlement::VerdictGiven;

/// What the keyed hash is of, beside the sale.
const PURPOSE: &[u8] = b"sale verdict";
/// A sale's id in hexadecimal digits.
const ID_CHARS: usize = 32;
/// The keyed hash likewise.
const HASH_CHARS: usize = 64;

/// A sale whose buyer has shown that it got the post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalledBack(SaleId);

impl CalledBack {
    /// The sale.
    #[must_use]
    pub fn sale_id(&self) -> SaleId {
        self.0
    }
}

/// What a buyer says.
#[derive(Debug, Clone)]
pub struct ToldVerdict {
    /// What became of the lead.
    pub verdict: BuyerVerdict,
    /// Why it does not take it.
    pub reason: Option<String>,
    /// Its own mark of the lead.
    pub reference: Option<String>,
}

/// Why a verdict is not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum VerdictRefused {
    /// The sale is not there any more.
    #[error("the sale is gone")]
    Gone,
    /// The sale was settled otherwise.
    #[error("the sale is {0} already")]
    Contradicts(SaleState),
    /// A late acceptance that the wallet does not cover.
    #[error("the wallet does not cover the sale any more")]
    NotCovered,
    /// The mark cannot be kept.
    #[error("the reference is none")]
    Reference,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Market {
    /// Where a sale's buyer calls back; `None` where nobody said by which address the world knows this server.
    #[must_use]
    pub fn callback_url(&self, sale: SaleId) -> Option<String> {
        let public_url = self.public_url.get()?;
        let hash = self.store.keyring().keyed_hash(&[PURPOSE, sale.0.as_bytes()]);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("{public_url}/v1/sales/{}{hash}/verdict", sale.0.simple()))
    }

    /// The sale of a callback's address, if its buyer answers posts. Wrong, foreign and absent ones are the same: none.
    pub async fn called_back(&self, reference: &str) -> StoreResult<Option<CalledBack>> {
        let Some(sale) = self.sale_of(reference) else { return Ok(None) };
        let row = self.store.read(DELIVER).by_id::<leadyard_entity::model::sale::Entity>(sale.0).await?;
        Ok(row.filter(|row| row.verdict == Verdict::Sync.as_str()).map(|_| CalledBack(sale)))
    }

    fn sale_of(&self, reference: &str) -> Option<SaleId> {
        let digit = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        if reference.len() != ID_CHARS + HASH_CHARS || !reference.as_bytes().iter().all(digit) {
            return None;
        }
        let (id, hash) = reference.split_at(ID_CHARS);
        let sale = SaleId(Uuid::try_parse(id).ok()?);
        let byte = |at: usize| u8::from_str_radix(hash.get(at..at + 2)?, 16).ok();
        let claimed = (0..HASH_CHARS).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?;
        self.store.keyring().is_keyed_hash(&[PURPOSE, sale.0.as_bytes()], &claimed).then_some(sale)
    }

    /// Takes what a buyer says about a sale, also while its post is still under way. The same verdict again changes
    /// nothing and is answered alike; another one is refused, but for the late acceptance of a sale whose window ended.
    /// Answers where the sale stands.
    pub async fn take_verdict(&self, sale: CalledBack, told: ToldVerdict) -> Result<SaleState, VerdictRefused> {
        let told = self.withheld(sale, told).await?;
        let taken = patiently(PATIENCE, || self.take_once(sale, &told)).await;
        match taken {
            Ok(taken) => taken,
            // The only thing of a settlement that collides with what stands.
            Err(StoreError::Conflict(error)) => {
                tracing::warn!(error, sale = %sale.0, "a late acceptance could not be taken");
                Err(VerdictRefused::NotCovered)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn take_once(&self, sale: CalledBack, told: &ToldVerdict) -> StoreResult<Result<SaleState, VerdictRefused>> {
        let mut write = self.store.write(DELIVER).await?;
        let Some(row) = self.lock_sale(&write, sale.0).await? else { return Ok(Err(VerdictRefused::Gone)) };
        let state: SaleState = row.state.parse().map_err(StoreError::corrupt)?;
        let accepts = told.verdict == BuyerVerdict::Accepted;
        let next = match (state, accepts) {
            (SaleState::Pending | SaleState::Unknown, false) => SaleState::Rejected,
            (SaleState::Pending | SaleState::Unknown | SaleState::UnknownExpired, true) => SaleState::Sold,
            // Said before, or as it ended by itself.
            (SaleState::Sold, true) | (SaleState::Rejected | SaleState::UnknownExpired, false) => {
                write.rollback().await?;
                return Ok(Ok(state));
            }
            (SaleState::Sold, false) | (SaleState::Rejected, true) => {
                write.rollback().await?;
                return Ok(Err(VerdictRefused::Contradicts(state)));
            }
        };
        let verdict = VerdictGiven::of(told.verdict, told.reason.clone(), told.reference.clone());
        self.settle(&mut write, &row, &verdict, SettledBy::Callback).await?;
        let detail = json!({ "by": SettledBy::Callback, "verdict": told.verdict });
        write.audit("resolve", "sale", Some(sale.0.0), &detail).await?;
        let _ = write.commit().await?;
        self.settled.notify_waiters();
        Ok(Ok(next))
    }

    /// What may be kept of the buyer's words: nothing about the person.
    async fn withheld(&self, sale: CalledBack, told: ToldVerdict) -> Result<ToldVerdict, VerdictRefused> {
        if told.reference.as_ref().is_some_and(|reference| !is_reference(reference)) {
            return Err(VerdictRefused::Reference);
        }
        if told.reason.is_none() && told.reference.is_none() {
            return Ok(told);
        }
        let read = self.store.read(DELIVER);
        let deliveries = read.deliveries_of_sales(&[sale.0.0]).await?.remove(&sale.0.0).unwrap_or_default();
        let ids: Vec<DeliveryId> = deliveries.iter().take(1).map(|row| DeliveryId(row.id)).collect();
        let Some(facts) = read.delivery_facts(&ids).await?.pop() else { return Err(VerdictRefused::Gone) };
        let redactor = Redactor::of(&package(&facts, 1)?);
        let reason = told.reason.map(|reason| redactor.text(&reason)).filter(|reason| !reason.is_empty());
        let reference = told.reference.filter(|reference| !redactor.finds(reference));
        Ok(ToldVerdict { verdict: told.verdict, reason, reference })
    }
}
