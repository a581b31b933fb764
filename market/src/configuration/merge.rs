//! What would stand after a document: its entries laid over what stands, with references found.

use std::collections::{BTreeMap, HashMap};

use leadyard_connectors::webhook;
use leadyard_types::{DestinationKind, Ids};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use uuid::Uuid;

use super::document::{Document, Entry, Fields, Noun, Problem, Secret, Secrets};
use super::names::{FILTERED, Names, references, scope, sources_in};
use super::secrets;
use super::shape::{self, Absent, canonical, head_text, type_problems};
use super::standing::{Standing, Things};

/// What is said of an entry and is no field of the thing.
const ABOUT: [&str; 2] = ["id", "none"];
/// Where a destination's signing secret is.
const SECRET: [&str; 2] = ["secret_env", "secret_file"];

/// A thing that the document names.
pub(super) struct Placed {
    pub(super) noun: Noun,
    pub(super) id: Uuid,
    /// Its entry's position in the document.
    pub(super) entry: usize,
    pub(super) new: bool,
    /// Where the signing secret of a new destination is.
    pub(super) secret: Option<Secret>,
}

/// Everything after the document.
pub(super) struct Merged {
    pub(super) things: Things,
    pub(super) placed: Vec<Placed>,
}

/// Lays a document over what stands. Whatever is wrong is added to `problems`; only without any is the result whole.
pub(super) fn merge(
    document: &Document,
    standing: &Standing,
    ids: &dyn Ids,
    secrets: &Secrets,
    problems: &mut Vec<Problem>,
) -> Merged {
    let mut merged = Merged { things: standing.things.clone(), placed: Vec::new() };
    for noun in Noun::ALL {
        let mut laid = BTreeMap::new();
        {
            let mut one = OneNoun {
                noun: *noun,
                standing: standing.things.get(noun),
                called: called(*noun, standing.things.get(noun)),
                names: Names::of(&merged.things),
                ids,
                secrets,
                problems: &mut *problems,
                lines: BTreeMap::new(),
            };
            for (position, entry) in document.entries.iter().enumerate().filter(|(_, entry)| entry.noun == *noun) {
                if let Some((placed, fields)) = one.lay(position, entry) {
                    laid.insert(placed.id, fields);
                    merged.placed.push(placed);
                }
            }
        }
        merged.things.entry(*noun).or_default().extend(laid);
        find_sources(&mut merged, document, *noun, problems);
        for placed in merged.placed.iter().filter(|placed| placed.noun == *noun) {
            let Some(entry) = document.entries.get(placed.entry) else { continue };
            let Some(fields) = merged.things.get_mut(noun).and_then(|things| things.get_mut(&placed.id)) else {
                continue;
            };
            match canonical(*noun, fields) {
                Some(agreed) => *fields = agreed,
                None => {
                    let found = type_problems(*noun, fields);
                    // What could not be found was said already.
                    let said = |field: &str| entry.fields.contains_key(field);
                    let new = found.into_iter().filter(|found| found.code != "REQUIRED" || !said(&found.field));
                    problems.extend(new.map(|found| entry.problem(&found.field, &found.code, found.message)));
                }
            }
        }
    }
    merged
}

/// Things by how they are called: a document of ten thousand names would compare each with everything that stands.
fn called(noun: Noun, things: Option<&BTreeMap<Uuid, Fields>>) -> HashMap<&str, Vec<Uuid>> {
    let mut called: HashMap<&str, Vec<Uuid>> = HashMap::new();
    for (id, fields) in things.into_iter().flatten() {
        called.entry(head_text(fields, noun.naming())).or_default().push(*id);
    }
    called
}

/// Sources named in filters, which may be sources of this very document.
fn find_sources(merged: &mut Merged, document: &Document, noun: Noun, problems: &mut Vec<Problem>) {
    let mut found = Vec::new();
    let names = Names::of(&merged.things);
    for placed in merged.placed.iter().filter(|placed| placed.noun == noun) {
        let Some(entry) = document.entries.get(placed.entry) else { continue };
        let Some(fields) = merged.things.get(&noun).and_then(|things| things.get(&placed.id)) else { continue };
        let campaign = head_text(fields, "campaign").parse::<Uuid>().ok();
        for field in FILTERED.into_iter().filter(|field| entry.fields.contains_key(*field)) {
            let Some(mut value) = fields.get(field).cloned() else { continue };
            sources_in(&mut value, field, &mut |item, path| {
                // Anything but a text is a wrong type, which is found with the others.
                let Some(text) = item.as_str() else { return };
                match names.find(Noun::Source, campaign, text) {
                    Ok(id) => *item = Value::String(id.to_string()),
                    Err((code, message)) => {
                        problems.push(entry.problem(path, code, message));
                        // Any id: its type is right, and the problem was said.
                        *item = Value::String(Uuid::nil().to_string());
                    }
                }
            });
            found.push((placed.id, field, value));
        }
    }
    for (id, field, value) in found {
        if let Some(fields) = merged.things.get_mut(&noun).and_then(|things| things.get_mut(&id)) {
            fields.insert(field.to_owned(), value);
        }
    }
}

/// The entries of one noun.
struct OneNoun<'a> {
    noun: Noun,
    standing: Option<&'a BTreeMap<Uuid, Fields>>,
    /// What stands, by how it is called.
    called: HashMap<&'a str, Vec<Uuid>>,
    /// Everything that comes before this noun is as it will be.
    names: Names<'a>,
    ids: &'a dyn Ids,
    secrets: &'a Secrets,
    problems: &'a mut Vec<Problem>,
    /// The lines on which things stand already.
    lines: BTreeMap<Uuid, usize>,
}

impl OneNoun<'_> {
    fn problem(&mut self, entry: &Entry, field: &str, code: &str, message: impl Into<String>) {
        self.problems.push(entry.problem(field, code, message));
    }

    /// One entry over what stands of its thing.
    fn lay(&mut self, position: usize, entry: &Entry) -> Option<(Placed, Fields)> {
        self.unknown_fields(entry);
        let parents = self.parents(entry);
        let (id, new) = self.which(entry, &parents)?;
        if let Some(line) = self.lines.insert(id, entry.line) {
            let message = format!("the same {} stands on line {line} already; name another by its id", self.noun);
            self.problem(entry, "", "DUPLICATE", message);
            return None;
        }
        let now = self.standing.and_then(|things| things.get(&id));
        let mut fields = now.cloned().unwrap_or_default();
        let about = |name: &String| ABOUT.contains(&name.as_str()) || SECRET.contains(&name.as_str());
        let said = entry.fields.iter().filter(|(name, _)| !about(name));
        fields.extend(said.map(|(name, value)| (name.clone(), value.clone())));
        for (field, found) in &parents {
            match (found, now.and_then(|now| now.get(*field))) {
                (Some(id), _) => fields.insert((*field).to_owned(), Value::String(id.to_string())),
                (None, Some(before)) => fields.insert((*field).to_owned(), before.clone()),
                (None, None) => fields.remove(*field),
            };
        }
        self.scoped(entry, &mut fields);
        self.nothing(entry, &mut fields);
        self.head(entry, now, &mut fields);
        let secret = self.secret(entry, now, &mut fields);
        Some((Placed { noun: self.noun, id, entry: position, new, secret }, fields))
    }

    fn unknown_fields(&mut self, entry: &Entry) {
        let shape = shape::of(self.noun);
        let mut known: Vec<&str> = ABOUT.into_iter().chain(shape.head.iter().chain(shape.terms).copied()).collect();
        if self.noun == Noun::Destination {
            known.extend(SECRET);
        }
        for name in entry.fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let message = format!("a {} has no field `{name}`; it has: {}", self.noun, known.join(", "));
            self.problem(entry, name, "UNKNOWN_FIELD", message);
        }
    }

    /// What the entry says it belongs to; `None` where that is not found.
    fn parents(&mut self, entry: &Entry) -> Vec<(&'static str, Option<Uuid>)> {
        let mut parents = Vec::new();
        for reference in references(self.noun).iter().filter(|reference| reference.within.is_none()) {
            let Some(value) = entry.fields.get(reference.field) else { continue };
            let found = match value.as_str() {
                Some(text) => self.names.find(reference.noun, None, text),
                None => Err(("WRONG_TYPE", format!("the {}'s name or id is expected, as text", reference.noun))),
            };
            if let Err((code, message)) = &found {
                self.problem(entry, reference.field, code, message.clone());
            }
            parents.push((reference.field, found.ok()));
        }
        parents
    }

    /// Which thing an entry is about, and whether it is a new one.
    fn which(&mut self, entry: &Entry, parents: &[(&'static str, Option<Uuid>)]) -> Option<(Uuid, bool)> {
        if let Some(id) = entry.fields.get("id") {
            let Some(id) = id.as_str().and_then(|id| id.parse::<Uuid>().ok()) else {
                self.problem(entry, "id", "FORMAT", "an id as an export writes it is expected");
                return None;
            };
            return Some((id, !self.standing.is_some_and(|things| things.contains_key(&id))));
        }
        let naming = self.noun.naming();
        let Some(name) = entry.fields.get(naming).and_then(Value::as_str) else {
            self.problem(entry, naming, "REQUIRED", format!("say which {} is meant, by its {naming} or id", self.noun));
            return None;
        };
        let belongs = |fields: &Fields| {
            let fits = |(field, id): &(&str, Option<Uuid>)| {
                // A buyer that joins another group is the same buyer: only what stays for life tells things apart.
                let stays = shape::of(self.noun).stays.contains(field);
                !stays || id.is_none_or(|id| head_text(fields, field) == id.to_string())
            };
            parents.iter().all(fits)
        };
        let stands = |id: &&Uuid| self.standing.and_then(|things| things.get(*id)).is_some_and(belongs);
        let known: Vec<Uuid> = self.called.get(name).into_iter().flatten().filter(stands).copied().collect();
        match known.as_slice() {
            [] => Some((self.ids.uuid(), true)),
            [id] => Some((*id, false)),
            _ => {
                let message =
                    format!("{} {}s are called so: name the one that is meant by its id", known.len(), self.noun);
                self.problem(entry, naming, "AMBIGUOUS", message);
                None
            }
        }
    }

    /// References to things that are called by name within another.
    fn scoped(&mut self, entry: &Entry, fields: &mut Fields) {
        for reference in references(self.noun) {
            let (Some(within), true) = (reference.within, entry.fields.contains_key(reference.field)) else { continue };
            let Ok(within) = head_text(fields, within).parse::<Uuid>() else {
                // What it belongs to was not found, which was said.
                fields.remove(reference.field);
                continue;
            };
            let Some(mut value) = fields.remove(reference.field) else { continue };
            let path = |at: usize| format!("{}.{at}", reference.field);
            match &mut value {
                Value::Array(items) => {
                    for (at, item) in items.iter_mut().enumerate() {
                        self.find(entry, reference.noun, within, &path(at), item);
                    }
                }
                item => self.find(entry, reference.noun, within, reference.field, item),
            }
            fields.insert(reference.field.to_owned(), value);
        }
    }

    fn find(&mut self, entry: &Entry, noun: Noun, within: Uuid, path: &str, item: &mut Value) {
        // Anything but a text is a wrong type, which is found with the others.
        let Some(text) = item.as_str() else { return };
        match self.names.find(noun, Some(within), text) {
            Ok(id) => *item = Value::String(id.to_string()),
            Err((code, message)) => {
                self.problem(entry, path, code, message);
                // Any id: its type is right, and the problem was said.
                *item = Value::String(Uuid::nil().to_string());
            }
        }
    }

    /// The fields that are said to have nothing.
    fn nothing(&mut self, entry: &Entry, fields: &mut Fields) {
        let Some(none) = entry.fields.get("none") else { return };
        let names = none.as_array().and_then(|names| names.iter().map(Value::as_str).collect::<Option<Vec<&str>>>());
        let Some(names) = names else {
            self.problem(entry, "none", "WRONG_TYPE", "a list of the names of fields is expected");
            return;
        };
        let shape = shape::of(self.noun);
        for (at, name) in names.into_iter().enumerate() {
            let path = format!("none.{at}");
            if entry.fields.contains_key(name) {
                self.problem(entry, &path, "CONTRADICTION", format!("`{name}` has a value in the same entry"));
            } else if shape.absent.contains_key(name) {
                fields.remove(name);
            } else {
                let may: Vec<&str> = shape.absent.keys().copied().collect();
                let message = format!("`{name}` cannot be without a value; these can: {}", may.join(", "));
                self.problem(entry, &path, "NOT_ALLOWED", message);
            }
        }
    }

    /// What stands beside the terms: all of it for something new, and what stays for life as it is.
    fn head(&mut self, entry: &Entry, now: Option<&Fields>, fields: &mut Fields) {
        let shape = shape::of(self.noun);
        for field in shape.head {
            let value = fields.get(*field);
            if value.is_some_and(|value| !value.is_string()) {
                self.problem(entry, field, "WRONG_TYPE", "a text is expected");
                fields.remove(*field);
            } else if value.is_none() && !shape.absent.contains_key(field) && !entry.fields.contains_key(*field) {
                let by = if entry.fields.contains_key("id") { "id" } else { self.noun.naming() };
                let message = format!("there is no {} of this {by}, and a new one needs its {field}", self.noun);
                self.problem(entry, field, "REQUIRED", message);
            }
        }
        for field in shape.stays {
            if let Some(before) =
                now.and_then(|now| now.get(*field)).filter(|before| fields.get(*field) != Some(*before))
            {
                let message = format!("a {} keeps its {field} for life: end this one and make another", self.noun);
                self.problem(entry, field, "NOT_ALLOWED", message);
                let before = before.clone();
                fields.insert((*field).to_owned(), before);
            }
        }
        if now.is_none() && matches!(self.noun, Noun::Supplier | Noun::Destination) {
            fields.entry("status").or_insert_with(|| Value::String("ACTIVE".to_owned()));
        }
    }

    /// A destination's settings with their secrets, and where its signing secret is.
    fn secret(&mut self, entry: &Entry, now: Option<&Fields>, fields: &mut Fields) -> Option<Secret> {
        if self.noun != Noun::Destination {
            return None;
        }
        for field in SECRET {
            if entry.fields.get(field).is_some_and(|value| !value.is_string()) {
                self.problem(entry, field, "WRONG_TYPE", "the name of a variable, or the path of a file, is expected");
            }
        }
        if SECRET.iter().all(|field| entry.fields.contains_key(*field)) {
            self.problem(entry, SECRET[1], "CONTRADICTION", "the secret is in one place: secret_env or secret_file");
        }
        if entry.fields.contains_key("config")
            && let Some(config) = fields.get("config")
        {
            match secrets::filled(config, now.and_then(|now| now.get("config")), self.secrets) {
                Ok(config) => {
                    fields.insert("config".to_owned(), config);
                }
                Err(found) => {
                    for (path, code, message) in found {
                        self.problem(entry, &path, code, message);
                    }
                }
            }
        }
        // A destination that stands keeps its secret: replacing one is a rotation, in which both are good for a while.
        let secret = secrets::of_entry(&entry.fields).filter(|_| now.is_none())?;
        let kind: Option<DestinationKind> = head_text(fields, "kind").parse().ok();
        let field = if matches!(secret, Secret::Env(_)) { SECRET[0] } else { SECRET[1] };
        if kind.is_some_and(|kind| !matches!(kind, DestinationKind::Webhook | DestinationKind::Ping)) {
            self.problem(entry, field, "NO_SECRET", "only a WEBHOOK or a PING has a secret");
            return None;
        }
        match self.secrets.get(&secret) {
            Some(Ok(found)) => {
                // Webhooks are signed with it; what a ping's buyer calls a key may be any text.
                let wrong =
                    webhook::check_secret(field, found).err().filter(|_| kind == Some(DestinationKind::Webhook));
                let lines = found.expose_secret().trim().is_empty() || found.expose_secret().contains(['\n', '\r']);
                if let Some(wrong) = wrong {
                    self.problem(entry, field, &wrong.code, wrong.message);
                } else if lines {
                    self.problem(entry, field, "INVALID_SECRET", "a secret is one line of text");
                }
            }
            Some(Err(why)) => self.problem(entry, field, "SECRET_MISSING", format!("{secret} cannot be read: {why}")),
            None => {
                let message = format!("{secret} is read on the command line of the machine only");
                self.problem(entry, field, "SECRET_MISSING", message);
            }
        }
        Some(secret)
    }
}

/// Names that must be unique and are not, by the things that bear them.
pub(super) fn taken(things: &Things) -> Vec<(Noun, Uuid, Uuid)> {
    let mut twice = Vec::new();
    for (noun, things) in things.iter().filter(|(noun, _)| !matches!(noun, Noun::Destination | Noun::Contract)) {
        let mut seen: BTreeMap<(Option<Uuid>, &str), Uuid> = BTreeMap::new();
        for (id, fields) in things {
            if let Some(first) = seen.insert((scope(*noun, fields), head_text(fields, noun.naming())), *id) {
                twice.push((*noun, first, *id));
            }
        }
    }
    twice
}

/// How a document says that nothing is there, field by field.
pub(super) fn absent(noun: Noun, fields: &Fields) -> impl Iterator<Item = (&'static str, Absent)> {
    let absent = shape::of(noun).absent.iter().filter(|(name, _)| !fields.contains_key(**name));
    absent.map(|(name, how)| (*name, *how))
}
