//! An issuer that says whatever a test wants it to: honest by default, with a real key, on a real socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use protocol::timestamp::Timestamp;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::{Value, json};

pub(super) const CLIENT: &str = "tillway";
pub(super) const SECRET: &str = "s3cret";

/// How its answers are changed.
#[derive(Clone, Default)]
pub(super) struct Lie {
    /// Put over the claims; null removes one.
    pub(super) claims: Value,
    /// Put over the discovery document.
    pub(super) metadata: Value,
    /// `none`: unsigned; `HS256`: signed with the public key as if it were a secret; `other`: with a key of somebody else.
    pub(super) signed: &'static str,
    /// What stands as `iss` beside the code, instead of nothing.
    pub(super) iss: Option<String>,
    /// How discovery behaves: `redirect`, `huge`, `silent`, `down`.
    pub(super) discovery: &'static str,
}

struct Inner {
    now: Timestamp,
    url: String,
    key: KeyPair,
    other: KeyPair,
    lie: Mutex<Lie>,
    /// Codes that are out: the nonce and the challenge of each.
    codes: Mutex<HashMap<String, (String, String)>>,
    asked: Mutex<usize>,
}

pub(super) struct Issuer {
    pub(super) url: String,
    inner: Arc<Inner>,
}

impl Issuer {
    pub(super) async fn start(now: Timestamp) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let inner = Arc::new(Inner {
            now,
            url: url.clone(),
            key: key(),
            other: key(),
            lie: Mutex::default(),
            codes: Mutex::default(),
            asked: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/elsewhere", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    pub(super) fn lies(&self, lie: Lie) {
        *self.inner.lie.lock().unwrap() = lie;
    }

    /// How often it was asked for a token.
    pub(super) fn asked(&self) -> usize {
        *self.inner.asked.lock().unwrap()
    }

    /// Somebody signs in here: the address that their browser is sent back to.
    pub(super) fn visit(&self, url: &str) -> String {
        let url = url::Url::parse(url).unwrap_or_else(|_| panic!("not away: {url}"));
        assert_eq!(url.path(), "/authorize");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((query["response_type"].as_str(), query["code_challenge_method"].as_str()), ("code", "S256"));
        assert!(query["scope"].contains("openid") && query["client_id"] == CLIENT && !query["nonce"].is_empty());
        let code = format!("code-{}", self.inner.codes.lock().unwrap().len());
        let kept = (query["nonce"].clone(), query["code_challenge"].clone());
        self.inner.codes.lock().unwrap().insert(code.clone(), kept);
        let back = url::Url::parse(&query["redirect_uri"]).unwrap();
        let iss = self.inner.lie.lock().unwrap().iss.clone().map(|iss| format!("&iss={iss}")).unwrap_or_default();
        format!("{}?code={code}&state={}{iss}", back.path(), query["state"])
    }
}

async fn discovery(State(issuer): State<Arc<Inner>>) -> Response {
    let how = issuer.lie.lock().unwrap().discovery;
    match how {
        "redirect" => (StatusCode::FOUND, [(header::LOCATION, format!("{}/elsewhere", issuer.url))]).into_response(),
        "huge" => ([(header::CONTENT_TYPE, "application/json")], " ".repeat(10 << 20)).into_response(),
        "down" => StatusCode::BAD_GATEWAY.into_response(),
        "silent" => std::future::pending().await,
        _ => metadata(State(issuer)).await.into_response(),
    }
}

async fn metadata(State(issuer): State<Arc<Inner>>) -> Json<Value> {
    let url = &issuer.url;
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    over(&mut document, &issuer.lie.lock().unwrap().metadata);
    Json(document)
}

fn jwk(key: &KeyPair) -> Value {
    // An uncompressed point: 4, x, y.
    let point = key.der_bytes();
    json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one",
        "x": base64(&point[1..33]), "y": base64(&point[33..65]) })
}

async fn jwks(State(issuer): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "keys": [jwk(&issuer.key)] }))
}

async fn token(State(issuer): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    *issuer.asked.lock().unwrap() += 1;
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let basic = format!("Basic {}=", base64(format!("{CLIENT}:{SECRET}").as_bytes()));
    let basic_given = headers[header::AUTHORIZATION].to_str().unwrap();
    assert_eq!(basic_given.trim_end_matches('='), basic.trim_end_matches('='));
    let Some((nonce, challenge)) = issuer.codes.lock().unwrap().remove(&form["code"]) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let hashed = ring::digest::digest(&ring::digest::SHA256, form["code_verifier"].as_bytes());
    assert_eq!(base64(hashed.as_ref()), challenge, "PKCE");
    let now = issuer.now.0 / 1_000;
    let mut claims = json!({ "iss": issuer.url, "aud": CLIENT, "sub": "alice-1", "iat": now, "exp": now + 300,
        "nonce": nonce, "email": "alice@bakers.example", "email_verified": true });
    let lie = issuer.lie.lock().unwrap().clone();
    over(&mut claims, &lie.claims);
    let token = signed(&issuer, lie.signed, &claims);
    Json(json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token })).into_response()
}

fn signed(issuer: &Inner, how: &str, claims: &Value) -> String {
    let by = |key: &KeyPair| {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("one".to_owned());
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&key.serialize_der())).unwrap()
    };
    match how {
        "none" => {
            let part = |value: &Value| base64(value.to_string().as_bytes());
            format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(claims))
        }
        "HS256" => {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some("one".to_owned());
            let public = jwk(&issuer.key).to_string();
            jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(public.as_bytes())).unwrap()
        }
        "HS256 with our secret" => {
            let header = Header::new(Algorithm::HS256);
            jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
        }
        "other" => by(&issuer.other),
        _ => by(&issuer.key),
    }
}

fn over(value: &mut Value, lies: &Value) {
    for (name, lie) in lies.as_object().into_iter().flatten() {
        if lie.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = lie.clone();
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_usize, |all, byte| (all << 8) | usize::from(*byte));
        for at in 0..=chunk.len() {
            out.push(char::from(DIGITS[(number >> (18 - 6 * at)) & 63]));
        }
    }
    out
}
