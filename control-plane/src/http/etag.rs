//! Who edits says what they saw: answers about a thing carry a strong `ETag` made of its row's version, and a
//! change names it in `If-Match`. Without it 428, with an old one 412; nobody's work is overwritten unseen.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::Code;
use super::{ApiError, ApiResult, Data};

/// Tags that one header may list.
const TAGS: usize = 16;
/// Longest such header, in bytes.
const HEADER_BYTES: usize = 1_024;

/// The strong tag of one version of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of a row's version.
    pub fn of(version: impl Into<i128>) -> Self {
        Self(format!("\"{}\"", version.into()))
    }

    /// As the header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts it on an answer.
    pub fn put_on(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            headers.insert(header::ETAG, value);
        }
    }
}

/// An answer with its `ETag`: `Data::new(shop).tagged(version)`.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    tag: ETag,
    data: Data<T>,
}

impl<T> Data<T> {
    /// The same, with the `ETag` of the version it shows.
    pub fn tagged(self, version: impl Into<i128>) -> Tagged<T> {
        Tagged { tag: ETag::of(version), data: self }
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = self.data.into_response();
        self.tag.put_on(response.headers_mut());
        response
    }
}

/// The header `If-Match` of a change: which version whoever asks has seen. `*` takes whatever is there.
///
/// ```text
/// async fn update(State(app): State<App>, can: Can<right::ShopsWrite>, seen: IfMatch, ...) -> ApiResult<...> {
///     let row = store::locked(...).await?;   // lock first, or two who saw the same both pass
///     seen.check(row.version)?;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch {
    /// `None` stands for `*`.
    tags: Option<Vec<String>>,
}

impl IfMatch {
    /// For callers that have no header, such as a page's form: whatever is there.
    pub const fn any() -> Self {
        Self { tags: None }
    }

    /// For a page's form that carries the version it was made from.
    pub fn version(version: impl Into<i128>) -> Self {
        Self { tags: Some(vec![ETag::of(version).0]) }
    }

    /// 412 unless the version that is there is one that was named.
    ///
    /// # Errors
    /// CONFLICT (412).
    pub fn check(&self, version: impl Into<i128>) -> ApiResult<()> {
        let there = ETag::of(version);
        match &self.tags {
            None => Ok(()),
            Some(tags) if tags.iter().any(|tag| tag == there.as_str()) => Ok(()),
            Some(_) => Err(stale("it was changed since you read it; read it again and decide anew")),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        if_match(&parts.headers)?.ok_or_else(|| {
            required("send the header If-Match with the ETag that you read (or * for whatever is there)")
        })
    }
}

/// The header of a `PUT` that makes or changes: `If-Match` to change what was seen, `If-None-Match: *` to make what
/// is not there yet. One of them is required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// It is there, and like this.
    Seen(IfMatch),
    /// It is not there.
    Absent,
}

impl Precondition {
    /// 412 unless what is there (`None`: nothing) is what was said.
    ///
    /// # Errors
    /// CONFLICT (412).
    pub fn check(&self, version: Option<impl Into<i128>>) -> ApiResult<()> {
        match (self, version) {
            (Self::Seen(seen), Some(version)) => seen.check(version),
            (Self::Seen(_), None) => Err(stale("it is not there (any more); make it with If-None-Match: *")),
            (Self::Absent, Some(_)) => Err(stale("it is there already; read it and change it with If-Match")),
            (Self::Absent, None) => Ok(()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Precondition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let seen = if_match(&parts.headers)?;
        let absent = parts.headers.get(header::IF_NONE_MATCH);
        match (seen, absent) {
            (Some(_), Some(_)) => Err(ApiError::malformed("send If-Match or If-None-Match, not both")),
            (Some(seen), None) => Ok(Self::Seen(seen)),
            (None, Some(value)) if value.as_bytes() == b"*" => Ok(Self::Absent),
            (None, Some(_)) => Err(ApiError::malformed("If-None-Match takes * here: make it if it is not there")),
            (None, None) => {
                Err(required("send If-Match with the ETag that you read, or If-None-Match: * to make a new one"))
            }
        }
    }
}

/// Reads `If-Match`. Weak tags are kept as they are: they equal no strong one.
fn if_match(headers: &HeaderMap) -> ApiResult<Option<IfMatch>> {
    let mut tags = Vec::new();
    let mut there = false;
    for value in headers.get_all(header::IF_MATCH) {
        there = true;
        let text = value.to_str().ok().filter(|text| text.len() <= HEADER_BYTES).ok_or_else(unreadable)?;
        if text.trim() == "*" {
            return Ok(Some(IfMatch::any()));
        }
        for tag in text.split(',').map(str::trim) {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let quoted = opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"');
            if !quoted || tags.len() >= TAGS {
                return Err(unreadable());
            }
            tags.push(tag.to_owned());
        }
    }
    Ok(there.then_some(IfMatch { tags: Some(tags) }))
}

fn unreadable() -> ApiError {
    ApiError::malformed("If-Match takes * or up to 16 tags in double quotes, as they stood in ETag")
}

fn required(message: &str) -> ApiError {
    ApiError::new(StatusCode::PRECONDITION_REQUIRED, Code::Validation, message)
}

fn stale(message: &str) -> ApiError {
    ApiError::new(StatusCode::PRECONDITION_FAILED, Code::Conflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read<T: FromRequestParts<(), Rejection = ApiError>>(headers: &[(&str, &str)]) -> Result<T, u16> {
        let mut request = axum::http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        T::from_request_parts(&mut parts, &()).await.map_err(|error| error.status.as_u16())
    }

    #[tokio::test]
    async fn who_changes_names_what_they_saw() {
        assert_eq!(read::<IfMatch>(&[]).await, Err(428));
        for bad in ["7", "\"", "", "\"7\", 8", &"x".repeat(2_000)] {
            assert_eq!(read::<IfMatch>(&[("if-match", bad)]).await, Err(400), "{bad}");
        }
        let seen = read::<IfMatch>(&[("if-match", "\"6\", \"7\"")]).await.unwrap();
        assert_eq!(seen.check(7_u64), Ok(()));
        assert_eq!(seen.check(8_i64).unwrap_err().status, StatusCode::PRECONDITION_FAILED);
        let weak = read::<IfMatch>(&[("if-match", "W/\"7\"")]).await.unwrap();
        assert!(weak.check(7_u64).is_err(), "a weak tag is no promise about the bytes");
        assert_eq!(read::<IfMatch>(&[("if-match", "*")]).await.unwrap().check(1_i32), Ok(()));
    }

    #[tokio::test]
    async fn a_put_says_whether_it_makes_or_changes() {
        assert_eq!(read::<Precondition>(&[]).await, Err(428));
        assert_eq!(read::<Precondition>(&[("if-none-match", "\"1\"")]).await, Err(400));
        assert_eq!(read::<Precondition>(&[("if-none-match", "*"), ("if-match", "*")]).await, Err(400));
        let make = read::<Precondition>(&[("if-none-match", "*")]).await.unwrap();
        assert!(make.check(None::<u64>).is_ok() && make.check(Some(1_u64)).is_err());
        let change = read::<Precondition>(&[("if-match", "\"1\"")]).await.unwrap();
        assert!(change.check(Some(1_u64)).is_ok() && change.check(Some(2_u64)).is_err());
        assert!(change.check(None::<u64>).is_err(), "what is gone is not made again by a change");
    }
}
