//! A "no" with its reason, in words a cashier's terminal can show. Knows nothing of HTTP; the terminal gives
//! each kind its status.

use protocol::money::NumberError;
use protocol::ticket::TicketError;
use serde_json::Value;

/// What kind of "no" it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The request cannot be read.
    Malformed,
    /// The request can be read and makes no sense here.
    Invalid,
    /// Nobody knows who asks.
    Unauthenticated,
    /// Who asks may not, or the shop's settings do not allow it.
    NotAllowed,
    /// What is named does not exist.
    NotFound,
    /// What is named stands in another state, or belongs to another lane.
    Conflict,
    /// The request is larger than it may be.
    TooLarge,
    /// Too many attempts; later, please.
    TooOften,
    /// The node cannot do it now (ledger not writable, no settings yet, too busy).
    Unavailable,
}

/// A request that was not carried out; nothing changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of "no".
    pub why: Why,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Facts a program can use.
    pub details: Option<Value>,
}

impl Refusal {
    /// A refusal of a kind with its message.
    pub fn new(why: Why, message: impl Into<String>) -> Self {
        Self { why, message: message.into(), details: None }
    }

    /// The same with facts for a program.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Makes no sense here.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Why::Invalid, message)
    }

    /// Does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Why::NotFound, message)
    }

    /// Stands in another state.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Why::Conflict, message)
    }

    /// Cannot be done now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Why::Unavailable, message)
    }
}

impl From<NumberError> for Refusal {
    fn from(error: NumberError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<TicketError> for Refusal {
    fn from(error: TicketError) -> Self {
        let details = match &error {
            TicketError::Unpaid { missing_minor } => Some(serde_json::json!({ "missing_minor": missing_minor })),
            TicketError::Overpaid { over_minor } => Some(serde_json::json!({ "over_minor": over_minor })),
            TicketError::Line { line, .. }
            | TicketError::WrongDirection(line)
            | TicketError::DiscountTooLarge(line)
            | TicketError::ReturnsTooMuch(line)
            | TicketError::DiscountOnReturn(line)
            | TicketError::ReturnedTwice(line)
            | TicketError::LineOrder(line) => Some(serde_json::json!({ "line_no": line })),
            TicketError::Sum(_)
            | TicketError::OtherCurrency { .. }
            | TicketError::UnknownArithmetic(_)
            | TicketError::TicketDiscountTooLarge
            | TicketError::TooMany(_)
            | TicketError::TenderDirection(_) => None,
        };
        Self { why: Why::Invalid, message: error.to_string(), details }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unpaid_ticket_says_what_is_missing_to_person_and_program() {
        let refusal = Refusal::from(TicketError::Unpaid { missing_minor: 150 });
        assert!(refusal.message.contains("150"));
        assert_eq!(refusal.details, Some(serde_json::json!({"missing_minor": 150})));
    }
}
