//! Errors: what a caller can mend is a `UserError` in the payload; everything else is an error of the request, with a
//! fixed text and a code. No error repeats what was sent.

use async_graphql::{Error, ErrorExtensions, SimpleObject};
use leadyard_entity::StoreError;
use leadyard_market::complaints::ComplaintError;
use leadyard_market::conversions::ConversionError;
use leadyard_market::finance::FinanceError;
use leadyard_market::people::PeopleError;
use leadyard_market::setup::SetupError;
use leadyard_market::statistics::StatisticsError;
use leadyard_market::suppression::SuppressionError;
use leadyard_types::FieldProblem;

/// Something in the input that the caller can put right. Nothing was changed, unless the mutation says that the rest goes on.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct UserError {
    /// What is wrong, stable, for programs: `REQUIRED`, `NOT_FOUND`, `NOT_ALLOWED`, `TOO_LONG` …
    pub(crate) code: String,
    /// The path to the input that is wrong, from `input` on; empty where it is not about one field.
    pub(crate) field: Vec<String>,
    /// What would be right, for people.
    pub(crate) message: String,
}

impl UserError {
    /// A problem of one input field.
    pub(crate) fn of(field: &str, code: &str, message: impl Into<String>) -> Self {
        let field = ["input"].into_iter().chain(field.split('.')).map(str::to_owned).collect();
        Self { code: code.to_owned(), field, message: message.into() }
    }

    /// A problem of the whole request.
    pub(crate) fn general(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), field: Vec::new(), message: message.into() }
    }

    /// Something referred to that does not exist, or not for the caller: the two are never told apart.
    pub(crate) fn not_found(field: &str, noun: &str) -> Self {
        Self::of(field, "NOT_FOUND", format!("there is no such {noun}"))
    }
}

impl From<FieldProblem> for UserError {
    fn from(problem: FieldProblem) -> Self {
        let field: Vec<String> = problem.field.split('.').map(camel).collect();
        Self::of(&field.join("."), &problem.code, problem.message)
    }
}

/// `amount_minor` → `amountMinor`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut name, part| {
        let mut letters = part.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// An error of the request, with a fixed text and a code.
pub(crate) fn fixed(code: &'static str, message: &'static str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// Something that is not the caller's fault. What it was is in the log, not in the answer.
pub(crate) fn internal(error: impl std::fmt::Display) -> Error {
    tracing::error!(%error, "a GraphQL field failed");
    fixed("INTERNAL", "something went wrong here; it was logged")
}

/// What the store says: busy and unavailable databases are worth another try.
pub(crate) fn store(error: StoreError) -> Error {
    internal(error)
}

/// What figures over time say.
pub(crate) fn statistics(error: StatisticsError) -> Error {
    match error {
        StatisticsError::TooManyPoints => {
            fixed("TOO_MANY_POINTS", "at most 1000 points: a longer interval or a shorter range is expected")
        }
        StatisticsError::TooManyTogether => fixed(
            "TOO_MANY_POINTS",
            "at most 20000 points together: a longer interval, a shorter range or fewer items are expected",
        ),
        StatisticsError::Store(error) => store(error),
    }
}

/// What finance says.
pub(crate) fn finance(error: FinanceError) -> Result<Vec<UserError>, Error> {
    Ok(match error {
        FinanceError::NotAllowed => {
            vec![UserError::general("NOT_ALLOWED", "only finance and administrators move money")]
        }
        FinanceError::Amount => vec![UserError::of(
            "amountMinor",
            "OUT_OF_RANGE",
            "more than zero and less than a trillion minor units are expected",
        )],
        FinanceError::Problems(problems) => problems.into_iter().map(UserError::from).collect(),
        FinanceError::NotFound(noun) => vec![UserError::not_found(&camel(&format!("{noun}_id")), noun)],
        FinanceError::KeyReused => vec![UserError::of(
            "idempotencyKey",
            "IDEMPOTENCY_KEY_REUSED",
            "this key moved other money before; use a new key for another movement",
        )],
        FinanceError::Store(error) => return Err(store(error)),
    })
}

/// What setting up says.
pub(crate) fn setup(error: SetupError) -> Result<Vec<UserError>, Error> {
    Ok(match error {
        SetupError::Problems(problems) => problems.into_iter().map(UserError::from).collect(),
        SetupError::NotFound(noun) => vec![UserError::not_found(&camel(&format!("{noun}_id")), noun)],
        SetupError::NotAllowed => vec![UserError::general("NOT_ALLOWED", "this is not for your role")],
        SetupError::StaleVersion { current } => {
            let message = format!("it was changed meanwhile: read version {current} and decide again");
            vec![UserError::of("version", "STALE_VERSION", message)]
        }
        SetupError::InvalidTransition(error) => {
            vec![UserError::general("INVALID_TRANSITION", error.to_string())]
        }
        SetupError::Store(error) => return Err(store(error)),
    })
}

/// What the suppression list says.
pub(crate) fn suppression(error: SuppressionError) -> Result<Vec<UserError>, Error> {
    Ok(match error {
        SuppressionError::NotAllowed => {
            vec![UserError::general("NOT_ALLOWED", "only administrators and managers change the suppression list")]
        }
        SuppressionError::Problems(problems) => problems.into_iter().map(UserError::from).collect(),
        SuppressionError::NotFound(noun) => vec![UserError::not_found(&format!("{noun}Id"), noun)],
        SuppressionError::Store(error) => return Err(store(error)),
    })
}

/// What complaints say.
pub(crate) fn complaint(error: ComplaintError) -> Result<Vec<UserError>, Error> {
    Ok(match error {
        ComplaintError::NotAllowed(message) => vec![UserError::general("NOT_ALLOWED", message)],
        ComplaintError::NotFound(noun) => vec![UserError::not_found(&format!("{noun}Id"), noun)],
        ComplaintError::Problems(problems) => problems.into_iter().map(UserError::from).collect(),
        ComplaintError::Store(error) => return Err(store(error)),
    })
}

/// What reports of conversions say.
pub(crate) fn conversion(error: ConversionError) -> Result<Vec<UserError>, Error> {
    Ok(match error {
        ConversionError::NotAllowed => vec![UserError::general("NOT_ALLOWED", error.to_string())],
        ConversionError::Problems(problems) => problems.into_iter().map(UserError::from).collect(),
        ConversionError::Store(error) => return Err(store(error)),
    })
}

/// What people's use cases say.
pub(crate) fn people(error: PeopleError) -> Result<Vec<UserError>, Error> {
    Ok(match error {
        PeopleError::Problems(problems) => problems.into_iter().map(UserError::from).collect(),
        PeopleError::NotFound(noun) => vec![UserError::not_found(&format!("{noun}Id"), noun)],
        PeopleError::NotAllowed => vec![UserError::general("NOT_ALLOWED", "this is not for your role")],
        PeopleError::LastAdmin => vec![UserError::of("userId", "LAST_ADMIN", error.to_string())],
        PeopleError::LinkInvalid => vec![UserError::of("token", "LINK_INVALID", error.to_string())],
        PeopleError::NoMail => vec![UserError::general("MAIL_NOT_CONFIGURED", error.to_string())],
        PeopleError::TooOften => vec![UserError::general("TOO_MANY_REQUESTS", error.to_string())],
        PeopleError::Store(StoreError::Crowded) => vec![crowded()],
        PeopleError::Store(error) => return Err(store(error)),
    })
}

/// Too many passwords wait to be hashed: nothing was looked at.
pub(crate) fn crowded() -> UserError {
    UserError::general("TOO_BUSY", StoreError::Crowded.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path of a problem is spelt as the input is.
    #[test]
    fn paths_are_spelt_as_the_input_is() {
        let problem = FieldProblem::new("consent.given_at", "INVALID_TIME", "…");
        assert_eq!(UserError::from(problem).field, ["input", "consent", "givenAt"]);
    }
}
