//! What a step at a lane asks of rights: which of it may be done alone, which a second person has to approve, and what
//! the record keeps of that. The rule itself is the protocol's ([`protocol::staff::decide`]); no PIN is seen here.

use protocol::event::{Approval, Approved, StaffMark};
use protocol::id::StaffId;
use protocol::limits;
use protocol::money::{Amount, NumberError};
use protocol::quantity::Quantity;
use protocol::staff::{Action, Decision, Staff, StaffMember, StaffPolicy, Why as Cause, decide, may_approve};
use protocol::ticket::{Discount, Line, LineTotals, Pricing, TicketKind, Totals};
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use super::lane::{Op, OpenTicket};
use super::refusal::{Refusal, Why};

/// Somebody whose PIN was checked for this one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// Who.
    pub staff: StaffId,
    /// Why they approve.
    pub reason: String,
}

/// The people a decision takes into account.
#[derive(Clone, Copy, Debug, Default)]
pub struct People<'a> {
    /// Everybody of the shop; none while head office has sent nobody.
    pub staff: Option<&'a Staff>,
    /// Who is signed in at the lane.
    pub cashier: Option<&'a StaffMember>,
    /// Whose PIN came with the request.
    pub approver: Option<&'a Approver>,
    /// What was approved on the ticket before.
    pub earlier: &'a [Approval],
}

/// Somebody as the record names them.
pub fn mark(member: &StaffMember) -> StaffMark {
    StaffMark { id: member.id, name: member.short_name.clone() }
}

impl People<'_> {
    /// Whether the shop keeps its people here: then its records name them.
    pub fn are_kept(&self) -> bool {
        self.staff.is_some_and(|staff| staff.policy.cashier_required || !staff.people.is_empty())
    }

    /// The cashier as the record names them.
    pub fn cashier_mark(&self) -> Option<StaffMark> {
        self.cashier.map(mark)
    }

    fn policy(&self) -> StaffPolicy {
        self.staff.map_or_else(StaffPolicy::default, |staff| staff.policy)
    }

    /// Whether anything may be rung here at all.
    ///
    /// # Errors
    /// Nobody is signed in where somebody has to be, or somebody who may not sell.
    pub fn may_sell(&self) -> Result<(), Refusal> {
        self.settle([], Timestamp(0)).map(|_| ())
    }

    /// Decides on everything a step asks for; answers with the approvals that the record has to keep.
    ///
    /// # Errors
    /// What may not happen, or not without somebody else.
    pub fn settle(&self, wanted: impl IntoIterator<Item = Approved>, now: Timestamp) -> Result<Vec<Approval>, Refusal> {
        let policy = self.policy();
        if let Decision::Refused(cause) | Decision::NeedsApproval(cause) = decide(Action::Sell, self.cashier, &policy) {
            return Err(refused(cause));
        }
        let mut given = Vec::new();
        for what in wanted {
            let cause = match decide(what.action(), self.cashier, &policy) {
                Decision::Allowed => continue,
                Decision::Refused(cause) => return Err(refused(cause)),
                Decision::NeedsApproval(cause) => cause,
            };
            if self.earlier.iter().any(|before| covers(before.what, what)) {
                continue;
            }
            given.push(self.approve(what, cause, now)?);
        }
        if self.earlier.len().saturating_add(given.len()) > limits::TICKET_APPROVALS {
            let most = limits::TICKET_APPROVALS;
            return Err(Refusal::conflict(format!("{most} things were approved on this ticket; close or void it")));
        }
        Ok(given)
    }

    fn approve(&self, what: Approved, cause: Cause, now: Timestamp) -> Result<Approval, Refusal> {
        let action = what.action();
        let Some(asked) = self.approver else { return Err(self.needs(action, cause, None)) };
        let found = self.staff.and_then(|staff| staff.member(asked.staff));
        let Some(approver) = found.filter(|member| may_approve(action, member)) else {
            return Err(self.needs(action, cause, found));
        };
        Ok(Approval {
            what,
            approver: mark(approver),
            cashier: self.cashier_mark(),
            reason: asked.reason.clone(),
            at: now,
        })
    }

    /// "Somebody else has to approve this", with who may.
    fn needs(&self, action: Action, cause: Cause, tried: Option<&StaffMember>) -> Refusal {
        let approvers = self.staff.into_iter().flat_map(|staff| staff.approvers(action));
        let approvers: Vec<Value> =
            approvers.map(|member| json!({ "staff_id": member.id, "name": member.short_name })).collect();
        let message = match tried {
            Some(member) => format!("{} may not approve this; ask somebody who may", member.short_name),
            None => format!("{} needs the PIN of somebody who may approve it", words(action)),
        };
        let mut details = json!({ "reason": "approval_required", "action": action.name(), "why": cause.name(), "approvers": approvers });
        if let Some(amount) = amount_of(action) {
            details["amount_minor"] = amount.minor().into();
        }
        Refusal::new(Why::NotAllowed, message).with(details)
    }
}

fn refused(cause: Cause) -> Refusal {
    let message = match cause {
        Cause::NobodySignedIn => "nobody is signed in at this lane; sign in with your PIN first",
        Cause::NoRight(_) | Cause::ShopLimit | Cause::OwnLimit => {
            "whoever is signed in at this lane may not do this; sign in as somebody who may"
        }
    };
    Refusal::new(Why::NotAllowed, message).with(json!({ "reason": cause.name() }))
}

const fn words(action: Action) -> &'static str {
    match action {
        Action::Sell => "selling",
        Action::VoidLine { .. } => "taking back a line of this size",
        Action::VoidTicket { .. } => "giving up a ticket of this size",
        Action::Refund { .. } => "giving so much money back",
        Action::NoSale => "opening the drawer without a sale",
        Action::Discount { .. } => "reducing the price so far",
        Action::LateEntry => "ringing a paper receipt with its own time",
    }
}

const fn amount_of(action: Action) -> Option<Amount> {
    match action {
        Action::VoidLine { amount }
        | Action::VoidTicket { amount }
        | Action::Refund { amount }
        | Action::Discount { amount, .. } => Some(amount),
        Action::Sell | Action::NoSale | Action::LateEntry => None,
    }
}

/// Whether an approval of before speaks for what is wanted now: standing things (a price that is reduced, money that
/// goes back) as far as it went. A deed is approved once.
fn covers(before: Approved, now: Approved) -> bool {
    match (before, now) {
        (Approved::Refund { amount: then }, Approved::Refund { amount }) => amount <= then,
        (Approved::Discount { line_no: of, ppm: far, amount: then }, Approved::Discount { line_no, ppm, amount }) => {
            of == line_no && ppm <= far && amount <= then
        }
        _ => false,
    }
}

/// What a change of a ticket asks for. `before` is the ticket as it stood, `after` as it will.
///
/// # Errors
/// Figures beyond the limits.
pub fn asked_by_change(before: Option<&OpenTicket>, after: &OpenTicket, op: &Op) -> Result<Vec<Approved>, Refusal> {
    Ok(match op {
        Op::Open(ticket) => ticket.late.map(|_| Approved::LateEntry).into_iter().collect(),
        Op::AddLine { line, .. } => reductions(after)?.filter(|what| is_of(*what, line.line_no)).collect(),
        Op::ChangeLine { line, .. } => {
            let taken = before.and_then(|before| before.line(line.line_no));
            let taken = taken.map(|old| reduced(old, line, before)).transpose()?.flatten();
            taken.into_iter().chain(reductions(after)?.filter(|what| is_of(*what, line.line_no))).collect()
        }
        Op::VoidLine { line_no, .. } => {
            let Some(before) = before else { return Ok(Vec::new()) };
            let totals = before.totals()?;
            let net = totals.lines.iter().find(|line| line.line_no == *line_no).map_or(Amount::ZERO, |line| line.gross);
            vec![Approved::VoidLine { line_no: *line_no, amount: net.abs() }]
        }
        Op::SetDiscount(_) => reductions(after)?.filter(|what| is_of_ticket(*what)).collect(),
        Op::Void { .. } => vec![Approved::VoidTicket { amount: worth(&before.unwrap_or(after).totals()?)? }],
        Op::AddTender(_) | Op::RemoveTender(_) | Op::Park(_) | Op::Recall(_) | Op::Closed { .. } => Vec::new(),
    })
}

/// What the close of a ticket asks for: money that goes back, and every reduction as it now stands.
///
/// # Errors
/// Figures beyond the limits.
pub fn asked_by_close(ticket: &OpenTicket, totals: &Totals) -> Result<Vec<Approved>, Refusal> {
    let back = ticket.lines.iter().zip(&totals.lines).filter(|(line, _)| line.quantity.milli() < 0);
    let amount = Amount::sum(back.map(|(_, counted)| counted.net.abs()))?;
    let refund = (amount > Amount::ZERO).then_some(Approved::Refund { amount });
    Ok(refund.into_iter().chain(reductions(ticket)?).collect())
}

fn is_of(what: Approved, line: u16) -> bool {
    matches!(what, Approved::Discount { line_no: Some(no), .. } if no == line)
}

fn is_of_ticket(what: Approved) -> bool {
    matches!(what, Approved::Discount { line_no: None, .. })
}

/// What the lines of a ticket came to, whichever way they go and before anything was taken off.
fn worth(totals: &Totals) -> Result<Amount, NumberError> {
    Amount::sum(totals.lines.iter().map(|line| line.gross.abs()))
}

/// Part of a line that is taken back by making its quantity smaller.
fn reduced(old: &Line, new: &Line, ticket: Option<&OpenTicket>) -> Result<Option<Approved>, NumberError> {
    let less = old.quantity.milli().saturating_abs().saturating_sub(new.quantity.milli().saturating_abs());
    let Some(ticket) = ticket.filter(|_| less > 0) else { return Ok(None) };
    let amount = old.unit_price.extend(Quantity::from_milli(less)?, ticket.terms.currency)?.abs();
    Ok(Some(Approved::ReduceLine { line_no: old.line_no, before: old.quantity, amount }))
}

/// Every price on the ticket that is lower than it would be: line by line against the book, and the ticket as a whole.
/// What goes back to the customer is no reduction; it is a refund.
fn reductions(ticket: &OpenTicket) -> Result<impl Iterator<Item = Approved> + use<>, Refusal> {
    let totals = ticket.totals()?;
    let mut found = Vec::new();
    for (line, counted) in ticket.lines.iter().zip(&totals.lines) {
        if line.quantity.milli() > 0
            && let Some((ppm, amount)) = line_reduction(line, counted, ticket)?
        {
            found.push(Approved::Discount { line_no: Some(line.line_no), ppm, amount });
        }
    }
    if let Some(discount) = ticket.discount.filter(|_| ticket.kind == TicketKind::Sale) {
        let amount = Amount::sum(totals.lines.iter().map(|line| line.ticket_discount))?.abs();
        let base = Amount::sum(totals.lines.iter().map(|line| line.gross))?
            .checked_sub(Amount::sum(totals.lines.iter().map(|line| line.discount))?)?;
        found.push(Approved::Discount { line_no: None, ppm: share(discount, amount, base), amount });
    }
    Ok(found.into_iter())
}

fn line_reduction(line: &Line, counted: &LineTotals, ticket: &OpenTicket) -> Result<Option<(u32, Amount)>, Refusal> {
    let lowered = match line.pricing {
        Pricing::Override { book } if book > line.unit_price => {
            Some(book.extend(line.quantity, ticket.terms.currency)?)
        }
        Pricing::Override { .. } | Pricing::Book | Pricing::Open => None,
    };
    let Some(book) = lowered else {
        return Ok(line.discount.map(|discount| (share(discount, counted.discount, counted.gross), counted.discount)));
    };
    let paid = counted.gross.checked_sub(counted.discount)?;
    let amount = book.checked_sub(paid)?;
    Ok((amount > Amount::ZERO).then(|| (ppm_of(amount, book), amount)))
}

/// How far a discount goes, in millionths: a percentage says so itself, whatever the pennies come to.
fn share(discount: Discount, amount: Amount, of: Amount) -> u32 {
    match discount {
        Discount::Percent(percent) => percent.ppm(),
        Discount::Amount(_) => ppm_of(amount, of),
    }
}

/// Rounded up: a limit is not passed by a fraction.
fn ppm_of(amount: Amount, of: Amount) -> u32 {
    let (amount, of) = (i128::from(amount.minor()), i128::from(of.minor()));
    if amount <= 0 {
        return 0;
    }
    if of <= 0 {
        return 1_000_000;
    }
    u32::try_from((amount * 1_000_000 + of - 1) / of).unwrap_or(u32::MAX)
}
