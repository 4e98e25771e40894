//! What a compiled policy answers, against the same questions answered slowly.

use proptest::prelude::*;

use super::super::permission::Level;
use super::*;

fn shop(number: u8) -> ShopId {
    ShopId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(77))
}

fn grant(role: BuiltIn, reach: Reach) -> Grant {
    Grant { role: RoleRef::BuiltIn(role), bits: role.permissions(), reach, wants_mfa: role.wants_mfa() }
}

fn policy(grants: Vec<Grant>) -> Policy {
    Policy::compile(tenant(), Source { version: 1, grants, modules: Module::ALL.to_vec() })
}

#[test]
fn a_manager_of_one_shop_runs_that_shop_and_no_other() {
    let manager = policy(vec![grant(BuiltIn::Manager, Reach::Shop(shop(1)))]);
    assert!(manager.allows_in(Permission::ShopsWrite, shop(1)));
    assert!(!manager.allows_in(Permission::ShopsWrite, shop(2)));
    assert_eq!(manager.scope(Permission::ShopsWrite), Some(Scope::Shops([shop(1)].into())));
    assert_eq!(manager.scope(Permission::CatalogRead), Some(Scope::Everywhere), "the catalogue is everybody's");
    assert_eq!(manager.scope(Permission::PricesWrite), None, "prices are the company's");
    assert_eq!(manager.explain(Permission::PricesWrite, None).lack, Some(Lack::OnlyForShops));
    assert_eq!(manager.explain(Permission::ShopsWrite, Some(shop(2))).lack, Some(Lack::OtherShops));
    assert_eq!(manager.explain(Permission::AuditRead, None).lack, Some(Lack::NoRole));
    assert!(manager.explain(Permission::ShopsWrite, Some(shop(1))).allowed);
}

#[test]
fn nobody_gives_more_than_they_have() {
    let manager = policy(vec![grant(BuiltIn::Manager, Reach::Shop(shop(1)))]);
    let role = BuiltIn::Manager.permissions();
    assert!(manager.beyond(role, &Reach::Shop(shop(1))).is_empty());
    assert!(manager.beyond(role, &Reach::Shop(shop(2))).has(Permission::ShopsWrite));
    assert!(manager.beyond(role, &Reach::Tenant).has(Permission::PricesWrite));
    let region = Reach::Region { id: Uuid::from_u128(9), shops: vec![shop(1)] };
    assert!(!manager.beyond(role, &region).is_empty(), "the region gets other shops tomorrow");
    let of_region = policy(vec![grant(BuiltIn::Manager, region.clone())]);
    assert!(of_region.beyond(role, &region).is_empty() && of_region.beyond(role, &Reach::Shop(shop(1))).is_empty());
    let owner = policy(vec![grant(BuiltIn::Owner, Reach::Tenant)]);
    assert!(owner.beyond(BuiltIn::Owner.permissions(), &Reach::Tenant).is_empty());
    assert!(owner.beyond(BuiltIn::PlatformAdmin.permissions(), &Reach::Tenant).has(Permission::PlatformImpersonate));
}

#[test]
fn what_the_tenant_does_not_have_nobody_has() {
    let grants = vec![grant(BuiltIn::Owner, Reach::Tenant)];
    let owner = Policy::compile(tenant(), Source { version: 1, grants, modules: vec![Module::Shops] });
    assert!(owner.may(Permission::ShopsRead) && !owner.may(Permission::AnalyticsRead));
    assert_eq!(owner.explain(Permission::AnalyticsRead, None).lack, Some(Lack::ModuleOff));
    assert!(owner.beyond(BuiltIn::Analyst.permissions(), &Reach::Tenant).is_empty(), "a role outlives a switch");
}

#[test]
fn a_row_that_claims_the_platform_gives_nothing_elsewhere() {
    let grants = vec![grant(BuiltIn::PlatformAdmin, Reach::Tenant)];
    let source = Source { version: 1, grants, modules: Module::ALL.to_vec() };
    let here = Policy::compile(tenant(), source.clone());
    assert!(Bits::of_module(Module::Platform).iter().all(|permission| !here.may(permission)));
    let there = Policy::compile(PLATFORM_TENANT, source);
    assert!(there.may(Permission::PlatformTenantsWrite) && there.wants_mfa());
    assert!(!there.may(Permission::ShopsRead));
}

/// The same answer as [`Policy::allows_in`], by going through everything.
fn slowly(grants: &[Grant], modules: &[Module], permission: Permission, of: ShopId) -> bool {
    let in_reach = |reach: &Reach| match reach {
        Reach::Tenant => true,
        _ if permission.breadth() == Breadth::Anywhere => true,
        _ if permission.breadth() == Breadth::Company => false,
        Reach::Region { shops, .. } => shops.contains(&of),
        Reach::Shop(known) => *known == of,
    };
    modules.contains(&permission.module())
        && permission.module() != Module::Platform
        && grants.iter().any(|grant| grant.bits.has(permission) && in_reach(&grant.reach))
}

fn any_grant() -> impl Strategy<Value = Grant> {
    let reach = prop_oneof![
        Just(Reach::Tenant),
        (0_u8..6).prop_map(|number| Reach::Shop(shop(number))),
        // A region has the same shops for everybody.
        (0_u8..3).prop_map(|number| Reach::Region {
            id: Uuid::from_u128(u128::from(number)),
            shops: (0..number * 2).map(shop).collect()
        }),
    ];
    let bits = proptest::collection::vec(0..Permission::ALL.len(), 0..12)
        .prop_map(|numbers| numbers.into_iter().fold(Bits::NONE, |set, number| set.with(Permission::ALL[number])));
    (bits, reach).prop_map(|(bits, reach)| Grant { role: RoleRef::Key, bits, reach, wants_mfa: false })
}

proptest! {
    #[test]
    fn compiled_and_slow_answers_are_the_same(
        grants in proptest::collection::vec(any_grant(), 0..6),
        modules in proptest::sample::subsequence(Module::ALL.to_vec(), 0..Module::ALL.len()),
    ) {
        let policy = Policy::compile(tenant(), Source { version: 1, grants: grants.clone(), modules: modules.clone() });
        for permission in Permission::ALL {
            for number in 0..7 {
                let expected = slowly(&grants, &modules, *permission, shop(number));
                prop_assert_eq!(policy.allows_in(*permission, shop(number)), expected);
                let in_scope = policy.scope(*permission).is_some_and(|scope| scope.includes(shop(number)));
                prop_assert_eq!(in_scope, expected, "{} {}", permission, number);
                prop_assert_eq!(policy.explain(*permission, Some(shop(number))).allowed, expected);
            }
        }
        // Whoever may be given something has it: what is given never goes beyond.
        let given = policy.beyond(policy.held(), &Reach::Tenant).iter().count();
        prop_assert!(given <= Permission::ALL.len());
        prop_assert!(Permission::ALL.iter().filter(|one| one.level() == Level::Read).count() > 5);
    }

    #[test]
    fn a_grant_that_may_be_given_adds_nothing(
        grants in proptest::collection::vec(any_grant(), 0..6), new in any_grant(),
    ) {
        let source = |grants| Source { version: 1, grants, modules: Module::ALL.to_vec() };
        let before = Policy::compile(tenant(), source(grants.clone()));
        if before.beyond(new.bits, &new.reach).is_empty() {
            let mut more = grants;
            more.push(new);
            let after = Policy::compile(tenant(), source(more));
            for permission in Permission::ALL.iter().filter(|known| known.module() != Module::Platform) {
                for number in 0..7 {
                    let grew = after.allows_in(*permission, shop(number)) && !before.allows_in(*permission, shop(number));
                    prop_assert!(!grew, "{} in shop {}", permission, number);
                }
            }
        }
    }
}
