//! Somebody as the forms of staff have them: read from what was typed, and filled from what is kept.

use protocol::id::ShopId;
use uuid::Uuid;

use super::rules_pages;
use super::types::{LaneRight, LaneRole, Member, NewStaff, StaffPatch};
use crate::domain::shops::types::Shop;
use crate::http::{ApiError, ApiResult};

/// Somebody as a form has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) short_name: String,
    pub(super) role: LaneRole,
    pub(super) added: Vec<LaneRight>,
    pub(super) removed: Vec<LaneRight>,
    pub(super) percent: String,
    pub(super) all_shops: bool,
    pub(super) shops: Vec<Uuid>,
    pub(super) seen: u64,
}

/// The rights as the form lists them: name and what it says.
pub(super) const RIGHTS: [(&str, LaneRight, &str); 7] = [
    ("sell", LaneRight::Sell, "Sell"),
    ("void", LaneRight::Void, "Take lines back"),
    ("discount", LaneRight::Discount, "Reduce prices"),
    ("refund", LaneRight::Refund, "Give money back"),
    ("no_sale", LaneRight::NoSale, "Open the drawer"),
    ("late_entry", LaneRight::LateEntry, "Ring paper receipts"),
    ("approve", LaneRight::Approve, "Approve for others"),
];

/// What somebody may do, in the words of the form.
pub(super) fn rights_of(member: &Member) -> String {
    let held = RIGHTS.iter().filter(|(name, ..)| member.rights.contains(name)).map(|(.., words)| *words);
    held.collect::<Vec<_>>().join(", ")
}

impl Typed {
    pub(super) fn of(member: &Member) -> Self {
        let of = |names: &[&str]| {
            RIGHTS.iter().filter(|(name, ..)| names.contains(name)).map(|(_, right, _)| *right).collect()
        };
        Self {
            name: member.name.clone(),
            short_name: member.short_name.clone(),
            role: member.role,
            added: of(&member.rights_added),
            removed: of(&member.rights_removed),
            percent: member.discount_ppm.map_or_else(String::new, rules_pages::percent_text),
            all_shops: member.all_shops,
            shops: member.shop_ids.iter().map(ShopId::as_uuid).collect(),
            seen: member.version,
        }
    }

    pub(super) fn read(pairs: &[(String, String)]) -> Self {
        let mut typed = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => typed.name.clone_from(value),
                "short_name" => typed.short_name.clone_from(value),
                "role" => typed.role = LaneRole::of_name(value).unwrap_or_default(),
                "percent" => typed.percent.clone_from(value),
                "all_shops" => typed.all_shops = value == "yes",
                "shop" => typed.shops.extend(Uuid::parse_str(value)),
                "seen" => typed.seen = value.parse().unwrap_or(0),
                _ => {
                    let right = name.strip_prefix("right_");
                    let found = RIGHTS.iter().find(|(name, ..)| right == Some(*name));
                    match (found, value.as_str()) {
                        (Some((_, right, _)), "yes") => typed.added.push(*right),
                        (Some((_, right, _)), "no") => typed.removed.push(*right),
                        (Some(_) | None, _) => {}
                    }
                }
            }
        }
        typed
    }

    /// What the form's select of a right shows.
    pub(super) fn chosen(&self, right: &LaneRight) -> &'static str {
        match (self.added.contains(right), self.removed.contains(right)) {
            (true, _) => "yes",
            (false, true) => "no",
            (false, false) => "role",
        }
    }

    pub(super) fn works_in(&self, shop: &ShopId) -> bool {
        self.shops.contains(&shop.as_uuid())
    }

    fn ppm(&self) -> Result<Option<u32>, ApiError> {
        rules_pages::percent("discount_ppm", &self.percent)
    }

    pub(super) fn wanted(&self) -> ApiResult<NewStaff> {
        Ok(NewStaff {
            name: self.name.clone(),
            short_name: Some(self.short_name.clone()),
            person_id: None,
            role: self.role,
            rights_added: self.added.clone(),
            rights_removed: self.removed.clone(),
            discount_ppm: self.ppm()?,
            discount_minor: None,
            all_shops: self.all_shops,
            shop_ids: self.shops.clone(),
        })
    }

    pub(super) fn patch(&self) -> ApiResult<StaffPatch> {
        let NewStaff {
            name, short_name, role, rights_added, rights_removed, discount_ppm, all_shops, shop_ids, ..
        } = self.wanted()?;
        Ok(StaffPatch {
            name: Some(name),
            short_name,
            role: Some(role),
            rights_added: Some(rights_added),
            rights_removed: Some(rights_removed),
            discount_ppm: Some(discount_ppm),
            all_shops: Some(all_shops),
            shop_ids: (!all_shops).then_some(shop_ids),
            ..StaffPatch::default()
        })
    }
}

/// Where somebody works, in words.
pub(super) fn places(member: &Member, shops: &[Shop]) -> String {
    if member.all_shops {
        return "Every shop".to_owned();
    }
    let name = |id: &ShopId| shops.iter().find(|shop| shop.id == *id).map(|shop| shop.name.as_str());
    match member.shop_ids.as_slice() {
        [] => "No shop you look after".to_owned(),
        [one] => name(one).unwrap_or("A former shop").to_owned(),
        [one, two] => format!("{}, {}", name(one).unwrap_or("?"), name(two).unwrap_or("?")),
        many => format!("{} shops", many.len()),
    }
}
