//! The configuration as a text file (TOML): reading it with its lines, and writing it for people and for `diff`.

mod read;
mod write;

pub use read::parse;
pub use write::write;
