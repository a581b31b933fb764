//! Hostile documents: what makes a parser, a validator or an engine do much more than was sent.

use serde_json::{Value, json};

/// One sort: its name and the bodies that are sent in turn.
pub(super) struct Sort {
    pub(super) name: &'static str,
    pub(super) bodies: Vec<Vec<u8>>,
    /// Whether it is allowed and runs: then it may take its time, and must not take others'.
    pub(super) runs: bool,
}

fn sort(name: &'static str, documents: impl IntoIterator<Item = String>) -> Sort {
    let bodies = documents.into_iter().map(|document| body(&document, &Value::Null)).collect();
    Sort { name, bodies, runs: false }
}

fn raw(name: &'static str, bodies: impl IntoIterator<Item = Vec<u8>>) -> Sort {
    Sort { name, bodies: bodies.into_iter().collect(), runs: false }
}

fn body(document: &str, variables: &Value) -> Vec<u8> {
    json!({ "query": document, "variables": variables }).to_string().into_bytes()
}

/// So many of something, numbered.
fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

fn nested(before: &str, open: &str, inside: &str, close: &str, times: usize) -> String {
    format!("{before}{}{inside}{}", open.repeat(times), close.repeat(times))
}

/// Every sort there is.
pub(super) fn sorts() -> Vec<Sort> {
    let mut all = shapes();
    all.extend(fragments());
    all.extend(crowds());
    all.extend(values());
    all.extend(bodies());
    all
}

fn shapes() -> Vec<Sort> {
    vec![
        sort("lists 2,000 deep (4 KB)", [nested("{a(x:", "[", "1", "]", 2_000) + ")}"]),
        sort("lists never closed", [nested("{a(x:", "[", "", "", 2_000)]),
        sort("objects 2,000 deep", [nested("{a(x:", "{a:", "1", "}", 2_000) + ")}"]),
        sort("selections 2,000 deep", [nested("", "{a", "", "}", 2_000), nested("", "{...", "{a}", "}", 2_000)]),
        sort("types 2,000 deep", [nested("query($a:", "[", "Int", "]", 2_000) + "){a}"]),
        sort("selections 40 deep, and wide", [nested("", "{a b c d e f g h i j ...", "{a}", "}", 38)]),
    ]
}

fn fragments() -> Vec<Sort> {
    let fan = |last: &str| {
        let spread = |name: &str| format!("...{name} ").repeat(60);
        format!(
            "{{{}}} fragment A on Query{{{}}} fragment B on Query{{{}}} fragment C on Query{{{}}} fragment D on Query{{{last}}}",
            spread("A"),
            spread("B"),
            spread("C"),
            spread("D")
        )
    };
    let same = |count| many(count, |n| if n % 2 == 0 { "x:viewer{a}".into() } else { "x:node(id:1){b}".into() });
    vec![
        sort("fragments spread 60^4 times", [fan("__typename")]),
        sort("the same of nothing", [fan("...Nowhere"), fan("... on Query{...Nowhere}")]),
        sort(
            "fragments in a circle",
            [
                "{...A} fragment A on Query{...B} fragment B on Query{...A}".to_owned(),
                format!("{{...F0}}{}", many(90, |n| format!("fragment F{n} on Query{{...F{}}}", (n + 1) % 90))),
            ],
        ),
        sort(
            "fragments nobody spreads",
            [format!(
                "{{__typename}} fragment U on Query{{{}}} fragment F on Viewer{{{}}}",
                many(1_000, |n| format!("a{n}:viewer{{...F}}")),
                many(1_200, |n| format!("x:{} ", if n % 2 == 0 { "user" } else { "buyer" }))
            )],
        ),
        sort(
            "one name for 900 fields, 30 times around",
            [
                format!("{{{}}}", nested("", "...{", &same(900), "}", 30)),
                format!("{{x:leads({}){{a}}{}}}", many(300, |n| format!("a{n}:1 ")), "x:leads{b}".repeat(900)),
            ],
        ),
        sort(
            "100 operations of one fragment",
            [
                many(100, |n| format!("query q{n}{{...F}}")) + "fragment F on Query{" + &same(900) + "}",
                many(100, |n| format!("query q{n}{{...F}}"))
                    + "fragment F on Query{node(id:["
                    + &many(2_000, |n| format!("$v{n} "))
                    + "]){id}}",
            ],
        ),
    ]
}

fn crowds() -> Vec<Sort> {
    let dear = "{ buyers(first: 20) { nodes { name contracts(first: 20) { nodes { name price { amount } } } \
                sales(first: 20) { nodes { id price { amount } lead { id state receivedAt fields { key value } } } } } } }";
    vec![
        sort("3,300 aliases", [format!("{{{}}}", many(3_300, |n| format!("a{n}:__typename ")))]),
        sort("2,900 aliases", [format!("{{{}}}", many(2_900, |n| format!("a{n}:__typename ")))]),
        sort(
            "900 aliases of a list",
            [format!("{{{}}}", many(900, |n| format!("a{n}:leads(first:100){{nodes{{id}}}}")))],
        ),
        sort(
            "900 sign-ins in one",
            [format!(
                "mutation{{{}}}",
                many(900, |n| format!("a{n}:sessionCreate(input:{{email:\"a\",password:\"b\"}}){{session{{id}}}}"))
            )],
        ),
        sort(
            "3,000 directives",
            [
                format!("{{viewer {}{{a}}}}", "@skip(if:false) ".repeat(3_000)),
                format!("{{viewer {}{{a}}}}", "@a".repeat(9_000)),
            ],
        ),
        sort("3,000 operations", [many(3_000, |n| format!("query q{n}{{a}}"))]),
        sort(
            "pages of no size",
            ["99999999999999999999", "2147483648", "-1", "0", "1e400", "\"1\"", "[1]", "$n"]
                .map(|size| format!("{{leads(first:{size}){{nodes{{__typename}}}}}}")),
        ),
        sort(
            "introspection in circles",
            [
                format!("{{__schema{{types{{{}}}}}}}", nested("", "fields{type{", "name", "}}", 18)),
                format!("{{{}}}", many(250, |n| format!("a{n}:__schema{{types{{fields{{type{{fields{{name}}}}}}}}}}"))),
            ],
        ),
        Sort { runs: true, ..sort("dear, and allowed", [dear.to_owned()]) },
    ]
}

fn values() -> Vec<Sort> {
    let named = |uses: usize| format!("query($v:ID!){{{}}}", many(uses, |n| format!("a{n}:node(id:$v){{id}}")));
    let numbers: Vec<u8> = vec![0; 20_000];
    let paged = format!("query($v:Int){{{}}}", many(500, |n| format!("a{n}:leads(first:$v){{nodes{{id}}}}")));
    let depth = |times: usize| {
        format!("{{\"query\":\"{{viewer{{a}}}}\",\"variables\":{{\"a\":{}{}}}}}", "[".repeat(times), "]".repeat(times))
    };
    let objects = |times: usize| {
        format!("{{\"query\":\"{{viewer{{a}}}}\",\"variables\":{}1{}}}", "{\"a\":".repeat(times), "}".repeat(times))
    };
    vec![
        raw(
            "variables 100 to 20,000 deep",
            [depth(100), depth(20_000), objects(100), objects(9_000)].map(String::into_bytes),
        ),
        raw(
            "a large variable named 900 times",
            [
                body(&named(900), &json!({ "v": numbers })),
                body(&paged, &json!({ "v": numbers })),
                body(&named(900), &json!({ "v": "x".repeat(30_000) })),
            ],
        ),
        raw(
            "6,000 variables",
            [body("{viewer{a}}", &Value::Object((0..6_000).map(|n| (n.to_string(), json!(0))).collect()))],
        ),
        sort(
            "1,200 variables defined",
            [format!(
                "query({}){{node(id:[{}]){{id}}}}",
                many(1_200, |n| format!("$v{n}:Int ")),
                many(2_000, |n| format!("$v{} ", n % 1_200))
            )],
        ),
        sort(
            "a text of 60 KB",
            [
                format!("{{node(id:\"{}\"){{id}}}}", "x".repeat(60_000)),
                format!("{{node(id:\"{}\"){{id}}}}", "\\u00e4".repeat(4_500)),
                format!("{{node(id:\"{}", "x".repeat(60_000)),
                format!("{{node(id:\"\"\"{}\"\"\"){{id}}}}", "\n x".repeat(15_000)),
            ],
        ),
        sort(
            "a number of 60 KB",
            [
                format!("{{leads(first:{}){{nodes{{id}}}}}}", "9".repeat(60_000)),
                format!("{{leads(first:1.{}e9){{nodes{{id}}}}}}", "9".repeat(60_000)),
            ],
        ),
        sort("a name of 60 KB", [format!("{{{}}}", "x".repeat(60_000)), format!("{{...{}}}", "x".repeat(60_000))]),
        sort(
            "60 KB of nothing",
            [
                format!("{{{}viewer{{a}}}}", ",".repeat(60_000)),
                format!("{{viewer{{a}}}}{}", " ".repeat(60_000)),
                format!("{{viewer #{}\n{{a}}}}", "x".repeat(60_000)),
                format!("{{viewer{}{{a}}}}", "#\n".repeat(15_000)),
                ",".repeat(60_000),
            ],
        ),
    ]
}

fn bodies() -> Vec<Sort> {
    let noise: Vec<u8> = (0..60_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    vec![
        raw(
            "keys twice",
            [
                br#"{"query":"{viewer{a}}","query":"{__typename}"}"#.to_vec(),
                format!("{{{}\"query\":\"{{viewer{{a}}}}\"}}", "\"variables\":{},".repeat(3_500)).into_bytes(),
            ],
        ),
        raw("no UTF-8", [b"{\"query\":\"{viewer{\xff\xfe}}\"}".to_vec(), b"{\"query\":\"\xc0\xaf\"}".to_vec(), noise]),
        raw("surrogates alone", [br#"{"query":"{viewer{\ud800}}"}"#.to_vec()]),
        raw(
            "no JSON",
            [b"".to_vec(), b"[".repeat(60_000), b"{\"a\":".repeat(10_000), b"null".to_vec(), b"[]".to_vec()],
        ),
        raw(
            "a number beyond numbers",
            [format!("{{\"query\":\"{{a}}\",\"variables\":{{\"a\":1e{}}}}}", "9".repeat(50_000)).into_bytes()],
        ),
        raw("a body of 300 KB", [body(&"x".repeat(300_000), &Value::Null)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything but what is meant to be too long fits a body: it is the document that is refused, not its length.
    #[test]
    fn documents_fit_a_body() {
        for sort in sorts() {
            for body in sort.bodies {
                assert!(body.len() <= 64 * 1024 || sort.name == "a body of 300 KB", "{}: {}", sort.name, body.len());
            }
        }
    }
}
