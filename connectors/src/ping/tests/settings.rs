//! The settings, their presets, and what is wrong with them.

use leadyard_types::DestinationKind;

use super::*;
use crate::check_destination;
use crate::http::OutboundPolicy;

fn problems(config: &Value) -> Vec<String> {
    let checked = check_destination(DestinationKind::Ping, &config.to_string(), &OutboundPolicy::new(true));
    checked.err().unwrap_or_default().into_iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect()
}

/// The examples of the documentation, as they stand there.
fn examples() -> Vec<Value> {
    let lines = include_str!("../mod.rs").lines().filter_map(|line| line.strip_prefix("//!"));
    let text: String = lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
    let blocks = text.split("```json\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

#[test]
fn the_documented_examples_can_be_stored() {
    let examples = examples();
    for example in &examples {
        assert_eq!(problems(example), [""; 0], "{example}");
        let config: PingConfig = serde_json::from_value(example.clone()).unwrap();
        let again: PingConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(config, again);
    }
    let shown: Vec<Preset> = examples.iter().filter_map(|example| config(example.clone()).preset).collect();
    assert_eq!(shown, Preset::ALL, "every preset has its example, in order");
}

#[test]
fn every_preset_is_sound() {
    for preset in Preset::ALL {
        let shape: preset::Shape = serde_json::from_str(preset.written()).unwrap();
        assert_eq!(shape.mapping, preset.shape().mapping, "{preset}");
        assert!(!shape.mapping.is_empty(), "{preset}");
        // What a preset fills in is held to the rules of what is given by hand.
        let mut by_hand = PingConfig::new("https://bids.example.com/");
        by_hand.mapping = shape.mapping;
        by_hand.format = shape.format;
        by_hand.answer = Some(shape.answer);
        by_hand.answer.as_mut().unwrap().default_price_minor =
            matches!(preset, Preset::LeadDistro | Preset::PingTree).then_some(100);
        assert_eq!(by_hand.check(&OutboundPolicy::new(true)), [], "{preset}");
    }
}

#[test]
fn the_least_settings_are_enough() {
    let least = config(json!({ "url": "https://bids.example.com/" }));
    assert_eq!(least, PingConfig::new("https://bids.example.com/"));
    let ours = config(json!({ "url": "https://x.example.com/", "preset": "LEADYARD" }));
    assert_eq!(least.answer(), ours.answer());
    let (least, ours) = (least.plan(), ours.plan());
    assert_eq!(least.mapping, ours.mapping);
    assert_eq!((least.method, least.format), (PingMethod::Post, PingFormat::Json));
    assert_eq!(least.config.timeout(), Duration::from_secs(2));
}

/// Entries of the operator's replace the preset's of the same name, and a name alone takes one out.
#[test]
fn a_preset_fills_in_what_is_not_given() {
    let config = config(json!({
        "url": "https://bids.example.com/",
        "preset": "BOBERDOO",
        "mapping": [
            { "name": "Key", "value": "k" },
            { "name": "Format", "value": "XML" },
            { "name": "State" },
            { "name": "SRC", "value": "s" },
            { "name": "TYPE", "value": 33 },
        ],
        "answer": { "price": "response.cost", "unit": "MINOR" },
    }));
    assert_eq!(config.check(&OutboundPolicy::new(true)), []);
    let (plan, answer) = (config.plan(), config.answer());
    let names: Vec<&str> = plan.mapping.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["API_Action", "Mode", "Format", "Return_Best_Price", "Zip", "Key", "SRC", "TYPE"]);
    assert_eq!(plan.mapping[2].value, Some(json!("XML")));
    assert_eq!(plan.format, PingFormat::Form);
    assert_eq!(answer.price, Some(Place::Path("response.cost".to_owned())));
    assert_eq!(answer.unit, Some(PriceUnit::Minor));
    assert!(answer.success.is_some() && answer.reference.is_some());
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let config = json!({
        "url": "http://127.0.0.1/",
        "method": "GET",
        "format": "XML",
        "content_type": "xml",
        "root": "a b",
        "mapping": [
            { "name": "a", "value": 1, "field": "state" },
            { "name": "a.b", "value": [] },
            { "name": "1x", "fact": "FIELDS" },
            { "name": "c", "field": "Postal Code" },
            { "name": "*", "value": 1 },
        ],
        "headers": [["Host", "x"], ["x-ok", "y"]],
        "timeout_ms": 20,
        "hashes": [
            { "field": "", "name": "h", "algorithm": "MD5" },
            { "field": "phone", "name": "h", "algorithm": "SHA256" },
            { "field": "phone", "name": "c", "algorithm": "SHA256" },
        ],
        "answer": {
            "statuses": [200, 500],
            "success": { "path": "a..b" },
            "duplicate": { "pattern": "(" },
            "error": { "equals": [{}] },
            "shared_prices": ["a", "b.", { "path": "x", "pattern": "(?=x)" }],
            "default_price_minor": -1,
            "currency": { "path": "", "pattern": "x" },
            "default_reason": "x".repeat(300),
        },
    });
    let mut expected = [
        "url INVALID_URL",
        "method NOT_ALLOWED",
        "content_type INVALID_CONTENT_TYPE",
        "root INVALID_NAME",
        "headers.0 INVALID_HEADER",
        "mapping.0 NOT_ALLOWED",
        "mapping.1.value INVALID_VALUE",
        "mapping.1.name DUPLICATE",
        "mapping.2.name INVALID_NAME",
        "mapping.3.field INVALID_FIELD",
        "mapping.4.name INVALID_NAME",
        "hashes.0.field INVALID_FIELD",
        "hashes.1.name DUPLICATE",
        "hashes.2.name DUPLICATE",
        "timeout_ms OUT_OF_RANGE",
        "answer.success REQUIRED",
        "answer.success.path INVALID_PATH",
        "answer.duplicate.pattern INVALID_PATTERN",
        "answer.error.equals INVALID_VALUE",
        "answer.shared_prices.1 INVALID_PATH",
        "answer.shared_prices.2.pattern INVALID_PATTERN",
        "answer.currency.path INVALID_PATH",
        "answer.statuses OUT_OF_RANGE",
        "answer.default_price_minor OUT_OF_RANGE",
        "answer.default_reason TOO_LONG",
    ];
    let mut found = problems(&config);
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn settings_that_do_not_fit_together_are_refused() {
    let url = "https://bids.example.com/";
    for (config, expected) in [
        (json!({ "url": url, "preset": "PX" }), vec!["mapping REQUIRED"; 3]),
        (json!({ "url": url, "preset": "JUICED" }), vec!["headers REQUIRED"]),
        (json!({ "url": url, "preset": "PX", "template": "{}" }), vec![]),
        (
            json!({ "url": url, "preset": "PINGTREE", "headers": [["Authorization", "Bearer {secret}"]], "answer": { "price": "p" } }),
            vec![],
        ),
        (json!({ "url": url, "answer": {} }), vec!["answer.price REQUIRED", "answer.success REQUIRED"]),
        (json!({ "url": url, "answer": { "price": "p", "default_price_minor": 5 } }), vec!["answer.success REQUIRED"]),
        (json!({ "url": url, "format": "QUERY", "content_type": "text/xml" }), vec!["content_type NOT_ALLOWED"]),
        (json!({ "url": url, "format": "QUERY", "method": "POST" }), vec![]),
        (
            json!({ "url": url, "template": "{}", "mapping": [{ "name": "a", "value": 1 }] }),
            vec!["mapping NOT_ALLOWED"],
        ),
        (json!({ "url": url, "template": "{\"mail\": {{ fields.x }}" }), vec!["template TEMPLATE_NOT_JSON"]),
        (json!({ "url": url, "template": "{{ contacts.phone }}" }), vec!["template TEMPLATE_UNKNOWN_NAME"]),
        (json!({ "url": url, "template": "{{ lead_id }}" }), vec!["template TEMPLATE_UNKNOWN_NAME"]),
        (json!({ "url": url, "template": "{{ fields.x" }), vec!["template TEMPLATE_SYNTAX"]),
        (
            json!({ "url": url, "template": "{}", "hashes": [{ "field": "phone", "name": "a.b", "algorithm": "MD5" }] }),
            vec!["hashes.0.name INVALID_NAME"],
        ),
        (json!({ "url": url, "surprise": 1 }), vec!["config INVALID_CONFIG"]),
        (json!({ "url": url, "preset": "NOBODY" }), vec!["config INVALID_CONFIG"]),
        (json!({ "url": url, "answer": { "price": { "pattern": "x", "y": 1 } } }), vec!["config INVALID_CONFIG"]),
    ] {
        assert_eq!(problems(&config), expected, "{config}");
    }
}
