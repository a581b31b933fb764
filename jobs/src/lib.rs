//! Background work: apalis workers and schedules over our own task table.
