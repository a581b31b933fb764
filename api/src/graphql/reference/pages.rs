//! Which noun stands on which page.

/// The page of what many pages lead to.
pub(super) const SHARED: &str = "shared";

/// The pages: file, title, and how the names of what stands there begin. The longest beginning counts.
pub(super) const PAGES: [(&str, &str, &[&str]); 15] = [
    ("leads", "Leads", &["lead", "decision", "consent", "suppression"]),
    ("sales", "Sales", &["sale", "conversion"]),
    ("deliveries", "Deliveries", &["deliver", "attempt"]),
    ("complaints", "Complaints", &["complaint"]),
    ("campaigns", "Verticals and campaigns", &["vertical", "campaign", "stage", "fieldDefinition", "split"]),
    ("sources", "Suppliers and sources", &["supplier", "source"]),
    ("buyers", "Buyers", &["buyer", "standing", "contractStanding"]),
    ("contracts", "Contracts", &["contract", "condition", "priceRule"]),
    ("destinations", "Destinations", &["destination", "webhook", "email", "ping", "header", "answer"]),
    (
        "money",
        "Money and reports",
        &["wallet", "transfer", "hold", "statement", "payable", "adSpend", "profitAndLoss", "statistics"],
    ),
    ("planning", "Planning: territories and simulation", &["territor", "simulate", "simulated", "simulation"]),
    ("configuration", "The configuration as a text", &["configuration"]),
    ("people", "People and sessions", &["user", "session", "invitation", "password", "totp", "viewer", "apiKey"]),
    ("audit", "The audit", &["audit"]),
    (SHARED, "What many share", &["node", "userError", "pageInfo", "money", "query", "mutation"]),
];

/// The page that a name's beginning says.
pub(super) fn page_of_name(name: &str) -> Option<&'static str> {
    let mut letters = name.chars();
    let first = letters.next()?.to_ascii_lowercase();
    let name = format!("{first}{}", letters.as_str());
    let begins = |word: &str| {
        // `sale` begins `saleState` and `sales`, not `salesman`.
        let rest = name.strip_prefix(word)?;
        let rest = rest.strip_prefix("ies").or_else(|| rest.strip_prefix('y')).unwrap_or(rest);
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        (rest.is_empty() || rest.starts_with(|letter: char| letter.is_ascii_uppercase())).then_some(word.len())
    };
    let longest = |words: &[&str]| words.iter().filter_map(|word| begins(word)).max();
    let found = PAGES.iter().filter_map(|(page, _, words)| Some((longest(words)?, *page)));
    found.max_by_key(|(length, _)| *length).map(|(_, page)| page)
}
