//! The pages of products in a browser without a screen, against a real PostgreSQL.

use axum::body::Body;
use axum::http::Request;

use crate::auth::guard::Caller;
use crate::domain::sales::testing::{PASSWORD, Rig, Seat};
use crate::web::testing::{Browser, Page};

async fn seated() -> (Rig, Seat, Browser) {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let browser = Browser::signed_in(&rig.app, &seat.email, PASSWORD).await;
    (rig, seat, browser)
}

async fn send(browser: &mut Browser, csrf: &str, file: &str, more: &str) -> Page {
    let part =
        |head: &str, content: &str| format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    let mut body = part("name=\"csrf\"", csrf) + &part("name=\"file\"; filename=\"prices.csv\"", file);
    if !more.is_empty() {
        body += &part(&format!("name=\"{more}\""), "1");
    }
    let request = Request::builder().method("POST").uri("/products/import").header("sec-fetch-site", "same-origin");
    let request = request.header("content-type", "multipart/form-data; boundary=B");
    let response = browser.ask(request.body(Body::from(body + "--B--\r\n")).unwrap()).await;
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 26).await.unwrap();
    Page { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

const FILE: &str =
    "code,description,unit_price\nA,Apple,1.50\nB,bad,1.23456\nC,\"<script>alert(1)</script>\",2\n,none,1\n";

#[tokio::test]
async fn an_import_with_two_bad_lines_shows_both_and_takes_the_good_ones() {
    let (mut rig, _, mut browser) = seated().await;
    let form = browser.get("/products/import").await;
    assert_eq!(form.status, 200, "{}", form.text);
    let csrf = form.hidden("csrf");
    let tried = send(&mut browser, &csrf, FILE, "rehearsal").await;
    assert_eq!(tried.status, 303, "{}", tried.text);
    let report = browser.get(tried.location()).await;
    assert!(report.text.contains("Nothing was changed."), "{}", report.text);
    assert!(browser.get("/products").await.text.contains("No product yet"));

    let taken = send(&mut browser, &csrf, FILE, "").await;
    assert_eq!(taken.status, 303, "{}", taken.text);
    let report = browser.get(taken.location()).await;
    let text = &report.text;
    assert!(text.contains("2 lines were not taken"), "{text}");
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is not in {text}"));
    let line = |number: u32| place(&format!("data-label=\"Line\">{number}<"));
    assert!(line(3) < line(5) && line(5) < line(2), "bad lines first, with their numbers");
    assert!(text.contains("more than 4 digits after the point; round the price"), "{text}");
    assert!(text.contains("the code is missing"), "{text}");
    let csv = browser.get(&format!("{}/report.csv", taken.location())).await;
    assert!(csv.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert!(csv.text.starts_with("line,code,outcome,field,message\n3,B,rejected,unit_price,"), "{}", csv.text);

    let list = browser.get("/products").await;
    assert!(list.text.contains("Apple") && list.text.contains("£1.50") && !list.text.contains("1.23456"));
    assert!(!list.text.contains("<script>alert"), "names are escaped: {}", list.text);
    assert!(list.text.contains("alert(1)"));
    let template = browser.get("/products/import/template.csv").await;
    let again = send(&mut browser, &csrf, &template.text, "").await;
    assert!(browser.get(again.location()).await.text.contains("Every line was taken."), "the template is right");

    // Nobody else sees any of it, and nobody else's page sends a file.
    let other = rig.seat().await;
    let mut foreign = Browser::signed_in(&rig.app, &other.email, PASSWORD).await;
    assert_eq!(foreign.get(taken.location()).await.status, 404);
    assert_eq!(foreign.get(&format!("{}/report.csv", taken.location())).await.status, 404);
    assert_eq!(foreign.get("/products/item?code=A").await.status, 404);
    assert!(foreign.get("/products").await.text.contains("No product yet"));
    assert_eq!(send(&mut browser, "0000", FILE, "").await.status, 403);
    for (file, words) in [("", "nothing came along"), ("code,colour\n", "colour"), ("\u{0}", "not known")] {
        let page = send(&mut browser, &csrf, file, "").await;
        assert!(page.status.is_client_error() && page.text.contains(words), "{file:?}: {}", page.text);
    }
}

#[tokio::test]
async fn a_price_change_moves_the_version_and_garbage_does_not() {
    let (_rig, _, mut browser) = seated().await;
    let new = browser.get("/products/new").await;
    let csrf = new.hidden("csrf");
    let fields = [("csrf", csrf.as_str()), ("code", "A/1 ü"), ("description", "Apple"), ("unit_price", "1.50")];
    let bad = browser.post("/products", &[("csrf", &csrf), ("code", "A"), ("unit_price", "two")]).await;
    assert!(
        bad.status == 422 && bad.text.contains("is not a price") && bad.text.contains("value=\"two\""),
        "{} {}",
        bad.status,
        bad.text
    );
    let made = browser.post("/products", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    assert_eq!(browser.post("/products", &fields).await.status, 409, "the code is taken");
    let item = made.location().to_owned();
    let page = browser.get(&item).await;
    assert!(page.status == 200 && page.text.contains("A/1 ü"), "{item}: {}", page.text);
    let seen = page.hidden("seen");
    let price = |price: &'static str, seen: &str| {
        [
            ("csrf", csrf.clone()),
            ("code", "A/1 ü".to_owned()),
            ("seen", seen.to_owned()),
            ("unit_price", price.to_owned()),
        ]
    };
    for garbage in ["1.23456", "", "-1", "£2", "1e3", "99999999999"] {
        let form = price(garbage, &seen);
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = browser.post("/products/item/price", &form).await;
        assert!(refused.status == 422 && refused.text.contains("class=\"error\""), "{garbage}: {}", refused.text);
    }
    assert!(browser.get("/products").await.text.contains("catalogue version 1"));
    let form = price("1.2345", &seen);
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/products/item/price", &form).await.status, 303);
    let page = browser.get(&item).await;
    assert!(page.text.contains("£1.2345") && page.text.contains("£1.50") && page.text.contains("you, by hand"));
    assert!(browser.get("/products").await.text.contains("catalogue version 2"));
    // The same form once more: it was made from a state that is no more.
    let form = price("9", &seen);
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let moved = browser.post("/products/item/price", &form).await;
    assert!(moved.status == 409 && moved.text.contains("Somebody changed this product"), "{}", moved.text);
    assert!(moved.text.contains("value=\"9\"") && moved.hidden("seen") == "2", "what was typed stays");
    let details = [
        ("csrf", csrf.as_str()),
        ("code", "A/1 ü"),
        ("seen", "2"),
        ("unit_price", "1.2345"),
        ("description", "Pear"),
        ("unit", "kg"),
    ];
    assert_eq!(browser.post("/products/item", &details).await.status, 303);
    assert!(browser.get(&item).await.text.contains("a kilogram"));
    assert_eq!(browser.post("/products/item", &details).await.status, 409);
    let gone = [("csrf", csrf.as_str()), ("code", "A/1 ü"), ("seen", "3")];
    let old = [("csrf", csrf.as_str()), ("code", "A/1 ü"), ("seen", "2")];
    assert_eq!(browser.post("/products/item/remove", &old).await.status, 409);
    assert_eq!(browser.post("/products/item/remove", &gone[1..]).await.status, 403, "no token");
    assert_eq!(browser.post("/products/item/remove", &gone).await.status, 303);
    assert_eq!(browser.get(&item).await.status, 404);
    assert_eq!(browser.post("/products/item/remove", &gone).await.status, 404);
}

#[tokio::test]
async fn the_list_is_searched_and_paged() {
    let (rig, seat, mut browser) = seated().await;
    let mut file = String::from("code,description,unit_price,tax_rate_percent,unit,barcodes\n");
    for number in 0..120 {
        file.push_str(&format!("P{number:03},Thing number {number},1.5,20,,50{number}\n"));
    }
    let import =
        super::service::import(&rig.app, &Caller::member(seat.tenant, seat.owner, uuid::Uuid::nil()), file.into())
            .await
            .unwrap();
    assert_eq!(import.added, 120);
    let first = browser.get("/products").await;
    assert!(first.text.contains("P049") && !first.text.contains("P050"));
    let next = first.text.split("href=\"/products?").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = browser.get(&format!("/products?{next}")).await;
    assert!(second.text.contains("P050") && !second.text.contains("P049"), "{next}");
    let found = browser.get("/products?q=number+77").await;
    assert!(found.text.contains("P077") && !found.text.contains("P078"));
    assert!(browser.get("/products?q=50119").await.text.contains("P119"));
    let none = browser.get("/products?q=%22%3E%3Cscript%3E").await;
    assert!(none.text.contains("Nothing found") && !none.text.contains("\"><script>"), "{}", none.text);
    for odd in
        ["/products?q=%00", "/products?cursor=%00", "/products?q=%25_", &format!("/products?q={}", "x".repeat(600))]
    {
        assert_eq!(browser.get(odd).await.status, 200, "{odd}");
    }
}

#[tokio::test]
async fn the_history_of_a_price_names_who_changed_it_on_the_shop_s_clock() {
    let (rig, seat, mut browser) = seated().await;
    let colleague = "colleague@one.example";
    let person = crate::domain::identity::service::ensure_person(&rig.app, colleague, PASSWORD).await.unwrap();
    let mut tx = crate::db::TenantTx::begin(&rig.app.db, seat.tenant).await.unwrap();
    crate::domain::identity::service::add_owner(&mut tx, person, rig.app.clock.now()).await.unwrap();
    tx.save().await.unwrap();
    let csrf = browser.get("/products/import").await.hidden("csrf");
    send(&mut browser, &csrf, "code,description,unit_price\nA,Apple,1.50\n", "").await;
    let mut other = Browser::signed_in(&rig.app, colleague, PASSWORD).await;
    let page = other.get("/products/item?code=A").await;
    assert!(page.text.contains(&format!("{}, by import", seat.email)), "{}", page.text);
    assert!(page.text.contains("Times are those of Europe/London"), "{}", page.text);
    let form = [
        ("csrf", page.hidden("csrf")),
        ("code", "A".to_owned()),
        ("seen", page.hidden("seen")),
        ("unit_price", "1.75".to_owned()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    other.post("/products/item/price", &form).await;
    assert!(other.get("/products/item?code=A").await.text.contains("you, by hand"));
    let page = browser.get("/products/item?code=A").await.text;
    assert!(page.contains(&format!("{colleague}, by hand")) && page.contains("you, by import"), "{page}");
}
