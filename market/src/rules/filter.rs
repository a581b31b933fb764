//! Filters, compiled: a boolean tree over anything known of a lead (domain page, section 3).
//!
//! An absent value never matches, except under `not`. [`CompiledFilter::matches`] is what routing asks;
//! [`CompiledFilter::refusal`] is what an explanation asks, and always agrees with it.

use chrono::NaiveDate;
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{Check, FieldProblem, FieldValue, Filter, Refusal};
use rust_decimal::Decimal;

use super::facts::{LeadFacts, PostalCentres};
use super::leaf::{Bounds, Leaf, Texts};
use super::vertical::compile_pattern;
use super::{leaf, postal, region, schedule, value};

/// The deepest tree taken: people do not nest further, and the stack is finite.
pub const DEPTH_MAX: usize = 32;
/// The most conditions of one filter.
pub const NODES_MAX: usize = 1_000;
/// The most values listed in one filter, over all its conditions: twice the postal codes of the United States.
pub const VALUES_MAX: usize = 100_000;

/// A tree of conditions.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Leaf(Leaf),
}

/// A filter ready to be asked: patterns compiled, lists hashed, the radius' centre looked up.
#[derive(Debug, Clone)]
pub struct CompiledFilter {
    root: Node,
}

impl CompiledFilter {
    /// Compiles a filter of a campaign in `country`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path in the tree (`filter.of.0`). A radius around a postal code
    /// that `postal` does not know is no error: it never matches, and the refusal says so. Centres are looked up here, so
    /// new postal data asks for compiling again.
    pub fn compile(filter: &Filter, country: &str, postal: &dyn PostalCentres) -> Result<Self, Vec<FieldProblem>> {
        let mut compiler = Compiler { country, postal, nodes: 0, values: 0, problems: Vec::new() };
        match compiler.node(filter, "filter", 1) {
            Some(root) if compiler.problems.is_empty() => Ok(Self { root }),
            _ => Err(compiler.problems),
        }
    }

    /// The leads that pass both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { root: Node::All(vec![self.root.clone(), other.root.clone()]) }
    }

    /// Whether the lead passes.
    #[must_use]
    pub fn matches(&self, facts: &LeadFacts) -> bool {
        self.root.matches(facts)
    }

    /// Why the lead does not pass: the first condition that fails, with what it wanted and what it saw. `None` exactly
    /// if it passes. Of alternatives the first is named, and how many more there are.
    ///
    /// The value seen stands only in `seen`, under the field's key, so that whoever shows it can mask a personal one.
    #[must_use]
    pub fn refusal(&self, facts: &LeadFacts) -> Option<Refusal> {
        let failure = self.root.failure(facts, true)?;
        let refusal = Refusal::new(Check::Filters, failure.message()).seeing(failure.name, failure.seen);
        Some(refusal.seeing("wanted", failure.wanted))
    }

    /// The fields the filter looks at that the vertical does not define: mistyped, unless unknown fields are kept.
    #[must_use]
    pub fn undefined_fields(&self, vertical: &VerticalTerms) -> Vec<&str> {
        let mut fields = Vec::new();
        self.root.each_field(&mut |field| fields.push(field));
        fields.retain(|field| vertical.fields.iter().all(|defined| defined.key != *field));
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// The tree, for the index.
    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

/// The first condition that failed.
struct Failure {
    name: String,
    wanted: String,
    seen: String,
    /// How many other alternatives failed as well.
    others: usize,
}

impl Failure {
    fn of_leaf(leaf: &Leaf, facts: &LeadFacts, want: bool) -> Self {
        let not = if want { "" } else { "not " };
        Self {
            name: leaf.name().to_owned(),
            wanted: format!("{not}{}", leaf.wanted()),
            seen: leaf.seen(facts),
            others: 0,
        }
    }

    fn of_empty(want: bool) -> Self {
        let wanted = if want { "one of no alternatives" } else { "not everything" };
        Self { name: "filter".to_owned(), wanted: wanted.to_owned(), seen: "an empty list".to_owned(), others: 0 }
    }

    fn message(&self) -> String {
        let rest = match self.others {
            0 => String::new(),
            1 => ", or its alternative must match".to_owned(),
            more => format!(", or one of {more} alternatives must match"),
        };
        format!("{} must be {}{rest}", self.name, self.wanted)
    }
}

impl Node {
    pub(crate) fn matches(&self, facts: &LeadFacts) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(facts)),
            Self::Not(part) => !part.matches(facts),
            Self::Leaf(leaf) => leaf.matches(facts),
        }
    }

    /// Why the node does not come out as wanted; `None` exactly if it does.
    fn failure(&self, facts: &LeadFacts, want: bool) -> Option<Failure> {
        match self {
            Self::Leaf(leaf) => (leaf.matches(facts) != want).then(|| Failure::of_leaf(leaf, facts, want)),
            Self::Not(part) => part.failure(facts, !want),
            // Not all = one not; not any = all not.
            Self::All(parts) if want => parts.iter().find_map(|part| part.failure(facts, true)),
            Self::Any(parts) if !want => parts.iter().find_map(|part| part.failure(facts, false)),
            Self::All(parts) | Self::Any(parts) => {
                let mut failures = parts.iter().map(|part| part.failure(facts, want)).collect::<Option<Vec<_>>>()?;
                if failures.is_empty() {
                    return Some(Failure::of_empty(want));
                }
                let others = failures.len() - 1;
                let first = failures.swap_remove(0);
                Some(Failure { others: first.others + others, ..first })
            }
        }
    }

    fn each_field<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_field(visit)),
            Self::Not(part) => part.each_field(visit),
            Self::Leaf(
                Leaf::OneOf { field, .. }
                | Leaf::Range { field, .. }
                | Leaf::Matches { field, .. }
                | Leaf::Exists { field },
            ) => visit(field),
            Self::Leaf(_) => {}
        }
    }
}

struct Compiler<'a> {
    country: &'a str,
    postal: &'a dyn PostalCentres,
    nodes: usize,
    values: usize,
    problems: Vec<FieldProblem>,
}

impl Compiler<'_> {
    fn problem<T>(&mut self, path: &str, code: &str, message: impl Into<String>) -> Option<T> {
        self.problems.push(FieldProblem::new(path, code, message));
        None
    }

    fn node(&mut self, filter: &Filter, path: &str, depth: usize) -> Option<Node> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            // Said once; the rest is not looked at.
            let is_first = self.nodes == NODES_MAX + 1;
            return if is_first {
                self.problem(path, "TOO_LARGE", format!("a filter has at most {NODES_MAX} conditions"))
            } else {
                None
            };
        }
        if depth > DEPTH_MAX {
            return self.problem(path, "TOO_DEEP", format!("a filter is at most {DEPTH_MAX} levels deep"));
        }
        match filter {
            Filter::All { of } => Some(Node::All(self.nodes(of, path, depth)?)),
            Filter::Any { of } => Some(Node::Any(self.nodes(of, path, depth)?)),
            Filter::Not { of } => Some(Node::Not(Box::new(self.node(of, &format!("{path}.of"), depth + 1)?))),
            leaf => Some(Node::Leaf(self.leaf(leaf, path)?)),
        }
    }

    /// Every part is compiled, so that all problems are found.
    fn nodes(&mut self, of: &[Filter], path: &str, depth: usize) -> Option<Vec<Node>> {
        let parts: Vec<_> = of
            .iter()
            .enumerate()
            .map(|(place, part)| self.node(part, &format!("{path}.of.{place}"), depth + 1))
            .collect();
        parts.into_iter().collect()
    }

    fn leaf(&mut self, filter: &Filter, path: &str) -> Option<Leaf> {
        let country = self.country;
        Some(match filter {
            Filter::Equals { field, value } => self.one_of(field, std::slice::from_ref(value), path)?,
            Filter::In { field, values } => self.one_of(field, values, path)?,
            Filter::Range { field, min, max } => {
                let bounds = self.bounds(min.as_ref(), max.as_ref(), path)?;
                Leaf::Range { field: self.field(field, path)?, bounds }
            }
            Filter::Matches { field, pattern } => match compile_pattern(pattern, false) {
                Ok(pattern) => Leaf::Matches { field: self.field(field, path)?, pattern },
                Err(message) => return self.problem(path, "INVALID_PATTERN", message),
            },
            Filter::Exists { field } => Leaf::Exists { field: self.field(field, path)? },
            Filter::PostalCodes { codes } => {
                let compact = |code: &str| postal::canonical(country, code).map(|code| postal::compact(&code));
                Leaf::PostalCodes(Texts::new(self.list(codes, path, &postal::expected(country), compact)?))
            }
            Filter::PostalPrefixes { prefixes } => {
                let expected = "a prefix is the first letters or digits of a postal code";
                let prefix = |text: &str| Some(postal::compact(text)).filter(|prefix| is_code_part(prefix));
                Leaf::PostalPrefixes(self.list(prefixes, path, expected, prefix)?)
            }
            Filter::PostalRange { from, to } => {
                let (from, to) = (postal::compact(from), postal::compact(to));
                if from.len() != to.len() || from > to || !is_code_part(&from) || !is_code_part(&to) {
                    return self.problem(
                        path,
                        "INVALID_RANGE",
                        "from and to are two codes of the same length, the lesser first",
                    );
                }
                Leaf::PostalRange { from, to }
            }
            Filter::States { states } => {
                let state = |text: &str| Some(region::canonical(country, text)).filter(|state| !state.is_empty());
                Leaf::States(Texts::new(self.list(states, path, "a state is a code or a name", state)?))
            }
            Filter::Countries { countries } => {
                let code = |text: &str| Some(text.trim().to_ascii_uppercase()).filter(|code| value::is_country(code));
                Leaf::Countries(Texts::new(self.list(
                    countries,
                    path,
                    "a country is a two-letter ISO 3166 code",
                    code,
                )?))
            }
            other => self.leaf_without_list(other, path)?,
        })
    }

    /// The leaves that are not about texts.
    fn leaf_without_list(&mut self, filter: &Filter, path: &str) -> Option<Leaf> {
        match filter {
            Filter::Radius { postal_code, km } => {
                // Spelled the country's way where possible; an outward part (`SW1A`) may be known as it is.
                let code =
                    postal::canonical(self.country, postal_code).unwrap_or_else(|| postal_code.trim().to_owned());
                let centre = self.postal.lookup(self.country, &code).map(|place| place.centre);
                Some(Leaf::Radius { postal_code: code, km: *km, centre })
            }
            Filter::ConsentAge { max_hours } => Some(Leaf::ConsentAge { max_hours: *max_hours }),
            Filter::LeadAge { min_hours: Some(min), max_hours: Some(max) } if min > max => {
                self.problem(path, "INVALID_RANGE", "min_hours must not be greater than max_hours")
            }
            Filter::LeadAge { min_hours, max_hours } => {
                let minutes = |hours: &u32| i64::from(*hours) * 60;
                Some(Leaf::LeadAge { min: min_hours.as_ref().map(minutes), max: max_hours.as_ref().map(minutes) })
            }
            Filter::Score { min: Some(min), max: Some(max) } if min > max => {
                self.problem(path, "INVALID_RANGE", "min must not be greater than max")
            }
            Filter::Score { min, max } => Some(Leaf::Score { min: *min, max: *max }),
            Filter::Sources { sources } if sources.is_empty() => {
                self.problem(path, "EMPTY_LIST", "name at least one source")
            }
            Filter::Sources { sources } => Some(Leaf::Sources(sources.iter().copied().collect())),
            Filter::Time { schedule } => match schedule::check_schedule(schedule).first() {
                Some(found) => {
                    self.problem(&format!("{path}.schedule.{}", found.field), &found.code, found.message.clone())
                }
                None => Some(Leaf::Time(schedule.clone())),
            },
            _ => None,
        }
    }

    fn field(&mut self, field: &str, path: &str) -> Option<String> {
        if field.is_empty() { self.problem(path, "REQUIRED", "name the field's key") } else { Some(field.to_owned()) }
    }

    fn one_of(&mut self, field: &str, values: &[FieldValue], path: &str) -> Option<Leaf> {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        let values = self.list(&texts, path, "", |text| Some(text.trim().to_owned()))?;
        Some(Leaf::OneOf { field: self.field(field, path)?, values: Texts::new(values) })
    }

    /// Every value of a list through `read`; an empty list and values that cannot be read are problems.
    fn list(
        &mut self,
        values: &[String],
        path: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<String>,
    ) -> Option<Vec<String>> {
        self.values += values.len();
        if values.is_empty() {
            return self.problem(path, "EMPTY_LIST", "name at least one value; an empty list would never match");
        }
        if self.values > VALUES_MAX {
            return self.problem(path, "TOO_LARGE", format!("a filter lists at most {VALUES_MAX} values"));
        }
        let mut kept = Vec::with_capacity(values.len());
        for (place, value) in values.iter().enumerate() {
            match read(value) {
                Some(value) => kept.push(value),
                None => return self.problem(&format!("{path}.{place}"), "INVALID_VALUE", expected),
            }
        }
        Some(kept)
    }

    fn bounds(&mut self, min: Option<&FieldValue>, max: Option<&FieldValue>, path: &str) -> Option<Bounds> {
        let numbers = (min.map(leaf::number), max.map(leaf::number));
        let dates = (min.map(leaf::date), max.map(leaf::date));
        let bounds = match (numbers, dates) {
            ((None, None), _) => return self.problem(path, "REQUIRED", "give min, max or both"),
            ((min, max), _) if min != Some(None) && max != Some(None) => {
                Bounds::Number { min: min.flatten(), max: max.flatten() }
            }
            (_, (min, max)) if min != Some(None) && max != Some(None) => {
                Bounds::Date { min: min.flatten(), max: max.flatten() }
            }
            _ => {
                return self.problem(
                    path,
                    "INVALID_RANGE",
                    "bounds are numbers, or dates such as 2026-11-21, of one sort",
                );
            }
        };
        let crossed = match &bounds {
            Bounds::Number { min: Some(min), max: Some(max) } => cross::<Decimal>(min, max),
            Bounds::Date { min: Some(min), max: Some(max) } => cross::<NaiveDate>(min, max),
            _ => false,
        };
        if crossed { self.problem(path, "INVALID_RANGE", "min must not be greater than max") } else { Some(bounds) }
    }
}

fn cross<T: PartialOrd>(min: &T, max: &T) -> bool {
    min > max
}

fn is_code_part(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
#[path = "filter_tests.rs"]
pub(crate) mod tests;
