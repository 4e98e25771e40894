//! The catalogue over HTTP and a real PostgreSQL.

use protocol::limits;

use crate::auth::guard::Caller;
use crate::domain::sales::testing::{Rig, Seat};
use crate::http::docs;
use crate::http::testing::ask;

const FILE: &str = "\u{feff}code,description,unit_price,tax_rate_percent\r\n\
    85123A,\"WHITE HANGING, HEART\",2.55,20\r\n\
    85123a,,0.0855,20\r\n\
    BAD,price,1.23456,20\r\n\
    POST,POSTAGE,18,\r\n\
    ,no code,1,20\r\n";

async fn import(rig: &Rig, token: &str, file: impl Into<axum::body::Body>) -> (u16, serde_json::Value) {
    let (status, reply) = rig.call("POST", "/v1/catalog/imports", token, "text/csv", file).await;
    (status.as_u16(), reply)
}

async fn seated() -> (Rig, Seat, String) {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let token = rig.sign_in(&seat).await;
    (rig, seat, token)
}

#[tokio::test]
async fn a_file_with_two_bad_lines_is_taken_but_for_them_and_again_changes_nothing() {
    let (rig, _, token) = seated().await;
    let (status, reply) = import(&rig, &token, FILE).await;
    assert_eq!(status, 200, "{reply}");
    let data = &reply["data"];
    for (field, value) in
        [("accepted", 3), ("added", 3), ("changed", 3), ("unchanged", 0), ("rejected", 2), ("version", 1)]
    {
        assert_eq!(data[field], value, "{field}");
    }
    let outcomes: Vec<_> = data["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (l["line"].as_u64().unwrap(), l["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(outcomes, [(2, "added"), (3, "added"), (4, "rejected"), (5, "added"), (6, "rejected")]);
    assert_eq!(data["lines"][2]["field"], "unit_price");
    assert!(data["lines"][2]["message"].as_str().unwrap().contains("4 digits"));

    let (_, again) = import(&rig, &token, FILE).await;
    assert_eq!(
        (&again["data"]["changed"], &again["data"]["unchanged"], &again["data"]["version"]),
        (&0.into(), &3.into(), &1.into())
    );
    let (_, problems) =
        rig.call("POST", "/v1/catalog/imports?report=problems", &token, "text/csv", FILE.replace("2.55", "2.60")).await;
    assert_eq!((&problems["data"]["changed"], &problems["data"]["version"]), (&1.into(), &2.into()));
    assert_eq!(problems["data"]["lines"].as_array().unwrap().len(), 2);

    let (_, upper) = rig.get("/v1/catalog/products/85123A", &token).await;
    let (_, lower) = rig.get("/v1/catalog/products/85123a", &token).await;
    assert_eq!((&upper["data"]["unit_price"], &upper["data"]["tax_rate_ppm"]), (&"2.60".into(), &200_000.into()));
    assert_eq!((&lower["data"]["unit_price"], &lower["data"]["description"]), (&"0.0855".into(), &"".into()));
    assert_eq!(rig.get("/v1/catalog/products/post", &token).await.0, 404);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why_and_changes_nothing() {
    let (rig, _, token) = seated().await;
    let (status, reply) = import(&rig, &token, "code,price\nA,1\n").await;
    assert_eq!((status, reply["error"]["code"].as_str()), (422, Some("VALIDATION")));
    assert_eq!(import(&rig, &token, "").await.0, 400);
    assert_eq!(import(&rig, &token, vec![b'x'; limits::IMPORT_BODY_BYTES + 1]).await.0, 413);
    assert_eq!(import(&rig, "", FILE).await.0, 401);
    let (_, list) = rig.get("/v1/catalog/products", &token).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_product_is_put_found_removed_and_put_again() {
    let (rig, _, token) = seated().await;
    let path = "/v1/catalog/products/22%2F1";
    let put_if = async |seen: (&str, &str), body: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), seen];
        let router = docs::router(rig.app.clone());
        let answer = ask(&router, axum::http::Method::PUT, path, &headers, body.to_owned().into()).await;
        let tag = answer.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
        (answer.status.as_u16(), answer.body, tag)
    };
    let put = async |body: &str| {
        // What is not there is made, what is there is changed: said by a header each.
        let there = rig.get(path, &token).await.0 == 200;
        let (status, reply, _) = put_if(if there { ("if-match", "*") } else { ("if-none-match", "*") }, body).await;
        (status, reply)
    };
    assert_eq!(put_if(("x-none", "*"), r#"{"unit_price":"1"}"#).await.0, 428);
    assert_eq!(put_if(("if-match", "\"1\""), r#"{"unit_price":"1"}"#).await.0, 412, "nothing is there");
    let (status, reply) =
        put(r#"{"description":"Red box","unit_price":"1.2345","unit":"kilogram","barcodes":["50123"]}"#).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!((&reply["data"]["code"], &reply["data"]["version"]), (&"22/1".into(), &1.into()));
    assert_eq!(
        put(r#"{"description":"Red box","unit_price":"1.2345","unit":"kilogram","barcodes":["50123"]}"#).await.1["data"]
            ["version"],
        1
    );
    let (status, _, tag) = put_if(("if-match", "\"1\""), r#"{"description":"Red box","unit_price":"1.5"}"#).await;
    assert_eq!((status, tag.as_str()), (200, "\"2\""));
    assert_eq!(put_if(("if-match", "\"1\""), r#"{"unit_price":"9"}"#).await.0, 412, "somebody else was quicker");
    assert_eq!(put_if(("if-none-match", "*"), r#"{"unit_price":"9"}"#).await.0, 412, "it is there");
    assert_eq!(rig.get(path, &token).await.1["data"]["unit_price"], "1.50", "nothing was overwritten");
    put(r#"{"description":"Red box","unit_price":"1.2345","unit":"kilogram","barcodes":["50123"]}"#).await;
    for (body, word) in [
        (r#"{"unit_price":"1.23456"}"#, "digits"),
        (r#"{"unit_price":1.5}"#, "quotes"),
        (r#"{"unit_price":"-1"}"#, "negative"),
        (r#"{"unit_price":"1","colour":"red"}"#, "colour"),
        (r#"{"unit_price":"1","barcodes":["a b"]}"#, "barcode"),
        (r#"{"unit_price":"1","tax_rate_ppm":99999999}"#, "tax rate"),
    ] {
        let (status, reply) = put(body).await;
        assert_eq!(status, 422, "{body}: {reply}");
        assert!(reply["error"]["message"].as_str().unwrap().contains(word), "{body}: {reply}");
    }
    for found in ["22/", "box%20red", "50123"] {
        let (_, list) = rig.get(&format!("/v1/catalog/products?q={found}"), &token).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1, "{found}");
    }
    for not in ["blue", "%25", "_", "5012"] {
        let (_, list) = rig.get(&format!("/v1/catalog/products?q={not}"), &token).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 0, "{not}");
    }
    let (status, reply) = rig.call("DELETE", path, &token, "application/json", "").await;
    assert_eq!((status.as_u16(), &reply["data"]["version"]), (200, &4.into()));
    assert_eq!(rig.call("DELETE", path, &token, "application/json", "").await.0, 404);
    assert_eq!(rig.get(path, &token).await.0, 404);
    let (_, back) = put(r#"{"unit_price":"2"}"#).await;
    assert_eq!(
        (&back["data"]["unit"], &back["data"]["description"], &back["data"]["version"]),
        (&"piece".into(), &"".into(), &5.into())
    );
}

#[tokio::test]
async fn products_are_listed_page_by_page_in_the_order_of_bytes() {
    let (rig, _, token) = seated().await;
    let mut file = String::from("code,description,unit_price\n");
    for code in ["b", "B", "a", "A", "10", "9", "ä"] {
        file.push_str(&format!("{code},x,1\n"));
    }
    import(&rig, &token, file).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, reply) = rig.get(&format!("/v1/catalog/products?limit=2&cursor={cursor}"), &token).await;
        seen.extend(reply["data"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap().to_owned()));
        match reply["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["10", "9", "A", "B", "a", "b", "ä"]);
}

#[tokio::test]
async fn two_tenants_may_sell_under_the_same_codes() {
    let (mut rig, _, first) = seated().await;
    let other = rig.seat().await;
    let second = rig.sign_in(&other).await;
    import(&rig, &first, "code,description,unit_price\nA,mine,1\nB,mine,1\n").await;
    import(&rig, &second, "code,description,unit_price\nA,yours,2\n").await;
    let (_, mine) = rig.get("/v1/catalog/products/A", &first).await;
    let (_, yours) = rig.get("/v1/catalog/products/A", &second).await;
    assert_eq!((&mine["data"]["description"], &yours["data"]["description"]), (&"mine".into(), &"yours".into()));
    for (method, path) in [("GET", "/v1/catalog/products/B"), ("DELETE", "/v1/catalog/products/B")] {
        assert_eq!(rig.call(method, path, &second, "application/json", "").await.0, 404);
    }
    let body = r#"{"unit_price":"9"}"#;
    assert_eq!(rig.call("PUT", "/v1/pricing/prices/B", &second, "application/json", body).await.0, 404);
    assert_eq!(rig.get("/v1/catalog/products/B", &first).await.1["data"]["unit_price"], "1.00");
}

#[tokio::test]
async fn imports_at_once_make_one_version_each() {
    let (rig, _, token) = seated().await;
    let file = |price: u32| format!("code,description,unit_price\nA,x,{price}\nB,y,{price}\n");
    let (one, two, three) =
        tokio::join!(import(&rig, &token, file(1)), import(&rig, &token, file(2)), import(&rig, &token, file(3)));
    let mut versions: Vec<u64> =
        [one, two, three].iter().map(|(_, reply)| reply["data"]["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3]);
}

#[tokio::test]
async fn an_import_is_rehearsed_kept_and_forgotten_in_turn() {
    use super::imports;
    use super::upload::Upload;
    let (mut rig, seat, _) = seated().await;
    let upload = |rehearsal| Upload { file_name: "a.csv".to_owned(), csv: FILE.as_bytes().into(), rehearsal };
    let tried = imports::run(&rig.app, &Caller::member(seat.tenant, seat.owner, uuid::Uuid::nil()), upload(true))
        .await
        .unwrap();
    let mut tx = rig.tx(seat.tenant).await;
    let (summary, csv) = imports::one(&mut tx, tried).await.unwrap().unwrap();
    assert_eq!((summary.rehearsal, summary.added, summary.rejected, summary.version), (true, 3, 2, 0));
    let (lines, more) = imports::lines(&csv);
    let told: Vec<_> = lines.iter().map(|line| (line.line, line.outcome.as_str())).collect();
    assert_eq!(told, [(4, "rejected"), (6, "rejected"), (2, "added"), (3, "added"), (5, "added")]);
    assert!(!more && lines[0].message.contains("4 digits"));
    assert_eq!(super::service::head(&mut tx).await.unwrap(), (0, 0), "a rehearsal changes nothing");
    rig.app.clock.advance_millis(1);
    let done = imports::run(&rig.app, &Caller::member(seat.tenant, seat.owner, uuid::Uuid::nil()), upload(false))
        .await
        .unwrap();
    assert_eq!(super::service::head(&mut tx).await.unwrap(), (1, 3));
    let kept = imports::list(&mut tx, 10).await.unwrap();
    assert_eq!(kept.iter().map(|import| import.id).collect::<Vec<_>>(), [done, tried]);
    let other = rig.seat().await;
    let mut foreign = rig.tx(other.tenant).await;
    assert!(imports::one(&mut foreign, done).await.unwrap().is_none());
    for _ in 0..limits::IMPORTS_KEPT {
        rig.app.clock.advance_millis(1);
        imports::run(&rig.app, &Caller::member(seat.tenant, seat.owner, uuid::Uuid::nil()), upload(true))
            .await
            .unwrap();
    }
    let kept = imports::list(&mut tx, 100).await.unwrap();
    assert_eq!(i64::try_from(kept.len()).unwrap(), limits::IMPORTS_KEPT);
    assert!(imports::one(&mut tx, tried).await.unwrap().is_none(), "the oldest are forgotten");
}

#[tokio::test]
async fn who_looked_at_an_older_product_changes_nothing() {
    use super::service::{self, By, Edit};
    use super::types::Wanted;
    use crate::domain::pricing::types::Source;
    let (rig, seat, token) = seated().await;
    import(&rig, &token, FILE).await;
    let by = By::of(&Caller::member(seat.tenant, seat.owner, uuid::Uuid::nil()), Source::Price, rig.app.clock.now());
    let wanted = |code: &str, e4| Wanted {
        code: code.to_owned(),
        description: None,
        unit_price_e4: Some(e4),
        tax_rate_ppm: None,
        unit: None,
        barcodes: None,
    };
    let edit = |code, e4, seen| service::edit(&rig.app, seat.tenant, by, wanted(code, e4), seen);
    assert!(matches!(edit("POST", 1, Some(1)).await.unwrap(), Edit::Done(2, true)));
    let Edit::Moved(found) = edit("POST", 2, Some(1)).await.unwrap() else { panic!("moved") };
    assert_eq!((found.version, found.unit_price.e4()), (2, 1));
    assert!(matches!(edit("POST", 2, None).await.unwrap(), Edit::Taken(2)));
    assert!(matches!(edit("NEW", 2, Some(1)).await.unwrap(), Edit::Gone));
    assert!(matches!(edit("NEW", 2, None).await.unwrap(), Edit::Done(3, true)));
    let withdraw = |seen| service::withdraw(&rig.app, seat.tenant, by, "NEW", seen);
    assert!(matches!(withdraw(1).await.unwrap(), Edit::Moved(_)));
    assert!(matches!(withdraw(3).await.unwrap(), Edit::Done(4, true)));
    assert!(matches!(withdraw(3).await.unwrap(), Edit::Gone));
}
