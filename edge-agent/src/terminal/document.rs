//! The words of the API's description that no single route owns: the guide at its head, the parameters and answers
//! that many routes share. Must not know what a route does.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, RefOr, SecurityRequirement};

/// What somebody who writes a till has to know before the first request.
const GUIDE: &str = "\
What a till asks of the node in its shop. It works without internet.

**A sale.** `POST /v1/pair` once, with a code that `edge-agent pairing create` printed; keep the token and send it as \
`Authorization: Bearer TOKEN`. Then `POST /v1/tickets`, `POST /v1/tickets/{id}/lines` for each scan, and \
`POST /v1/tickets/{id}/close` with the tenders. The answer to the close is the receipt; it comes after the record is \
on the disk.

**Retries.** Every write but `/v1/pair` and signing in and out needs an `Idempotency-Key`: a fresh one (such as a UUID) per intent, the same \
one for each retry of it. A repetition gets the first answer again, also after a power cut; another body under the \
same key is a `CONFLICT`. When no answer came, send the same request again until one does.

**Numbers.** Quantities, unit prices and percentages are decimals in strings (`\"2.55\"`; whole numbers may be bare). \
Amounts end in `_minor` and are integers in minor units of the shop's currency, such as pence. Tax rates are \
`_ppm`, millionths: 200000 is 20 %. Money and goods that come back are negative in answers; the quantity of a line is \
always sent positive.

**Answers.** `{\"data\": ...}`, or `{\"error\": {\"code\", \"message\", \"details\"?}}`. Decide by `code`, show \
`message`: 400 and 422 `VALIDATION`, 401 `AUTHN` (pair again), 403 `AUTHZ`, 404 `NOT_FOUND`, 409 `CONFLICT`, \
429 `RATE_LIMIT` and 503 `INTERNAL` (both with `Retry-After`).

**Returns.** Open a ticket of kind `return` and ring lines with `original` (term, seq and line of the receipt), or \
with `code` when there is no receipt; its tenders are negative. **Late entries**: give the wall-clock time of the \
paper as `at`.

**People.** Where `GET /v1/staff` says `cashier_required`, somebody signs in first: `POST /v1/staff/sign-in` with a \
`staff_id` of that list and a PIN; it holds over restarts, until they sign out or ring nothing for `idle_minutes`. What \
a cashier may not do alone is refused with 403, `details.reason` `approval_required` and `details.approvers`; send it \
again with `approval`: `{\"staff_id\", \"pin\", \"reason\"}` of one of them. `details.reason` `wrong_pin` says so; five \
of them within fifteen minutes, for one person or at one lane, are 429. A PIN is kept nowhere: not in logs, records or \
the hash of a request.

**Paper.** The receipt of a sale prints by itself on the printer of its lane. Listen for changes of type `print_job` \
and show `message` when there is one: a receipt that is `queued` waits (`why` says for what) and prints as soon as it \
can; one that is `unproven` may or may not be on paper, look before you ask for another. \
`POST /v1/receipts/{term}/{seq}/print` prints one more, marked COPY.

**Trust.** On the shop's network the node speaks HTTPS under a CA of its own. Its fingerprint is printed beside the \
pairing code; check it before the code is sent. On the node's own machine plain HTTP on loopback will do.";

/// The document before the routes are in it.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tillway terminal API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(GUIDE))
        .build();
    let bearer = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The token that `POST /v1/pair` answered"))
            .build(),
    );
    let mut openapi = OpenApiBuilder::new().info(info).build();
    openapi.components.get_or_insert_default().add_security_scheme("lane", bearer);
    openapi.security = Some(vec![SecurityRequirement::new("lane", Vec::<String>::new())]);
    openapi
}

/// Fills in what the routes left unsaid.
pub(super) fn complete(openapi: &mut OpenApi) {
    for item in openapi.paths.paths.values_mut() {
        let PathItem { get, put, post, patch, delete, .. } = item;
        for operation in [get, put, post, patch, delete].into_iter().flatten() {
            explain(operation);
        }
    }
}

fn explain(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.description.is_none() {
            parameter.description = meaning(&parameter.name).map(str::to_owned);
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = outcome(status).to_owned();
        }
    }
}

fn meaning(parameter: &str) -> Option<&'static str> {
    Some(match parameter {
        "Idempotency-Key" => "1 to 128 characters: fresh for each intent, the same for each retry of it",
        "id" => "The ticket's id, as the answer to its opening said",
        "no" => "The line's `line_no`",
        "n" => "The tender's `number`",
        "code" => "Product code",
        "term" => "The receipt's `term`",
        "seq" => "The receipt's `seq`",
        "job" => "The job's `id`: `receipt:TERM:SEQ` for the receipt of a sale",
        _ => return None,
    })
}

fn outcome(status: &str) -> &'static str {
    match status {
        "200" | "201" => "Done",
        "503" => "Not now: `message` says why",
        _ => "Refused: nothing was changed; `message` says why and what to do",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    /// A till is written against the document alone: nothing in it may go without a word.
    #[test]
    fn every_parameter_and_every_answer_is_described() {
        let document = serde_json::to_value(super::super::openapi()).unwrap();
        let unsaid = |what: &Value| what["description"].as_str().is_none_or(str::is_empty);
        let mut mute = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let answers = operation["responses"].as_object().unwrap().values();
                if parameters.chain(answers).any(unsaid) {
                    mute.push(format!("{method} {path}"));
                }
            }
        }
        assert_eq!(mute, Vec::<String>::new());
    }
}
