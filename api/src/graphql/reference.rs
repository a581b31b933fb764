//! The reference of the schema as pages to read, made from the schema's own text and the table of roles: for every noun
//! what can be asked and done, by whom, with which input, and what comes back. A front end team looks here before it looks
//! at `schema.graphql`.

mod pages;
mod text;

#[cfg(test)]
#[path = "reference/tests.rs"]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};

use super::policy::Shape;
use pages::{PAGES, SHARED, page_of_name};

/// What a file is called, and what stands in it.
pub(crate) type Pages = BTreeMap<String, String>;

/// What codes mean: `CODE: meaning`, first those of requests, below a line `---` those of `userErrors`.
const CODES: &str = include_str!("reference/codes.txt");

/// Types that are described once for all.
fn is_common(name: &str) -> bool {
    name.ends_with("Connection") || name.ends_with("Edge")
}

/// The schema, by the names of its types.
struct Book {
    types: BTreeMap<String, TypeDefinition>,
    shape: Shape,
    /// On which page each type stands.
    page_of: BTreeMap<String, &'static str>,
}

/// Every page.
pub(crate) fn pages() -> anyhow::Result<Pages> {
    Book::open(&super::sdl())?.pages()
}

impl Book {
    fn open(sdl: &str) -> anyhow::Result<Self> {
        let mut types = BTreeMap::new();
        for definition in parse_schema(sdl)?.definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                types.insert(definition.node.name.node.to_string(), definition.node);
            }
        }
        let mut book = Self { types, shape: Shape::read(sdl)?, page_of: BTreeMap::new() };
        book.page_of = book.place()?;
        Ok(book)
    }

    /// Puts every type on a page: the one of its name, else the one page that leads to it, else the one of what is shared.
    fn place(&self) -> anyhow::Result<BTreeMap<String, &'static str>> {
        let mut reached: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for root in ["Query", "Mutation"] {
            for field in self.fields(root) {
                let name = field.name.node.as_str();
                let page = page_of_name(name).or_else(|| page_of_name(named(&field.ty.node)));
                let page =
                    page.ok_or_else(|| anyhow::anyhow!("{root}.{name} has no page: add its noun to pages.rs"))?;
                let mut all = BTreeSet::new();
                self.reach(named(&field.ty.node), page, &mut all);
                field.arguments.iter().for_each(|argument| self.reach(named(&argument.node.ty.node), page, &mut all));
                all.into_iter().for_each(|name| {
                    reached.entry(name).or_default().insert(page);
                });
            }
        }
        let place = |name: &String| {
            let only = reached.get(name).filter(|pages| pages.len() == 1).and_then(|pages| pages.first().copied());
            page_of_name(name).or(only).unwrap_or(SHARED)
        };
        Ok(self.types.keys().map(|name| (name.clone(), place(name))).collect())
    }

    /// What a type leads to, not beyond types that stand on another page by their name.
    fn reach(&self, name: &str, page: &'static str, all: &mut BTreeSet<String>) {
        if page_of_name(name).is_some_and(|own| own != page) || !all.insert(name.to_owned()) {
            return;
        }
        for field in self.fields(name) {
            self.reach(named(&field.ty.node), page, all);
            field.arguments.iter().for_each(|argument| self.reach(named(&argument.node.ty.node), page, all));
        }
        self.inputs(name).iter().for_each(|input| self.reach(named(&input.ty.node), page, all));
    }

    fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        match self.types.get(name).map(|definition| &definition.kind) {
            Some(TypeKind::Object(object)) => object.fields.iter().map(|field| &field.node).collect(),
            Some(TypeKind::Interface(interface)) => interface.fields.iter().map(|field| &field.node).collect(),
            _ => Vec::new(),
        }
    }

    fn inputs(&self, name: &str) -> Vec<&InputValueDefinition> {
        match self.types.get(name).map(|definition| &definition.kind) {
            Some(TypeKind::InputObject(input)) => input.fields.iter().map(|field| &field.node).collect(),
            _ => Vec::new(),
        }
    }

    /// The root fields of a page.
    fn roots(&self, root: &str, page: &str) -> Vec<&FieldDefinition> {
        let is_here = |field: &&FieldDefinition| {
            let name = field.name.node.as_str();
            page_of_name(name).or_else(|| page_of_name(named(&field.ty.node))) == Some(page)
        };
        self.fields(root).into_iter().filter(is_here).collect()
    }

    fn pages(&self) -> anyhow::Result<Pages> {
        let mut pages = Pages::new();
        for (page, title, _) in PAGES {
            pages.insert(format!("{page}.md"), self.page(page, title)?);
        }
        pages.insert("README.md".to_owned(), self.index());
        pages.insert("errors.md".to_owned(), text::errors(CODES)?);
        Ok(pages)
    }
}

/// A type's name, without lists and exclamation marks.
fn named(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => named(inner),
    }
}
