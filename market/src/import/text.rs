//! Files as people have them: UTF-8 with and without a byte order mark, UTF-16, Windows-1252. Everything after this
//! reads UTF-8, in pieces of constant size.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use sha2::{Digest, Sha256};

/// How much is read at a time.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// What one pass over a file says about it.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts {
    /// The SHA-256 of its bytes: what makes it the same file.
    pub sha256: [u8; 32],
    /// How long it is.
    pub bytes: u64,
    /// How its text is written.
    pub encoding: &'static Encoding,
}

impl FileFacts {
    /// The hash as hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads a file once, in constant memory, to find out what it is.
///
/// # Errors
/// What the file system says.
pub fn scan(mut file: impl Read) -> io::Result<FileFacts> {
    let (mut digest, mut census) = (Sha256::new(), Census::default());
    let (mut bytes, mut head) = (0_u64, Vec::with_capacity(4_096));
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = chunk.get(..read).unwrap_or_default();
        digest.update(piece);
        census.add(piece);
        let missing = 4_096_usize.saturating_sub(head.len());
        head.extend(piece.iter().take(missing));
        bytes += read as u64;
    }
    let encoding = Encoding::for_bom(&head).map(|(encoding, _)| encoding).or_else(|| without_mark(&head));
    Ok(FileFacts { sha256: digest.finalize().into(), bytes, encoding: encoding.unwrap_or_else(|| census.verdict()) })
}

/// UTF-16 without a mark: every second byte of Latin text is zero, and no other encoding has zeros.
fn without_mark(head: &[u8]) -> Option<&'static Encoding> {
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
    match () {
        () if half >= 4 && odd * 2 > half && even * 8 < half => Some(UTF_16LE),
        () if half >= 4 && even * 2 > half && odd * 8 < half => Some(UTF_16BE),
        () => None,
    }
}

/// Counts sequences of UTF-8 that are right, and bytes that cannot be UTF-8.
#[derive(Debug, Default)]
struct Census {
    right: u64,
    wrong: u64,
    /// Continuation bytes that the last lead byte still asks for.
    awaited: u8,
}

impl Census {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let is_continuation = (0x80..0xC0).contains(byte);
            if self.awaited > 0 && is_continuation {
                self.awaited -= 1;
                self.right += u64::from(self.awaited == 0);
                continue;
            }
            self.wrong += u64::from(self.awaited > 0);
            self.awaited = match byte {
                0xC2..=0xDF => 1,
                0xE0..=0xEF => 2,
                0xF0..=0xF4 => 3,
                _ => 0,
            };
            self.wrong += u64::from(self.awaited == 0 && *byte >= 0x80);
        }
    }

    /// One broken byte in a UTF-8 file breaks its row only, not every other name in the file.
    fn verdict(&self) -> &'static Encoding {
        if self.right >= self.wrong { UTF_8 } else { WINDOWS_1252 }
    }
}

/// A file's text as UTF-8. What cannot be read becomes U+FFFD; its row is refused later.
pub struct Utf8Reader<R> {
    file: R,
    decoder: Decoder,
    raw: Vec<u8>,
    /// The part of `raw` that is not decoded yet.
    pending: std::ops::Range<usize>,
    ended: bool,
    finished: bool,
    read_bytes: u64,
}

impl<R: Read> Utf8Reader<R> {
    /// Reads `file` in an encoding; a byte order mark is dropped.
    pub fn new(file: R, encoding: &'static Encoding) -> Self {
        Self {
            file,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: vec![0; CHUNK_BYTES],
            pending: 0..0,
            ended: false,
            finished: false,
            read_bytes: 0,
        }
    }

    /// How much of the file was read, for progress.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    fn refill(&mut self) -> io::Result<()> {
        let read = self.file.read(&mut self.raw)?;
        self.pending = 0..read;
        self.ended = read == 0;
        self.read_bytes += read as u64;
        Ok(())
    }
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // The decoder wants room for one whole character.
        if out.len() < 16 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a larger buffer is expected"));
        }
        while !self.finished {
            if self.pending.is_empty() && !self.ended {
                self.refill()?;
            }
            let source = self.raw.get(self.pending.clone()).unwrap_or_default();
            let (result, consumed, written, _) = self.decoder.decode_to_utf8(source, out, self.ended);
            self.pending.start += consumed;
            self.finished = self.ended && result == CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(bytes: &[u8]) -> (String, &'static str) {
        let facts = scan(bytes).unwrap();
        let mut text = String::new();
        // Through a small buffer, so that characters lie across its edges.
        let mut reader = Utf8Reader::new(bytes, facts.encoding);
        let (mut buffer, mut all) = ([0; 17], Vec::new());
        loop {
            let read = reader.read(&mut buffer).unwrap();
            if read == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..read]);
        }
        text.push_str(std::str::from_utf8(&all).unwrap());
        assert_eq!(reader.read_bytes(), bytes.len() as u64);
        (text, facts.encoding.name())
    }

    fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
        let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    /// Files from every habit give the same text.
    #[test]
    fn encodings_are_recognised() {
        let text = "name;city\nJürgen Groß;Köln\nZoë;€uro\n";
        assert_eq!(text_of(text.as_bytes()), (text.into(), "UTF-8"));
        assert_eq!(text_of(&[b"\xEF\xBB\xBF", text.as_bytes()].concat()), (text.into(), "UTF-8"));
        let (windows, ..) = WINDOWS_1252.encode(text);
        assert_eq!(text_of(&windows), (text.into(), "windows-1252"));
        for little in [true, false] {
            let name = if little { "UTF-16LE" } else { "UTF-16BE" };
            for mark in [true, false] {
                assert_eq!(text_of(&utf16(text, little, mark)), (text.into(), name), "{little} {mark}");
            }
        }
        assert_eq!(text_of(b""), (String::new(), "UTF-8"));
        assert_eq!(text_of(b"a,b\n1,2\n"), ("a,b\n1,2\n".into(), "UTF-8"));
    }

    /// One broken byte does not turn a whole UTF-8 file into another encoding.
    #[test]
    fn a_broken_byte_stays_alone() {
        let (text, encoding) = text_of(b"J\xC3\xBCrgen\nK\xF6ln\nZo\xC3\xAB\n");
        assert_eq!((text.as_str(), encoding), ("Jürgen\nK\u{FFFD}ln\nZoë\n", "UTF-8"));
    }

    /// The hash is the file's own.
    #[test]
    fn the_hash_is_sha_256() {
        let facts = scan(&b"abc"[..]).unwrap();
        assert_eq!(facts.bytes, 3);
        assert_eq!(facts.hash(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
