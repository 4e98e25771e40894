//! Seals a shop's CA key for the database: AES-256-GCM under a key that follows from the device CA's. A copy of
//! the database alone opens no shop, and there is one secret to back up, not one per shop.

use protocol::id::{ShopId, TenantId};
use rcgen::KeyPair;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{Authority, AuthorityError};

/// A shop's CA as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedShopCa {
    /// Its certificate (PEM).
    pub certificate: String,
    /// Its key: nonce, then sealed PKCS#8. Bound to tenant and shop.
    pub sealed_key: Vec<u8>,
}

pub(super) fn key(device_ca: &KeyPair) -> [u8; 32] {
    blake3::derive_key("tillway shop ca seal v1", device_ca.serialized_der())
}

fn place(tenant: TenantId, shop: ShopId) -> Aad<[u8; 32]> {
    let mut name = [0; 32];
    let (first, second) = name.split_at_mut(16);
    first.copy_from_slice(tenant.as_uuid().as_bytes());
    second.copy_from_slice(shop.as_uuid().as_bytes());
    Aad::from(name)
}

impl Authority {
    fn cipher(&self) -> Result<LessSafeKey, AuthorityError> {
        UnboundKey::new(&AES_256_GCM, &self.seal_key).map(LessSafeKey::new).map_err(|_| AuthorityError::Sealed)
    }

    pub(super) fn seal(&self, tenant: TenantId, shop: ShopId, key: &KeyPair) -> Result<Vec<u8>, AuthorityError> {
        let nonce = crate::rng::bytes::<NONCE_LEN>();
        let mut sealed = key.serialize_der();
        self.cipher()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place(tenant, shop), &mut sealed)
            .map_err(|_| AuthorityError::Sealed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(super) fn unseal(&self, tenant: TenantId, shop: ShopId, sealed: &[u8]) -> Result<KeyPair, AuthorityError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(AuthorityError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| AuthorityError::Sealed)?;
        let mut body = body.to_vec();
        let key =
            self.cipher()?.open_in_place(nonce, place(tenant, shop), &mut body).map_err(|_| AuthorityError::Sealed)?;
        KeyPair::try_from(&*key).map_err(|_| AuthorityError::Sealed)
    }
}
