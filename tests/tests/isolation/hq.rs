//! Every route of head office for every kind of caller. What is not theirs does not exist, what they may not do they are told,
//! and nothing of the other side changes.

use std::collections::{BTreeMap, BTreeSet};

use control_plane::auth::policy::Permission;
use sqlx::PgConnection;

use crate::cases::{Case, all, missing};
use crate::colleague::THEIRS;
use crate::ground::Ground;
use crate::tally::{Tally, mutants};
use crate::{golden, matrix};

fn all_have_cases(routes: Vec<(String, String)>, cases: &[Case]) {
    let routes: BTreeSet<(String, String)> = routes.into_iter().collect();
    let known: BTreeSet<(String, String)> =
        cases.iter().map(|case| (case.method.to_owned(), case.path.to_owned())).collect();
    assert_eq!(known.len(), cases.len(), "a case stands there twice");
    let without: Vec<String> = routes.difference(&known).map(|(method, path)| missing(method, path)).collect();
    assert!(without.is_empty(), "\n{}", without.join("\n"));
    let gone: Vec<_> = known.difference(&routes).collect();
    assert!(gone.is_empty(), "these routes are no more; take their cases out of cases/: {gone:?}");
}

#[test]
fn every_route_has_its_case() {
    let mut routes = control_plane::http::docs::routes_of_all();
    routes.extend(control_plane::web::routes_of_all());
    all_have_cases(routes, &all());
}

#[test]
fn a_route_without_a_case_is_named_and_one_too_many_too() {
    let cases = all();
    let mut routes: Vec<(String, String)> =
        cases.iter().map(|case| (case.method.to_owned(), case.path.to_owned())).collect();
    all_have_cases(routes.clone(), &cases);
    routes.push(("GET".to_owned(), "/v1/new".to_owned()));
    let said = std::panic::catch_unwind(|| all_have_cases(routes, &cases)).unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("GET /v1/new has no case") && said.contains("cases/<noun>.rs"), "{said}");
    assert!(std::panic::catch_unwind(|| all_have_cases(Vec::new(), &all())).is_err());
}

/// The rows of alpha, but for tables that whoever is of the same tenant may move.
async fn rows(ground: &Ground) -> BTreeMap<String, (i64, String)> {
    let mut rows = ground.rows_of(&ground.alpha).await;
    rows.retain(|table, _| !THEIRS.iter().any(|(name, _)| name == table));
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_does_not_exist() {
    let mut ground = Ground::lay().await;
    // Quiet from here on: nodes that report would change rows of their own tenant while we compare.
    ground.alpha.store.stop().await;
    ground.beta.store.stop().await;
    settle(&ground).await;
    let mut admin = ground.cloud.database().superuser().await;
    let mut tally = Tally::default();
    let before = ground.rows_of(&ground.alpha).await;
    let filled = before.values().filter(|(count, _)| *count > 0).count();
    assert!(filled >= 10, "the comparison would say little: {before:?}");
    tally.add(matrix::strangers(&ground).await);
    tally.add(matrix::foreigners(&ground).await);
    assert_eq!(ground.rows_of(&ground.alpha).await, before, "somebody of another tenant changed rows of alpha");
    let before = rows(&ground).await;
    for permission in Permission::ALL {
        tally.add(matrix::without(&ground, &mut admin, *permission).await);
    }
    tally.add(matrix::managers_of_another_shop(&ground, &mut admin).await);
    tally.add(matrix::suspended(&ground, &mut admin).await);
    assert_eq!(rows(&ground).await, before, "somebody without the right changed rows of alpha");
    tally.add(matrix::colleagues(&ground, &mut admin).await);
    tally.add(matrix::owners(&ground).await);
    tally.close("routes", 200);
    golden::routes();
    weakened(&ground, &mut admin).await;
    // Last: who holds a right may use it, and what follows would find the tenant changed.
    ground.colleague.sign_in(&ground.cloud).await;
    let mut tally = Tally::default();
    for permission in Permission::ALL {
        tally.add(matrix::with_that_alone(&ground, &mut admin, *permission).await);
    }
    tally.close("rights-alone", 20);
    ground.cloud.stop().await;
}

/// Mutants: with each permission's check out of the way, one after the other, the matrix must notice.
async fn weakened(ground: &Ground, admin: &mut PgConnection) {
    let mut unused = Vec::new();
    let mut survivors = Vec::new();
    let mut killed = 0;
    for permission in Permission::ALL {
        if matrix::needing(*permission).is_empty() {
            unused.push(permission.name());
            continue;
        }
        if mutants().is_some_and(|few| killed >= few) {
            continue;
        }
        ground.cloud.app.policies.weaken(Some(*permission));
        let noticed = !matrix::without(ground, admin, *permission).await.breaches.is_empty();
        ground.cloud.app.policies.weaken(None);
        if noticed {
            killed += 1;
        } else {
            survivors.push(permission.name());
        }
    }
    println!("mutants of permissions: {killed} noticed, survivors {survivors:?}; no route asks for {unused:?}");
    assert!(survivors.is_empty(), "nobody would notice if these were not checked: {survivors:?}");
}

/// Waits until the goodbyes of the nodes are written down.
async fn settle(ground: &Ground) {
    let mut last = ground.rows_of(&ground.alpha).await;
    let began = std::time::Instant::now();
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = ground.rows_of(&ground.alpha).await;
        if now == last {
            return;
        }
        assert!(began.elapsed().as_secs() < 30, "the rows of {} do not come to rest", ground.alpha.marker);
        last = now;
    }
}
