//! Mail to people who sign in.

use crate::words;

words! {
    /// How a letter to somebody stands.
    pub enum MailState("mail state") {
        /// It is on its way, or waits for the next try.
        Waiting = "WAITING",
        /// The mail server took it.
        Sent = "SENT",
        /// It was refused for good, or could not be sent in time.
        Failed = "FAILED",
    }
}
