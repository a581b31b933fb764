//! Values in XML. Prefixes of namespaces are left out; a path may begin with the root element or below it.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{DocumentProblem, Found};

/// The deepest nesting taken: an answer to a ping has three levels, an envelope of SOAP five.
const DEPTH_MAX: usize = 32;
/// The most elements and attributes taken: an answer has a dozen.
const PARTS_MAX: usize = 2_000;

/// An element and what it holds directly.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    /// Positions in the tree, in the order of the document.
    children: Vec<usize>,
    text: String,
}

/// The elements of a document; the root is the first.
#[derive(Debug)]
pub(in crate::ping) struct Tree(Vec<Element>);

/// Reads a document. What would have to be expanded, fetched or believed (document types, entities) is refused.
pub(super) fn parse(text: &str) -> Result<Tree, DocumentProblem> {
    let mut reader = Reader::from_str(text);
    let mut tree = Growing { elements: Vec::new(), open: Vec::new(), parts: 0 };
    loop {
        match reader.read_event().map_err(|_| DocumentProblem::NotXml)? {
            Event::Start(start) => tree.open(&start)?,
            Event::Empty(start) => {
                tree.open(&start)?;
                tree.close()?;
            }
            Event::End(_) => tree.close()?,
            Event::Text(text) => tree.say(&text.xml10_content())?,
            Event::CData(text) => tree.say(&text)?,
            Event::GeneralRef(reference) => {
                let meant = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    Ok(None) => predefined(&reference).ok_or(DocumentProblem::Doctype)?,
                    Err(_) => return Err(DocumentProblem::NotXml),
                };
                tree.say(meant.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(DocumentProblem::Doctype),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    let complete = tree.open.is_empty() && !tree.elements.is_empty();
    if complete { Ok(Tree(tree.elements)) } else { Err(DocumentProblem::NotXml) }
}

fn predefined(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// A tree that is being read.
struct Growing {
    elements: Vec<Element>,
    open: Vec<usize>,
    parts: usize,
}

impl Growing {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), DocumentProblem> {
        let position = self.elements.len();
        if self.open.len() >= DEPTH_MAX {
            return Err(DocumentProblem::TooDeep);
        }
        match self.open.last() {
            Some(parent) => self.elements[*parent].children.push(position),
            None if position > 0 => return Err(DocumentProblem::NotXml),
            None => {}
        }
        let mut attributes = Vec::new();
        // The library compares every attribute with every other one; here a name that comes twice only matters where it
        // is asked for.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| DocumentProblem::NotXml)?;
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
            let value = value.map_err(|_| DocumentProblem::Doctype)?.into_owned();
            attributes.push((attribute.key.local_name().as_ref().to_owned(), value));
            self.count()?;
        }
        self.count()?;
        let name = start.local_name().as_ref().to_owned();
        self.elements.push(Element { name, attributes, ..Element::default() });
        self.open.push(position);
        Ok(())
    }

    fn count(&mut self) -> Result<(), DocumentProblem> {
        self.parts += 1;
        if self.parts > PARTS_MAX { Err(DocumentProblem::TooMany) } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), DocumentProblem> {
        self.open.pop().map(|_| ()).ok_or(DocumentProblem::NotXml)
    }

    fn say(&mut self, text: &str) -> Result<(), DocumentProblem> {
        match self.open.last() {
            Some(element) => self.elements[*element].text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(DocumentProblem::NotXml),
        }
        Ok(())
    }
}

impl Tree {
    /// The value at the end of these steps. Of several elements of one name a position behind it chooses one.
    pub(super) fn find(&self, steps: &[String]) -> Result<Option<Found>, DocumentProblem> {
        let Some(root) = self.0.first() else { return Ok(None) };
        let mut rest = steps;
        let below = |name: &String| root.children.iter().any(|child| named(&self.0[*child], name));
        if named(root, &rest[0]) && (rest.len() > 1 || !below(&rest[0])) {
            rest = &rest[1..];
        }
        let mut at = root;
        while let Some((step, after)) = rest.split_first() {
            if let Some(name) = step.strip_prefix('@') {
                return if after.is_empty() { attribute(at, name) } else { Ok(None) };
            }
            let mut named = at.children.iter().map(|child| &self.0[*child]).filter(|child| named(child, step));
            let position: Option<usize> = after.first().and_then(|step| step.parse().ok());
            let next = match position {
                Some(position) => named.nth(position),
                None => {
                    let first = named.next();
                    if named.next().is_some() {
                        return Err(DocumentProblem::Twice);
                    }
                    first
                }
            };
            let Some(next) = next else { return Ok(None) };
            at = next;
            rest = if position.is_some() { &after[1..] } else { after };
        }
        single(at)
    }
}

fn named(element: &Element, name: &str) -> bool {
    element.name.eq_ignore_ascii_case(name)
}

fn attribute(element: &Element, name: &str) -> Result<Option<Found>, DocumentProblem> {
    let mut found = element.attributes.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(DocumentProblem::Twice),
        (Some((_, value)), None) => Ok(Some(Found::text(value))),
        (None, _) => Ok(None),
    }
}

fn single(element: &Element) -> Result<Option<Found>, DocumentProblem> {
    if !element.children.is_empty() {
        return Err(DocumentProblem::NotSingle);
    }
    // `xsi:nil` is XML's null.
    let nil = attribute(element, "nil")?.is_some_and(|nil| matches!(nil.text.as_str(), "true" | "1"));
    Ok((!nil).then(|| Found::text(&element.text)))
}
