//! A first look at a template's tags, before the engine sees it.
//!
//! The engine counts instructions, not bytes: doubling a text thirty times is cheap in fuel and a gigabyte in memory. So
//! what can make one value out of many (assignments, macros, repetition) is not offered, and one tag stays short enough
//! that its expression can neither nest deeply nor join much. This reader and the engine agree on where a tag ends because
//! braces inside tags are refused.

/// The longest tag.
const TAG_BYTES_MAX: usize = 500;

/// Tags with which a template can choose and repeat, and nothing more.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// The most statements of one template; the engine reads a chain of `elif` by recursion.
const STATEMENTS_MAX: usize = 200;

/// What is wrong with a template's tags: the line and what would be right.
pub(super) fn check_tags(source: &str) -> Result<(), (usize, &'static str)> {
    let bytes = source.as_bytes();
    let mut at = 0;
    let mut statements = 0;
    while let Some(found) = next_tag(bytes, at) {
        let line = 1 + bytes[..found].iter().filter(|byte| **byte == b'\n').count();
        let body = found + 2;
        let end = match bytes[found + 1] {
            b'#' => find(bytes, body, b"#}").ok_or((line, "a comment is not closed"))?,
            kind => {
                let close = if kind == b'%' { b"%}" } else { b"}}" };
                let end = tag_end(bytes, body, *close).map_err(|problem| (line, problem))?;
                statements += usize::from(kind == b'%');
                if statements > STATEMENTS_MAX {
                    return Err((line, "there are more than 200 statements"));
                }
                if kind == b'%' && !is_known_statement(&source[body..end]) {
                    return Err((line, "only if, elif, else, endif, for and endfor are known here"));
                }
                end
            }
        };
        at = end + 2;
    }
    Ok(())
}

/// Where the next tag begins.
fn next_tag(bytes: &[u8], from: usize) -> Option<usize> {
    let pair = bytes.get(from..)?.windows(2).position(|pair| pair[0] == b'{' && matches!(pair[1], b'{' | b'%' | b'#'));
    pair.map(|position| from + position)
}

fn find(bytes: &[u8], from: usize, what: &[u8; 2]) -> Option<usize> {
    bytes.get(from..)?.windows(2).position(|pair| pair == what).map(|position| from + position)
}

/// Where a tag's closing mark stands.
fn tag_end(bytes: &[u8], from: usize, close: [u8; 2]) -> Result<usize, &'static str> {
    let mut at = from;
    let mut open = 0_i32;
    while let Some(&byte) = bytes.get(at) {
        if at - from > TAG_BYTES_MAX {
            return Err("a tag is longer than 500 characters");
        }
        match byte {
            b'"' | b'\'' => at = string_end(bytes, at)?,
            _ if byte == close[0] && bytes.get(at + 1) == Some(&close[1]) => {
                return if open == 0 { Ok(at) } else { Err("a bracket is not closed") };
            }
            b'{' | b'}' => return Err("braces are not allowed inside a tag"),
            b'*' => return Err("`*` is not allowed inside a tag"),
            b'(' | b'[' => open += 1,
            b')' | b']' => open -= 1,
            _ => {}
        }
        at += 1;
    }
    Err("a tag is not closed")
}

/// Where a quoted text's closing quote stands.
fn string_end(bytes: &[u8], from: usize) -> Result<usize, &'static str> {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            _ if byte == bytes[from] => return Ok(at),
            _ => {}
        }
        at += 1;
    }
    Err("a quoted text is not closed")
}

fn is_known_statement(body: &str) -> bool {
    let word: &str = body.trim_start_matches(['-', '+']).trim_start();
    let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
    STATEMENTS.contains(&&word[..end])
}
