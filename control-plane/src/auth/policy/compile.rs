//! Compiling: from roles with their reach and modules with their switches to bits, and the questions asked of the result.
//! Pure: knows no database.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::{ShopId, TenantId};
use uuid::Uuid;

use super::builtin::Permissions;
use super::permission::{Bits, Breadth, Module, Permission};
use super::{BuiltIn, PLATFORM_TENANT};

/// A role, by what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRef {
    /// One that every tenant has.
    BuiltIn(BuiltIn),
    /// One of the tenant's own.
    Own {
        /// Its id.
        id: Uuid,
        /// Its name.
        name: String,
    },
    /// What an operator may who was let in.
    Guest,
    /// What was given to a key of a program.
    Key,
}

impl RoleRef {
    /// Its name for people.
    pub fn title(&self) -> &str {
        match self {
            Self::BuiltIn(role) => role.title(),
            Self::Own { name, .. } => name,
            Self::Guest => "Operator who was let in",
            Self::Key => "Key",
        }
    }
}

/// Where a grant is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In the whole company.
    Tenant,
    /// In a region: the shops that it has now.
    Region {
        /// The region.
        id: Uuid,
        /// Its shops.
        shops: Vec<ShopId>,
    },
    /// In one shop.
    Shop(ShopId),
}

/// A role that somebody holds somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: RoleRef,
    /// What it allows.
    pub bits: Bits,
    /// Where.
    pub reach: Reach,
    /// Whether it asks for a second factor.
    pub wants_mfa: bool,
}

/// What a policy is compiled from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The tenant's policy version that this was read at.
    pub version: i64,
    /// Roles held.
    pub grants: Vec<Grant>,
    /// Modules the tenant has.
    pub modules: Vec<Module>,
}

/// For which shops a permission is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For all there are and will be.
    Everywhere,
    /// For these, in order. Never empty.
    Shops(Arc<[ShopId]>),
}

impl Scope {
    /// Whether a shop is in.
    pub fn includes(&self, shop: ShopId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Shops(shops) => shops.binary_search(&shop).is_ok(),
        }
    }
}

/// Why a permission is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// No role of theirs has it.
    NoRole,
    /// A role has it, for shops only, and it is about the whole company.
    OnlyForShops,
    /// A role has it, for other shops.
    OtherShops,
    /// A role has it, and the tenant does not have the module.
    ModuleOff,
}

/// How a decision came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The grants that allow it, or would.
    pub because: Vec<Grant>,
    /// What is missing, if it is not.
    pub lack: Option<Lack>,
}

/// What one principal may do in one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    version: i64,
    everywhere: Bits,
    /// By shop, in order, so that a check is a bisection.
    shops: Vec<(ShopId, Bits)>,
    on: Bits,
    wants_mfa: bool,
    grants: Vec<Grant>,
}

impl Policy {
    /// Compiles. Permissions of modules that the tenant does not have are not in; those of the platform are in for its own
    /// tenant alone, whatever a row says.
    pub fn compile(tenant: TenantId, source: Source) -> Self {
        let modules = source.modules.iter().fold(Bits::NONE, |set, module| set.or(Bits::of_module(*module)));
        let possible = if tenant == PLATFORM_TENANT {
            Permissions::everything_of_the_platform()
        } else {
            Permissions::everything_of_a_tenant()
        };
        let on = modules.and(possible);
        let mut everywhere = Bits::NONE;
        let mut shops: BTreeMap<ShopId, Bits> = BTreeMap::new();
        for grant in &source.grants {
            let bits = grant.bits.and(on);
            let of_shops: &[ShopId] = match &grant.reach {
                Reach::Tenant => {
                    everywhere = everywhere.or(bits);
                    continue;
                }
                Reach::Region { shops, .. } => shops,
                Reach::Shop(shop) => std::slice::from_ref(shop),
            };
            everywhere = everywhere.or(bits.and(Bits::of_breadth(Breadth::Anywhere)));
            for shop in of_shops {
                let held = shops.entry(*shop).or_default();
                *held = held.or(bits.and(Bits::of_breadth(Breadth::ByShop)));
            }
        }
        let wants_mfa = source.grants.iter().any(|grant| grant.wants_mfa);
        let shops = shops.into_iter().filter(|(_, bits)| !bits.is_empty()).collect();
        Self { version: source.version, everywhere, shops, on, wants_mfa, grants: source.grants }
    }

    /// The tenant's policy version that it was compiled from.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Whether a role of theirs asks for a second factor.
    pub const fn wants_mfa(&self) -> bool {
        self.wants_mfa
    }

    /// The roles they hold.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Whether a permission is held for a shop. Tens of nanoseconds: a bit, or a bisection and a bit.
    pub fn allows_in(&self, permission: Permission, shop: ShopId) -> bool {
        self.everywhere.has(permission)
            || self
                .shops
                .binary_search_by_key(&shop, |(known, _)| *known)
                .is_ok_and(|at| self.shops.get(at).is_some_and(|(_, bits)| bits.has(permission)))
    }

    /// Whether a permission is held anywhere: what a navigation asks.
    pub fn may(&self, permission: Permission) -> bool {
        self.everywhere.has(permission) || self.shops.iter().any(|(_, bits)| bits.has(permission))
    }

    /// Where a permission is held; none if nowhere.
    pub fn scope(&self, permission: Permission) -> Option<Scope> {
        if self.everywhere.has(permission) {
            return Some(Scope::Everywhere);
        }
        let shops: Arc<[ShopId]> =
            self.shops.iter().filter(|(_, bits)| bits.has(permission)).map(|(shop, _)| *shop).collect();
        if shops.is_empty() { None } else { Some(Scope::Shops(shops)) }
    }

    /// All that is held anywhere.
    pub fn held(&self) -> Bits {
        self.shops.iter().fold(self.everywhere, |all, (_, bits)| all.or(*bits))
    }

    /// What of `bits`, given for `reach`, goes beyond what is held here: nobody gives more than they have. Empty: it may be
    /// given. What a role would not be good for at that reach does not count.
    pub fn beyond(&self, bits: Bits, reach: &Reach) -> Bits {
        let of_shops: &[ShopId] = match reach {
            // A role outlives a switch: what a module would bring once it is on must be held too, or it would be a way
            // around. Owners hold all of it by their role.
            Reach::Tenant => return bits.without(self.given_everywhere()),
            Reach::Region { shops, .. } => shops,
            Reach::Shop(shop) => std::slice::from_ref(shop),
        };
        let anywhere = bits.and(Bits::of_breadth(Breadth::Anywhere)).without(self.held());
        // A region without shops gets some later.
        let by_shop = bits.and(Bits::of_breadth(Breadth::ByShop));
        if of_shops.is_empty() || matches!(reach, Reach::Region { .. }) {
            let held = self.given_everywhere().or(self.given_in_region(reach));
            return anywhere.or(by_shop.without(held));
        }
        of_shops.iter().fold(anywhere, |beyond, shop| {
            let held = by_shop.iter().filter(|permission| self.allows_in(*permission, *shop));
            beyond.or(by_shop.without(held.fold(Bits::NONE, Bits::with)))
        })
    }

    fn given_everywhere(&self) -> Bits {
        let grants = self.grants.iter().filter(|grant| grant.reach == Reach::Tenant);
        grants.fold(Bits::NONE, |all, grant| all.or(grant.bits))
    }

    fn given_in_region(&self, reach: &Reach) -> Bits {
        let Reach::Region { id, .. } = reach else { return Bits::NONE };
        let same = |grant: &&Grant| matches!(&grant.reach, Reach::Region { id: other, .. } if other == id);
        self.grants.iter().filter(same).fold(Bits::NONE, |all, grant| all.or(grant.bits))
    }

    /// How a decision comes about, for the person who asks why.
    pub fn explain(&self, permission: Permission, shop: Option<ShopId>) -> Explanation {
        let allowed = match shop {
            Some(shop) => self.allows_in(permission, shop),
            None => self.may(permission),
        };
        let good = |reach: &Reach| match (reach, shop) {
            (Reach::Tenant, _) => true,
            _ if permission.breadth() == Breadth::Anywhere => true,
            _ if permission.breadth() == Breadth::Company => false,
            (_, None) => true,
            (Reach::Region { shops, .. }, Some(shop)) => shops.contains(&shop),
            (Reach::Shop(of), Some(shop)) => *of == shop,
        };
        let with: Vec<&Grant> = self.grants.iter().filter(|grant| grant.bits.has(permission)).collect();
        let because: Vec<Grant> =
            with.iter().filter(|grant| good(&grant.reach)).map(|grant| (*grant).clone()).collect();
        let lack = match (allowed, with.is_empty(), because.is_empty()) {
            (true, ..) => None,
            (false, true, _) => Some(Lack::NoRole),
            (false, false, false) => Some(Lack::ModuleOff),
            (false, false, true) if !self.on.has(permission) => Some(Lack::ModuleOff),
            (false, false, true) if permission.breadth() == Breadth::Company => Some(Lack::OnlyForShops),
            (false, false, true) => Some(Lack::OtherShops),
        };
        Explanation { allowed, because, lack }
    }

    /// The same policy with one permission more, everywhere. Debug builds have it so that a test can show that it would
    /// notice a check that is missing; a release has no such thing.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn weakened(mut self, permission: Permission) -> Self {
        self.everywhere = self.everywhere.with(permission);
        self
    }
}

#[cfg(test)]
#[path = "compile_tests.rs"]
mod tests;
