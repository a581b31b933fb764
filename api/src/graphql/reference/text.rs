//! The pages as Markdown.

use std::fmt::Write as _;

use anyhow::Context;
use async_graphql::parser::types::{FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind};

use super::{Book, PAGES, is_common, named};

const MADE: &str = "<!-- Made by `leadyard schema --reference docs/reference`; not written by hand. -->\n";

/// A description in one line of a table.
fn line(text: Option<&str>) -> String {
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn description(field: &FieldDefinition) -> String {
    line(field.description.as_ref().map(|text| text.node.as_str()))
}

impl Book {
    /// The first page: what there is.
    pub(super) fn index(&self) -> String {
        let mut text = format!(
            "{MADE}\n# Reference of the GraphQL schema\n\n\
             What can be asked and done at `POST /graphql`, noun by noun. [GraphQL for front-end teams](../graphql.md) says \
             how to begin and what is the same everywhere, [`schema.graphql`](../../schema.graphql) is what programs read, \
             and [errors](errors.md) what every code means.\n\n\
             Roles: *staff* is admin, manager, finance and analyst; *buyer* is buyer_admin and buyer_user; *supplier* is a \
             supplier's user, *source* a source's key; *members* are all of these; *everyone* is whoever comes, signed in or \
             not. A role may ask for a field; which rows it gets is another matter: only its own.\n\n\
             | Page | Ask | Do |\n|---|---|---|\n"
        );
        for (page, title, _) in PAGES {
            let names = |root: &str| -> String {
                let roots = self.roots(root, page);
                let names: Vec<String> = roots.iter().map(|field| format!("`{}`", field.name.node)).collect();
                names.join(", ")
            };
            let _ = writeln!(text, "| [{title}]({page}.md) | {} | {} |", names("Query"), names("Mutation"));
        }
        text
    }

    /// A noun's page.
    pub(super) fn page(&self, page: &str, title: &str) -> anyhow::Result<String> {
        let mut text = format!("{MADE}\n# {title}\n");
        for (root, heading) in [("Query", "Ask"), ("Mutation", "Do")] {
            let roots = self.roots(root, page);
            if !roots.is_empty() {
                let _ = writeln!(text, "\n## {heading}");
            }
            for field in roots {
                self.root(&mut text, root, field)?;
            }
        }
        let here = |name: &&String| {
            self.page_of.get(*name).copied() == Some(page)
                && !is_common(name)
                && !["Query", "Mutation"].contains(&name.as_str())
        };
        let all: Vec<&String> = self.types.keys().filter(here).collect();
        for (heading, kind) in
            [("Types", Kind::Object), ("Inputs", Kind::Input), ("Words", Kind::Words), ("Scalars", Kind::Scalar)]
        {
            let of_kind: Vec<_> =
                all.iter().filter_map(|name| self.types.get(*name)).filter(|of| Kind::of(of) == Some(kind)).collect();
            if !of_kind.is_empty() {
                let _ = writeln!(text, "\n## {heading}");
            }
            for definition in of_kind {
                self.definition(&mut text, definition)?;
            }
        }
        Ok(text)
    }

    /// What is asked for or done at the root: who may, with what, and what comes back.
    fn root(&self, text: &mut String, root: &str, field: &FieldDefinition) -> anyhow::Result<()> {
        let name = field.name.node.as_str();
        let who = self.shape.field(root, name).context("a root field without a rule")?.audience.told();
        let _ = write!(text, "\n### `{name}`\n\n{}\n\n**Who:** {who}. ", description(field));
        let _ = writeln!(text, "**Answers:** {}.", self.linked(&field.ty.node));
        let (paging, own): (Vec<_>, Vec<_>) = field
            .arguments
            .iter()
            .map(|argument| &argument.node)
            .partition(|argument| ["first", "after", "last", "before"].contains(&argument.name.node.as_str()));
        if !paging.is_empty() {
            let names: Vec<String> = paging.iter().map(|argument| format!("`{}`", argument.name.node)).collect();
            let _ = writeln!(text, "\nPages: {}.", names.join(", "));
        }
        self.values(text, &own);
        Ok(())
    }

    /// A table of arguments or input fields.
    fn values(&self, text: &mut String, values: &[&InputValueDefinition]) {
        if values.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n| Takes | Type | |\n|---|---|---|");
        for value in values {
            let told = line(value.description.as_ref().map(|text| text.node.as_str()));
            let default =
                value.default_value.as_ref().map(|default| format!(" = `{}`", default.node)).unwrap_or_default();
            let _ = writeln!(
                text,
                "| `{}` | {}{} | {told} |",
                value.name.node,
                self.linked(&value.ty.node),
                default.replace('|', "\\|")
            );
        }
    }

    fn definition(&self, text: &mut String, definition: &TypeDefinition) -> anyhow::Result<()> {
        let name = definition.name.node.as_str();
        let told = line(definition.description.as_ref().map(|text| text.node.as_str()));
        let _ = writeln!(text, "\n### {name}\n\n{told}");
        match &definition.kind {
            TypeKind::InputObject(input) => {
                self.values(text, &input.fields.iter().map(|field| &field.node).collect::<Vec<_>>());
            }
            TypeKind::Enum(words) => {
                let _ = writeln!(text, "\n| Word | |\n|---|---|");
                for value in &words.values {
                    let told = line(value.node.description.as_ref().map(|text| text.node.as_str()));
                    let _ = writeln!(text, "| `{}` | {told} |", value.node.value.node);
                }
            }
            TypeKind::Object(_) | TypeKind::Interface(_) => self.fields_table(text, name)?,
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
        Ok(())
    }

    /// The fields of a type. Where all are for the same roles, these are told once, above.
    fn fields_table(&self, text: &mut String, of: &str) -> anyhow::Result<()> {
        let mut rows = Vec::new();
        for field in self.fields(of) {
            let name = field.name.node.as_str();
            let who = self.shape.field(of, name).with_context(|| format!("{of}.{name} has no rule"))?.audience.told();
            let arguments: Vec<String> =
                field.arguments.iter().map(|argument| argument.node.name.node.to_string()).collect();
            let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
            rows.push((format!("`{name}{arguments}`"), self.linked(&field.ty.node), who, description(field)));
        }
        let same = rows.iter().all(|row| row.2 == rows[0].2);
        if same && let Some(first) = rows.first() {
            let _ = writeln!(text, "\n**Who:** {}.", first.2);
        }
        let (head, rule) = if same {
            ("| Field | Type | |", "|---|---|---|")
        } else {
            ("| Field | Type | Who | |", "|---|---|---|---|")
        };
        let _ = writeln!(text, "\n{head}\n{rule}");
        for (name, leads_to, who, told) in rows {
            let who = if same { String::new() } else { format!(" {who} |") };
            let _ = writeln!(text, "| {name} | {leads_to} |{who} {told} |");
        }
        Ok(())
    }

    /// A type with a link to where it stands.
    fn linked(&self, of: &Type) -> String {
        let (shown, name) = (of.to_string(), named(of));
        let target = name.strip_suffix("Connection").unwrap_or(name);
        match self.page_of.get(target) {
            Some(page) => format!("[`{shown}`]({page}.md#{})", target.to_ascii_lowercase()),
            None => format!("`{shown}`"),
        }
    }
}

/// What a type is, for the reader of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Input,
    Words,
    Scalar,
}

impl Kind {
    fn of(definition: &TypeDefinition) -> Option<Self> {
        match definition.kind {
            TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_) => Some(Self::Object),
            TypeKind::InputObject(_) => Some(Self::Input),
            TypeKind::Enum(_) => Some(Self::Words),
            TypeKind::Scalar => Some(Self::Scalar),
        }
    }
}

/// The page of codes.
pub(super) fn errors(codes: &str) -> anyhow::Result<String> {
    let (requests, users) = codes.split_once("---\n").context("codes.txt has two parts")?;
    let mut text = format!(
        "{MADE}\n# Errors\n\nCodes are stable; messages are for people and may change. No error repeats what was sent.\n\n\
         ## Of the request\n\nIn `errors[].extensions.code`; `field` beside it names the field of the schema it is about. Where \
         nothing ran, `data` is absent.\n\n| Code | Means |\n|---|---|\n"
    );
    table(&mut text, requests)?;
    text.push_str(
        "\n## Of the input\n\nIn `userErrors[].code` of a mutation's answer; `field` is the path in the input, empty where it \
         is about all of it. Nothing was changed, but for `suppressionEntriesRemove`: what is not on the list is told, and the \
         rest goes. Problems of a lead itself stand in its submission with the same codes.\n\n\
         | Code | Means |\n|---|---|\n",
    );
    table(&mut text, users)?;
    Ok(text)
}

fn table(text: &mut String, codes: &str) -> anyhow::Result<()> {
    for code in codes.lines().filter(|line| !line.is_empty()) {
        let (code, means) = code.split_once(": ").with_context(|| format!("`{code}` says nothing"))?;
        let _ = writeln!(text, "| `{code}` | {means} |");
    }
    Ok(())
}
