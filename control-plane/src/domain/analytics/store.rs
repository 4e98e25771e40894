//! All SQL that reads the roll-ups. Decides nothing.

use protocol::quantity::Quantity;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row, query::Query};
use time::Date;
use uuid::Uuid;

use super::rules::Range;
use super::types::{DayFigures, Figures, HourFigures, Overview, ProductFigures, ShopDay};

const OVERVIEW: &str = "SELECT coalesce(sum(sales), 0)::bigint AS sales, coalesce(sum(returns), 0)::bigint AS returns,
        coalesce(sum(lines), 0)::bigint AS lines, coalesce(sum(gross_sales_minor), 0)::bigint AS gross_sales_minor,
        coalesce(sum(returns_minor), 0)::bigint AS returns_minor, coalesce(sum(tax_minor), 0)::bigint AS tax_minor,
        coalesce(sum(discounts_minor), 0)::bigint AS discounts_minor,
        coalesce(sum(rounding_minor), 0)::bigint AS rounding_minor,
        coalesce(sum(mismatched), 0)::bigint AS mismatched, coalesce(sum(late_entries), 0)::bigint AS late_entries,
        coalesce(array_agg(DISTINCT currency ORDER BY currency), '{}') AS currencies
    FROM app.sales_days
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
        AND ($4::date IS NULL OR business_date <= $4)";
const STOCK: &str = "SELECT coalesce(sum(write_offs), 0)::bigint AS write_offs,
        coalesce(sum(lines), 0)::bigint AS write_off_lines
    FROM app.stock_days
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
        AND ($4::date IS NULL OR business_date <= $4)";
const RESTATED: &str = "SELECT count(*) AS restated_days FROM (
        SELECT shop_id, business_date FROM app.sales_days
        WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
            AND ($4::date IS NULL OR business_date <= $4) AND restated_at IS NOT NULL
        UNION
        SELECT shop_id, business_date FROM app.stock_days
        WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
            AND ($4::date IS NULL OR business_date <= $4) AND restated_at IS NOT NULL
    ) days";
const BY_DAY: &str = "SELECT business_date, sum(sales)::bigint AS sales, sum(returns)::bigint AS returns,
        sum(lines)::bigint AS lines, sum(gross_sales_minor)::bigint AS gross_sales_minor,
        sum(returns_minor)::bigint AS returns_minor, sum(tax_minor)::bigint AS tax_minor,
        sum(mismatched)::bigint AS mismatched, bool_or(restated_at IS NOT NULL) AS restated,
        array_agg(DISTINCT currency ORDER BY currency) AS currencies
    FROM app.sales_days
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
        AND ($4::date IS NULL OR business_date <= $4)
    GROUP BY business_date ORDER BY business_date DESC LIMIT $5";
const BY_HOUR: &str = "SELECT hour, sum(sales)::bigint AS sales, sum(returns)::bigint AS returns,
        sum(lines)::bigint AS lines, sum(gross_sales_minor)::bigint AS gross_sales_minor,
        sum(returns_minor)::bigint AS returns_minor, sum(tax_minor)::bigint AS tax_minor,
        array_agg(DISTINCT currency ORDER BY currency) AS currencies
    FROM app.sales_hours
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
        AND ($4::date IS NULL OR business_date <= $4)
    GROUP BY hour ORDER BY hour";
const PRODUCTS: &str = "SELECT code, (array_agg(description ORDER BY business_date DESC))[1] AS description,
        sum(lines)::bigint AS lines, sum(quantity_milli)::bigint AS quantity_milli, sum(net_minor)::bigint AS net_minor,
        sum(tax_minor)::bigint AS tax_minor, array_agg(DISTINCT currency ORDER BY currency) AS currencies
    FROM app.product_days
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
        AND ($4::date IS NULL OR business_date <= $4)
    GROUP BY code
    ORDER BY CASE WHEN $5 THEN sum(quantity_milli) ELSE sum(net_minor) END DESC, code LIMIT $6";

// The first ten of up to a year: the sum first, the name afterwards and only for those that are shown.
const TOP: &str = "SELECT t.code, t.lines, t.quantity_milli, t.net_minor, t.tax_minor, (
        SELECT d.description FROM app.product_days d
        WHERE d.tenant_id = $1 AND d.shop_id = $2 AND d.code = t.code AND d.business_date BETWEEN $3 AND $4
        ORDER BY d.business_date DESC LIMIT 1) AS description
    FROM (
        SELECT code, sum(lines)::bigint AS lines, sum(quantity_milli)::bigint AS quantity_milli,
               sum(net_minor)::bigint AS net_minor, sum(tax_minor)::bigint AS tax_minor
        FROM app.product_days
        WHERE tenant_id = $1 AND shop_id = $2 AND business_date BETWEEN $3 AND $4
        GROUP BY code ORDER BY sum(net_minor) DESC, code LIMIT $5
    ) t ORDER BY t.net_minor DESC, t.code";
const SHOP_DAYS: &str =
    "SELECT shop_id, business_date, currency, sales, returns, lines, gross_sales_minor, returns_minor,
        tax_minor, restated_at IS NOT NULL AS restated
    FROM app.sales_days WHERE tenant_id = $1 AND business_date BETWEEN $2 AND $3
    ORDER BY business_date DESC, shop_id, currency LIMIT $4";
const LAST_DAY: &str = "SELECT max(business_date) AS last FROM app.sales_days WHERE tenant_id = $1 AND shop_id = $2";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[OVERVIEW, STOCK, RESTATED, BY_DAY, BY_HOUR, PRODUCTS, TOP, SHOP_DAYS, LAST_DAY];

/// The products of one shop that came to most, over days that are both given.
pub async fn top(
    conn: &mut PgConnection,
    tenant: Uuid,
    range: &Range,
    limit: i64,
) -> Result<Vec<ProductFigures>, sqlx::Error> {
    let rows = ranged(TOP, tenant, range).bind(limit).fetch_all(conn).await?;
    rows.iter().map(product).collect()
}

/// Each shop's trading days between two days, the newest first.
pub async fn shop_days(
    conn: &mut PgConnection,
    tenant: Uuid,
    from: Date,
    to: Date,
    limit: i64,
) -> Result<Vec<ShopDay>, sqlx::Error> {
    let rows = sqlx::query(SHOP_DAYS).bind(tenant).bind(from).bind(to).bind(limit).fetch_all(conn).await?;
    let day = |row: &PgRow| {
        Ok(ShopDay {
            shop: row.try_get("shop_id")?,
            date: row.try_get("business_date")?,
            currency: row.try_get("currency")?,
            figures: figures(row)?,
            restated: row.try_get("restated")?,
        })
    };
    rows.iter().map(day).collect()
}

/// The last trading day of a shop that has figures.
pub async fn last_day(conn: &mut PgConnection, tenant: Uuid, shop: Uuid) -> Result<Option<Date>, sqlx::Error> {
    sqlx::query(LAST_DAY).bind(tenant).bind(shop).fetch_one(conn).await?.try_get("last")
}

fn product(row: &PgRow) -> Result<ProductFigures, sqlx::Error> {
    let milli: i64 = row.try_get("quantity_milli")?;
    let description: Option<String> = row.try_get("description")?;
    Ok(ProductFigures {
        code: row.try_get("code")?,
        description: description.unwrap_or_default(),
        lines: row.try_get("lines")?,
        quantity: Quantity::from_milli(milli).map_or_else(|_| format!("{milli}e-3"), |quantity| quantity.to_string()),
        net_minor: row.try_get("net_minor")?,
        tax_minor: row.try_get("tax_minor")?,
    })
}

type PgQuery = Query<'static, Postgres, sqlx::postgres::PgArguments>;

fn ranged(sql: &'static str, tenant: Uuid, range: &Range) -> PgQuery {
    sqlx::query(sql).bind(tenant).bind(range.shop).bind(range.from).bind(range.to)
}

fn figures(row: &PgRow) -> Result<Figures, sqlx::Error> {
    let gross: i64 = row.try_get("gross_sales_minor")?;
    let returned: i64 = row.try_get("returns_minor")?;
    Ok(Figures {
        sales: row.try_get("sales")?,
        returns: row.try_get("returns")?,
        lines: row.try_get("lines")?,
        gross_sales_minor: gross,
        returns_minor: returned,
        net_sales_minor: gross.saturating_sub(returned),
        tax_minor: row.try_get("tax_minor")?,
    })
}

/// The overview without its currency, and the currencies of its days.
pub async fn overview(
    conn: &mut PgConnection,
    tenant: Uuid,
    range: &Range,
) -> Result<(Overview, Vec<String>), sqlx::Error> {
    let row = ranged(OVERVIEW, tenant, range).fetch_one(&mut *conn).await?;
    let stock = ranged(STOCK, tenant, range).fetch_one(&mut *conn).await?;
    let restated_days: i64 = ranged(RESTATED, tenant, range).fetch_one(conn).await?.try_get("restated_days")?;
    let overview = Overview {
        currency: None,
        figures: figures(&row)?,
        discounts_minor: row.try_get("discounts_minor")?,
        rounding_minor: row.try_get("rounding_minor")?,
        write_offs: stock.try_get("write_offs")?,
        write_off_lines: stock.try_get("write_off_lines")?,
        mismatched: row.try_get("mismatched")?,
        late_entries: row.try_get("late_entries")?,
        restated: restated_days > 0,
        restated_days,
    };
    Ok((overview, row.try_get("currencies")?))
}

/// Rows with the currencies they are in, each once.
type Rows<T> = (Vec<T>, Vec<String>);

fn gather<T>(rows: &[PgRow], read: impl Fn(&PgRow) -> Result<T, sqlx::Error>) -> Result<Rows<T>, sqlx::Error> {
    let mut found = Vec::with_capacity(rows.len());
    let mut currencies: Vec<String> = Vec::new();
    for row in rows {
        found.push(read(row)?);
        currencies.extend(row.try_get::<Vec<String>, _>("currencies")?);
    }
    currencies.sort();
    currencies.dedup();
    Ok((found, currencies))
}

/// Days, the newest first.
pub async fn by_day(
    conn: &mut PgConnection,
    tenant: Uuid,
    range: &Range,
    limit: i64,
) -> Result<Rows<DayFigures>, sqlx::Error> {
    let rows = ranged(BY_DAY, tenant, range).bind(limit).fetch_all(conn).await?;
    gather(&rows, |row| {
        Ok(DayFigures {
            business_date: row.try_get::<Date, _>("business_date")?.to_string(),
            figures: figures(row)?,
            mismatched: row.try_get("mismatched")?,
            restated: row.try_get("restated")?,
        })
    })
}

/// Hours that have any figures.
pub async fn by_hour(conn: &mut PgConnection, tenant: Uuid, range: &Range) -> Result<Rows<HourFigures>, sqlx::Error> {
    let rows = ranged(BY_HOUR, tenant, range).fetch_all(conn).await?;
    gather(&rows, |row| Ok(HourFigures { hour: row.try_get("hour")?, figures: figures(row)? }))
}

/// The first products by what they came to, or by how many went.
pub async fn products(
    conn: &mut PgConnection,
    tenant: Uuid,
    range: &Range,
    by_quantity: bool,
    limit: i64,
) -> Result<Rows<ProductFigures>, sqlx::Error> {
    let rows = ranged(PRODUCTS, tenant, range).bind(by_quantity).bind(limit).fetch_all(conn).await?;
    gather(&rows, product)
}
