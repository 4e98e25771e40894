//! Finding the database of a command: one that was named, the private one of a head office that is serving, or a
//! private one that is started for the command alone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::args::Where;
use crate::db::embedded::{Embedded, EmbeddedError, Record};
use crate::db::{Db, Limits, Urls};

/// How long a command waits for a head office that is starting.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database for one command.
pub(super) struct Place {
    pub(super) db: Db,
    embedded: Option<Embedded>,
}

impl Place {
    /// Opens it.
    pub(super) async fn open(at: &Where) -> Result<Self> {
        let limits = Limits { app: 2, platform: 2, ..Limits::default() };
        if let Some(url) = &at.database_url {
            let urls = match &at.platform_url {
                Some(platform) => Urls::parse(url, platform),
                None => Urls::assume(url),
            }
            .context("--database-url")?;
            return Ok(Self { db: Db::open(&urls, limits), embedded: None });
        }
        let begun = Instant::now();
        loop {
            match Embedded::start(&at.state).await {
                Ok(embedded) => {
                    let db = Db::open(&embedded.record().urls(), limits);
                    return Ok(Self { db, embedded: Some(embedded) });
                }
                Err(EmbeddedError::Locked { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // Somebody runs it: they say where as soon as it answers.
            if let Some(record) = Record::of_running(&at.state)? {
                let db = Db::open(&record.urls(), limits);
                if db.ping().await.is_ok() {
                    return Ok(Self { db, embedded: None });
                }
            }
            anyhow::ensure!(
                begun.elapsed() < PATIENCE,
                "another process holds {} but its database does not answer",
                at.state.display()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Closes it; a database that was started for the command is stopped.
    pub(super) async fn close(self) {
        self.db.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}
