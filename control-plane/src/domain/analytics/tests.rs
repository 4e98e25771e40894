//! Tests of analytics against a real PostgreSQL.
