//! Golden files: which built-in role allows what where, and which route asks for what. A change of either is a decision, seen
//! in its diff; `UPDATE_SNAPSHOTS=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use control_plane::auth::policy::{
    BuiltIn, Grant, Module, PLATFORM_TENANT, Permission, Policy, Reach, RoleRef, Source,
};
use protocol::id::{ShopId, TenantId};
use uuid::Uuid;

use crate::cases::{Needs, all};
use crate::tally::count;

fn held_against(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isolation/golden").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<String> = text
        .lines()
        .filter(|line| !known.lines().any(|old| old == *line))
        .map(|line| format!("+ {line}"))
        .chain(known.lines().filter(|old| !text.lines().any(|line| line == *old)).map(|line| format!("- {line}")))
        .collect();
    assert!(
        known == text,
        "{name} is not as it was; if that is meant, UPDATE_SNAPSHOTS=1 cargo test -p tillway-tests --test isolation golden\n{}",
        changed.join("\n")
    );
}

/// Which route asks for what.
pub fn routes() {
    let mut lines: Vec<String> = all()
        .iter()
        .map(|case| {
            let needs = match case.needs {
                Needs::Everybody(why) => format!("everybody: {why}"),
                Needs::Own(what) => format!("own: {what}"),
                Needs::Can(permission) => permission.name().to_owned(),
            };
            format!("{:<60} {needs}", case.name())
        })
        .collect();
    lines.sort();
    held_against("routes.txt", &format!("{}\n", lines.join("\n")));
}

#[test]
fn which_route_asks_for_what_is_a_golden_file() {
    routes();
}

/// Role by role: what it allows for a shop when it is held for the tenant, for the shop's region, for that shop, and for
/// another shop.
#[test]
fn which_role_allows_what_is_a_golden_file() {
    let (shop, other) = (ShopId::from_uuid(Uuid::from_u128(1)), ShopId::from_uuid(Uuid::from_u128(2)));
    let region = Reach::Region { id: Uuid::from_u128(3), shops: vec![shop] };
    let reaches = [Reach::Tenant, region, Reach::Shop(shop), Reach::Shop(other)];
    let tenants = [("tenant", TenantId::from_uuid(Uuid::from_u128(9))), ("platform", PLATFORM_TENANT)];
    let mut text = "# kind of tenant, role, permission: allowed in a shop when held for the tenant, its region, it, another shop\n"
        .to_owned();
    let mut cases = 0;
    for (kind, tenant) in tenants {
        for role in BuiltIn::ALL {
            for permission in Permission::ALL {
                let marks: String = reaches
                    .iter()
                    .map(|reach| {
                        cases += 1;
                        let bits = role.permissions();
                        let grant =
                            Grant { role: RoleRef::BuiltIn(role), bits, reach: reach.clone(), wants_mfa: false };
                        let source = Source { version: 1, grants: vec![grant], modules: Module::ALL.to_vec() };
                        let policy = Policy::compile(tenant, source);
                        assert!(policy.may(*permission) || !policy.allows_in(*permission, shop));
                        if policy.allows_in(*permission, shop) { 'x' } else { '-' }
                    })
                    .collect();
                if marks != "----" {
                    writeln!(text, "{kind:<9} {:<15} {:<23} {marks}", role.name(), permission.name()).unwrap();
                }
            }
        }
    }
    held_against("rights.txt", &text);
    count("rights", cases);
}
