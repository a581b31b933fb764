//! Statements of buyers' wallets and of what suppliers are owed: opening, every movement, closing, from the ledger.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use chrono_tz::Tz;
use leadyard_entity::statements::{AccountSum, EntryFilter};
use leadyard_entity::{Read, StoreResult};
use leadyard_types::TransferKind;
use uuid::Uuid;

use crate::rules::intervals::Span;
use crate::rules::zone::{day_start, days_later, storable_day};
use crate::statistics::{POINTS_TOGETHER_MAX, Pieces, StatisticsError};

/// The most statements over different days that are worked out for one request: each sums up what was before it.
pub const PERIODS_TOGETHER_MAX: usize = 12;
/// The longest time of one statement: a leap year.
pub const PERIOD_DAYS_MAX: i64 = 366;

/// Days of somebody's time, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first day.
    pub since: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// In whose time.
    pub zone: Tz,
}

impl Period {
    /// The first moment of the first day, and the first moment behind the last.
    #[must_use]
    pub fn span(&self) -> Span {
        let (since, until) = (storable_day(self.since), storable_day(self.until));
        (day_start(since, self.zone), day_start(days_later(until, 1), self.zone))
    }
}

/// How an account stands at a moment, minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// Credits less debits.
    pub balance_minor: i64,
    /// What is held of it.
    pub held_minor: i64,
}

impl Balance {
    fn with<'a>(self, sums: impl Iterator<Item = &'a AccountSum>) -> Self {
        sums.fold(self, |at, sum| Self {
            balance_minor: at.balance_minor + sum.change_minor,
            held_minor: at.held_minor + sum.held_minor,
        })
    }
}

/// What the transfers of a kind came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindTotal {
    /// How many there were.
    pub transfers: u64,
    /// What they added to the balance; below zero, what they took. Minor units.
    pub change_minor: i64,
}

/// A statement of an account, without its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its first moment, and the first behind it.
    pub span: Span,
    /// How the account stood before.
    pub opening: Balance,
    /// How it stands then.
    pub closing: Balance,
    /// What moved it, by reason.
    pub totals: BTreeMap<TransferKind, KindTotal>,
    sums: Vec<AccountSum>,
}

impl Statement {
    fn of(span: Span, sums: Vec<AccountSum>) -> Self {
        let opening = Balance::default().with(sums.iter().filter(|sum| sum.place.is_none()));
        let within: Vec<AccountSum> = sums.into_iter().filter(|sum| sum.place.is_some()).collect();
        let mut totals: BTreeMap<TransferKind, KindTotal> = BTreeMap::new();
        for sum in &within {
            let Some(kind) = sum.transfer else { continue };
            let total = totals.entry(kind).or_default();
            total.transfers += sum.lines;
            total.change_minor += sum.change_minor;
        }
        Self { span, opening, closing: opening.with(within.iter()), totals, sums: within }
    }

    /// How many lines it has that fit a filter.
    #[must_use]
    pub fn lines(&self, filter: &EntryFilter) -> u64 {
        self.sums.iter().filter(|sum| filter.takes(sum)).map(|sum| sum.lines).sum()
    }
}

/// The statements of some accounts over the same days. Two statements of the database however many accounts.
pub async fn statements(read: &Read, accounts: &[Uuid], period: Period) -> StoreResult<HashMap<Uuid, Statement>> {
    let span = period.span();
    let mut sums = by_account(read.account_sums(accounts, &[span]).await?);
    Ok(accounts.iter().map(|id| (*id, Statement::of(span, sums.remove(id).unwrap_or_default()))).collect())
}

fn by_account(sums: Vec<AccountSum>) -> HashMap<Uuid, Vec<AccountSum>> {
    let mut accounts: HashMap<Uuid, Vec<AccountSum>> = HashMap::new();
    for sum in sums {
        accounts.entry(sum.account.0).or_default().push(sum);
    }
    accounts
}

/// What became of a supplier's claim within some time, minor units: what each adds to it, and below zero what it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owed {
    /// What it earned.
    pub payouts_minor: i64,
    /// What was taken back of it: credits to buyers whose complaints were upheld.
    pub clawbacks_minor: i64,
    /// What it was paid.
    pub settlements_minor: i64,
    /// Everything else: reversals.
    pub other_minor: i64,
    /// What it is owed in the end.
    pub closing_minor: i64,
}

impl Owed {
    /// What all of it changed.
    #[must_use]
    pub const fn change_minor(&self) -> i64 {
        self.payouts_minor + self.clawbacks_minor + self.settlements_minor + self.other_minor
    }

    fn add(&mut self, sum: &AccountSum) {
        let place = match sum.transfer {
            Some(TransferKind::Payout) => &mut self.payouts_minor,
            Some(TransferKind::Clawback) => &mut self.clawbacks_minor,
            Some(TransferKind::Settlement) => &mut self.settlements_minor,
            _ => &mut self.other_minor,
        };
        *place += sum.change_minor;
    }
}

/// What a supplier is owed, piece of time by piece of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payables {
    /// What it was owed before the first, minor units.
    pub opening_minor: i64,
    /// Every piece, in order.
    pub pieces: Vec<(Span, Owed)>,
    /// All of them together.
    pub total: Owed,
}

/// What some accounts are owed, piece by piece.
pub async fn payables(
    read: &Read,
    accounts: &[Uuid],
    pieces: Pieces,
) -> Result<HashMap<Uuid, Payables>, StatisticsError> {
    let spans = pieces.spans()?;
    if spans.len() * accounts.len() > POINTS_TOGETHER_MAX {
        return Err(StatisticsError::TooManyTogether);
    }
    let mut sums = by_account(read.account_sums(accounts, &spans).await?);
    let owed = |id: &Uuid| (*id, owed(&spans, &sums.remove(id).unwrap_or_default()));
    Ok(accounts.iter().map(owed).collect())
}

fn owed(spans: &[Span], sums: &[AccountSum]) -> Payables {
    let before = sums.iter().filter(|sum| sum.place.is_none());
    let opening_minor = Balance::default().with(before).balance_minor;
    let (mut total, mut stands) = (Owed::default(), opening_minor);
    let mut pieces = Vec::with_capacity(spans.len());
    for (place, span) in spans.iter().enumerate() {
        let mut piece = Owed::default();
        for sum in sums.iter().filter(|sum| sum.place == Some(place)) {
            piece.add(sum);
            total.add(sum);
        }
        stands += piece.change_minor();
        pieces.push((*span, Owed { closing_minor: stands, ..piece }));
    }
    Payables { opening_minor, pieces, total: Owed { closing_minor: stands, ..total } }
}

#[cfg(test)]
mod tests {
    use leadyard_entity::statements::EntryKind;
    use leadyard_types::{AccountId, Timestamp};

    use super::*;

    fn sum(place: Option<usize>, transfer: Option<TransferKind>, change_minor: i64, held_minor: i64) -> AccountSum {
        let kind = if transfer.is_some() { EntryKind::Transfer } else { EntryKind::Hold };
        AccountSum { account: AccountId(Uuid::nil()), place, kind, transfer, lines: 2, change_minor, held_minor }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What opens a statement and what moves it is what closes it; holds touch only what is held.
    #[test]
    fn a_statement_adds_up() {
        let span = (at("2026-07-01T00:00:00Z"), at("2026-08-01T00:00:00Z"));
        let sums = vec![
            sum(None, Some(TransferKind::TopUp), 10_000, 0),
            sum(None, None, 0, 700),
            sum(Some(0), Some(TransferKind::Sale), -2_500, 0),
            sum(Some(0), Some(TransferKind::ComplaintCredit), 500, 0),
            sum(Some(0), None, 0, -300),
        ];
        let statement = Statement::of(span, sums);
        assert_eq!(statement.opening, Balance { balance_minor: 10_000, held_minor: 700 });
        assert_eq!(statement.closing, Balance { balance_minor: 8_000, held_minor: 400 });
        assert_eq!(statement.totals[&TransferKind::Sale], KindTotal { transfers: 2, change_minor: -2_500 });
        let only = |kinds: &[EntryKind], transfers: &[TransferKind]| {
            statement.lines(&EntryFilter { kinds: kinds.to_vec(), transfers: transfers.to_vec() })
        };
        assert_eq!((only(&[], &[]), only(&[EntryKind::Hold], &[]), only(&[], &[TransferKind::Sale])), (6, 2, 2));
    }

    /// Piece by piece the claim grows and shrinks to what it is in the end.
    #[test]
    fn payables_add_up() {
        let moments = ["2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z"].map(at);
        let spans = [(moments[0], moments[1]), (moments[1], moments[2])];
        let sums = [
            sum(None, Some(TransferKind::Payout), 1_000, 0),
            sum(Some(0), Some(TransferKind::Payout), 400, 0),
            sum(Some(0), Some(TransferKind::Settlement), -900, 0),
            sum(Some(1), Some(TransferKind::Clawback), -150, 0),
            sum(Some(1), Some(TransferKind::Reversal), 50, 0),
        ];
        let owed = owed(&spans, &sums);
        let closing: Vec<i64> = owed.pieces.iter().map(|(_, piece)| piece.closing_minor).collect();
        assert_eq!((owed.opening_minor, closing, owed.total.closing_minor), (1_000, vec![500, 400], 400));
        assert_eq!(owed.opening_minor + owed.total.change_minor(), owed.total.closing_minor);
    }

    /// Days begin and end in the time zone asked for; whatever days are asked for, there is a first and a last.
    #[test]
    fn a_period_is_whole_days() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let berlin = Period { since: day("2026-03-29"), until: day("2026-03-29"), zone: chrono_tz::Europe::Berlin };
        assert_eq!(berlin.span(), (at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z")));
        let all = Period { since: day("0000-01-01"), until: day("9999-12-31"), zone: chrono_tz::Asia::Kathmandu };
        let (since, until) = all.span();
        assert!(since.to_rfc3339().starts_with("0001") && until.to_rfc3339().starts_with("9998"));
    }
}
