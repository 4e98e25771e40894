//! Rows made up from a table's own columns, so that a table of tomorrow gets one too. Knows no policy.

use sqlx::PgConnection;

/// A table with what a made-up row of it needs.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Its name in schema app.
    pub(super) name: String,
    /// Its columns that take a value.
    columns: Vec<Column>,
}

#[derive(Clone, Debug, sqlx::FromRow)]
struct Column {
    name: String,
    kind: String,
    nullable: bool,
    enum_label: Option<String>,
}

/// By what a row belongs to a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belongs {
    /// It says so itself.
    Shop,
    /// By its node.
    Node,
    /// To the whole company.
    Company,
}

/// A shop of ours, and the node in it.
pub(super) const SHOP: &str = "cccccccc-0000-4000-8000-000000000003";

const TABLES: &str = "SELECT c.relname::text FROM pg_class c
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";
const COLUMNS: &str = "SELECT a.attname::text AS name, format_type(t.oid, NULL) AS kind, NOT a.attnotnull AS nullable,
           (SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder LIMIT 1) AS enum_label
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = format('app.%I', $1)::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum";

impl Table {
    /// All there are.
    pub(super) async fn all(admin: &mut PgConnection) -> Result<Vec<Self>, sqlx::Error> {
        let names: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *admin).await?;
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            let columns = sqlx::query_as(COLUMNS).bind(&name).fetch_all(&mut *admin).await?;
            tables.push(Self { name, columns });
        }
        Ok(tables)
    }

    /// By what its rows belong to a shop.
    pub(super) fn belongs(&self) -> Belongs {
        let has = |wanted: &str| self.columns.iter().any(|column| column.name == wanted && !column.nullable);
        if has("shop_id") {
            Belongs::Shop
        } else if has("node_id") && !self.columns.iter().any(|column| column.name == "shop_id") {
            Belongs::Node
        } else {
            Belongs::Company
        }
    }

    /// The statement that plants a row of a tenant.
    pub(super) fn insert(&self, tenant: &str) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let values: Vec<String> = self.columns.iter().map(|column| value(column, tenant)).collect();
        format!("INSERT INTO app.{} ({}) VALUES ({})", self.name, names.join(", "), values.join(", "))
    }
}

/// A value of a column's type.
fn value(column: &Column, tenant: &str) -> String {
    if column.name == "tenant_id" {
        return format!("'{tenant}'");
    }
    if let Some(label) = &column.enum_label {
        return format!("'{label}'");
    }
    let text = match column.kind.as_str() {
        "uuid" => return format!("'{SHOP}'"),
        "text" | "character varying" | "character" => "'x'",
        "bigint" | "integer" | "smallint" | "numeric" | "real" | "double precision" => "1",
        "boolean" => "false",
        "bytea" => "decode(repeat('00', 32), 'hex')",
        "timestamp with time zone" | "timestamp without time zone" => "'2026-11-20 12:00:00+00'",
        "date" => "'2026-11-20'",
        "time without time zone" => "'12:00'",
        "interval" => "'1 day'",
        "json" | "jsonb" => "'{}'",
        "inet" | "cidr" => "'127.0.0.1'",
        kind if kind.ends_with("[]") => "'{}'",
        _ if column.nullable => "NULL",
        kind => return format!("NULL /* the probe knows no value of {kind} */"),
    };
    text.to_owned()
}
