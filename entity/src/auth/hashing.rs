//! Passwords are hashed one behind the other: each takes a core and 19 MiB, and whoever asks needs no key. One core makes
//! dozens a second; small machines have two. So many may wait and no more, and nobody takes all the places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use leadyard_types::UserId;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};

/// How many passwords wait or are hashed, a second or two of work: more are sent away, so that nobody waits for long.
const PLACES: usize = 64;
/// How many of those places one network, link or user has: an office that begins its day.
const PLACES_EACH: usize = 8;

/// For whom a password is hashed: each has a part of the places, however often they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashedFor<'a> {
    /// Somebody who signs in from a network; `None` is this machine itself, which has a part as large as it needs.
    Network(Option<&'a str>),
    /// Whoever holds a link.
    Link(Uuid),
    /// A user who is signed in.
    User(UserId),
}

impl HashedFor<'_> {
    fn name(self) -> Option<String> {
        match self {
            Self::Network(network) => network.map(|network| format!("network {network}")),
            Self::Link(link) => Some(format!("link {link}")),
            Self::User(user) => Some(format!("user {user}")),
        }
    }
}

fn fault(error: impl std::fmt::Display) -> StoreError {
    StoreError::Fault(format!("password hashing: {error}"))
}

/// Who has a place.
#[derive(Debug, Default)]
struct Taken {
    all: usize,
    each: HashMap<String, usize>,
}

/// The queue of one process.
#[derive(Debug)]
pub(crate) struct Hashing {
    turn: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), taken: Arc::default() }
    }
}

/// A place in the queue; it is free again when this is dropped.
#[derive(Debug)]
struct Place {
    taken: Arc<Mutex<Taken>>,
    of: Option<String>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        let Some(of) = &self.of else { return };
        if let Some(count) = taken.each.get_mut(of) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.each.remove(of);
            }
        }
    }
}

impl Hashing {
    /// A place, if one is free for them.
    fn place(&self, whose: HashedFor<'_>) -> Option<Place> {
        let of = whose.name();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = of.as_ref().and_then(|of| taken.each.get(of)).copied().unwrap_or_default();
        if taken.all >= PLACES || own >= PLACES_EACH {
            return None;
        }
        taken.all += 1;
        if let Some(of) = &of {
            taken.each.insert(of.clone(), own + 1);
        }
        Some(Place { taken: Arc::clone(&self.taken), of })
    }

    /// Does the work when it is its turn, beside the async workers. Who goes away does not shorten it: turn and place are
    /// free when the work is done.
    async fn run<T: Send + 'static>(
        &self,
        whose: HashedFor<'_>,
        work: impl FnOnce() -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let place = self.place(whose).ok_or(StoreError::Crowded)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(fault)?;
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, place));
            done
        });
        working.await.map_err(fault)?
    }
}

impl crate::Store {
    /// The hash under which a password is kept, slow on purpose; [`StoreError::Crowded`] where too many wait. Call it with
    /// no transaction open.
    pub async fn hash_password(&self, whose: HashedFor<'_>, password: String) -> StoreResult<String> {
        let hash = move || Argon2::default().hash_password(password.as_bytes()).map_err(fault);
        self.hashing().run(whose, move || Ok(hash()?.to_string())).await
    }

    /// Whether a password is the one of a hash; [`StoreError::Crowded`] where too many wait.
    pub async fn verify_password(&self, whose: HashedFor<'_>, password: String, hash: String) -> StoreResult<bool> {
        let work = move || {
            let parsed = PasswordHash::new(&hash).map_err(fault)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        };
        self.hashing().run(whose, work).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const HERE: HashedFor<'_> = HashedFor::Network(Some("198.51.100.0"));
    const THERE: HashedFor<'_> = HashedFor::Network(Some("203.0.113.0"));

    /// One network has some of the places, all together have them all, and what is left is free again.
    #[test]
    fn nobody_takes_all_the_places() {
        let hashing = Hashing::default();
        let mine: Vec<_> = (0..PLACES_EACH).map(|_| hashing.place(HERE).unwrap()).collect();
        assert!(hashing.place(HERE).is_none(), "one network has no more");
        assert!(hashing.place(THERE).is_some(), "another is not touched by it");
        let user = UserId(Uuid::from_u128(1));
        for whose in [HashedFor::Link(user.0), HashedFor::User(user), HashedFor::Network(Some("link"))] {
            let places: Vec<_> = (0..PLACES_EACH).map(|_| hashing.place(whose).unwrap()).collect();
            assert!(hashing.place(whose).is_none() && places.len() == PLACES_EACH, "{whose:?}");
        }
        let machine: Vec<_> = std::iter::from_fn(|| hashing.place(HashedFor::Network(None))).collect();
        assert_eq!(machine.len(), PLACES - PLACES_EACH);
        assert!(hashing.place(THERE).is_none(), "all are taken");
        drop(mine);
        assert!(hashing.place(HERE).is_some());
        drop(machine);
        let taken = hashing.taken.lock().unwrap();
        assert!(taken.all == 0 && taken.each.is_empty(), "{taken:?}");
    }

    /// Whoever goes away while a password is hashed leaves turn and place taken until it is done: two are never hashed at
    /// once.
    #[tokio::test]
    async fn who_goes_away_does_not_make_room_for_two() {
        let hashing = Arc::new(Hashing::default());
        let (begun, begins) = mpsc::channel::<()>();
        let (go_on, waits) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let hashing = Arc::clone(&hashing);
            async move {
                let work = move || {
                    begun.send(()).map_err(fault)?;
                    waits.recv().map_err(fault)
                };
                hashing.run(HERE, work).await
            }
        });
        tokio::task::spawn_blocking(move || begins.recv()).await.unwrap().unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!((hashing.turn.available_permits(), hashing.taken.lock().unwrap().all), (0, 1));
        go_on.send(()).unwrap();
        hashing.run(HERE, || Ok(())).await.unwrap();
        assert_eq!((hashing.turn.available_permits(), hashing.taken.lock().unwrap().all), (1, 0));
    }
}
