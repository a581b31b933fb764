//! A source file, with its code and its comments apart, so that a word in a string or a comment is not taken for code.

/// One `.rs` file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it lies, from the workspace's root, with `/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// The code: comments and the contents of strings are blanks.
    pub(crate) code: String,
    /// The code that is not only for tests.
    pub(crate) production: String,
    /// The comments: everything else is blanks.
    pub(crate) comments: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let production = if is_test_path(path) { String::new() } else { without_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, production, comments }
    }
}

/// Whether a file holds only tests, benches or examples.
fn is_test_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let (file, folders) = parts.split_last().unwrap_or((&"", &[]));
    *file == "tests.rs" || folders.iter().any(|folder| ["tests", "benches", "examples"].contains(folder))
}

/// The line (from 1) a byte of the text stands on.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// Whether a character can be part of a name.
pub(crate) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Where `word` stands in `text`, not as the end (or, where it ends in a letter, the beginning) of a longer name.
pub(crate) fn find_word(text: &str, word: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let touches = |inside: Option<u8>, outside: Option<&u8>| {
        inside.is_some_and(is_name) && outside.is_some_and(|byte| is_name(*byte))
    };
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            !touches(word.bytes().next(), before) && !touches(word.bytes().last(), bytes.get(at + word.len()))
        })
        .collect()
}

/// Text to code and comments, each as long as the text and with its line ends.
fn split(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let blank: Vec<u8> = bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect();
    let (mut code, mut comments) = (blank.clone(), blank);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let follows_name = at > 0 && is_name(bytes[at - 1]);
        if rest.starts_with(b"//") {
            let end = at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            comments[at..end].copy_from_slice(&bytes[at..end]);
            at = end;
        } else if rest.starts_with(b"/*") {
            let end = at + block_comment_length(rest);
            comments[at..end].copy_from_slice(&bytes[at..end]);
            at = end;
        } else if let Some(length) = raw_string_length(rest).filter(|_| !follows_name) {
            at += length;
        } else if rest[0] == b'"' {
            at += quoted_length(rest, b'"');
        } else if rest[0] == b'\'' && is_character(rest) {
            at += quoted_length(rest, b'\'');
        } else {
            code[at] = bytes[at];
            at += 1;
        }
    }
    (String::from_utf8_lossy(&code).into_owned(), String::from_utf8_lossy(&comments).into_owned())
}

/// `/* … */`, nested.
fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`: no escapes inside.
fn raw_string_length(rest: &[u8]) -> Option<usize> {
    let prefix = [&b"r"[..], b"br", b"cr"].into_iter().find(|prefix| rest.starts_with(prefix))?.len();
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return None;
    }
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = prefix + hashes + 1;
    let length = rest[body..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| body + length + end.len()))
}

/// A string or a character, with escapes.
fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Whether a `'` begins a character and not a lifetime.
fn is_character(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(first) => {
            let length = match *first {
                0..0x80 => 1,
                0x80..0xE0 => 2,
                0xE0..0xF0 => 3,
                _ => 4,
            };
            rest.get(1 + length) == Some(&b'\'')
        }
        None => false,
    }
}

/// The code with every item marked `#[cfg(test)]` blanked.
fn without_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for mark in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(mark) {
            let end = start + item_length(&code.as_bytes()[start..]);
            for byte in &mut bytes[start..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// From an item's first attribute to its `;` or its closing brace.
fn item_length(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments, strings and characters leave the code; names, lifetimes and line numbers stay.
    #[test]
    fn code_and_comments_part() {
        let text = "let a = \"// no\"; // yes \"b\"\nfn f<'a>(c: char) { c == '\"'; c == '\\''; r#\"x\"y\"#; /* /* in */ out */ g('é') }";
        let (code, comments) = split(text);
        assert_eq!(code.len(), text.len());
        assert!(code.contains("fn f<'a>(c: char) { c ==") && code.contains("g("), "{code}");
        assert!(
            !code.contains("yes") && !code.contains("no") && !code.contains("out") && !code.contains('x'),
            "{code}"
        );
        assert!(comments.contains("// yes \"b\"") && comments.contains("/* /* in */ out */"), "{comments}");
        assert!(!comments.contains("no"), "{comments}");
        assert_eq!(line_of(text, text.find("fn f").expect("it is there")), 2);
    }

    /// Test modules are no production code; what follows them is.
    #[test]
    fn tests_are_cut_out() {
        let code = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn b() { [1; 2]; } }\n#[cfg(test)]\nmod more;\nfn c() {}";
        let production = without_tests(code);
        assert!(production.contains("fn a()") && production.contains("fn c()"), "{production}");
        assert!(!production.contains("fn b()") && !production.contains("more"), "{production}");
        assert_eq!(Source::new("jobs/tests/a.rs", code).production, "");
        assert_eq!(Source::new("market/src/rules/tests.rs", code).production, "");
        assert!(!Source::new("market/src/tests_of_sale.rs", code).production.is_empty());
    }

    /// A word is found where it stands alone.
    #[test]
    fn words_stand_alone() {
        assert_eq!(find_word("print!(); eprint!(); print!x", "print!"), [0, 21]);
        assert_eq!(find_word("a sea_orm::B x_sea_orm::C", "sea_orm::"), [2]);
        assert_eq!(find_word("AB ABC CAB AB", "AB"), [0, 11]);
    }
}
