//! Tests of sales against a real PostgreSQL.
