//! The pages of imports: sending a file (or pasting it), what became of each line, and the same as a file.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use protocol::limits;
use time::OffsetDateTime;
use uuid::Uuid;

use super::imports;
use super::service::CatalogError;
use super::types::{ImportSummary, KeptLine};
use super::upload::{self, Upload};
use crate::app::App;
use crate::auth::policy::right;
use crate::clock::utc;
use crate::domain::pricing::{self, service::Reach};
use crate::http::{ApiError, Path, body};
use crate::web::{Flash, Nav, PageCaller, PageCan, PageResult, Pages, Shell, form, format};

/// What a spreadsheet is begun with.
const TEMPLATE: &str = "code,description,unit_price,tax_rate_percent,unit,barcodes\r\n\
    85123A,White hanging heart,2.55,20,piece,5012345678900\r\n\
    POST,Postage,18,,piece,\r\n";

/// The pages of imports.
pub(super) fn pages() -> Pages {
    Pages::new()
        .merge(super::price_form::pages())
        .route(Method::GET, "/products/import", ask)
        .route(Method::POST, "/products/import", take)
        .route(Method::GET, "/products/import/template.csv", template)
        .route(Method::GET, "/products/imports/{id}", report)
        .route(Method::GET, "/products/imports/{id}/report.csv", download)
}

#[derive(Template)]
#[template(path = "domain/catalog/templates/import.html")]
struct Ask {
    shell: Shell,
    recent: Vec<ImportSummary>,
    error: Option<String>,
    text: String,
    rehearsal: bool,
    now: OffsetDateTime,
    megabytes: usize,
}

async fn ask(State(app): State<App>, caller: PageCan<right::CatalogWrite>) -> PageResult {
    asked(&app, &caller, StatusCode::OK, None, String::new(), false).await
}

async fn asked(
    app: &App,
    caller: &PageCaller,
    status: StatusCode,
    error: Option<String>,
    text: String,
    rehearsal: bool,
) -> PageResult {
    let mut tx = caller.begin(app).await?;
    let recent = imports::list(&mut tx, 10).await?;
    let (now, megabytes) = (utc(app.clock.now()), limits::IMPORT_BODY_BYTES >> 20);
    let shell = Shell::new(caller, Nav::Products, "Import prices");
    caller.page_with(status, &Ask { shell, recent, error, text, rehearsal, now, megabytes })
}

/// What the form said: the file, its pasted text, and the proof that it is ours.
struct Sent {
    upload: Upload,
    token: String,
    pasted: bool,
}

fn sent(parts: Vec<upload::Part>) -> Sent {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let (mut upload, mut token, mut pasted) = (Upload::default(), String::new(), Bytes::new());
    for part in parts {
        match part.name.as_str() {
            "csrf" => token = text(&part.content),
            "rehearsal" => upload.rehearsal = true,
            "text" => pasted = part.content,
            "file" => {
                upload.file_name = part.file_name.unwrap_or_default();
                upload.csv = part.content;
            }
            _ => {}
        }
    }
    let pasted_counts = upload.csv.is_empty();
    if pasted_counts {
        upload.file_name = String::new();
        upload.csv = pasted;
    }
    Sent { upload, token, pasted: pasted_counts }
}

async fn take(
    State(app): State<App>,
    caller: PageCan<right::CatalogWrite>,
    headers: HeaderMap,
    stream: Body,
) -> PageResult {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A little more than the file may have: the form around it.
    let bytes = match body::read(stream, limits::IMPORT_BODY_BYTES + (64 << 10)).await {
        Ok(bytes) => bytes,
        Err(error) if error.status == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!(
                "The file is larger than {} MB. Split it and send the parts one after another.",
                limits::IMPORT_BODY_BYTES >> 20
            );
            return asked(&app, &caller, error.status, Some(message), String::new(), false).await;
        }
        Err(error) => return Err(error.into()),
    };
    let parts = upload::boundary(kind).map(|boundary| upload::parts(&bytes, boundary)).unwrap_or_default();
    let Sent { upload, token, pasted } = sent(parts);
    form::check(&caller, &headers, &token)?;
    let (rehearsal, text) = (upload.rehearsal, if pasted { upload.csv.clone() } else { Bytes::new() });
    let kept = || {
        String::from_utf8_lossy(text.get(..text.len().min(limits::HTTP_BODY_BYTES)).unwrap_or_default()).into_owned()
    };
    if upload.csv.iter().all(u8::is_ascii_whitespace) {
        let message = "Choose a file or paste its lines; nothing came along.".to_owned();
        return asked(&app, &caller, StatusCode::UNPROCESSABLE_ENTITY, Some(message), kept(), rehearsal).await;
    }
    match imports::run(&app, &caller.caller, upload).await {
        Ok(id) => {
            let flash = if rehearsal { "Checked; nothing was changed." } else { "The file was taken in." };
            caller.see_other(&format!("/products/imports/{id}"), Flash::done(flash))
        }
        Err(error @ (CatalogError::File(_) | CatalogError::TooMany(_))) => {
            let error = ApiError::from(error);
            asked(&app, &caller, error.status, Some(error.message), kept(), rehearsal).await
        }
        Err(error @ (CatalogError::Db(_) | CatalogError::Worker(_) | CatalogError::Refused(_))) => Err(error.into()),
    }
}

async fn template(_: PageCan<right::CatalogWrite>) -> PageResult {
    file("products-template.csv", TEMPLATE.as_bytes().to_vec())
}

fn file(name: &str, csv: Vec<u8>) -> PageResult {
    let named = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).map_err(ApiError::internal)?;
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let cache = HeaderValue::from_static("no-store");
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, named), (header::CACHE_CONTROL, cache)];
    Ok((headers, csv).into_response())
}

#[derive(Template)]
#[template(path = "domain/catalog/templates/report.html")]
struct Report {
    shell: Shell,
    import: ImportSummary,
    lines: Vec<KeptLine>,
    more: bool,
    total: u64,
    reach: Reach,
    now: OffsetDateTime,
}

async fn report(State(app): State<App>, caller: PageCan<right::CatalogWrite>, Path(id): Path<Uuid>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let found = imports::one(&mut tx, id).await?;
    let (import, csv) = found.ok_or_else(|| ApiError::not_found("import"))?;
    let (lines, more) = imports::lines(&csv);
    caller.page(&Report {
        shell: Shell::new(&caller, Nav::Products, "What became of the file"),
        reach: pricing::service::reach(&mut tx, import.version).await?,
        total: import.rejected + import.changed + import.unchanged,
        now: utc(app.clock.now()),
        import,
        lines,
        more,
    })
}

async fn download(State(app): State<App>, caller: PageCan<right::CatalogWrite>, Path(id): Path<Uuid>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let found = imports::one(&mut tx, id).await?;
    let (import, csv) = found.ok_or_else(|| ApiError::not_found("import"))?;
    file(&format!("import-{}.csv", import.made_at.date()), csv)
}
