//! End-to-end tests over the whole application, with fakes of every remote system.
