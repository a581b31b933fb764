//! Patience with those who guess, such that nobody shuts the right user out.
//!
//! Failures count by user *and* place (the address, of IPv6 its network): whoever guesses pauses their own place. A
//! place from which the user has signed in before is not touched by what others do elsewhere. Where a user is guessed at
//! from many places, each new place has one free try instead of five; it always has that one.

use chrono::Duration;
use leadyard_types::{Timestamp, UserId};

use crate::error::StoreResult;
use crate::model::{sign_in_place, user_account};
use crate::store::Write;

/// So many failures in a row are free.
const FREE_FAILURES: i64 = 5;
/// And so many at a place that is new, while the user is guessed at from many.
const FREE_FAILURES_WATCHED: i64 = 1;
/// The longest pause of a place from which the user has signed in before, in seconds: a colleague may share it.
const KNOWN_PAUSE_MAX: i64 = 60;
/// The longest pause of any other place, in seconds: a hundred guesses a day.
const NEW_PAUSE_MAX: i64 = 900;
/// After so many failures from everywhere a user is watched …
const WATCHED_FAILURES: i64 = 20;
/// … for so long after the last one.
const WATCHED_HOURS: i64 = 1;
/// Failures older than this are forgotten.
const FORGOTTEN_HOURS: i64 = 24;

/// Something that is tried, with a count of its own.
#[derive(Debug, Clone, Copy)]
pub enum Tried<'a> {
    /// Signing in from an address; `None` is this machine itself.
    SignIn(Option<&'a str>),
    /// Something that a user who is signed in proves again: the password, a code.
    Again,
}

/// How long a place pauses after so many failures in a row.
fn pause_seconds(failures: i64, is_known: bool, is_watched: bool) -> i64 {
    let free = if is_watched && !is_known { FREE_FAILURES_WATCHED } else { FREE_FAILURES };
    let longest = if is_known { KNOWN_PAUSE_MAX } else { NEW_PAUSE_MAX };
    let over = (failures - free).clamp(0, 10);
    if over == 0 { 0 } else { (1_i64 << over).min(longest) }
}

/// How many failures still count.
fn counted(place: Option<&sign_in_place::Model>, now: Timestamp) -> i64 {
    let fresh = |at: Timestamp| now - at < Duration::hours(FORGOTTEN_HOURS);
    place.filter(|place| place.last_failed_at.is_some_and(fresh)).map_or(0, |place| place.failures)
}

impl Write {
    fn place(&self, tried: Tried<'_>) -> Vec<u8> {
        let parts: [&[u8]; 3] = match tried {
            Tried::SignIn(address) => [b"place", b"sign_in", address.unwrap_or_default().as_bytes()],
            Tried::Again => [b"place", b"again", b""],
        };
        self.store.keyring().keyed_hash(&parts).to_vec()
    }

    /// A place of a user's. The user is locked.
    pub(super) async fn sign_in_place(
        &self,
        user: UserId,
        tried: Tried<'_>,
    ) -> StoreResult<Option<sign_in_place::Model>> {
        let sql = "SELECT * FROM sign_in_place WHERE user_id = ? AND place = ?";
        Ok(self.all(sql, vec![user.0.into(), self.place(tried).into()]).await?.into_iter().next())
    }

    /// Whether trying is paused. The user is locked.
    pub async fn is_paused(&self, user: UserId, tried: Tried<'_>) -> StoreResult<bool> {
        let place = self.sign_in_place(user, tried).await?;
        let now = self.store.clock().now();
        Ok(place.and_then(|place| place.paused_until).is_some_and(|until| until > now))
    }

    /// Notes what came of a try. The user is locked.
    pub async fn note_try(&self, user: &user_account::Model, tried: Tried<'_>, was_right: bool) -> StoreResult<()> {
        let now = self.store.clock().now();
        let found = self.sign_in_place(UserId(user.id), tried).await?;
        let known_since = found.as_ref().and_then(|place| place.signed_in_at);
        let mut row = sign_in_place::Model {
            user_id: user.id,
            place: self.place(tried),
            failures: 0,
            last_failed_at: None,
            paused_until: None,
            signed_in_at: Some(now),
        };
        if !was_right {
            let is_watched = user.locked_until.is_some_and(|until| until > now);
            row.failures = counted(found.as_ref(), now) + 1;
            row.last_failed_at = Some(now);
            row.signed_in_at = known_since;
            let pause = pause_seconds(row.failures, known_since.is_some(), is_watched);
            row.paused_until = (pause > 0).then(|| now + Duration::seconds(pause));
            if matches!(tried, Tried::SignIn(_)) && known_since.is_none() {
                self.watch(user, now).await?;
            }
        }
        let sql = "DELETE FROM sign_in_place WHERE user_id = ? AND place = ?";
        self.run(sql, vec![user.id.into(), row.place.clone().into()]).await?;
        self.insert_all::<sign_in_place::Entity>(vec![row]).await
    }

    /// Counts a failure from a new place; after many the user is watched for a while.
    async fn watch(&self, user: &user_account::Model, now: Timestamp) -> StoreResult<()> {
        let is_over = user.locked_until.is_some_and(|until| until <= now);
        let failures = if is_over { 1 } else { user.failed_sign_ins + 1 };
        let until = (failures >= WATCHED_FAILURES).then(|| now + Duration::hours(WATCHED_HOURS));
        let sql = "UPDATE user_account SET failed_sign_ins = ?, locked_until = ? WHERE id = ?";
        self.run(sql, vec![failures.into(), until.into(), user.id.into()]).await.map(|_| ())
    }

    /// Forgets every failure of a user. Places from which they signed in stay known.
    pub async fn forgive(&self, user: UserId) -> StoreResult<()> {
        let sql = "UPDATE sign_in_place SET failures = 0, last_failed_at = NULL, paused_until = NULL WHERE user_id = ?";
        self.run(sql, vec![user.0.into()]).await?;
        let sql = "UPDATE user_account SET failed_sign_ins = 0, locked_until = NULL WHERE id = ?";
        self.run(sql, vec![user.0.into()]).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place pauses after five failures, twice as long each time, within its bound; a new place of a watched user after
    /// one, and never before its first try.
    #[test]
    fn pauses_grow_within_bounds() {
        assert_eq!((0..=5).map(|n| pause_seconds(n, false, false)).sum::<i64>(), 0);
        assert_eq!([6, 7, 8].map(|n| pause_seconds(n, false, false)), [2, 4, 8]);
        assert_eq!([0, 1, 2].map(|n| pause_seconds(n, false, true)), [0, 0, 2]);
        assert_eq!([5, 6].map(|n| pause_seconds(n, true, true)), [0, 2], "a known place is not touched by others");
        assert_eq!(pause_seconds(i64::MAX, true, false), KNOWN_PAUSE_MAX);
        assert_eq!(pause_seconds(1_000, false, true), NEW_PAUSE_MAX);
    }
}
