//! Tickets and live sales.

use control_plane::auth::policy::Permission as P;

use super::{Case, get};

pub fn cases() -> Vec<Case> {
    vec![
        get("/v1/sales/tickets").can(P::SalesRead).query("?shop_id={shop}"),
        get("/v1/sales/tickets/{node_id}/{term}/{seq}").can(P::SalesRead).missing(),
        get("/").can(P::SalesRead),
        get("/sales/live/events")
            .can(P::SalesRead)
            .not_tried("it never ends; it names nothing and tells of the caller's own tenant"),
        get("/receipts").can(P::SalesRead),
        get("/receipts/{node}/{term}/{seq}").can(P::SalesRead).missing(),
    ]
}
