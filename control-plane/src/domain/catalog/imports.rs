//! Imports that people look at again: a file is taken in (or only rehearsed) and its report kept, line by line, as
//! the CSV that can be downloaded. What a line may say is `import`'s business.

use protocol::collection::Collection;
use protocol::limits;
use uuid::Uuid;

use super::service::{self, By, CatalogError};
use super::store;
use super::types::{ImportReport, ImportSummary, KeptLine, LineReport, Outcome};
use super::upload::Upload;
use crate::app::App;
use crate::auth::guard::Caller;
use crate::clock::utc;
use crate::db::{DbError, TenantTx};
use crate::domain::pricing::types::Source;
use crate::rng;

/// Pressing harder costs more than it saves on a text of this kind.
const ZSTD_LEVEL: i32 = 3;

/// Takes a file in, or finds out what would become of it, and keeps the report; answers where it stands.
///
/// # Errors
/// [`CatalogError::File`] when nothing of it can be read; nothing is kept then.
pub async fn run(app: &App, caller: &Caller, upload: Upload) -> Result<Uuid, CatalogError> {
    let now = app.clock.now();
    let parsed = service::read_file(upload.csv).await?;
    let (tenant, person) = (caller.tenant, caller.person);
    let by = By::of(caller, Source::Import, now);
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let mut report = service::take_in(&mut tx, by, parsed).await?;
    if upload.rehearsal {
        // All was done but for the end of it: the report is exact, and nothing happened.
        drop(tx);
        tx = TenantTx::begin(&app.db, tenant).await?;
        report.version = service::head(&mut tx).await?.0;
    }
    let import = ImportSummary {
        id: rng::id(now),
        made_at: utc(now),
        rehearsal: upload.rehearsal,
        file_name: upload.file_name,
        added: report.added,
        changed: report.changed,
        unchanged: report.unchanged,
        rejected: report.rejected,
        version: report.version,
    };
    let packed = tokio::task::spawn_blocking(move || pack(&report)).await;
    let packed = packed.map_err(|error| CatalogError::Worker(error.to_string()))?;
    let packed = packed.map_err(|error| CatalogError::Worker(error.to_string()))?;
    let kept = limits::IMPORTS_KEPT;
    let row = store::keep_import(tx.conn(), tenant.as_uuid(), person.as_uuid(), &import, &packed, kept).await;
    row.map_err(DbError::from)?;
    tx.save().await?;
    if !import.rehearsal && import.changed > 0 {
        app.hint(tenant, Collection::Catalogue);
    }
    Ok(import.id)
}

/// The imports that are kept, the newest first.
///
/// # Errors
/// Whatever the database met.
pub async fn list(tx: &mut TenantTx, limit: i64) -> Result<Vec<ImportSummary>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(store::imports(tx.conn(), tenant, limit).await?)
}

/// One import and its report as CSV; none of another tenant's.
///
/// # Errors
/// Whatever the database met, or a report that cannot be unpacked.
pub async fn one(tx: &mut TenantTx, id: Uuid) -> Result<Option<(ImportSummary, Vec<u8>)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let Some((import, packed)) = store::one_import(tx.conn(), tenant, id).await? else { return Ok(None) };
    let unfit = |error: String| DbError::Unfit(format!("the report of import {id} cannot be read: {error}"));
    let csv = tokio::task::spawn_blocking(move || zstd::bulk::decompress(&packed, 2 * limits::IMPORT_REPORT_BYTES));
    let csv = csv.await.map_err(|error| unfit(error.to_string()))?.map_err(|error| unfit(error.to_string()))?;
    Ok(Some((import, csv)))
}

/// The lines of a report: what was not taken first, at most [`limits::IMPORT_LINES_SHOWN`]; and whether there are more.
pub fn lines(csv: &[u8]) -> (Vec<KeptLine>, bool) {
    let mut reader = csv::Reader::from_reader(csv);
    let mut found: Vec<KeptLine> = Vec::new();
    let mut more = false;
    // Those not taken stand first in the file: see `pack`.
    for line in reader.deserialize::<KeptLine>() {
        if found.len() >= limits::IMPORT_LINES_SHOWN {
            more = true;
            break;
        }
        found.extend(line.ok());
    }
    (found, more)
}

fn pack(report: &ImportReport) -> std::io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["line", "code", "outcome", "field", "message"])?;
    let rejected = |line: &&LineReport| line.outcome == Outcome::Rejected;
    let all = report.lines.iter().filter(rejected).chain(report.lines.iter().filter(|line| !rejected(line)));
    let mut bytes = 0_usize;
    for line in all {
        let (code, message) = (harmless(&line.code), harmless(&line.message));
        bytes = bytes.saturating_add(code.len() + message.len() + 64);
        if bytes > limits::IMPORT_REPORT_BYTES {
            break;
        }
        let number = line.line.to_string();
        writer.write_record([&number, &code, outcome(line.outcome), line.field.unwrap_or_default(), &message])?;
    }
    let csv = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
    zstd::bulk::compress(&csv, ZSTD_LEVEL)
}

/// A spreadsheet takes a cell that begins like this for a formula; an apostrophe tells it that it is text.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Added => "added",
        Outcome::Changed => "changed",
        Outcome::Unchanged => "unchanged",
        Outcome::Rejected => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_packed_with_its_problems_first_and_without_formulas() {
        let line = |line, outcome, code: &str| LineReport {
            line,
            code: code.to_owned(),
            outcome,
            field: (outcome == Outcome::Rejected).then_some("unit_price"),
            message: if outcome == Outcome::Rejected { "wrong, \"here\"".to_owned() } else { String::new() },
        };
        let report = ImportReport {
            accepted: 1,
            added: 1,
            changed: 1,
            unchanged: 0,
            rejected: 1,
            version: 1,
            lines: vec![line(2, Outcome::Added, "A"), line(3, Outcome::Rejected, "=cmd()")],
        };
        let csv = zstd::bulk::decompress(&pack(&report).unwrap(), 1 << 20).unwrap();
        let (told, more) = lines(&csv);
        assert!(!more);
        let told: Vec<_> = told.iter().map(|line| (line.line, line.code.as_str(), line.message.as_str())).collect();
        assert_eq!(told, [(3, "'=cmd()", "wrong, \"here\""), (2, "A", "")]);
    }
}
