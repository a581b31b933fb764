//! The outside world: one guarded HTTP client and a folder per remote system.
