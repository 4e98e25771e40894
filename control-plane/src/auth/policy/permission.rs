//! What may be allowed: every permission with its module, in one table. The names are data of tenants (roles keep them) and
//! are never reused. Knows nobody who holds one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of the product that a tenant has or has not. Core modules cannot be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Module {
    /// The company itself: name, regions, switches, the record of what was done.
    Company,
    /// Who belongs to it and what they may.
    People,
    /// Shops and their settings.
    Shops,
    /// Products and prices.
    Catalog,
    /// Tickets, live sales, completeness.
    Sales,
    /// Figures over days and shops.
    Analytics,
    /// Nodes in the shops.
    Fleet,
    /// Cashiers, their PINs, and what is done at a lane.
    Staff,
    /// Keys for programs.
    Keys,
    /// Sign-in through the company's own identity provider.
    Sso,
    /// The platform's own operators. Exists for the platform's tenant alone.
    Platform,
}

impl Module {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Company,
        Self::People,
        Self::Shops,
        Self::Catalog,
        Self::Sales,
        Self::Analytics,
        Self::Fleet,
        Self::Staff,
        Self::Keys,
        Self::Sso,
        Self::Platform,
    ];

    /// Its name in data.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::People => "people",
            Self::Shops => "shops",
            Self::Catalog => "catalog",
            Self::Sales => "sales",
            Self::Analytics => "analytics",
            Self::Fleet => "fleet",
            Self::Staff => "staff",
            Self::Keys => "keys",
            Self::Sso => "sso",
            Self::Platform => "platform",
        }
    }

    /// What it is, in a sentence.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Company => "The company: name, regions, modules, and the record of what was done",
            Self::People => "Who belongs to the company, and what they may do",
            Self::Shops => "Shops and the settings their boxes trade by",
            Self::Catalog => "Products, prices and imports",
            Self::Sales => "Receipts, live sales, and whether everything has arrived",
            Self::Analytics => "Figures over days and shops",
            Self::Fleet => "The boxes in the shops and the codes with which they join",
            Self::Staff => "Cashiers, their PINs, and what they may do at a lane",
            Self::Keys => "Keys with which programs use the API",
            Self::Sso => "Sign-in through the company's own identity provider",
            Self::Platform => "Running the platform: tenants, modules, jobs, impersonation",
        }
    }

    /// Whether every tenant has it. A shop that cannot be seen, or people who cannot be managed, are no product.
    pub const fn core(self) -> bool {
        match self {
            Self::Company | Self::People | Self::Shops | Self::Sales | Self::Fleet => true,
            Self::Catalog | Self::Analytics | Self::Staff | Self::Keys | Self::Sso | Self::Platform => false,
        }
    }

    /// Whether a tenant has it unless somebody switched it off.
    pub const fn by_default(self) -> bool {
        !matches!(self, Self::Platform)
    }

    /// The one with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|module| module.name() == name)
    }
}

/// Looking or changing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Looking.
    Read,
    /// Changing.
    Write,
}

/// What a permission costs when it is in the wrong hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Nothing of note.
    Plain,
    /// Money: a revocation is exact, not within a second.
    Money,
    /// Power over others: wants the password or second factor again ("step-up").
    Sensitive,
}

/// What a permission means for somebody who holds it for some shops only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breadth {
    /// It is good for those shops.
    ByShop,
    /// It is about something that all shops share and may be looked at from any of them.
    Anywhere,
    /// It is about the company as a whole: held for some shops only, it is not held.
    Company,
}

macro_rules! permissions {
    ($($variant:ident = $name:literal in $module:ident, $level:ident, $weight:ident, $breadth:ident, $says:literal;)+) => {
        /// Something that may be allowed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        #[schema(as = String)]
        #[repr(u8)]
        pub enum Permission {
            $(#[doc = $says] $variant,)+
        }

        impl Permission {
            /// All of them, in the order of their bits.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in data.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
            /// The module it belongs to.
            pub const fn module(self) -> Module {
                match self { $(Self::$variant => Module::$module,)+ }
            }
            /// Looking or changing.
            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)+ }
            }
            /// What it costs in the wrong hands.
            pub const fn weight(self) -> Weight {
                match self { $(Self::$variant => Weight::$weight,)+ }
            }
            /// What it means for somebody who holds it for some shops only.
            pub const fn breadth(self) -> Breadth {
                match self { $(Self::$variant => Breadth::$breadth,)+ }
            }
            /// What it allows, in words.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => $says,)+ }
            }
        }

        /// Permissions as types, for the signatures of handlers: `Can<right::ShopsRead>`.
        pub mod right {
            use super::{Permission, Right};
            $(
                #[doc = $says]
                #[derive(Clone, Copy, Debug)]
                pub struct $variant;
                impl Right for $variant {
                    const PERMISSION: Permission = Permission::$variant;
                }
            )+
        }
    };
}

/// A permission as a type.
pub trait Right: Send + Sync + 'static {
    /// Which.
    const PERMISSION: Permission;
}

// Order is the order of the bits within one process and may change; names may not.
permissions! {
    CompanyRead = "company.read" in Company, Read, Plain, Anywhere, "See the company, its regions and modules";
    CompanyWrite = "company.write" in Company, Write, Plain, Company, "Change the company and its regions";
    AuditRead = "audit.read" in Company, Read, Plain, Company, "Read the record of what was done";
    SupportAllow = "support.allow" in Company, Write, Sensitive, Company, "Let an operator of the platform look in";
    CompanyClose = "company.close" in Company, Write, Sensitive, Company, "Close the company's account";
    PeopleRead = "people.read" in People, Read, Plain, Company, "See who belongs to the company";
    PeopleWrite = "people.write" in People, Write, Plain, Company, "Invite people, end memberships and sessions";
    RolesRead = "roles.read" in People, Read, Plain, Company, "See roles and who holds them";
    RolesWrite = "roles.write" in People, Write, Sensitive, Company, "Make roles and give them to people";
    ShopsRead = "shops.read" in Shops, Read, Plain, ByShop, "See shops and their settings";
    ShopsWrite = "shops.write" in Shops, Write, Plain, ByShop, "Change shops and their settings";
    ShopsCreate = "shops.create" in Shops, Write, Plain, Company, "Open new shops";
    CatalogRead = "catalog.read" in Catalog, Read, Plain, Anywhere, "See products and prices";
    CatalogWrite = "catalog.write" in Catalog, Write, Money, Company, "Change and import products with their prices";
    PricesWrite = "prices.write" in Catalog, Write, Money, Company, "Change prices";
    SalesRead = "sales.read" in Sales, Read, Plain, ByShop, "See receipts, live sales and what has arrived";
    AnalyticsRead = "analytics.read" in Analytics, Read, Plain, ByShop, "See figures over days and shops";
    FleetRead = "fleet.read" in Fleet, Read, Plain, ByShop, "See boxes and how they are";
    FleetWrite = "fleet.write" in Fleet, Write, Plain, ByShop, "Let boxes join and take them out";
    StaffRead = "staff.read" in Staff, Read, Plain, ByShop, "See cashiers and what they may do";
    StaffWrite = "staff.write" in Staff, Write, Money, ByShop, "Change cashiers, their rights and their PINs";
    KeysRead = "keys.read" in Keys, Read, Plain, Company, "See the keys of programs";
    KeysWrite = "keys.write" in Keys, Write, Sensitive, Company, "Make keys for programs, and end them";
    SsoRead = "sso.read" in Sso, Read, Plain, Company, "See the company's identity providers";
    SsoWrite = "sso.write" in Sso, Write, Sensitive, Company, "Change the company's identity providers";
    PlatformTenantsRead = "platform.tenants.read" in Platform, Read, Plain, Company, "See the platform's tenants";
    PlatformTenantsWrite = "platform.tenants.write" in Platform, Write, Sensitive, Company, "Approve, suspend and close tenants";
    PlatformModulesWrite = "platform.modules.write" in Platform, Write, Sensitive, Company, "Switch modules and features of tenants";
    PlatformJobsRead = "platform.jobs.read" in Platform, Read, Plain, Company, "See jobs and mails that wait or failed";
    PlatformJobsWrite = "platform.jobs.write" in Platform, Write, Plain, Company, "Start jobs again, or give them up";
    PlatformImpersonate = "platform.impersonate" in Platform, Write, Sensitive, Company, "Look into a tenant that allows it";
}

impl Permission {
    /// Its bit.
    pub const fn bit(self) -> usize {
        self as usize
    }

    /// The one with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Permission {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::of_name(&name)
            .ok_or_else(|| serde::de::Error::custom("there is no such permission; see /v1/module-registry"))
    }
}

const WORDS: usize = 1;

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bits([u64; WORDS]);

const _: () = assert!(Permission::ALL.len() <= WORDS * 64, "one more word for the permissions");

impl Bits {
    /// None.
    pub const NONE: Self = Self([0; WORDS]);

    /// These.
    pub fn of(permissions: &[Permission]) -> Self {
        permissions.iter().fold(Self::NONE, |set, permission| set.with(*permission))
    }

    /// All of this breadth.
    pub fn of_breadth(breadth: Breadth) -> Self {
        Permission::ALL
            .iter()
            .filter(|known| known.breadth() == breadth)
            .fold(Self::NONE, |set, known| set.with(*known))
    }

    /// All that belong to a module.
    pub fn of_module(module: Module) -> Self {
        Permission::ALL.iter().filter(|known| known.module() == module).fold(Self::NONE, |set, known| set.with(*known))
    }

    /// One more.
    #[must_use]
    pub const fn with(mut self, permission: Permission) -> Self {
        self.0[permission.bit() / 64] |= 1 << (permission.bit() % 64);
        self
    }

    /// Whether it is in.
    pub const fn has(&self, permission: Permission) -> bool {
        self.0[permission.bit() / 64] & (1 << (permission.bit() % 64)) != 0
    }

    /// Both sets.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// Whether nothing is in.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// Those that are in.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.has(*permission))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: BTreeSet<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
        for permission in Permission::ALL {
            assert_eq!(Permission::of_name(permission.name()), Some(*permission));
            assert_eq!(Permission::ALL[permission.bit()], *permission);
        }
        for module in Module::ALL {
            assert_eq!(Module::of_name(module.name()), Some(module));
            assert!(!Bits::of_module(module).is_empty(), "{module:?} has no permission");
        }
        assert_eq!(Permission::of_name("shops"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let set = Bits::of(&[Permission::ShopsRead, Permission::PlatformImpersonate]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Permission::ShopsRead, Permission::PlatformImpersonate]);
        assert!(set.without(set).is_empty() && set.and(Bits::NONE).is_empty());
        assert_eq!(set.or(Bits::NONE), set);
    }
}
