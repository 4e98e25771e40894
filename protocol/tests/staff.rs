//! Who may do what at a lane: the decision over every right and limit, and bytes of people that are none.
#![allow(clippy::unwrap_used, reason = "a test that stops at the first surprise")]

#[allow(dead_code, reason = "other tests use the rest")]
mod samples;

use proptest::prelude::*;
use protocol::collection::{CollectionError, Delivery};
use protocol::limits;
use protocol::money::Amount;
use protocol::staff::{
    Action, Decision, DiscountLimit, PinVerifier, Right, Rights, StaffMember, StaffPolicy, Why, decide, may_approve,
};

fn minor(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn member(rights: &[Right]) -> StaffMember {
    let mut ben = samples::staff().people.remove(0);
    ben.rights = rights.iter().copied().collect();
    ben
}

fn actions() -> Vec<Action> {
    let amount = minor(100);
    vec![
        Action::Sell,
        Action::VoidLine { amount },
        Action::VoidTicket { amount },
        Action::Refund { amount },
        Action::NoSale,
        Action::Discount { ppm: 40_000, amount },
        Action::LateEntry,
    ]
}

#[test]
fn a_shop_without_people_and_policy_stays_as_it_is() {
    for action in actions() {
        assert_eq!(decide(action, None, &StaffPolicy::default()), Decision::Allowed, "{action:?}");
    }
}

#[test]
fn where_a_cashier_is_required_a_lane_alone_does_nothing() {
    let policy = StaffPolicy { cashier_required: true, ..StaffPolicy::default() };
    for action in actions() {
        assert_eq!(decide(action, None, &policy), Decision::Refused(Why::NobodySignedIn), "{action:?}");
    }
}

#[test]
fn every_right_is_needed_for_its_own_action_and_no_other() {
    for action in actions() {
        let without: Vec<Right> = Right::ALL.into_iter().filter(|right| *right != action.right()).collect();
        let why = Why::NoRight(action.right());
        let told = decide(action, Some(&member(&without)), &StaffPolicy::default());
        let expected = if action == Action::Sell { Decision::Refused(why) } else { Decision::NeedsApproval(why) };
        assert_eq!(told, expected, "{action:?}");
        let told = decide(action, Some(&member(&[action.right()])), &StaffPolicy::default());
        assert_eq!(told, Decision::Allowed, "{action:?}");
    }
}

#[test]
fn limits_of_the_shop_bind_everybody_and_own_limits_their_owner() {
    let policy = StaffPolicy {
        void_line_above: Some(minor(99)),
        void_ticket_above: Some(minor(99)),
        refund_above: Some(minor(99)),
        no_sale: true,
        discount_above: DiscountLimit { ppm: Some(39_999), amount: None },
        ..StaffPolicy::default()
    };
    let all = member(&Right::ALL);
    for action in actions().into_iter().filter(|action| !matches!(action, Action::Sell | Action::LateEntry)) {
        for cashier in [None, Some(&all)] {
            assert_eq!(decide(action, cashier, &policy), Decision::NeedsApproval(Why::ShopLimit), "{action:?}");
        }
    }
    let discount = |ppm, amount| Action::Discount { ppm, amount: minor(amount) };
    let own = |ppm, amount| decide(discount(ppm, amount), Some(&all), &StaffPolicy::default());
    assert_eq!(own(50_000, 500), Decision::Allowed, "up to the limit, the limit included");
    assert_eq!(own(50_001, 1), Decision::NeedsApproval(Why::OwnLimit));
    assert_eq!(own(1, 501), Decision::NeedsApproval(Why::OwnLimit));
}

#[test]
fn only_who_may_do_it_and_may_approve_approves() {
    for action in actions() {
        assert!(may_approve(action, &member(&[Right::Approve, action.right()])), "{action:?}");
        assert!(!may_approve(action, &member(&[Right::Approve])), "{action:?}: not what they may not do themselves");
        assert!(!may_approve(action, &member(&[action.right()])), "{action:?}: not without the right to approve");
    }
    let beyond = Action::Discount { ppm: 60_000, amount: minor(1) };
    assert!(!may_approve(beyond, &member(&Right::ALL)), "nor beyond the own limit");
}

#[test]
fn people_that_cannot_be_are_refused() {
    let refused = |change: fn(&mut protocol::staff::Staff)| {
        let mut staff = samples::staff();
        change(&mut staff);
        Delivery::from_bytes(&Delivery::Staff(staff).to_bytes().unwrap()).unwrap_err()
    };
    assert_eq!(refused(|staff| staff.people.push(staff.people[0].clone())), CollectionError::Malformed);
    assert_eq!(refused(|staff| staff.people[0].name.clear()), CollectionError::Malformed);
    let too_many = refused(|staff| {
        staff.people = vec![staff.people[0].clone(); limits::STAFF_OF_SHOP + 1];
    });
    assert_eq!(too_many, CollectionError::TooMany);
}

#[test]
fn nothing_that_is_printed_tells_a_verifier() {
    let text = format!("{:?}", samples::staff());
    assert!(!text.contains("170") && !text.contains("0xaa"), "{text}");
}

proptest! {
    /// More rights never allow less, and what needs approval somebody with everything may approve.
    #[test]
    fn rights_only_ever_add(bits: u32, ppm: u32, amount in 0_i64..1_000_000, required: bool, most in 0_i64..1_000_000) {
        let policy = StaffPolicy {
            cashier_required: required,
            refund_above: Some(minor(most)),
            void_line_above: Some(minor(most)),
            ..StaffPolicy::default()
        };
        let some = StaffMember { rights: Rights(bits), ..member(&[]) };
        let more = StaffMember { rights: Rights(u32::MAX), discount: DiscountLimit::default(), ..member(&[]) };
        let amount = minor(amount);
        for action in [Action::Refund { amount }, Action::VoidLine { amount }, Action::Discount { ppm, amount }] {
            if decide(action, Some(&some), &policy) == Decision::Allowed {
                prop_assert_eq!(decide(action, Some(&more), &policy), Decision::Allowed);
            }
            prop_assert!(may_approve(action, &more));
        }
    }

    #[test]
    fn any_bytes_are_people_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300), real: bool, at: usize, to: u8) {
        if real {
            bytes = Delivery::Staff(samples::staff()).to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
        } else {
            bytes.splice(0..0, [1, 3]);
        }
        if let Ok(Delivery::Staff(staff)) = Delivery::from_bytes(&bytes) {
            prop_assert!(staff.check().is_ok());
            let again = Delivery::Staff(staff.clone()).to_bytes().unwrap();
            prop_assert_eq!(Delivery::from_bytes(&again), Ok(Delivery::Staff(staff)));
        }
    }
}

/// What one PIN costs: `cargo test -p protocol --test staff -- --ignored --nocapture`. The argon2 of a debug build is
/// as fast as that of a release build.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout, clippy::disallowed_methods, reason = "it says what it measured")]
fn the_time_of_one_pin() {
    let made = PinVerifier::of("4711", [7; 16]).unwrap();
    let mut took: Vec<_> = (0..100)
        .map(|_| {
            let began = std::time::Instant::now();
            assert!(made.fits("4711", None));
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    println!("one PIN: fastest {:?}, median {:?}, slowest {:?}", took[0], took[50], took[99]);
}
