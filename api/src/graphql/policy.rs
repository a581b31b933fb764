//! Who may see which field: the table in `policy.txt`, laid over the schema. Every query is checked against it before it
//! runs; a field without a rule, or a rule without a field, stops the server from starting.

use std::collections::HashMap;

use anyhow::{Context, bail};
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use leadyard_types::{Principal, Role};

use super::scopes::{self, Needed, ScopeRules};

/// The table.
const TABLE: &str = include_str!("policy.txt");

/// A set of kinds of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Audience(u16);

/// The callers there are, by the names the table uses.
const CALLERS: [(&str, u16); 9] = [
    ("anonymous", 1),
    ("admin", 1 << 1),
    ("manager", 1 << 2),
    ("finance", 1 << 3),
    ("analyst", 1 << 4),
    ("buyer_admin", 1 << 5),
    ("buyer_user", 1 << 6),
    ("supplier", 1 << 7),
    ("source", 1 << 8),
];

/// Names for several callers.
const GROUPS: [(&str, &[&str]); 4] = [
    ("staff", &["admin", "manager", "finance", "analyst"]),
    ("buyer", &["buyer_admin", "buyer_user"]),
    ("members", &["staff", "buyer", "supplier", "source"]),
    ("everyone", &["anonymous", "members"]),
];

impl Audience {
    const NOBODY: Audience = Audience(0);

    /// The set of one caller.
    pub(crate) fn of(caller: Option<Principal>) -> Self {
        let name = match caller {
            None => "anonymous",
            Some(Principal::Source { .. }) => "source",
            Some(Principal::System(_)) => return Self::NOBODY,
            Some(principal) => match principal.role() {
                Some(Role::Admin) => "admin",
                Some(Role::Manager) => "manager",
                Some(Role::Finance) => "finance",
                Some(Role::Analyst) => "analyst",
                Some(Role::BuyerAdmin) => "buyer_admin",
                Some(Role::BuyerUser) => "buyer_user",
                Some(Role::Supplier) => "supplier",
                None => return Self::NOBODY,
            },
        };
        Self::named(name).unwrap_or(Self::NOBODY)
    }

    fn named(name: &str) -> Option<Self> {
        if let Some((_, bit)) = CALLERS.iter().find(|(known, _)| *known == name) {
            return Some(Self(*bit));
        }
        let (_, members) = GROUPS.iter().find(|(known, _)| *known == name)?;
        Some(members.iter().filter_map(|member| Self::named(member)).fold(Self::NOBODY, |all, one| Self(all.0 | one.0)))
    }

    /// The right side of a rule.
    fn read(names: &str) -> anyhow::Result<Self> {
        names.split_whitespace().try_fold(Self::NOBODY, |all, name| {
            let named = Self::named(name).with_context(|| format!("`{name}` is no role"))?;
            Ok(Self(all.0 | named.0))
        })
    }

    /// Who is in it, in words: groups where all of one are in it.
    pub(crate) fn told(self) -> String {
        let (mut left, mut names) = (self.0, Vec::new());
        let groups = GROUPS.iter().rev().map(|(name, _)| *name);
        for name in groups.chain(CALLERS.iter().map(|(name, _)| *name)) {
            let all = Self::named(name).unwrap_or(Self::NOBODY).0;
            // What a larger group told already is not told again.
            if all != 0 && left & all == all {
                names.push(name);
                left &= !all;
            }
        }
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    }

    /// Whether somebody is in both.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What is known of a field before a query runs.
#[derive(Debug, Clone)]
pub(crate) struct FieldShape {
    /// The type it leads to, without lists and exclamation marks.
    pub(crate) leads_to: String,
    /// Whether it is a list.
    pub(crate) list: bool,
    /// Whether it is paged by `first` and `last`.
    pub(crate) paged: bool,
    /// Who may ask for it.
    pub(crate) audience: Audience,
    /// What a user's key needs for it.
    pub(crate) needed: Needed,
}

/// The schema's objects and interfaces with their fields, and who may ask for each.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    types: HashMap<String, HashMap<String, FieldShape>>,
}

impl Shape {
    /// A field of a type.
    pub(crate) fn field(&self, of: &str, name: &str) -> Option<&FieldShape> {
        self.types.get(of)?.get(name)
    }

    /// Lays the tables of roles and of scopes over a schema.
    pub(crate) fn read(sdl: &str) -> anyhow::Result<Self> {
        Self::with_tables(sdl, TABLE, scopes::TABLE)
    }

    fn with_tables(sdl: &str, table: &str, scopes: &str) -> anyhow::Result<Self> {
        let mut rules = rules(table, Audience::read)?;
        let mut scope_rules = ScopeRules::read(scopes)?;
        let document = parse_schema(sdl).context("the schema's own text does not parse")?;
        let mut types = HashMap::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let of_all = rules.remove(&(name.clone(), "*".to_owned()));
            let mut shapes = HashMap::new();
            for field in fields {
                let key = field.node.name.node.to_string();
                let audience = rules.remove(&(name.clone(), key.clone())).or(of_all);
                let audience = audience.with_context(|| format!("{name}.{key} has no rule in policy.txt"))?;
                let needed = scope_rules.needed(&name, &key)?;
                shapes.insert(key, shape(&field.node, audience, needed));
            }
            types.insert(name, shapes);
        }
        if let Some((name, field)) = rules.keys().min() {
            bail!("policy.txt has a rule for {name}.{field}, which the schema does not have");
        }
        scope_rules.all_were_asked()?;
        Ok(Self { types })
    }
}

fn shape(field: &FieldDefinition, audience: Audience, needed: Needed) -> FieldShape {
    let (leads_to, list) = named(&field.ty.node);
    let paged = field.arguments.iter().any(|argument| argument.node.name.node == "first");
    FieldShape { leads_to, list, paged, audience, needed }
}

fn named(of: &Type) -> (String, bool) {
    match &of.base {
        BaseType::Named(name) => (name.to_string(), false),
        BaseType::List(inner) => (named(inner).0, true),
    }
}

/// The rules of a table by type and field; `read` understands their right sides.
pub(super) fn rules<T: Copy>(
    table: &str,
    read: fn(&str) -> anyhow::Result<T>,
) -> anyhow::Result<HashMap<(String, String), T>> {
    let mut rules = HashMap::new();
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (fields, names) = line.split_once(':').with_context(|| format!("`{line}` has no colon"))?;
        let rule = read(names).with_context(|| format!("in `{line}`"))?;
        let mut of = None;
        for field in fields.split(',').map(str::trim) {
            let (name, field) = match field.split_once('.') {
                Some((name, field)) => (*of.insert(name), field),
                None => (of.with_context(|| format!("`{line}` names no type"))?, field),
            };
            if rules.insert((name.to_owned(), field.to_owned()), rule).is_some() {
                bail!("{name}.{field} has two rules");
            }
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of the schema has a rule, and every rule a field.
    #[test]
    fn every_field_has_a_rule() {
        Shape::read(&crate::graphql::sdl()).unwrap();
    }

    /// A field that was forgotten, a rule that outlived its field and a role that does not exist are found.
    #[test]
    fn gaps_are_found() {
        let sdl = "type Query { a: Int b: [Money!]! } type Money { amount: Int }";
        let scopes = "Query.*, Money.*: any";
        let read =
            |table: &str| Shape::with_tables(sdl, table, scopes).map(|_| ()).map_err(|error| format!("{error:#}"));
        assert_eq!(read("Query.a, b: staff\nMoney.*: members"), Ok(()));
        assert!(read("Query.a: staff\nMoney.*: members").unwrap_err().contains("Query.b has no rule"));
        assert!(read("Query.a, b, c: staff\nMoney.*: members").unwrap_err().contains("Query.c"));
        assert!(read("Query.a, b: boss\nMoney.*: members").unwrap_err().contains("boss"));
        assert!(read("Query.a, b: staff\nQuery.b: buyer\nMoney.*: members").unwrap_err().contains("two rules"));
        let keys = |scopes: &str| {
            let table = "Query.a, b: staff\nMoney.*: members";
            Shape::with_tables(sdl, table, scopes).map(|_| ()).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(keys("Query.a: leads\nQuery.*, Money.*: any"), Ok(()));
        assert!(keys("Query.a: any\nMoney.*: any").unwrap_err().contains("Query.b has no rule"));
        assert!(keys("Query.*, Money.*: any\nLead.*: leads").unwrap_err().contains("Lead.*"));
        assert!(keys("Query.*, Money.*: all").unwrap_err().contains("no scope"));
    }

    /// Sets are told by the largest groups.
    #[test]
    fn audiences_are_told_in_words() {
        let told = |names: &[&str]| {
            let all = names.iter().filter_map(|name| Audience::named(name));
            all.fold(Audience::NOBODY, |all, one| Audience(all.0 | one.0)).told()
        };
        assert_eq!(told(&["anonymous", "staff", "buyer", "supplier", "source"]), "everyone");
        assert_eq!(told(&["admin", "manager", "finance", "analyst", "buyer_user"]), "staff, buyer_user");
        assert_eq!(told(&["source", "admin", "buyer"]), "buyer, admin, source");
        assert_eq!(told(&[]), "nobody");
    }

    /// What a buyer must never see of others, and who moves money, stands here a second time on purpose.
    #[test]
    fn the_table_keeps_what_matters() {
        let shape = Shape::read(&crate::graphql::sdl()).unwrap();
        let may = |of: &str, field: &str, who: &str| {
            shape.field(of, field).unwrap().audience.meets(Audience::named(who).unwrap())
        };
        for (of, field) in [
            ("Lead", "decision"),
            ("Lead", "timeline"),
            ("Sale", "payout"),
            ("Sale", "supplier"),
            ("Campaign", "floor"),
        ] {
            for outsider in ["buyer", "supplier", "source", "anonymous"] {
                assert!(!may(of, field, outsider), "{of}.{field} is not for {outsider}");
            }
        }
        for outsider in ["manager", "analyst", "buyer", "supplier", "source", "anonymous"] {
            assert!(!may("Mutation", "walletTopUp", outsider), "{outsider} moves no money");
        }
        assert!(!may("Query", "leads", "anonymous") && may("Mutation", "sessionCreate", "anonymous"));
    }
}
