//! Staff as they are asked for and answered.

use protocol::id::{ShopId, StaffId};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What somebody is at a lane; each role brings its rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaneRole {
    /// Sells, takes lines back, reduces prices within a limit.
    #[default]
    Cashier,
    /// Also gives money back, opens the drawer, rings paper receipts.
    Supervisor,
    /// Everything, and approves what others may not do alone.
    Manager,
}

impl LaneRole {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cashier, Self::Supervisor, Self::Manager];

    /// Its name in data.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cashier => "cashier",
            Self::Supervisor => "supervisor",
            Self::Manager => "manager",
        }
    }

    /// Its name for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Cashier => "Cashier",
            Self::Supervisor => "Supervisor",
            Self::Manager => "Manager",
        }
    }

    /// The one of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A right at a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaneRight {
    /// Open tickets, ring lines, take money.
    Sell,
    /// Take lines and tickets back.
    Void,
    /// Give money back.
    Refund,
    /// Open the drawer without a sale.
    NoSale,
    /// Reduce a price.
    Discount,
    /// Approve what others may not do alone.
    Approve,
    /// Ring paper receipts with their own time.
    LateEntry,
}

/// Somebody to be added. Their PIN is set apart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStaff {
    /// Their name.
    #[schema(example = "Nora Example", min_length = 1, max_length = 120)]
    pub name: String,
    /// What the till and the receipt call them; the first word of the name when left out.
    #[serde(default)]
    pub short_name: Option<String>,
    /// The person of head office they are, if they are one.
    #[serde(default)]
    pub person_id: Option<Uuid>,
    /// What they are at a lane.
    #[serde(default)]
    pub role: LaneRole,
    /// Rights beside those of the role.
    #[serde(default)]
    pub rights_added: Vec<LaneRight>,
    /// Rights of the role that they have not.
    #[serde(default)]
    pub rights_removed: Vec<LaneRight>,
    /// How far they may reduce a price alone, in millionths; none: as far as the shop lets anybody.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub discount_ppm: Option<u32>,
    /// The same in minor units.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub discount_minor: Option<i64>,
    /// Whether they work in every shop, also in those to come.
    #[serde(default)]
    pub all_shops: bool,
    /// The shops they work in, unless in all.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    pub shop_ids: Vec<Uuid>,
}

/// What may change about somebody; what is absent stays, `null` takes a limit away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffPatch {
    /// Their name.
    pub name: Option<String>,
    /// What the till calls them.
    pub short_name: Option<String>,
    /// The person of head office they are.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    pub person_id: Option<Option<Uuid>>,
    /// What they are at a lane.
    pub role: Option<LaneRole>,
    /// Rights beside those of the role.
    pub rights_added: Option<Vec<LaneRight>>,
    /// Rights of the role that they have not.
    pub rights_removed: Option<Vec<LaneRight>>,
    /// How far they may reduce a price alone, in millionths.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, maximum = 1_000_000)]
    pub discount_ppm: Option<Option<u32>>,
    /// The same in minor units.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub discount_minor: Option<Option<i64>>,
    /// Whether they work in every shop.
    pub all_shops: Option<bool>,
    /// The shops they work in, unless in all.
    pub shop_ids: Option<Vec<Uuid>>,
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Somebody who works at the lanes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StaffMember)]
pub struct Member {
    /// Their id.
    #[schema(value_type = Uuid)]
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// What the till calls them.
    pub short_name: String,
    /// The person of head office they are.
    pub person_id: Option<Uuid>,
    /// What they are at a lane.
    pub role: LaneRole,
    /// What they may do there, all in all.
    #[schema(value_type = Vec<LaneRight>)]
    pub rights: Vec<&'static str>,
    /// Rights beside those of the role.
    #[schema(value_type = Vec<LaneRight>)]
    pub rights_added: Vec<&'static str>,
    /// Rights of the role that they have not.
    #[schema(value_type = Vec<LaneRight>)]
    pub rights_removed: Vec<&'static str>,
    /// How far they may reduce a price alone, in millionths.
    pub discount_ppm: Option<u32>,
    /// The same in minor units.
    pub discount_minor: Option<i64>,
    /// Whether they work in every shop.
    pub all_shops: bool,
    /// The shops they work in, as far as the reader may see them.
    #[schema(value_type = Vec<Uuid>)]
    pub shop_ids: Vec<ShopId>,
    /// Whether they have a PIN; without one they cannot sign in.
    pub has_pin: bool,
    /// Whether they work here no more.
    pub ended: bool,
    /// Rises with every change.
    pub version: u64,
}

/// A PIN to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPin {
    /// Four to eight digits: no run like 1234, no pattern like 1212.
    #[schema(example = "4711", min_length = 4, max_length = 8, pattern = "^[0-9]{4,8}$")]
    pub pin: String,
}

/// Says nothing of the PIN.
impl std::fmt::Debug for NewPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPin(..)")
    }
}

/// What needs a second person in a shop. What is null needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopRules {
    /// Nothing is sold at a lane where nobody is signed in.
    pub cashier_required: bool,
    /// A cashier is signed out after so many minutes without a sale; 0: never.
    #[schema(maximum = 1_440)]
    pub idle_minutes: u16,
    /// Taking back a line that comes to more, in minor units.
    #[schema(minimum = 0)]
    pub void_line_above_minor: Option<i64>,
    /// Giving up a ticket that comes to more.
    #[schema(minimum = 0)]
    pub void_ticket_above_minor: Option<i64>,
    /// Giving more money back.
    #[schema(minimum = 0)]
    pub refund_above_minor: Option<i64>,
    /// Every opening of the drawer without a sale.
    pub no_sale: bool,
    /// Every reduction beyond so many millionths.
    #[schema(maximum = 1_000_000)]
    pub discount_above_ppm: Option<u32>,
    /// The same in minor units.
    #[schema(minimum = 0)]
    pub discount_above_minor: Option<i64>,
}

/// The rules of a shop with their version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RulesOfShop {
    /// The shop.
    #[schema(value_type = Uuid)]
    pub shop_id: ShopId,
    /// The rules, as they are put.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub rules: ShopRules,
    /// Rises with every change; 0: nobody set any.
    pub version: u64,
}
