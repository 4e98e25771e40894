//! All SQL that reads the roll-ups. Decides nothing.

use protocol::quantity::Quantity;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row, query::Query};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::parts::Parts;
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

// The first ten of up to a year, out of the parts of `parts::Parts`. The sum first, the name afterwards and only for those
// that are shown: as the last days called it, or the last sum over a year so far, or any day of the range. OFFSET 0 keeps
// each part, and each day that is asked for a name, a search of its own in the key: joined freely, the planner without figures of a fresh table read all days.
const TOP: &str = "SELECT t.code, t.lines, t.quantity_milli, t.net_minor, t.tax_minor, coalesce(
        (SELECT d.description FROM generate_series(0, 13) AS back CROSS JOIN LATERAL (
             SELECT x.description FROM app.product_days x
             WHERE x.tenant_id = $1 AND x.shop_id = $2 AND x.business_date = $5::date - back AND x.currency = $3
                 AND x.code = t.code AND x.business_date >= $4 OFFSET 0) d
         ORDER BY back LIMIT 1),
        (SELECT y.description FROM app.product_years y
         WHERE y.tenant_id = $1 AND y.shop_id = $2 AND y.currency = $3 AND y.code = t.code
             AND y.through = ANY ($6::date[]) ORDER BY y.through DESC LIMIT 1),
        (SELECT d.description FROM app.product_days d
         WHERE d.tenant_id = $1 AND d.shop_id = $2 AND d.currency = $3 AND d.code = t.code
             AND d.business_date BETWEEN $4 AND $5 ORDER BY d.business_date DESC LIMIT 1)) AS description
    FROM (
        SELECT code, sum(lines)::bigint AS lines, sum(quantity_milli)::bigint AS quantity_milli,
               sum(net_minor)::bigint AS net_minor, sum(tax_minor)::bigint AS tax_minor
        FROM (
            SELECT d.code, p.sign * d.lines AS lines, p.sign * d.quantity_milli AS quantity_milli,
                   p.sign * d.net_minor AS net_minor, p.sign * d.tax_minor AS tax_minor
            FROM unnest($8::date[], $9::date[], $10::bigint[]) AS p (first, last, sign)
            CROSS JOIN LATERAL (SELECT * FROM app.product_days d
                WHERE d.tenant_id = $1 AND d.shop_id = $2 AND d.currency = $3
                    AND d.business_date BETWEEN p.first AND p.last OFFSET 0) d
            UNION ALL
            SELECT y.code, h.sign * y.lines, h.sign * y.quantity_milli, h.sign * y.net_minor, h.sign * y.tax_minor
            FROM unnest($6::date[], $7::bigint[]) AS h (through, sign)
            CROSS JOIN LATERAL (SELECT * FROM app.product_years y
                WHERE y.tenant_id = $1 AND y.shop_id = $2 AND y.currency = $3 AND y.through = h.through OFFSET 0) y
        ) parts GROUP BY code HAVING sum(lines) <> 0 ORDER BY sum(net_minor) DESC, code LIMIT $11
    ) t ORDER BY t.net_minor DESC, t.code";
const SHOP_DAYS: &str =
    "SELECT shop_id, business_date, currency, sales, returns, lines, gross_sales_minor, returns_minor,
        tax_minor, restated_at IS NOT NULL AS restated
    FROM app.sales_days WHERE tenant_id = $1 AND business_date BETWEEN $2 AND $3
    ORDER BY business_date DESC, shop_id, currency LIMIT $4";
const LAST_DAY: &str = "SELECT max(business_date) AS last FROM app.sales_days WHERE tenant_id = $1 AND shop_id = $2";

// Days that had passed when they were shown and that nobody had seen.
const SEE: &str = "INSERT INTO app.days_seen (tenant_id, shop_id, business_date, first_at)
    SELECT $1, d.shop_id, d.business_date, $4::timestamptz
    FROM unnest($2::uuid[], $3::date[]) AS d (shop_id, business_date)
    ON CONFLICT DO NOTHING";
const SEEN: &str = "SELECT shop_id, business_date, first_at FROM app.days_seen
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND business_date BETWEEN $3 AND $4 LIMIT $5";
const MOVED: &str = "SELECT shop_id, business_date, max(restated_at) AS restated_at FROM app.sales_days
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND business_date BETWEEN $3 AND $4
    GROUP BY shop_id, business_date LIMIT $5";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] =
    &[OVERVIEW, STOCK, RESTATED, BY_DAY, BY_HOUR, PRODUCTS, TOP, SHOP_DAYS, LAST_DAY, SEE, SEEN, MOVED];

/// What the first products are asked by: a shop, its currency, the days, and the parts they are put together from.
#[derive(Debug)]
pub struct Top<'a> {
    /// The shop.
    pub shop: Uuid,
    /// Sums of one currency only.
    pub currency: &'a str,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// What adds up to these days.
    pub parts: &'a Parts,
    /// How many products.
    pub limit: i64,
}

/// The products of one shop that came to most.
pub async fn top(conn: &mut PgConnection, tenant: Uuid, asked: &Top<'_>) -> Result<Vec<ProductFigures>, sqlx::Error> {
    let heads: Vec<Date> = asked.parts.heads.iter().map(|head| head.0).collect();
    let head_signs: Vec<i64> = asked.parts.heads.iter().map(|head| i64::from(head.1)).collect();
    let firsts: Vec<Date> = asked.parts.days.iter().map(|days| days.0).collect();
    let lasts: Vec<Date> = asked.parts.days.iter().map(|days| days.1).collect();
    let signs: Vec<i64> = asked.parts.days.iter().map(|days| i64::from(days.2)).collect();
    let query = sqlx::query(TOP).bind(tenant).bind(asked.shop).bind(asked.currency).bind(asked.from).bind(asked.to);
    let query = query.bind(heads).bind(head_signs).bind(firsts).bind(lasts).bind(signs).bind(asked.limit);
    query.fetch_all(conn).await?.iter().map(product).collect()
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

/// When each day of a shop, or of all, was first seen after it had passed; at most `limit` days.
pub async fn seen(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Option<Uuid>,
    (from, to): (Date, Date),
    limit: i64,
) -> Result<Vec<(Uuid, Date, OffsetDateTime)>, sqlx::Error> {
    sqlx::query_as(SEEN).bind(tenant).bind(shop).bind(from).bind(to).bind(limit).fetch_all(conn).await
}

/// Days with figures, and when they last changed after the day had passed; at most `limit` days.
pub async fn moved(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Option<Uuid>,
    (from, to): (Date, Date),
    limit: i64,
) -> Result<Vec<(Uuid, Date, Option<OffsetDateTime>)>, sqlx::Error> {
    sqlx::query_as(MOVED).bind(tenant).bind(shop).bind(from).bind(to).bind(limit).fetch_all(conn).await
}

/// Notes that a person has seen these days.
pub async fn see(
    conn: &mut PgConnection,
    tenant: Uuid,
    days: &[(Uuid, Date)],
    at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    let (shops, dates): (Vec<Uuid>, Vec<Date>) = days.iter().copied().unzip();
    sqlx::query(SEE).bind(tenant).bind(shops).bind(dates).bind(at).execute(conn).await.map(drop)
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
