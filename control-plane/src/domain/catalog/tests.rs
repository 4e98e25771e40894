//! Tests of catalog against a real PostgreSQL.
