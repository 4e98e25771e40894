//! The navigation: which rooms there are, the pages behind each, and who may enter. Knows addresses and permissions, and
//! nothing of what is on the pages.

use crate::auth::policy::{Permission, Policy};

/// Where a page belongs: one tab of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nav {
    /// Live sales.
    Live,
    /// Receipts.
    Receipts,
    /// Shops.
    Shops,
    /// Nodes.
    Nodes,
    /// Products and prices.
    Products,
    /// One's own account: in no room of the navigation.
    Me,
    /// One's own second factors.
    Security,
    /// What head office told one.
    Notices,
    /// Who belongs to the company.
    People,
    /// What they may.
    Roles,
    /// Who works at the lanes.
    Staff,
    /// What the company is called, how its pages look, how its account stands.
    Settings,
    /// Operators who look in.
    Support,
    /// Groups of shops.
    Regions,
    /// Keys for programs.
    Keys,
    /// The company's identity providers.
    Sso,
    /// The record of what was done.
    Audit,
    /// The companies of the platform: for its operators.
    Platform,
    /// What there is to be had.
    Modules,
    /// Work that waits.
    Jobs,
    /// Mail that went out.
    Mails,
}

/// One entry of the navigation, for the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NavItem {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub label: &'static str,
    /// Its icon's name; a tab has none.
    pub icon: &'static str,
    /// Whether the page belongs to it.
    pub current: bool,
}

/// A page behind a room, with the permission that opens it; none for what everybody has.
type Tab = (Nav, &'static str, &'static str, Option<Permission>);

struct Room {
    label: &'static str,
    icon: &'static str,
    tabs: &'static [Tab],
}

const fn room(label: &'static str, icon: &'static str, tabs: &'static [Tab]) -> Room {
    Room { label, icon, tabs }
}

/// What the bar of a telephone holds; when there is more, its last place opens the rest.
const ON_A_BAR: usize = 5;

/// The rooms in their order.
const ROOMS: [Room; 8] = {
    use Permission as May;
    [
        room(
            "Platform",
            "globe",
            &[
                (Nav::Platform, "/operator", "Companies", Some(May::PlatformTenantsRead)),
                (Nav::Modules, "/operator/modules", "Modules", Some(May::PlatformTenantsRead)),
                (Nav::Jobs, "/operator/jobs", "Jobs", Some(May::PlatformJobsRead)),
                (Nav::Mails, "/operator/mails", "Mails", Some(May::PlatformJobsRead)),
            ],
        ),
        room("Live sales", "pulse", &[(Nav::Live, "/", "Live sales", Some(May::SalesRead))]),
        room("Receipts", "receipt", &[(Nav::Receipts, "/receipts", "Receipts", Some(May::SalesRead))]),
        room("Shops", "shop", &[(Nav::Shops, "/shops", "Shops", Some(May::ShopsRead))]),
        room("Products", "tag", &[(Nav::Products, "/products", "Products", Some(May::CatalogRead))]),
        room("Nodes", "node", &[(Nav::Nodes, "/nodes", "Nodes", Some(May::FleetRead))]),
        room(
            "People",
            "people",
            &[
                (Nav::People, "/people", "People", Some(May::PeopleRead)),
                (Nav::Roles, "/roles", "Roles", Some(May::RolesRead)),
                (Nav::Staff, "/staff", "Staff", Some(May::StaffRead)),
            ],
        ),
        room(
            "Company",
            "gear",
            &[
                (Nav::Settings, "/settings", "Settings", Some(May::CompanyRead)),
                (Nav::Regions, "/regions", "Regions", Some(May::CompanyRead)),
                (Nav::Keys, "/settings/keys", "Keys", Some(May::KeysRead)),
                (Nav::Sso, "/settings/sso", "Single sign-on", Some(May::SsoRead)),
                (Nav::Support, "/settings/support", "Support", Some(May::CompanyRead)),
                (Nav::Audit, "/audit", "What was done", Some(May::AuditRead)),
            ],
        ),
    ]
};

/// One's own pages, which everybody has.
const OWN: Room = room(
    "Your account",
    "user",
    &[
        (Nav::Me, "/me", "Your account", None),
        (Nav::Security, "/me/security", "Security", None),
        (Nav::Notices, "/notifications", "Notifications", None),
    ],
);

impl Room {
    fn holds(&self, nav: Nav) -> bool {
        self.tabs.iter().any(|tab| tab.0 == nav)
    }

    /// The pages that somebody may open.
    fn open_to(&self, policy: &Policy) -> impl Iterator<Item = &'static Tab> {
        self.tabs.iter().filter(|tab| tab.3.is_none_or(|wants| policy.may(wants)))
    }
}

/// The rooms that somebody may enter. One of which they may see a single page is called like that page.
pub(super) fn rooms(policy: &Policy, here: Nav) -> Vec<NavItem> {
    let item = |room: &Room| {
        let mut open = room.open_to(policy);
        let (_, href, only, _) = open.next()?;
        let label = if open.next().is_some() { room.label } else { only };
        Some(NavItem { href, label, icon: room.icon, current: room.holds(here) })
    };
    ROOMS.iter().filter_map(item).collect()
}

/// The pages beside the one that is open, in the same room; none when there is no other.
pub(super) fn tabs(policy: &Policy, here: Nav) -> Vec<NavItem> {
    let room = ROOMS.iter().find(|room| room.holds(here)).unwrap_or(&OWN);
    let tab = |tab: &Tab| NavItem { href: tab.1, label: tab.2, icon: "", current: tab.0 == here };
    let tabs: Vec<NavItem> = room.open_to(policy).map(tab).collect();
    if tabs.len() > 1 { tabs } else { Vec::new() }
}

/// Where the bar of a telephone is cut: what is behind stands under its last place.
pub(super) const fn cut(rooms: usize) -> usize {
    if rooms > ON_A_BAR { ON_A_BAR - 1 } else { rooms }
}

/// The first room that somebody may enter, or their own account.
pub(super) fn first_room(policy: &Policy) -> &'static str {
    ROOMS.iter().find_map(|room| room.open_to(policy).next()).map_or("/me", |tab| tab.1)
}
