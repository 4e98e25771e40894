//! The one door for mail: by SMTP, or kept (tests, the demo, a head office that was told no server). Knows no noun and
//! no template; who sends decides what a failure means for the job.

mod kept;
mod message;
mod smtp;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use kept::Kept;
use smtp::Smtp;

/// What head office is told about mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailConfig {
    /// `smtp://user@host:587` (STARTTLS), `smtps://host:465`. Without it mail is kept.
    pub smtp_url: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// A certificate (PEM) that the server's must come from, where it is not one the system knows.
    pub ca_file: Option<PathBuf>,
    /// Who it is from: `Tillway <hq@example.com>`.
    pub from: Option<String>,
}

/// A mail, ready to go.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Names it: the same mail sent twice carries the same id.
    pub id: Uuid,
    /// To whom.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// Mail is between two people and us: not in logs.
impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a mail did not go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It may go later.
    #[error("{0}")]
    Later(String),
    /// It will never go like this.
    #[error("{0}")]
    Never(String),
}

/// Why mail cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    /// The address of the server.
    #[error("--smtp-url {0}")]
    Url(String),
    /// The sender.
    #[error("--mail-from: write it like 'Tillway <hq@example.com>': {0}")]
    From(String),
    /// A file that cannot be read.
    #[error("cannot read {0}")]
    File(PathBuf, #[source] std::io::Error),
    /// A certificate that is none.
    #[error("{0} holds no certificate in PEM")]
    Certificate(PathBuf),
    /// The libraries of TLS.
    #[error("TLS for mail cannot be set up: {0}")]
    Tls(String),
}

/// Where mail goes out.
#[derive(Debug)]
pub struct Outbox {
    from: Mailbox,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Smtp(Box<Smtp>),
    Kept(Kept),
}

/// The sender where nobody named one.
const FROM: &str = "Tillway <tillway@localhost>";

impl Outbox {
    /// Mail is kept in memory: tests, commands.
    pub fn in_memory() -> Self {
        let from = Mailbox::new(Some("Tillway".to_owned()), message::localhost());
        Self { from, way: Way::Kept(Kept::new(None)) }
    }

    /// By what head office was told.
    ///
    /// # Errors
    /// Each says which argument will not do.
    pub fn open(config: &MailConfig, state: &Path) -> Result<Self, MailSetupError> {
        let from = config.from.as_deref().unwrap_or(FROM);
        let from = from.parse().map_err(|error| MailSetupError::From(format!("{error}")))?;
        let way = match &config.smtp_url {
            Some(url) => Way::Smtp(Box::new(Smtp::open(url, config)?)),
            None => Way::Kept(Kept::new(Some(state.join("mail")))),
        };
        Ok(Self { from, way })
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// [`MailError::Later`] or [`MailError::Never`], with what the server said.
    pub async fn send(&self, mail: &Outgoing, now: Timestamp) -> Result<(), MailError> {
        let message = message::build(&self.from, mail, now)?;
        let sent = match &self.way {
            Way::Smtp(smtp) => smtp.send(message).await,
            Way::Kept(kept) => kept.keep(mail, &message.formatted(), now).await,
        };
        let outcome = match &sent {
            Ok(()) => "sent",
            Err(MailError::Later(_)) => "later",
            Err(MailError::Never(_)) => "refused",
        };
        metrics::counter!("tillway_mails_total", "outcome" => outcome).increment(1);
        sent
    }

    /// The folder of mail that is kept; none when it is sent, or kept in memory only.
    pub fn folder(&self) -> Option<&Path> {
        match &self.way {
            Way::Kept(kept) => kept.folder(),
            Way::Smtp(_) => None,
        }
    }

    /// The last mails that were kept, oldest first; none where a server takes them.
    pub fn captured(&self) -> Vec<Outgoing> {
        match &self.way {
            Way::Kept(kept) => kept.all(),
            Way::Smtp(_) => Vec::new(),
        }
    }
}
