//! Tests of pricing against a real PostgreSQL.
