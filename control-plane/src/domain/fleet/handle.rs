//! The fleet as the rest of HQ holds it: the device CA and HQ's own certificate. Cheap to share; holds no rows.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::authority::{Authority, AuthorityError, DoorTls, HqCertificate};
use super::error::FleetError;
use super::store;
use crate::clock::Clock;
use crate::db::{Db, SystemReason, SystemTx};
use crate::secret_file::SecretFileError;

/// Marks a request that came through the TLS door (an extension of the request, set by that door). Without it a
/// request counts as plain.
#[derive(Clone, Copy, Debug)]
pub struct TlsDoor;

/// The fleet's part of the running head office.
#[derive(Debug)]
pub struct Fleet {
    authority: Arc<Authority>,
    certificate: Arc<HqCertificate>,
}

impl Fleet {
    /// Opens the device CA in `folder` (made at the first start) and registers it with the database, or finds
    /// that another one is registered. `names` are further names and addresses of HQ for its certificate.
    ///
    /// # Errors
    /// [`FleetError::OtherCa`] and [`FleetError::Authority`] name what to restore.
    pub async fn open(folder: &Path, db: &Db, clock: &Clock, names: Vec<String>) -> Result<Self, FleetError> {
        let (place, now) = (folder.to_owned(), clock.now());
        let opened = tokio::task::spawn_blocking(move || Authority::open(&place, now)).await;
        let authority = Arc::new(opened.map_err(|error| {
            AuthorityError::File(SecretFileError::File {
                path: folder.to_owned(),
                source: std::io::Error::other(error),
            })
        })??);
        let mut tx = SystemTx::begin(db, SystemReason::Keys).await?;
        let registered = store::register_device_ca(tx.conn(), authority.certificate(), now).await?;
        tx.save().await?;
        if registered != authority.certificate().as_ref() {
            return Err(FleetError::OtherCa {
                folder: folder.display().to_string(),
                registered: crate::rng::hex(&protocol::enroll::fingerprint(&registered)),
            });
        }
        tracing::info!(fingerprint = authority.fingerprint_text(), "the device CA is open");
        let certificate = Arc::new(HqCertificate::new(Arc::clone(&authority), clock.clone(), names));
        Ok(Self { authority, certificate })
    }

    /// The device CA.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// TLS of the QUIC door: nodes only.
    ///
    /// # Errors
    /// [`AuthorityError::Tls`] when rustls refuses the CA.
    pub fn quic_tls(&self) -> Result<rustls::ServerConfig, AuthorityError> {
        DoorTls::Quic.config(Arc::clone(&self.certificate))
    }

    /// TLS of the TCP door: nodes by ALPN `tillway/1`, people and `provision` by `http/1.1`.
    ///
    /// # Errors
    /// [`AuthorityError::Tls`] when rustls refuses the CA.
    pub fn tcp_tls(&self) -> Result<rustls::ServerConfig, AuthorityError> {
        DoorTls::Tcp.config(Arc::clone(&self.certificate))
    }
}

/// The place of the fleet in the application: empty until HQ has opened its device CA.
#[derive(Clone, Debug, Default)]
pub struct FleetSlot(Arc<OnceLock<Fleet>>);

impl FleetSlot {
    /// Puts the fleet in. The first word counts.
    pub fn set(&self, fleet: Fleet) {
        if self.0.set(fleet).is_err() {
            tracing::debug!("the fleet was set before");
        }
    }

    /// The fleet.
    ///
    /// # Errors
    /// [`FleetError::Starting`] before it is in place.
    pub fn get(&self) -> Result<&Fleet, FleetError> {
        self.0.get().ok_or(FleetError::Starting)
    }
}
