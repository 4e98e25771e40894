//! What every operation of the API has in common, written into its document in one place: the refusals that any of
//! them may answer, the headers of answers, and which query parameters there are. Knows no noun.

use std::collections::{BTreeSet, HashMap};

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::{ApiError, ApiResult};

/// The methods that are operations.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// Each refusal: its status, name, and what it means.
const REFUSALS: [(u16, &str, &str); 14] = [
    (400, "Malformed", "The request cannot be read: no JSON, a parameter of another kind, an unknown parameter."),
    (401, "NotSignedIn", "Nobody knows who asks: no token, one that ended, or wrong credentials."),
    (403, "NotAllowed", "Seen, and not allowed; `details.reason` says what is missing."),
    (404, "NotThere", "It is not there, or not for these eyes."),
    (405, "NoSuchMethod", "This address does not take that method; see Allow."),
    (409, "Conflict", "It contradicts what is there, or the Idempotency-Key stood for another request."),
    (412, "Stale", "Somebody else changed it since it was read."),
    (413, "TooLarge", "The body is larger than is allowed here."),
    (415, "OtherMediaType", "The body is of another media type than is taken here."),
    (422, "Invalid", "Well-formed, but it breaks a rule; `details.field` names the field where one is at fault."),
    (428, "Unconditional", "Say what you saw: If-Match with the ETag, or If-None-Match where that is taken."),
    (429, "TooOften", "Too many requests; come back after Retry-After seconds."),
    (500, "OurFault", "Something went wrong at head office; it was noted."),
    (503, "NotNow", "Head office cannot answer right now; come back after Retry-After seconds."),
];

/// The document as it is served: completed.
pub fn complete(document: &utoipa::openapi::OpenApi) -> Value {
    let mut value = serde_json::to_value(document).unwrap_or_default();
    let refusals: Map<String, Value> =
        REFUSALS.iter().map(|(status, name, text)| ((*name).to_owned(), refusal(*status, text))).collect();
    value["components"]["responses"] = Value::Object(refusals);
    let paths = value["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        let edited = METHODS.iter().any(|method| has_header(&item[*method], "If-Match"));
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                finish(path, operation, edited);
            }
        }
    }
    value
}

fn refusal(status: u16, text: &str) -> Value {
    let schema = json!({ "schema": { "$ref": "#/components/schemas/ErrorBody" } });
    let mut response = json!({ "description": text, "content": { "application/json": schema } });
    if [429, 503].contains(&status) {
        response["headers"]["Retry-After"] = json!({ "description": "seconds", "schema": { "type": "integer" } });
    }
    response
}

fn parameters(operation: &Value) -> impl Iterator<Item = &Value> {
    operation["parameters"].as_array().into_iter().flatten()
}

fn has_header(operation: &Value, name: &str) -> bool {
    parameters(operation).any(|one| one["in"] == "header" && one["name"] == name)
}

/// Whether an operation is open to everybody.
pub fn is_open(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(|all| all.iter().any(|one| one.as_object().is_some_and(Map::is_empty)))
}

/// The headers that many operations take, described once.
fn describe_headers(operation: &mut Value) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let schema = match parameter["name"].as_str() {
            Some("If-Match") => json!({ "type": "string", "pattern": "^(\\*|\"[0-9]{1,19}\")$", "example": "*" }),
            Some("If-None-Match") => json!({ "type": "string", "enum": ["*"] }),
            Some("Idempotency-Key") => json!({ "type": "string", "pattern": "^[!-~]{1,128}$" }),
            Some(_) | None => continue,
        };
        parameter["schema"] = schema;
    }
}

fn finish(path: &str, operation: &mut Value, edited: bool) {
    describe_headers(operation);
    let body = operation.get("requestBody").is_some();
    let asked = parameters(operation).any(|one| one["in"] != "path");
    let queried = parameters(operation).any(|one| one["in"] == "query");
    let keyed = has_header(operation, "Idempotency-Key");
    let seen = has_header(operation, "If-Match");
    let apply: [(u16, bool); 13] = [
        (400, body || asked || keyed),
        (401, !is_open(operation)),
        (403, !is_open(operation)),
        // What belongs to the platform does not exist for companies.
        (404, path.contains('{') || path.starts_with("/v1/superadmin") || path.starts_with("/v1/platform")),
        (409, keyed),
        (412, seen),
        (413, body),
        (415, body),
        (422, body || queried),
        (428, seen),
        (429, true),
        (500, true),
        (503, true),
    ];
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, name, _) in REFUSALS {
        let status_text = status.to_string();
        let by_hand = responses.get(&status_text);
        // A description of the operation's own says more than ours.
        let described = by_hand.is_some_and(|one| one["description"].as_str().is_some_and(|text| !text.is_empty()));
        let applies = apply.iter().any(|(one, yes)| *one == status && *yes) || by_hand.is_some();
        if applies && !described {
            responses.insert(status_text, json!({ "$ref": format!("#/components/responses/{name}") }));
        }
    }
    let good = responses.iter_mut().filter(|(status, _)| status.starts_with('2')).map(|(_, response)| response);
    for response in good {
        if response["description"].as_str().unwrap_or_default().is_empty() {
            response["description"] = json!("Done.");
        }
        if edited {
            let told = "the version that this shows; send it as If-Match with a change";
            response["headers"]["ETag"] = json!({ "description": told, "schema": { "type": "string" } });
        }
    }
}

/// Which query parameters each operation takes. What is not among them is refused rather than passed over: a
/// misspelt filter would answer more than was asked for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    names: HashMap<(String, String), BTreeSet<String>>,
}

impl Known {
    /// Reads them from the completed document.
    pub fn of(document: &Value) -> Self {
        let mut names = HashMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let query = parameters(operation).filter(|one| one["in"] == "query");
                let known = query.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect();
                names.insert((method.to_ascii_uppercase(), path.clone()), known);
            }
        }
        Self { names }
    }

    /// Refuses a query with a parameter that the operation does not take, or with one twice. Addresses outside the
    /// document (pages) are not looked at.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn check(&self, method: &Method, route: &str, query: &str) -> ApiResult<()> {
        let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
        let Some(known) = self.names.get(&(method.to_owned(), route.to_owned())) else { return Ok(()) };
        let mut seen = BTreeSet::new();
        for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(name.as_ref()) {
                return Err(ApiError::malformed("the address has a query parameter that is not taken here; see /docs"));
            }
            if !seen.insert(name) {
                return Err(ApiError::malformed("the address has the same query parameter twice; give it once"));
            }
        }
        Ok(())
    }
}
