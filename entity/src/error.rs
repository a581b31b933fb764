//! What can go wrong in the store, grouped by what the caller does next.

use sea_orm::{DbErr, SqlErr};

/// A failure of the store. `Display` never holds a person's data: values are bound, and the database's own detail
/// texts (which repeat values) are not passed on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, gone or full: try again later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Too many passwords wait to be hashed: send it again in a few seconds.
    #[error("many passwords are being checked already: send it again in a few seconds")]
    Crowded,
    /// A uniqueness or integrity rule of the database refused the change.
    #[error("the database refused the change: {0}")]
    Conflict(String),
    /// What is stored cannot be read by this version.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// A sealed value cannot be opened with the keys at hand.
    #[error("a sealed value of {table} cannot be opened: {reason}")]
    Sealed {
        /// The table it lies in.
        table: &'static str,
        /// Why.
        reason: String,
    },
    /// A defect of a statement or of this program.
    #[error("the database reported a fault: {0}")]
    Fault(String),
}

/// The result of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;

impl StoreError {
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Crowded)
    }

    /// The same for another who waited for the same work.
    #[must_use]
    pub fn again(&self) -> Self {
        let text = self.to_string();
        if self.is_transient() { Self::Unavailable(text) } else { Self::Fault(text) }
    }

    /// A stored word or document that this version cannot read.
    pub fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_)) = error.sql_err() {
            return Self::Conflict(brief(&error));
        }
        match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(brief(&error)),
            _ if is_transient(&error) => Self::Unavailable(brief(&error)),
            DbErr::Type(_) | DbErr::Json(_) => Self::Corrupt(brief(&error)),
            _ => Self::Fault(brief(&error)),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => {
                Self::Unavailable(error.to_string())
            }
            other => Self::Fault(other.to_string().lines().next().unwrap_or_default().to_owned()),
        }
    }
}

/// The first line of the database's message: what failed, without the detail that repeats values.
fn brief(error: &DbErr) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(300).collect()
}

/// Whether the database itself says that it is only busy, restarting, out of space or chose us as a deadlock's victim.
fn is_transient(error: &DbErr) -> bool {
    let (DbErr::Exec(sea_orm::RuntimeErr::SqlxError(inner)) | DbErr::Query(sea_orm::RuntimeErr::SqlxError(inner))) =
        error
    else {
        return false;
    };
    match inner.as_ref() {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            // SQLite: busy 5, locked 6, read-only 8, I/O 10, full 13 (low byte). PostgreSQL: classes 08, 40, 53, 57.
            let sqlite = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13));
            let postgres = code.len() == 5 && ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class));
            if code.len() == 5 { postgres } else { sqlite }
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}
