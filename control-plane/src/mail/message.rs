//! A mail as the wire wants it: both parts, a date of our clock, an id that a second sending repeats.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use protocol::timestamp::Timestamp;

use super::{MailError, Outgoing};

/// The sender's address where nobody named one.
#[allow(clippy::expect_used, reason = "a constant, and a test sends with it")]
pub(super) fn localhost() -> Address {
    Address::new("tillway", "localhost").expect("a constant address")
}

/// Builds it.
///
/// # Errors
/// [`MailError::Never`] for an address that is none.
pub(super) fn build(from: &Mailbox, mail: &Outgoing, now: Timestamp) -> Result<Message, MailError> {
    let to: Address = mail.to.parse().map_err(|error| MailError::Never(format!("the address is not one: {error}")))?;
    let millis = u64::try_from(now.0).unwrap_or(0);
    let id = format!("<{}@{}>", mail.id, from.email.domain());
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject.clone())
        .date(UNIX_EPOCH + Duration::from_millis(millis))
        .message_id(Some(id))
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()));
    let mut message = message.map_err(|error| MailError::Never(format!("the mail cannot be written: {error}")))?;
    // Nobody's holiday notice shall answer it (RFC 3834).
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(message)
}
