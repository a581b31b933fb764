//! The second pass: over the parsed document, before the engine validates or runs it. Every fragment is looked at once,
//! so the pass is linear however often fragments spread each other.
//!
//! It finds out what a document may cost, refuses what costs too much, refuses pages without a size, and refuses fields
//! that are not for the caller ([`super::policy`]). The engine validates all operations of a document with fragments and
//! variables put in place, so what that amounts to is bounded here too ([`effort`]).

mod effort;

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name, Positioned, Value};
use leadyard_types::KeyScopes;
use serde_json::{Map, Value as Json};

use super::policy::{Audience, Shape};
use super::scopes::Needed;
use effort::{Effort, Spent, Variables};

/// The most fields a document has after every fragment is put in place, all its operations together.
const FIELDS_MAX: u64 = 3_000;
/// The deepest nesting, fragments included.
const DEPTH_MAX: u32 = 40;
/// The most directives of a document.
const DIRECTIVES_MAX: u64 = 100;
/// The most operations and fragments of a document.
const DEFINITIONS_MAX: usize = 100;
/// The most things a document does, one after the other: each is a transaction.
const MUTATIONS_MAX: u64 = 100;
/// The most a document may cost: about forty leads with everything that hangs on them, or the sales of twenty buyers, a hundred
/// each. Half as much takes some 8 MB to answer, and 30 MB where it is asked for again and again on all threads
/// (`leadyard bench documents`).
pub(crate) const COST_MAX: u64 = 20_000;
/// What fields cost beside their children that are more work than rows to read: a statement sums up all that moved an
/// account since it was opened, a page of it all up to its edge.
const WEIGHTS: [(&str, &str, u64); 3] =
    [("Buyer", "statement", 100), ("Supplier", "statement", 100), ("Statement", "entries", 20)];
/// How many items a list without a page size is taken to have.
const LIST_GUESS: u64 = 5;
/// How much of the schema may be looked at by asking it about itself: twice what tools ask for that want all of it. Types
/// have fields that have types, and so on in circles.
const LOOKED_MAX: u64 = 1_000_000;
/// The most items of a page.
const PAGE_MAX: i64 = 100;

/// Why a document does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// What would be right, for people.
    pub(crate) message: &'static str,
    /// The field of the schema it is about, if it is about one.
    pub(crate) field: Option<String>,
}

impl Refused {
    const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message, field: None }
    }
}

/// What a part of a document amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Weight {
    cost: u64,
    /// Of the schema itself.
    looked: u64,
    fields: u64,
    depth: u32,
    effort: Effort,
}

/// What a document is allowed and with what it runs.
pub(crate) struct Question<'a> {
    /// The schema and its rules.
    pub(crate) shape: &'a Shape,
    /// Who asks.
    pub(crate) audience: Audience,
    /// With which scopes, where a user's key asks.
    pub(crate) scopes: Option<KeyScopes>,
    /// Whether the schema may be asked about itself.
    pub(crate) introspection: bool,
    /// The variables as they were sent.
    pub(crate) variables: &'a Map<String, Json>,
}

/// Looks at a document; answers what the operation that runs may cost.
pub(crate) fn analyse(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    question: &Question<'_>,
) -> Result<u64, Refused> {
    let count = document.operations.iter().count();
    if count > DEFINITIONS_MAX || document.fragments.len() > DEFINITIONS_MAX {
        return Err(Refused::new("DOCUMENT_TOO_LARGE", "at most 100 operations and 100 fragments are expected"));
    }
    let mut spent = Spent::default();
    let mut seen = HashSet::new();
    let mut cost = 0;
    for (name, operation) in document.operations.iter() {
        let runs = match (&document.operations, operation_name) {
            (DocumentOperations::Single(_), _) => true,
            (DocumentOperations::Multiple(_), Some(wanted)) => name.is_some_and(|name| name == wanted),
            (DocumentOperations::Multiple(_), None) => false,
        };
        let mut pass = Pass::new(document, &operation.node, question, runs, spent);
        let weight = pass.operation()?;
        spent = pass.spent.with(weight.fields, weight.effort);
        seen.extend(pass.fragments.into_keys());
        if runs && weight.looked > LOOKED_MAX {
            return Err(Refused::new("COST_TOO_HIGH", "ask less of the schema at once: its types lead to each other"));
        }
        if runs {
            cost = weight.cost;
        }
    }
    if seen.len() < document.fragments.len() {
        return Err(Refused::new("GRAPHQL_VALIDATION_FAILED", "every fragment is expected to be spread"));
    }
    if cost > COST_MAX {
        return Err(Refused::new("COST_TOO_HIGH", "ask for fewer items or fewer fields: this costs more than 20000"));
    }
    Ok(cost)
}

struct Pass<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    question: &'a Question<'a>,
    /// Whether this operation runs: rules and page sizes matter only then.
    runs: bool,
    /// What is known of fragments; `None` while one is being looked at.
    fragments: HashMap<&'a Name, Option<Weight>>,
    directives: u64,
    variables: Variables<'a>,
    /// What was spent so far: on the operations before this one, and on comparing fields.
    spent: Spent,
}

impl<'a> Pass<'a> {
    fn new(
        document: &'a ExecutableDocument,
        operation: &'a OperationDefinition,
        question: &'a Question<'a>,
        runs: bool,
        spent: Spent,
    ) -> Self {
        let variables = Variables::of(operation, question.variables);
        Self { document, operation, question, runs, fragments: HashMap::new(), directives: 0, variables, spent }
    }

    fn operation(&mut self) -> Result<Weight, Refused> {
        let root = match self.operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let mut effort = self.count(&self.operation.directives)?;
        effort.add(self.spent.definitions(&self.operation.variable_definitions, &mut self.variables)?);
        let mut weight = self.set(root, &self.operation.selection_set.node, 0)?;
        if self.operation.ty == OperationType::Mutation && weight.effort.beside() > MUTATIONS_MAX {
            return Err(Refused::new("DOCUMENT_TOO_LARGE", "at most 100 mutations are expected"));
        }
        weight.effort.add(effort);
        Ok(weight)
    }

    /// What directives amount to.
    fn count(&mut self, directives: &[Positioned<Directive>]) -> Result<Effort, Refused> {
        self.directives += directives.len() as u64;
        if self.directives > DIRECTIVES_MAX {
            return Err(Refused::new("DOCUMENT_TOO_LARGE", "at most 100 directives are expected"));
        }
        let mut effort = Effort::default();
        for directive in directives {
            effort.add(self.variables.of_directive(&directive.node));
        }
        Ok(effort)
    }

    fn set(&mut self, of: &str, set: &'a SelectionSet, depth: u32) -> Result<Weight, Refused> {
        let mut sum = Weight::default();
        for selection in &set.items {
            let weight = match &selection.node {
                Selection::Field(field) => self.field(of, &field.node, depth)?,
                Selection::InlineFragment(inline) => {
                    let effort = self.count(&inline.node.directives)?;
                    let on = inline.node.type_condition.as_ref().map_or(of, |on| on.node.on.node.as_str());
                    self.set(on, &inline.node.selection_set.node, deeper(depth)?)?.beside(effort)
                }
                Selection::FragmentSpread(spread) => {
                    let effort = self.count(&spread.node.directives)?;
                    self.fragment(&spread.node.fragment_name.node, depth)?.beside(effort)
                }
            };
            sum.cost = sum.cost.saturating_add(weight.cost);
            sum.looked = sum.looked.saturating_add(weight.looked);
            sum.fields = sum.fields.saturating_add(weight.fields);
            sum.depth = sum.depth.max(weight.depth);
            sum.effort.add(weight.effort);
            self.spent.with(sum.fields, sum.effort).check()?;
        }
        self.spent.compare(sum.effort)?;
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a Name, depth: u32) -> Result<Weight, Refused> {
        let known = match self.fragments.get(name) {
            Some(Some(weight)) => *weight,
            Some(None) => return Err(Refused::new("FRAGMENT_CYCLE", "a fragment does not spread itself")),
            None => {
                // An unknown fragment is for the engine to name.
                let Some(fragment) = self.document.fragments.get(name) else { return Ok(Weight::default()) };
                self.fragments.insert(name, None);
                let effort = self.count(&fragment.node.directives)?;
                let on = fragment.node.type_condition.node.on.node.as_str();
                let weight = self.set(on, &fragment.node.selection_set.node, deeper(depth)?)?.beside(effort);
                let weight = Weight { depth: weight.depth + 1, ..weight };
                self.fragments.insert(name, Some(weight));
                weight
            }
        };
        if depth.saturating_add(known.depth) > DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        Ok(known)
    }

    fn field(&mut self, of: &str, field: &'a Field, depth: u32) -> Result<Weight, Refused> {
        let mut effort = self.count(&field.directives)?;
        effort.add(self.variables.of_field(field));
        // Before a page's size is looked for among the arguments.
        self.spent.with(0, effort).check()?;
        effort = effort.of_field(field.arguments.len() as u64);
        let name = field.name.node.as_str();
        let inside = deeper(depth)?;
        if name.starts_with("__") {
            if name != "__typename" && self.runs && !self.question.introspection {
                return Err(Refused::new(
                    "INTROSPECTION_DISABLED",
                    "the schema is not asked about here; schema.graphql has it",
                ));
            }
            let children = self.set(ITSELF, &field.selection_set.node, inside)?;
            return Ok(weighed(children, 1, effort));
        }
        if of.starts_with("__") {
            let children = self.set(ITSELF, &field.selection_set.node, inside)?;
            let looked = children.looked.saturating_mul(of_itself(name)).saturating_add(1);
            return Ok(Weight { looked, ..weighed(children, 1, effort) });
        }
        let Some(shape) = self.question.shape.field(of, name) else {
            // Not in the schema: the engine will say so. Its children are counted all the same.
            let children = self.set("", &field.selection_set.node, inside)?;
            return Ok(weighed(children, 1, effort));
        };
        if of == "Mutation" && shape.audience.meets(Audience::of(None)) {
            effort = effort.knocking();
        }
        if self.runs && !shape.audience.meets(self.question.audience) {
            return Err(self.forbidden(of, name));
        }
        if self.runs && !shape.needed.is_met(self.question.scopes) {
            return Err(out_of_scope(of, name, shape.needed));
        }
        let items = match (shape.paged, shape.list) {
            (true, _) => self.page(of, field)?,
            // The items of a page were counted with its size.
            (false, true) if !of.ends_with("Connection") => LIST_GUESS,
            _ => 1,
        };
        let children = self.set(&shape.leads_to, &field.selection_set.node, inside)?;
        let weighed = weighed(children, items, effort);
        Ok(Weight { cost: weighed.cost.saturating_add(weight_of(of, name)), ..weighed })
    }

    fn forbidden(&self, of: &str, name: &str) -> Refused {
        let anonymous = self.question.audience == Audience::of(None);
        let (code, message) = if anonymous {
            ("UNAUTHENTICATED", "sign in with sessionCreate and send its token as Authorization: Bearer …")
        } else {
            ("FORBIDDEN", "this field is not for your role")
        };
        Refused { code, message, field: Some(format!("{of}.{name}")) }
    }

    /// The page size asked for: `first` or `last`, one of them, 1 to 100.
    fn page(&self, of: &str, field: &Field) -> Result<u64, Refused> {
        if !self.runs {
            return Ok(1);
        }
        let refused = |code, message| Refused { code, message, field: Some(format!("{of}.{}", field.name.node)) };
        let size = match (self.number(field, "first"), self.number(field, "last")) {
            (Some(size), None) | (None, Some(size)) => size,
            _ => return Err(refused("PAGE_SIZE_REQUIRED", "either first or last is required, 1 to 100")),
        };
        match size {
            Some(size @ 1..=PAGE_MAX) => Ok(size.unsigned_abs()),
            _ => Err(refused("PAGE_SIZE_INVALID", "first and last take 1 to 100")),
        }
    }

    /// An argument's number: `None` if it was not given, `Some(None)` if it is no number. What a variable holds is not
    /// copied: it may be large, and named by every field.
    fn number(&self, field: &Field, argument: &str) -> Option<Option<i64>> {
        let mut variable = None;
        let given = field.get_argument(argument)?.node.clone().into_const_with(|name| {
            variable = Some(name);
            Ok::<_, ()>(Value::Null)
        });
        match (given.ok()?, variable) {
            (Value::Null, Some(name)) => self.variable(&name),
            (value, _) => number(&value),
        }
    }

    /// A variable's number: as it was sent, else as the operation defines it.
    fn variable(&self, name: &Name) -> Option<Option<i64>> {
        match self.question.variables.get(name.as_str()) {
            Some(Json::Null) => None,
            Some(sent) => Some(sent.as_i64()),
            None => {
                let mut defined = self.operation.variable_definitions.iter().map(|defined| &defined.node);
                number(&defined.find(|defined| defined.name.node == *name)?.default_value.as_ref()?.node)
            }
        }
    }
}

fn number(value: &Value) -> Option<Option<i64>> {
    match value {
        Value::Null => None,
        Value::Number(number) => Some(number.as_i64()),
        _ => Some(None),
    }
}

const TOO_DEEP: Refused = Refused::new("DOCUMENT_TOO_DEEP", "at most 40 levels are expected, fragments included");

fn deeper(depth: u32) -> Result<u32, Refused> {
    if depth >= DEPTH_MAX { Err(TOO_DEEP) } else { Ok(depth + 1) }
}

/// A field that the role may ask for, and this key may not.
fn out_of_scope(of: &str, name: &str, needed: Needed) -> Refused {
    let message = match needed {
        Needed::Person => "no key will do for this field: sign in with sessionCreate",
        Needed::Nothing | Needed::OneOf(_) => "this key has no scope for this field",
    };
    Refused { code: "OUT_OF_SCOPE", message, field: Some(format!("{of}.{name}")) }
}

/// What a field costs beside its children and the one that every field costs.
fn weight_of(of: &str, name: &str) -> u64 {
    let heavy = WEIGHTS.iter().find(|(noun, field, _)| *noun == of && *field == name);
    heavy.map_or(0, |(_, _, weight)| weight.saturating_sub(1))
}

/// The engine's own types, by which the schema is asked about itself.
const ITSELF: &str = "__Schema";

/// How many items a list of the schema about itself has, about.
fn of_itself(list: &str) -> u64 {
    match list {
        "types" => 400,
        "possibleTypes" => 20,
        "fields" | "inputFields" | "enumValues" | "directives" => 10,
        "args" | "interfaces" | "locations" => 2,
        _ => 1,
    }
}

impl Weight {
    /// The same with what stands beside it.
    fn beside(mut self, effort: Effort) -> Self {
        self.effort.add(effort.of_selection());
        self
    }
}

/// A field with so many items of these children. Nothing is free.
fn weighed(children: Weight, items: u64, own: Effort) -> Weight {
    Weight {
        cost: children.cost.saturating_mul(items).saturating_add(1),
        looked: children.looked,
        fields: children.fields.saturating_add(1),
        depth: children.depth + 1,
        effort: own.around(children.effort),
    }
}

#[cfg(test)]
#[path = "analysis_tests.rs"]
mod tests;
