//! SeaORM models, one file per table, and the only queries and transactions there are.
