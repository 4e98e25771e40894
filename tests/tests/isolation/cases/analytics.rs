//! Figures over days and shops.

use control_plane::auth::policy::Permission as P;

use super::{Case, get};

const DAYS: &str = "?shop_id={shop}&from=2026-01-01&to=2026-01-31";

pub fn cases() -> Vec<Case> {
    let figures = |path| get(path).can(P::AnalyticsRead).query(DAYS).missing();
    vec![
        figures("/v1/analytics/overview"),
        figures("/v1/analytics/by-day"),
        figures("/v1/analytics/by-hour"),
        figures("/v1/analytics/products"),
        get("/overview").can(P::AnalyticsRead),
    ]
}
