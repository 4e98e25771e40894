//! The roles that every tenant has: data of the product, the same everywhere. A tenant's own roles stand beside them.

use serde::Serialize;
use utoipa::ToSchema;

use super::permission::Permission as P;
use super::permission::{Bits, Module};

/// A role that every tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    /// Everything of the company.
    Owner,
    /// Runs one or more shops.
    Manager,
    /// Sells at a lane; nothing at head office but their own account.
    Cashier,
    /// Sells away from the shop.
    FieldSeller,
    /// Reads figures and receipts.
    Accountant,
    /// Puts boxes into shops.
    Technician,
    /// Reads everything, writes for shops.
    Analyst,
    /// An operator of the platform who helps tenants.
    Support,
    /// An operator of the platform who runs it.
    PlatformAdmin,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Owner,
        Self::Manager,
        Self::Cashier,
        Self::FieldSeller,
        Self::Accountant,
        Self::Technician,
        Self::Analyst,
        Self::Support,
        Self::PlatformAdmin,
    ];

    /// Its name in data.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Cashier => "cashier",
            Self::FieldSeller => "field_seller",
            Self::Accountant => "accountant",
            Self::Technician => "technician",
            Self::Analyst => "analyst",
            Self::Support => "support",
            Self::PlatformAdmin => "platform_admin",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Manager => "Manager",
            Self::Cashier => "Cashier",
            Self::FieldSeller => "Field seller",
            Self::Accountant => "Accountant",
            Self::Technician => "Technician",
            Self::Analyst => "Analyst",
            Self::Support => "Support",
            Self::PlatformAdmin => "Platform administrator",
        }
    }

    /// What it is for.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Owner => "Everything of the company",
            Self::Manager => "Runs shops: people at the lanes, prices, boxes, figures",
            Self::Cashier => "Sells at a lane; at head office only their own account",
            Self::FieldSeller => "Sells away from the shop: products, prices and receipts to look at",
            Self::Accountant => "Reads receipts, figures and the record of what was done",
            Self::Technician => "Puts boxes into shops and sees how they are",
            Self::Analyst => "Reads everything; changes settings of shops",
            Self::Support => "Operator of the platform: helps tenants that allow it",
            Self::PlatformAdmin => "Operator of the platform: tenants, modules, jobs",
        }
    }

    /// Whether it belongs to the platform's own tenant.
    pub const fn of_platform(self) -> bool {
        matches!(self, Self::Support | Self::PlatformAdmin)
    }

    /// Whether who holds it must have a second factor.
    pub const fn wants_mfa(self) -> bool {
        self.of_platform()
    }

    /// Whether it may be given for some shops only. The others are about the company as a whole.
    pub const fn by_shop(self) -> bool {
        match self {
            Self::Manager | Self::Cashier | Self::FieldSeller | Self::Technician | Self::Analyst | Self::Accountant => {
                true
            }
            Self::Owner | Self::Support | Self::PlatformAdmin => false,
        }
    }

    /// What it allows.
    pub fn permissions(self) -> Bits {
        match self {
            Self::Owner => Permissions::everything_of_a_tenant(),
            Self::Manager => Bits::of(&[
                P::CompanyRead,
                P::PeopleRead,
                P::RolesRead,
                P::ShopsRead,
                P::ShopsWrite,
                P::CatalogRead,
                P::CatalogWrite,
                P::PricesWrite,
                P::SalesRead,
                P::AnalyticsRead,
                P::FleetRead,
                P::FleetWrite,
                P::StaffRead,
                P::StaffWrite,
            ]),
            Self::Cashier => Bits::NONE,
            Self::FieldSeller => Bits::of(&[P::CatalogRead, P::SalesRead]),
            Self::Accountant => {
                Bits::of(&[P::CompanyRead, P::AuditRead, P::ShopsRead, P::CatalogRead, P::SalesRead, P::AnalyticsRead])
            }
            Self::Technician => Bits::of(&[P::ShopsRead, P::FleetRead, P::FleetWrite]),
            Self::Analyst => Bits::of(&[
                P::CompanyRead,
                P::AuditRead,
                P::PeopleRead,
                P::RolesRead,
                P::ShopsRead,
                P::ShopsWrite,
                P::CatalogRead,
                P::SalesRead,
                P::AnalyticsRead,
                P::FleetRead,
                P::StaffRead,
                P::KeysRead,
                P::SsoRead,
            ]),
            Self::Support => {
                Bits::of(&[P::CompanyRead, P::PlatformTenantsRead, P::PlatformJobsRead, P::PlatformImpersonate])
            }
            Self::PlatformAdmin => Bits::of_module(Module::Platform)
                .or(Bits::of_module(Module::People))
                .or(Bits::of(&[P::CompanyRead, P::AuditRead])),
        }
    }

    /// The one with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Sets that have a name.
#[derive(Debug)]
pub struct Permissions;

impl Permissions {
    /// All that a tenant can have: everything but the platform's own.
    pub fn everything_of_a_tenant() -> Bits {
        Bits::of(P::ALL).without(Bits::of_module(Module::Platform))
    }

    /// All that the platform's own tenant can have: its operators are no franchise.
    pub fn everything_of_the_platform() -> Bits {
        BuiltIn::PlatformAdmin.permissions().or(BuiltIn::Support.permissions())
    }

    /// What an operator sees who was let in: everything, to look at.
    pub fn to_look_at() -> Bits {
        let reads = P::ALL.iter().filter(|known| known.level() == super::permission::Level::Read);
        reads.fold(Bits::NONE, |set, known| set.with(*known)).and(Self::everything_of_a_tenant())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_platform_is_in_a_role_of_tenants() {
        let platform = Bits::of_module(Module::Platform);
        for role in BuiltIn::ALL {
            assert_eq!(BuiltIn::of_name(role.name()), Some(role));
            if !role.of_platform() {
                assert!(role.permissions().and(platform).is_empty(), "{role:?}");
                assert!(role.permissions().without(BuiltIn::Owner.permissions()).is_empty(), "{role:?}");
            }
        }
        assert!(Permissions::to_look_at().and(platform).is_empty());
    }
}
