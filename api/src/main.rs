//! The `leadyard` binary.
fn main() {}
