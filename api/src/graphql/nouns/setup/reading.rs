//! How inputs become terms: what is left out stays, what is null is cleared, and everything that cannot be read is told.

use async_graphql::{ID, MaybeUndefined};
use leadyard_types::{FieldProblem, Percent};
use uuid::Uuid;

use super::super::super::errors::UserError;
use super::super::super::id::Kind;
use super::super::super::scalars::MinorUnits;

/// What could not be read so far.
#[derive(Debug, Default)]
pub(crate) struct Reading(Vec<FieldProblem>);

/// A value, or why it is none.
pub(crate) type Read<T> = Result<T, FieldProblem>;

impl Reading {
    /// What was read; `None` where something could not be.
    pub(crate) fn take<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|problem| self.0.push(problem)).ok()
    }

    /// A field that always has a value.
    pub(crate) fn set<G, T>(
        &mut self,
        path: &str,
        given: MaybeUndefined<G>,
        place: &mut T,
        read: impl FnOnce(G, &str) -> Read<T>,
    ) {
        match given {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => {
                let message = "this always has a value: give one, or leave it out to keep what stands";
                self.0.push(FieldProblem::new(path, "REQUIRED", message));
            }
            MaybeUndefined::Value(value) => {
                if let Some(read) = self.take(read(value, path)) {
                    *place = read;
                }
            }
        }
    }

    /// A field that is like this where it is cleared.
    pub(crate) fn set_or<G, T>(
        &mut self,
        path: &str,
        given: MaybeUndefined<G>,
        (place, cleared): (&mut T, T),
        read: impl FnOnce(G, &str) -> Read<T>,
    ) {
        match given {
            MaybeUndefined::Null => *place = cleared,
            other => self.set(path, other, place, read),
        }
    }

    /// A field that may be absent.
    pub(crate) fn optional<G, T>(
        &mut self,
        path: &str,
        given: MaybeUndefined<G>,
        place: &mut Option<T>,
        read: impl FnOnce(G, &str) -> Read<T>,
    ) {
        self.set_or(path, given, (place, None), |given, path| read(given, path).map(Some));
    }

    /// What is changed of something that always has a value; `None` where it stays.
    pub(crate) fn changed<G>(&mut self, path: &str, given: MaybeUndefined<G>) -> Option<G> {
        let mut changed = None;
        self.set(path, given, &mut changed, |given, _| Ok(Some(given)));
        changed
    }

    /// Everything that could not be read.
    pub(crate) fn problems(self) -> Vec<UserError> {
        self.0.into_iter().map(UserError::from).collect()
    }
}

/// What is given is what is meant.
pub(crate) fn plain<G: Into<T>, T>(given: G, _: &str) -> Read<T> {
    Ok(given.into())
}

/// A whole number that is not negative, and fits.
pub(crate) fn whole<T: TryFrom<i32>>(given: i32, path: &str) -> Read<T> {
    T::try_from(given).map_err(|_| FieldProblem::new(path, "OUT_OF_RANGE", "0 or more is expected, and not as much"))
}

/// An amount.
pub(crate) fn minor(given: MinorUnits, _: &str) -> Read<i64> {
    Ok(given.0)
}

/// A share.
pub(crate) fn percent(given: String, path: &str) -> Read<Percent> {
    let wrong = |_| FieldProblem::new(path, "FORMAT", "a share in percent as a decimal is expected: \"12.5\"");
    given.trim().parse().map(Percent).map_err(wrong)
}

/// What an id names. One of another kind, or no id at all, names nobody, like one that never was: the nil id.
pub(crate) fn named<T: From<Uuid>>(kind: Kind, given: &ID) -> T {
    T::from(kind.read(given).unwrap_or_default())
}

/// Something that is referred to; whether it is there is for the use case to say.
pub(crate) fn id<T: From<Uuid>>(kind: Kind) -> impl Fn(ID, &str) -> Read<T> {
    move |given, _| Ok(named(kind, &given))
}

/// A list, each item at its place.
pub(crate) fn list<G, T>(read: impl Fn(G, &str) -> Read<T>) -> impl FnOnce(Vec<G>, &str) -> Read<Vec<T>> {
    move |given, path| {
        given.into_iter().enumerate().map(|(place, item)| read(item, &format!("{path}.{place}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left out stays, what is null is cleared, and what must have a value says so.
    #[test]
    fn what_is_left_out_stays_and_null_clears() {
        let mut reading = Reading::default();
        let (mut name, mut most, mut floor) = ("old".to_owned(), Some(3_u8), 7);
        reading.set("name", MaybeUndefined::<String>::Undefined, &mut name, plain);
        reading.optional("most", MaybeUndefined::Undefined, &mut most, whole);
        reading.set_or("floor", MaybeUndefined::Undefined, (&mut floor, 0), minor);
        assert_eq!((name.as_str(), most, floor), ("old", Some(3), 7));
        reading.optional("most", MaybeUndefined::<i32>::Null, &mut most, whole);
        reading.set_or("floor", MaybeUndefined::<MinorUnits>::Null, (&mut floor, 0), minor);
        assert_eq!((most, floor), (None, 0));
        reading.set("name", MaybeUndefined::Null, &mut name, plain::<String, String>);
        reading.optional("most", MaybeUndefined::Value(256), &mut most, whole);
        let told: Vec<(Vec<String>, String)> =
            reading.problems().into_iter().map(|error| (error.field, error.code)).collect();
        let at = |field: &str| vec!["input".to_owned(), field.to_owned()];
        assert_eq!(told, [(at("name"), "REQUIRED".to_owned()), (at("most"), "OUT_OF_RANGE".to_owned())]);
        assert_eq!(name, "old");
    }
}
