//! All SQL of the sums of products over a year so far. Decides nothing.

use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

const ONE_SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
const STALE: &str = "WITH months AS (
        SELECT shop_id, (date_trunc('month', business_date) + interval '1 month - 1 day')::date AS through,
               sum(sales + returns) AS tickets
        FROM app.sales_days WHERE tenant_id = $1 GROUP BY 1, 2
    ), so_far AS (
        SELECT shop_id, through, (sum(tickets) OVER (PARTITION BY shop_id, date_trunc('year', through)
                                                     ORDER BY through))::bigint AS tickets
        FROM months
    )
    SELECT s.shop_id, s.through FROM so_far s
    LEFT JOIN app.product_year_heads h ON h.tenant_id = $1 AND h.shop_id = s.shop_id AND h.through = s.through
    WHERE s.through < $2 AND h.tickets IS DISTINCT FROM s.tickets
    ORDER BY s.shop_id, s.through LIMIT $3";
const FRESH: &str = "SELECT h.through FROM app.product_year_heads h
    WHERE h.tenant_id = $1 AND h.shop_id = $2 AND h.through BETWEEN $3 AND $4
        AND h.tickets = (SELECT coalesce(sum(d.sales + d.returns), 0) FROM app.sales_days d
                         WHERE d.tenant_id = $1 AND d.shop_id = $2
                             AND d.business_date BETWEEN date_trunc('year', h.through)::date AND h.through)
    ORDER BY h.through";
const EMPTY: &str = "DELETE FROM app.product_years WHERE tenant_id = $1 AND shop_id = $2 AND through = $3";
// The month before, where it holds, and the days since.
const FILL: &str = "INSERT INTO app.product_years (tenant_id, shop_id, through, currency, code, description, lines,
        quantity_milli, net_minor, tax_minor)
    SELECT $1, $2, $3, currency, code, (array_agg(description ORDER BY at DESC))[1], sum(lines)::bigint,
           sum(quantity_milli)::bigint, sum(net_minor)::bigint, sum(tax_minor)::bigint
    FROM (
        SELECT through AS at, currency, code, description, lines, quantity_milli, net_minor, tax_minor
        FROM app.product_years WHERE tenant_id = $1 AND shop_id = $2 AND through = $4
        UNION ALL
        SELECT business_date, currency, code, description, lines, quantity_milli, net_minor, tax_minor
        FROM app.product_days WHERE tenant_id = $1 AND shop_id = $2 AND business_date BETWEEN $5 AND $3
    ) parts GROUP BY currency, code";
const HEAD: &str = "INSERT INTO app.product_year_heads (tenant_id, shop_id, through, tickets, made_at)
    SELECT $1, $2, $3, coalesce(sum(sales + returns), 0)::bigint, $4 FROM app.sales_days
    WHERE tenant_id = $1 AND shop_id = $2 AND business_date BETWEEN date_trunc('year', $3::date)::date AND $3
    ON CONFLICT (tenant_id, shop_id, through) DO UPDATE SET tickets = excluded.tickets, made_at = excluded.made_at";

/// Every statement of this file that can be prepared, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[STALE, FRESH, EMPTY, FILL, HEAD];

/// Makes all further statements of the transaction see one moment. Comes first.
pub async fn one_snapshot(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(ONE_SNAPSHOT).execute(conn).await.map(drop)
}

/// Ends of months before a day whose sums are missing or hold other tickets than there are; with their shops.
pub async fn stale(
    conn: &mut PgConnection,
    tenant: Uuid,
    before: Date,
    limit: i64,
) -> Result<Vec<(Uuid, Date)>, sqlx::Error> {
    sqlx::query_as(STALE).bind(tenant).bind(before).bind(limit).fetch_all(conn).await
}

/// Ends of months between two days whose sums hold every ticket there is, oldest first.
pub async fn fresh(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Uuid,
    from: Date,
    to: Date,
) -> Result<Vec<Date>, sqlx::Error> {
    let rows = sqlx::query(FRESH).bind(tenant).bind(shop).bind(from).bind(to).fetch_all(conn).await?;
    rows.iter().map(|row| row.try_get("through")).collect()
}

/// Makes the sum up to the end of a month: that of an earlier end, where there is one, and the days from then on.
pub async fn make(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Uuid,
    (base, from, through): (Option<Date>, Date, Date),
    at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    // The head first: two rounds at once wait here for one another, and the second finds that its snapshot is old.
    sqlx::query(HEAD).bind(tenant).bind(shop).bind(through).bind(at).execute(&mut *conn).await?;
    sqlx::query(EMPTY).bind(tenant).bind(shop).bind(through).execute(&mut *conn).await?;
    let fill = sqlx::query(FILL).bind(tenant).bind(shop).bind(through).bind(base).bind(from);
    fill.execute(conn).await.map(drop)
}
