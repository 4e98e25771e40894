//! Products and prices. A code is a word of one's own catalogue: writing it makes or changes one's own product.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, delete, get, post, put};

const CSV: &str = "code,description,unit_price\nNEW-1,another,1.00\n";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        get("/v1/catalog/products").can(P::CatalogRead),
        get("/v1/catalog/products/{code}").can(P::CatalogRead).missing(),
        put("/v1/catalog/products/{code}")
            .can(P::CatalogWrite)
            .json(json!({"description": "mine", "unit_price": "0.01"})),
        delete("/v1/catalog/products/{code}").can(P::CatalogWrite),
        post("/v1/catalog/imports").can(P::CatalogWrite).csv(CSV),
        get("/v1/pricing/prices/{code}").can(P::CatalogRead),
        put("/v1/pricing/prices/{code}").can(P::PricesWrite).json(json!({"unit_price": "0.01"})),
    ];
    cases.extend(pages());
    cases
}

fn pages() -> Vec<Case> {
    vec![
        get("/products").can(P::CatalogRead),
        get("/products/new").can(P::CatalogWrite),
        post("/products").can(P::CatalogWrite).form(&[
            ("code", "NEW-2"),
            ("description", "mine"),
            ("unit_price", "1.00"),
        ]),
        get("/products/item").can(P::CatalogRead).query("?code={code}").missing(),
        post("/products/item").can(P::CatalogWrite).form(&[
            ("code", "{code}"),
            ("seen", "1"),
            ("description", "taken over"),
            ("unit_price", "0.01"),
        ]),
        post("/products/item/remove").can(P::CatalogWrite).form(&[("code", "{code}"), ("seen", "1")]),
        post("/products/item/price").can(P::PricesWrite).form(&[
            ("code", "{code}"),
            ("seen", "1"),
            ("unit_price", "0.01"),
        ]),
        get("/products/import").can(P::CatalogWrite),
        get("/products/import/template.csv").can(P::CatalogWrite),
        post("/products/import").can(P::CatalogWrite).file(CSV),
        get("/products/imports/{id}").can(P::CatalogWrite).names("import"),
        get("/products/imports/{id}/report.csv").can(P::CatalogWrite).names("import"),
    ]
}
