//! Filters: a boolean tree over anything known of a lead when it is routed.

use serde::{Deserialize, Serialize};

use crate::field::FieldValue;
use crate::id::SourceId;
use crate::terms::Schedule;

/// A condition on a lead. An absent field never matches (except under `not`).
///
/// As JSON: `{"op":"all","of":[{"op":"in","field":"state","values":["BE","BB"]},{"op":"radius","postal_code":"10115","km":50}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// Every part matches; the empty list matches.
    All {
        /// The parts.
        of: Vec<Filter>,
    },
    /// At least one part matches; the empty list does not.
    Any {
        /// The parts.
        of: Vec<Filter>,
    },
    /// The part does not match.
    Not {
        /// The part.
        of: Box<Filter>,
    },
    /// The field is this value. Texts compare without regard to case.
    Equals {
        /// The field's key.
        field: String,
        /// The value wanted.
        value: FieldValue,
    },
    /// The field is one of these values. Texts compare without regard to case.
    In {
        /// The field's key.
        field: String,
        /// The values wanted.
        values: Vec<FieldValue>,
    },
    /// The field lies between the bounds, both included. Numbers compare as numbers, dates as dates.
    Range {
        /// The field's key.
        field: String,
        /// The least value, if bounded below.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<FieldValue>,
        /// The greatest value, if bounded above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<FieldValue>,
    },
    /// The field's text matches a regular expression (linear time, anywhere in the text).
    Matches {
        /// The field's key.
        field: String,
        /// The expression.
        pattern: String,
    },
    /// The field was given.
    Exists {
        /// The field's key.
        field: String,
    },
    /// The lead's postal code is in the list.
    PostalCodes {
        /// The codes, leading zeros kept.
        codes: Vec<String>,
    },
    /// The lead's postal code begins with one of these.
    PostalPrefixes {
        /// The prefixes.
        prefixes: Vec<String>,
    },
    /// The lead's postal code lies between two of the same length, both included.
    PostalRange {
        /// The first code.
        from: String,
        /// The last code.
        to: String,
    },
    /// The lead's state (given, or known from its postal code) is one of these codes.
    States {
        /// State codes.
        states: Vec<String>,
    },
    /// The lead's country is one of these ISO 3166 codes.
    Countries {
        /// Country codes.
        countries: Vec<String>,
    },
    /// The centre of the lead's postal code lies within so many kilometres of another's (great circle, edge
    /// included). An unknown code on either side does not match, and the refusal says so.
    Radius {
        /// The centre's postal code, in the campaign's country.
        postal_code: String,
        /// The radius in kilometres.
        km: u32,
    },
    /// The consent is at most so old.
    ConsentAge {
        /// The greatest age in hours.
        max_hours: u32,
    },
    /// The lead came in at least, and at most, so many hours ago.
    LeadAge {
        /// The least age in hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_hours: Option<u32>,
        /// The greatest age in hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_hours: Option<u32>,
    },
    /// The lead's score lies between the bounds, both included; a lead without a score does not match.
    Score {
        /// The least score.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        /// The greatest score.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// The lead came from one of these sources.
    Sources {
        /// The sources.
        sources: Vec<SourceId>,
    },
    /// The lead was received within the schedule.
    Time {
        /// The windows.
        schedule: Schedule,
    },
}
