//! Conditions on leads, as clients write and read them.

use async_graphql::{ID, InputObject, InputValueError, InputValueResult, OneofObject, Scalar, ScalarType, Value};
use leadyard_types::{FieldProblem, FieldValue, Filter};
use serde_json::{Value as Json, json};

use super::super::id::Kind;
use super::super::scalars::PostalCode;
use super::terms::{Schedule, ScheduleInput};

/// A condition on a lead's field: this value.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionEqualsInput {
    /// The field's key.
    field: String,
    /// The value as text; texts compare without regard to case.
    value: String,
}

/// A condition on a lead's field: one of these values.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionInInput {
    /// The field's key.
    field: String,
    /// The values as texts; texts compare without regard to case.
    values: Vec<String>,
}

/// A condition on a lead's field: a number or date between bounds, both included.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionRangeInput {
    /// The field's key.
    field: String,
    /// The least, as text; left out, none.
    min: Option<String>,
    /// The greatest, as text; left out, none.
    max: Option<String>,
}

/// A condition on a lead's field: a regular expression that matches anywhere in its text.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionMatchesInput {
    /// The field's key.
    field: String,
    /// The expression.
    pattern: String,
}

/// Postal codes between two of the same length, both included.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionPostalRangeInput {
    /// The first code.
    pub(super) from: PostalCode,
    /// The last code.
    pub(super) to: PostalCode,
}

/// A circle around a postal code.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionRadiusInput {
    /// The centre's postal code, in the campaign's country.
    pub(super) postal_code: PostalCode,
    /// The radius in kilometres.
    pub(super) km: i32,
}

/// The age of a lead between bounds, in hours since it came in, both included.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionLeadAgeInput {
    /// The least; left out, none.
    min_hours: Option<i32>,
    /// The greatest; left out, none.
    max_hours: Option<i32>,
}

/// A score between bounds, both included.
#[derive(Debug, InputObject)]
pub(crate) struct ConditionScoreInput {
    /// The least; left out, none.
    min: Option<i32>,
    /// The greatest; left out, none.
    max: Option<i32>,
}

/// A condition on a lead: exactly one of these. An absent field never matches, except under `not`.
#[derive(Debug, OneofObject)]
pub(crate) enum ConditionInput {
    /// Every part matches.
    All(Vec<ConditionInput>),
    /// At least one part matches.
    Any(Vec<ConditionInput>),
    /// The part does not match.
    Not(Box<ConditionInput>),
    /// A field is this value.
    Equals(ConditionEqualsInput),
    /// A field is one of these values.
    In(ConditionInInput),
    /// A field lies between bounds.
    Range(ConditionRangeInput),
    /// A field's text matches an expression.
    Matches(ConditionMatchesInput),
    /// The field of this key was given.
    Exists(String),
    /// The postal code is one of these.
    PostalCodes(Vec<PostalCode>),
    /// The postal code begins with one of these.
    PostalPrefixes(Vec<String>),
    /// The postal code lies between two.
    PostalRange(ConditionPostalRangeInput),
    /// The place lies within a circle.
    Radius(ConditionRadiusInput),
    /// The state is one of these codes.
    States(Vec<String>),
    /// The country is one of these ISO 3166 codes.
    Countries(Vec<String>),
    /// The consent is at most so many hours old.
    ConsentMaxHours(i32),
    /// The score lies between bounds.
    Score(ConditionScoreInput),
    /// The lead came in so many hours ago.
    LeadAge(ConditionLeadAgeInput),
    /// It came from one of these sources.
    Sources(Vec<ID>),
    /// It was received within these hours.
    Time(ScheduleInput),
}

fn wrong<T>(path: &str, message: &str) -> Result<T, FieldProblem> {
    Err(FieldProblem::new(path, "OUT_OF_RANGE", message))
}

fn whole(number: i32, path: &str) -> Result<u32, FieldProblem> {
    u32::try_from(number).or_else(|_| wrong(path, "0 or more is expected"))
}

fn parts(parts: Vec<ConditionInput>, path: &str) -> Result<Vec<Filter>, FieldProblem> {
    parts.into_iter().enumerate().map(|(place, part)| part.read(&format!("{path}.{place}"))).collect()
}

fn text(value: String) -> FieldValue {
    FieldValue::Text(value)
}

impl ConditionInput {
    /// The condition as the market knows it, or the first thing that no condition can be.
    pub(crate) fn read(self, path: &str) -> Result<Filter, FieldProblem> {
        Ok(match self {
            Self::All(of) => Filter::All { of: parts(of, &format!("{path}.all"))? },
            Self::Any(of) => Filter::Any { of: parts(of, &format!("{path}.any"))? },
            Self::Not(of) => Filter::Not { of: Box::new(of.read(&format!("{path}.not"))?) },
            Self::Equals(given) => Filter::Equals { field: given.field, value: text(given.value) },
            Self::In(given) => Filter::In { field: given.field, values: given.values.into_iter().map(text).collect() },
            Self::Range(given) => {
                Filter::Range { field: given.field, min: given.min.map(text), max: given.max.map(text) }
            }
            Self::Matches(given) => Filter::Matches { field: given.field, pattern: given.pattern },
            Self::Exists(field) => Filter::Exists { field },
            Self::PostalCodes(codes) => Filter::PostalCodes { codes: codes.into_iter().map(String::from).collect() },
            Self::PostalPrefixes(prefixes) => Filter::PostalPrefixes { prefixes },
            Self::PostalRange(given) => Filter::PostalRange { from: given.from.into(), to: given.to.into() },
            Self::Radius(given) => {
                let km = whole(given.km, &format!("{path}.radius.km"))?;
                Filter::Radius { postal_code: given.postal_code.into(), km }
            }
            Self::States(states) => Filter::States { states },
            Self::Countries(countries) => Filter::Countries { countries },
            Self::ConsentMaxHours(hours) => {
                Filter::ConsentAge { max_hours: whole(hours, &format!("{path}.consentMaxHours"))? }
            }
            Self::LeadAge(given) => {
                let hours = |hours: Option<i32>, name: &str| {
                    hours.map(|hours| whole(hours, &format!("{path}.leadAge.{name}"))).transpose()
                };
                Filter::LeadAge {
                    min_hours: hours(given.min_hours, "minHours")?,
                    max_hours: hours(given.max_hours, "maxHours")?,
                }
            }
            Self::Score(given) => Filter::Score { min: given.min.map(i64::from), max: given.max.map(i64::from) },
            Self::Sources(ids) => Filter::Sources { sources: sources(&ids, &format!("{path}.sources"))? },
            Self::Time(schedule) => Filter::Time { schedule: schedule.read(&format!("{path}.time"))? },
        })
    }
}

fn sources(ids: &[ID], path: &str) -> Result<Vec<leadyard_types::SourceId>, FieldProblem> {
    let read = |(place, id): (usize, &ID)| {
        let missing = || FieldProblem::new(format!("{path}.{place}"), "NOT_FOUND", "there is no such source");
        Kind::Source.read(id).map(leadyard_types::SourceId).ok_or_else(missing)
    };
    ids.iter().enumerate().map(read).collect()
}

/// A path in the market's tree (`filter.of.0`) as `ConditionInput` spells it (`filter.all.0`).
pub(crate) fn path_in(filter: &Filter, path: &str) -> String {
    let (mut here, mut spelt) = (Some(filter), Vec::new());
    for part in path.split('.') {
        let (name, next) = match (part, here) {
            ("of", Some(Filter::All { .. })) => ("all", here),
            ("of", Some(Filter::Any { .. })) => ("any", here),
            ("of", Some(Filter::Not { of })) => ("not", Some(&**of)),
            (place, Some(Filter::All { of } | Filter::Any { of })) => {
                let inside = place.parse().ok().and_then(|place: usize| of.get(place));
                (place, inside.or(here))
            }
            (other, _) => (other, here),
        };
        spelt.push(name);
        here = next;
    }
    spelt.join(".")
}

/// A condition on a lead as JSON, spelt as `ConditionInput`: it can be changed and sent back as it is.
#[derive(Debug, Clone, async_graphql::Description)]
pub(crate) struct Condition(pub(crate) Filter);

#[Scalar(name = "Condition", use_type_description)]
impl ScalarType for Condition {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom("a ConditionInput is expected"))
    }

    fn to_value(&self) -> Value {
        Value::from_json(written(&self.0)).unwrap_or(Value::Null)
    }
}

fn written(filter: &Filter) -> Json {
    let all = |of: &[Filter]| of.iter().map(written).collect::<Vec<_>>();
    match filter {
        Filter::All { of } => json!({ "all": all(of) }),
        Filter::Any { of } => json!({ "any": all(of) }),
        Filter::Not { of } => json!({ "not": written(of) }),
        Filter::Equals { field, value } => json!({ "equals": { "field": field, "value": value.to_text() } }),
        Filter::In { field, values } => {
            let values: Vec<_> = values.iter().map(FieldValue::to_text).collect();
            json!({ "in": { "field": field, "values": values } })
        }
        Filter::Range { field, min, max } => {
            let text = |value: &Option<FieldValue>| value.as_ref().map(|value| value.to_text().into_owned());
            json!({ "range": { "field": field, "min": text(min), "max": text(max) } })
        }
        Filter::Matches { field, pattern } => json!({ "matches": { "field": field, "pattern": pattern } }),
        Filter::Exists { field } => json!({ "exists": field }),
        Filter::PostalCodes { codes } => json!({ "postalCodes": codes }),
        Filter::PostalPrefixes { prefixes } => json!({ "postalPrefixes": prefixes }),
        Filter::PostalRange { from, to } => json!({ "postalRange": { "from": from, "to": to } }),
        Filter::Radius { postal_code, km } => json!({ "radius": { "postalCode": postal_code, "km": km } }),
        Filter::States { states } => json!({ "states": states }),
        Filter::Countries { countries } => json!({ "countries": countries }),
        Filter::ConsentAge { max_hours } => json!({ "consentMaxHours": max_hours }),
        Filter::LeadAge { min_hours, max_hours } => {
            json!({ "leadAge": { "minHours": min_hours, "maxHours": max_hours } })
        }
        Filter::Score { min, max } => json!({ "score": { "min": min, "max": max } }),
        Filter::Sources { sources } => {
            let ids: Vec<String> = sources.iter().map(|id| Kind::Source.id(id.0).to_string()).collect();
            json!({ "sources": ids })
        }
        Filter::Time { schedule } => json!({ "time": Schedule::from(schedule).written() }),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::InputType as _;

    use super::*;

    fn filter(json: Json) -> Filter {
        serde_json::from_value(json).unwrap()
    }

    /// What is answered can be sent back: it is read as the same condition, whatever the condition is.
    #[test]
    fn what_is_answered_can_be_sent_back() {
        let source = "00000000-0000-0000-0000-000000000001";
        let leaves = json!([
            { "op": "equals", "field": "roof", "value": "flat" },
            { "op": "in", "field": "roof", "values": ["flat", "pitched"] },
            { "op": "range", "field": "size", "min": "1", "max": "20" },
            { "op": "matches", "field": "roof", "pattern": "^f" },
            { "op": "exists", "field": "roof" },
            { "op": "postal_codes", "codes": ["01067"] },
            { "op": "postal_prefixes", "prefixes": ["01"] },
            { "op": "postal_range", "from": "01000", "to": "02000" },
            { "op": "radius", "postal_code": "10115", "km": 50 },
            { "op": "states", "states": ["BE"] },
            { "op": "countries", "countries": ["DE"] },
            { "op": "consent_age", "max_hours": 24 },
            { "op": "score", "min": 10 },
            { "op": "sources", "sources": [source] },
            { "op": "time", "schedule": { "time_zone": "Europe/Berlin",
                "windows": [{ "weekday": "Mon", "from_minute": 540, "to_minute": 1440 }] } },
        ]);
        let tree = json!({ "op": "all", "of": [
            { "op": "any", "of": leaves }, { "op": "not", "of": { "op": "all", "of": [] } }] });
        let known = filter(tree);
        let sent = Some(ScalarType::to_value(&Condition(known.clone())));
        let read = ConditionInput::parse(sent).map_err(|error| error.into_server_error(async_graphql::Pos::default()));
        assert_eq!(read.unwrap().read("filter").unwrap(), known);
    }

    /// Problems are told under the names of the input.
    #[test]
    fn problems_are_told_under_the_names_of_the_input() {
        let leaf = json!({ "op": "exists", "field": "x" });
        let known = filter(json!({ "op": "all", "of": [leaf,
            { "op": "not", "of": { "op": "any", "of": [leaf, leaf] } }] }));
        assert_eq!(path_in(&known, "filter.of.0"), "filter.all.0");
        assert_eq!(path_in(&known, "filter.of.1.of.of.1"), "filter.all.1.not.any.1");
        assert_eq!(path_in(&known, "filter"), "filter");
        let negative = ConditionInput::Any(vec![ConditionInput::ConsentMaxHours(-1)]);
        assert_eq!(negative.read("filter").unwrap_err().field, "filter.any.0.consentMaxHours");
    }
}
