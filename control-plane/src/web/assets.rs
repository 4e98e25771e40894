//! Styles, scripts and pictures, in the binary. Each has the hash of its content in its address, so that a browser
//! may keep it for ever and a new version is a new address.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::http::ApiError;
use crate::rng::hex;

/// Bytes of the hash that stand in an address: enough to tell versions apart.
const HASH_BYTES: usize = 8;

#[derive(RustEmbed)]
#[folder = "src/web/assets/"]
struct Files;

fn hash_of(file: &rust_embed::EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    hex(hash.get(..HASH_BYTES).unwrap_or(&hash))
}

/// The address of a file under `web/assets/`, such as `app.css`. One that is not there gets an address that answers
/// 404; a test looks for those.
pub fn asset(name: &str) -> String {
    let hash = Files::get(name).map_or_else(|| "none".to_owned(), |file| hash_of(&file));
    format!("/assets/{hash}/{name}")
}

/// Serves a file, if the address names its present content.
pub(super) async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(file) = Files::get(&name).filter(|file| hash_of(file) == hash) else {
        return ApiError::not_found("file").into_response();
    };
    let kind = HeaderValue::from_str(file.metadata.mimetype());
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let cache = HeaderValue::from_static("public, max-age=31536000, immutable");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], file.data).into_response()
}
