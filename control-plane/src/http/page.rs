//! Lists page by page. A cursor holds the sort key of the last row and a checksum with the name of its list: only
//! what this build wrote for that list is believed. The next page seeks behind the key, so that rows that come
//! and go meanwhile neither repeat nor hide others.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::{ApiError, ApiResult, Data};

/// Largest page.
pub const MOST: u32 = 200;
/// Page size if none is said.
pub const USUAL: u32 = 50;
/// Longest cursor that is looked at, in bytes.
const CURSOR_BYTES: usize = 4_096;
/// Bytes of the checksum.
const CHECK_BYTES: usize = 8;

/// Which page of a list. Name it in the handler's signature and in `params(...)` of its documentation; the
/// handler's own query type leaves `cursor` and `limit` out.
///
/// ```ignore
/// const LIST: &str = "shops";
/// let after: Option<(String, Uuid)> = paging.after(LIST)?;
/// let rows = store::page(&mut tx, after, paging.fetch()).await?;      // WHERE (name, id) > ($2, $3) ... LIMIT $4
/// paging.page(LIST, rows, |shop| (shop.name.clone(), shop.id))
/// ```
#[derive(Clone, Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// `next_cursor` of the page before; leave it out for the first page.
    #[param(required = false, max_length = 4096)]
    cursor: String,
    /// Rows of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: u32,
}

impl Default for Paging {
    fn default() -> Self {
        Self { cursor: String::new(), limit: USUAL }
    }
}

impl Paging {
    /// Rows of this page at most.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Rows to fetch: one more, which tells whether there is a next page.
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The key behind which this page starts; `None` on the first.
    ///
    /// # Errors
    /// 400 for a cursor that was not given by this list.
    pub fn after<K: DeserializeOwned>(&self, list: &'static str) -> ApiResult<Option<K>> {
        if self.cursor.is_empty() {
            return Ok(None);
        }
        open(list, &self.cursor).map(Some).ok_or_else(|| {
            ApiError::malformed("cursor: give next_cursor of the page before, of the same list")
                .with(serde_json::json!({ "field": "cursor" }))
        })
    }

    /// The page of rows that were fetched with [`Paging::fetch`]; `key` names a row's sort key.
    ///
    /// # Errors
    /// INTERNAL when a key cannot be written.
    pub fn page<T, K: Serialize>(
        &self,
        list: &'static str,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> ApiResult<Data<Vec<T>>> {
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > most;
        rows.truncate(most);
        let next = match rows.last().filter(|_| more) {
            Some(row) => Some(seal(list, &key(row))?),
            None => None,
        };
        Ok(Data::page(rows, next, self.limit))
    }
}

impl Paging {
    /// A page that its service cut itself, with the key behind which the next one starts.
    ///
    /// # Errors
    /// INTERNAL when the key cannot be written.
    pub fn cut<T, K: Serialize>(&self, list: &'static str, rows: Vec<T>, next: Option<K>) -> ApiResult<Data<Vec<T>>> {
        let next = next.map(|key| seal(list, &key)).transpose()?;
        Ok(Data::page(rows, next, self.limit))
    }
}

impl<S: Sync> FromRequestParts<S> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let mut paging = Self::default();
        for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "cursor" => paging.cursor = value.into_owned(),
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    paging.limit = limit.ok_or_else(|| {
                        ApiError::malformed(format!("limit takes a whole number from 1 to {MOST}"))
                            .with(serde_json::json!({ "field": "limit" }))
                    })?;
                }
                _ => {}
            }
        }
        Ok(paging)
    }
}

/// A sort key as the opaque text that a client gives back.
///
/// # Errors
/// INTERNAL when it cannot be written.
pub fn seal<K: Serialize>(list: &'static str, key: &K) -> ApiResult<String> {
    use std::fmt::Write as _;
    let text = serde_json::to_vec(key).map_err(ApiError::internal)?;
    let mut sealed = String::with_capacity(2 * (CHECK_BYTES + text.len()));
    for byte in check(list, &text).iter().chain(&text) {
        write!(sealed, "{byte:02x}").map_err(ApiError::internal)?;
    }
    Ok(sealed)
}

/// Reads it back; `None` for anything that this list did not write.
pub fn open<K: DeserializeOwned>(list: &'static str, sealed: &str) -> Option<K> {
    let bytes = Some(sealed).filter(|sealed| sealed.len() <= CURSOR_BYTES).and_then(unhex)?;
    let (sum, text) = bytes.split_at_checked(CHECK_BYTES)?;
    // No row's text has a NUL; PostgreSQL would refuse one.
    let sound = sum == check(list, text) && !text.windows(6).any(|part| part == b"\\u0000");
    if sound { serde_json::from_slice(text).ok() } else { None }
}

/// Reads hex of any length.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    pairs.map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

fn check(list: &'static str, text: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("tillway 2026-11 cursor of a list");
    hasher.update(list.as_bytes()).update(&[0]).update(text);
    let mut sum = [0; CHECK_BYTES];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(query: &str) -> Result<Paging, u16> {
        let request = axum::http::Request::builder().uri(format!("/v1/things?{query}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        Paging::from_request_parts(&mut parts, &()).await.map_err(|error| error.status.as_u16())
    }

    #[tokio::test]
    async fn a_page_is_bounded_and_says_so() {
        assert_eq!(read("").await.unwrap().limit(), USUAL);
        assert_eq!(read("q=x&limit=200").await.unwrap().limit(), MOST);
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=1.5", "limit=", "limit=many"] {
            assert_eq!(read(bad).await, Err(400), "{bad}");
        }
    }

    #[tokio::test]
    async fn pages_join_without_repeating_or_missing_a_row() {
        let all: Vec<u32> = (1..=7).collect();
        let mut seen = Vec::new();
        let mut query = "limit=3".to_owned();
        for _ in 0..10 {
            let paging = read(&query).await.unwrap();
            let after: u32 = paging.after("things").unwrap().unwrap_or(0);
            let most = usize::try_from(paging.fetch()).unwrap();
            let rows = all.iter().copied().filter(|row| *row > after).take(most).collect();
            let page = paging.page("things", rows, |row| *row).unwrap();
            seen.extend(page.data);
            match page.pagination.unwrap().next_cursor {
                Some(next) => query = format!("limit=3&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn only_what_the_list_wrote_is_believed() {
        let sealed = seal("shops", &("High Street", 7)).unwrap();
        assert_eq!(open::<(String, i32)>("shops", &sealed), Some(("High Street".to_owned(), 7)));
        assert_eq!(open::<(String, i32)>("nodes", &sealed), None, "of another list");
        assert_eq!(open::<i32>("shops", &sealed), None, "of another key");
        for at in 0..sealed.len() {
            let mut bent = sealed.clone().into_bytes();
            bent[at] = if bent[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(open::<(String, i32)>("shops", &String::from_utf8(bent).unwrap()), None, "{at}");
        }
        for odd in ["", "00", "zz", "é", &"00".repeat(4_000), &sealed[..sealed.len() - 2]] {
            assert_eq!(open::<(String, i32)>("shops", odd), None, "{odd}");
        }
        let nul = seal("shops", &"a\0b").unwrap();
        assert_eq!(open::<String>("shops", &nul), None);
    }
}
