//! What was asked, and what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::Value;

/// What was found out about one caller.
#[derive(Debug, Default)]
struct Counted {
    cells: BTreeSet<String>,
    asked: usize,
    leaks: Vec<String>,
    effects: Vec<String>,
    questions: BTreeMap<String, (String, Value)>,
}

/// The whole matrix.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    callers: Mutex<BTreeMap<String, Counted>>,
}

impl Tally {
    fn at(&self, caller: &str, change: impl FnOnce(&mut Counted)) {
        change(self.callers.lock().unwrap().entry(caller.to_owned()).or_default());
    }

    /// A request was answered.
    pub(crate) fn asked(&self, caller: &str) {
        self.at(caller, |counted| counted.asked += 1);
    }

    /// A question that can be asked again.
    pub(crate) fn question(&self, caller: &str, text: &str, variables: &Value) {
        self.at(caller, |counted| {
            counted.questions.insert(format!("{text} {variables}"), (text.to_owned(), variables.clone()));
        });
    }

    /// Everything that a caller asked for.
    pub(crate) fn questions(&self, caller: &str) -> Vec<(String, Value)> {
        let callers = self.callers.lock().unwrap();
        callers.get(caller).map(|counted| counted.questions.values().cloned().collect()).unwrap_or_default()
    }

    /// A field, an argument or a mutation was tried on a kind of object.
    pub(crate) fn cell(&self, caller: &str, what: &str, object: &str) {
        self.at(caller, |counted| {
            counted.cells.insert(format!("{what} {object}"));
        });
    }

    /// Something of others' came to light, or foreign and absent differ.
    pub(crate) fn leak(&self, caller: &str, what: String) {
        self.at(caller, |counted| counted.leaks.push(what));
    }

    /// Something was changed that must not have been.
    pub(crate) fn effect(&self, caller: &str, what: String) {
        self.at(caller, |counted| counted.effects.push(what));
    }

    /// Everything that was found.
    pub(crate) fn found(&self) -> Vec<String> {
        let callers = self.callers.lock().unwrap();
        let told = |(caller, counted): (&String, &Counted)| {
            counted.leaks.iter().chain(&counted.effects).map(|what| format!("{caller}: {what}")).collect::<Vec<_>>()
        };
        callers.iter().flat_map(told).collect()
    }

    /// The table and its sum.
    pub(crate) fn report(&self, database: &str) -> String {
        let callers = self.callers.lock().unwrap();
        let mut lines = vec![format!("{:<18} {:>8} {:>8} {:>6} {:>8}", "caller", "cells", "asked", "leaks", "effects")];
        let (mut cells, mut leaks, mut effects) = (0, 0, 0);
        for (caller, counted) in callers.iter() {
            let figures = (counted.cells.len(), counted.leaks.len(), counted.effects.len());
            lines.push(format!("{caller:<18} {:>8} {:>8} {:>6} {:>8}", figures.0, counted.asked, figures.1, figures.2));
            (cells, leaks, effects) = (cells + figures.0, leaks + figures.1, effects + figures.2);
        }
        lines.push(format!("matrix on {database}: {cells} cells, {leaks} leaks, {effects} effects"));
        lines.join("\n")
    }
}
