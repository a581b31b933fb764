//! Schema changes, frozen once landed.
