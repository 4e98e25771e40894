//! The words of OpenID Connect: what a provider says of itself, where to send a browser, and whether its identity token
//! holds. Everything a provider sends is hostile until it is checked here. Knows no tables and no people.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreGrantType, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, Scope,
    SignatureVerificationError, TokenResponse as _,
};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::fault::Fault;
use super::rules::{SIGNED_IN_MILLIS, SKEW_MILLIS, TOKEN_MILLIS};
use crate::outbound::{Outbound, OutboundError};

/// Providers whose words are remembered; beyond it all are forgotten and asked for again.
const REMEMBERED: usize = 256;
/// How long they are remembered, in milliseconds.
const FRESH_MILLIS: i64 = 10 * 60 * 1_000;
/// A token with a key that is not remembered has the keys asked for again, but no oftener than this, in milliseconds.
const RENEW_MILLIS: i64 = 30 * 1_000;
/// Largest answer of a provider, in bytes.
const ANSWER_BYTES: usize = 256 << 10;
/// Longest subject, by the standard.
const SUBJECT_CHARS: usize = 255;

/// What is accepted: signatures with a public key. `none` and those with a shared secret are not on it.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 10] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EcdsaP521Sha512,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What RFC 9207 adds to a discovery document.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct More {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What is remembered of providers. All of it may be lost at any time.
#[derive(Debug, Default)]
pub struct Known {
    of: Mutex<HashMap<String, (Timestamp, Arc<Metadata>)>>,
}

#[cfg(test)]
impl Known {
    /// As if it were later.
    pub(super) fn forget(&self) {
        self.of.lock().unwrap().clear();
    }
}

/// Us at one provider.
#[derive(Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) issuer: &'a str,
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    pub(super) redirect: &'a str,
}

/// What only one sign-in knows.
#[derive(Clone)]
pub(super) struct Secrets {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// Whom a provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proved {
    pub(super) subject: String,
    /// Only one that the provider calls verified.
    pub(super) email: Option<String>,
    /// How the person proved themselves, in the words of RFC 8176.
    pub(super) amr: Vec<String>,
    pub(super) acr: Option<String>,
    /// When they did.
    pub(super) at: Option<Timestamp>,
}

/// The library's way out: ours.
struct Door {
    out: Outbound,
    /// What went wrong there, which the library's errors hide.
    failed: Mutex<Option<OutboundError>>,
}

impl<'c> AsyncHttpClient<'c> for Door {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.out.ask(request, ANSWER_BYTES).await;
            if let Err(error) = &answer {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(*error);
            }
            answer
        })
    }
}

/// A provider's discovery document and keys, and the way to it.
pub(super) struct Provider<'a> {
    door: Door,
    known: &'a Known,
    now: Timestamp,
}

impl<'a> Provider<'a> {
    pub(super) fn new(out: &Outbound, known: &'a Known, now: Timestamp) -> Self {
        Self { door: Door { out: out.clone(), failed: Mutex::new(None) }, known, now }
    }

    fn failed_or(&self, fault: Fault) -> Fault {
        let failed = self.door.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(fault, Fault::from)
    }

    /// What the provider says of itself; remembered for a while unless `anew`.
    async fn metadata(&self, issuer: &str, anew: bool) -> Result<Arc<Metadata>, Fault> {
        let kept = self.known.of.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        let age = if anew { RENEW_MILLIS } else { FRESH_MILLIS };
        if let Some((at, metadata)) = kept
            && self.now.millis_since(at) < age
        {
            return Ok(metadata);
        }
        let url = IssuerUrl::new(issuer.to_owned()).map_err(|_| Fault::Address)?;
        let found = Metadata::discover_async(url, &self.door).await;
        let metadata = found.map_err(|error| {
            tracing::info!(issuer, error = %error, "a sign-in provider's discovery document is refused");
            let other = matches!(error, DiscoveryError::Validation(_));
            if other { Fault::OtherIssuer } else { self.failed_or(Fault::Metadata) }
        })?;
        self.fits(issuer, &metadata)?;
        let metadata = Arc::new(metadata);
        let mut all = self.known.of.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(issuer.to_owned(), (self.now, Arc::clone(&metadata)));
        Ok(metadata)
    }

    fn fits(&self, issuer: &str, metadata: &Metadata) -> Result<(), Fault> {
        if metadata.issuer().as_str() != issuer {
            return Err(Fault::OtherIssuer);
        }
        let token = metadata.token_endpoint().ok_or(Fault::Metadata)?;
        self.door.out.check(token.url())?;
        self.door.out.check(metadata.authorization_endpoint().url())?;
        if accepted(metadata).is_empty() { Err(Fault::Algorithm) } else { Ok(()) }
    }

    /// Looks whether a provider can be used: where it signs people in, and what it signs with.
    pub(super) async fn test(&self, issuer: &str) -> Result<(String, Vec<String>), Fault> {
        let metadata = self.metadata(issuer, true).await?;
        let names = accepted(&metadata).into_iter().map(|alg| serde_json::to_value(alg).unwrap_or_default());
        let names = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        Ok((metadata.authorization_endpoint().to_string(), names))
    }

    /// Where to send the browser. `anew`: the person signs in there again, whatever they did before.
    pub(super) async fn authorize(&self, client: Client<'_>, secrets: Secrets, anew: bool) -> Result<Url, Fault> {
        let metadata = self.metadata(client.issuer, false).await?;
        let redirect = RedirectUrl::new(client.redirect.to_owned()).map_err(|_| Fault::Address)?;
        let us = CoreClient::from_provider_metadata((*metadata).clone(), ClientId::new(client.id.to_owned()), None)
            .set_redirect_uri(redirect);
        let Secrets { state, nonce, verifier } = secrets;
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        let asked = us
            .authorize_url(flow, move || CsrfToken::new(state), move || Nonce::new(nonce))
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge);
        let longest = Duration::from_millis(if anew { 0 } else { SIGNED_IN_MILLIS.unsigned_abs() });
        let asked = asked.set_max_age(longest);
        let (url, _, _) = if anew { asked.add_prompt(CoreAuthPrompt::Login).url() } else { asked.url() };
        Ok(url)
    }

    /// Exchanges the code and checks whom the provider vouches for. `iss` is what came beside the code.
    pub(super) async fn prove(
        &self,
        client: Client<'_>,
        secrets: Secrets,
        code: String,
        iss: Option<&str>,
    ) -> Result<Proved, Fault> {
        let metadata = self.metadata(client.issuer, false).await?;
        let must = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        if iss.map_or(must, |iss| iss != client.issuer) {
            return Err(Fault::MixUp);
        }
        let redirect = RedirectUrl::new(client.redirect.to_owned()).map_err(|_| Fault::Address)?;
        let (id, secret) = (ClientId::new(client.id.to_owned()), ClientSecret::new(client.secret.to_owned()));
        let us = CoreClient::from_provider_metadata((*metadata).clone(), id, Some(secret))
            .set_redirect_uri(redirect)
            .set_auth_type(auth_type(&metadata, client));
        let exchange = us.exchange_code(AuthorizationCode::new(code)).map_err(|_| Fault::Metadata)?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(secrets.verifier));
        let answer = exchange.request_async(&self.door).await.map_err(|error| {
            let unreadable = matches!(error, openidconnect::RequestTokenError::Parse(..));
            self.failed_or(if unreadable { Fault::NoToken } else { Fault::Code })
        })?;
        let token = answer.id_token().ok_or(Fault::NoToken)?;
        let nonce = Nonce::new(secrets.nonce);
        let claims = match self.claims(&metadata, client.id, token, &nonce, answer.access_token()) {
            Err(Fault::Signature) => {
                // Perhaps the provider has new keys.
                let anew = self.metadata(client.issuer, true).await?;
                self.claims(&anew, client.id, token, &nonce, answer.access_token())?
            }
            known => known?,
        };
        let mut proved = proved(claims)?;
        if proved.email.is_none()
            && let Ok(request) = us.user_info(answer.access_token().clone(), Some(claims.subject().clone()))
        {
            // Only whom a newcomer is depends on it; a provider without one, or with a broken one, brings none.
            let info: Option<CoreUserInfoClaims> = request.request_async(&self.door).await.ok();
            let verified = info.as_ref().and_then(|info| info.email_verified()) == Some(true);
            proved.email = info.and_then(|info| info.email().map(|email| email.to_string())).filter(|_| verified);
        }
        Ok(proved)
    }

    fn claims<'t>(
        &self,
        metadata: &Metadata,
        id: &str,
        token: &'t CoreIdToken,
        nonce: &Nonce,
        access: &openidconnect::AccessToken,
    ) -> Result<&'t CoreIdTokenClaims, Fault> {
        let id = ClientId::new(id.to_owned());
        let now = self.now;
        let late = at(now.plus_millis(-SKEW_MILLIS));
        let signed_in_after = now.plus_millis(-SIGNED_IN_MILLIS - SKEW_MILLIS);
        // Without a secret: the verifier knows no shared key, whatever the token's header says.
        let verifier =
            CoreIdTokenVerifier::new_public_client(id.clone(), metadata.issuer().clone(), metadata.jwks().clone())
                .set_allowed_algs(ALGORITHMS)
                .set_time_fn(move || late.into())
                // A provider that says nothing is taken; it only proves less.
                .set_auth_time_verifier_fn(move |at| {
                    let old = at.is_some_and(|at| at.timestamp_millis() < signed_in_after.0);
                    if old { Err("signed in too long ago".to_owned()) } else { Ok(()) }
                })
                .set_issue_time_verifier_fn(move |issued| {
                    let age = now.0.saturating_sub(issued.timestamp_millis());
                    let fits = (-SKEW_MILLIS..=TOKEN_MILLIS).contains(&age);
                    if fits { Ok(()) } else { Err("issued at another time".to_owned()) }
                });
        let claims = token.claims(&verifier, nonce).map_err(|error| {
            tracing::info!(issuer = metadata.issuer().as_str(), error = %error, "an identity token is refused");
            fault_of(&error)
        })?;
        // The library leaves `azp` to us: whoever is named there must be us, and with several audiences it must be there.
        let party = claims.authorized_party();
        if party.map_or(claims.audiences().len() > 1, |party| *party != id) {
            return Err(Fault::Audience);
        }
        if let Some(hash) = claims.access_token_hash() {
            let alg = token.signing_alg().map_err(|_| Fault::Signature)?;
            let key = token.signing_key(&verifier).map_err(|_| Fault::Signature)?;
            let ours = AccessTokenHash::from_token(access, alg, key).map_err(|_| Fault::Signature)?;
            if ours != *hash {
                return Err(Fault::Signature);
            }
        }
        Ok(claims)
    }
}

fn at(time: Timestamp) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(time.0).unwrap_or(0))
}

fn accepted(metadata: &Metadata) -> Vec<CoreJwsSigningAlgorithm> {
    let offered = metadata.id_token_signing_alg_values_supported();
    ALGORITHMS.into_iter().filter(|alg| offered.contains(alg)).collect()
}

/// `client_secret_basic`, as the standard has it when a provider says nothing; the body only where nothing else will do, or
/// where a provider takes both: with a secret that the header must carry encoded, some do not decode it.
fn auth_type(metadata: &Metadata, client: Client<'_>) -> AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported();
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-._".contains(&byte));
    let post = methods.is_some_and(|methods| {
        let both = methods.contains(&CoreClientAuthMethod::ClientSecretBasic);
        methods.contains(&CoreClientAuthMethod::ClientSecretPost) && !(both && plain(client.id) && plain(client.secret))
    });
    if post { AuthType::RequestBody } else { AuthType::BasicAuth }
}

fn proved(claims: &CoreIdTokenClaims) -> Result<Proved, Fault> {
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.chars().count() > SUBJECT_CHARS || subject.chars().any(char::is_control) {
        return Err(Fault::NoToken);
    }
    let verified = claims.email_verified() == Some(true);
    Ok(Proved {
        subject: subject.to_owned(),
        email: claims.email().map(|email| email.to_string()).filter(|_| verified),
        amr: claims.auth_method_refs().into_iter().flatten().take(10).map(|method| method.to_string()).collect(),
        acr: claims.auth_context_ref().map(|acr| acr.chars().take(100).collect()),
        at: claims.auth_time().map(|at| Timestamp(at.timestamp_millis())),
    })
}

fn fault_of(error: &ClaimsVerificationError) -> Fault {
    use ClaimsVerificationError as Wrong;
    use SignatureVerificationError as Unsigned;
    if let Wrong::SignatureVerification(inner) = error {
        let algorithm =
            matches!(inner, Unsigned::DisallowedAlg(_) | Unsigned::UnsupportedAlg(_) | Unsigned::NoSignature);
        return if algorithm { Fault::Algorithm } else { Fault::Signature };
    }
    let known = [
        (matches!(error, Wrong::Expired(_) | Wrong::InvalidAuthTime(_)), Fault::Expired),
        (matches!(error, Wrong::InvalidAudience(_)), Fault::Audience),
        (matches!(error, Wrong::InvalidIssuer(_)), Fault::Issuer),
        (matches!(error, Wrong::InvalidNonce(_)), Fault::Nonce),
    ];
    known.into_iter().find(|(is, _)| *is).map_or(Fault::NoToken, |(_, fault)| fault)
}
