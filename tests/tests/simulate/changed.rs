//! A change is priced.
