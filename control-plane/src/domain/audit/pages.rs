//! The page of the record: what was done, newest first, by whom.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::Method;
use protocol::id::PersonId;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::service;
use super::types::{Asked, Done};
use crate::app::App;
use crate::auth::policy::right;
use crate::http::{Paging, Query};
use crate::web::caller::email_of;
use crate::web::respond::encoded;
use crate::web::{Nav, PageCan, PageResult, Pages, Shell, format};

/// The pages of the record.
pub fn pages() -> Pages {
    Pages::new().route(Method::GET, "/audit", list)
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    action: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    object: String,
}

/// One line.
struct Row {
    done: Done,
    who: String,
    action: String,
    changes: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "domain/audit/templates/list.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    asked: Wanted,
    next: Option<String>,
}

/// The name of the list in its cursors.
const LIST: &str = "audit";
/// Characters of one value that are shown.
const SHOWN: usize = 160;

async fn list(
    State(app): State<App>,
    can: PageCan<right::AuditRead>,
    Query(wanted): Query<Wanted>,
    paging: Paging,
) -> PageResult {
    let after: Option<(OffsetDateTime, Uuid)> = paging.after(LIST)?;
    let actor = wanted.actor.parse().ok();
    let asked = Asked { action: wanted.action.trim().to_owned(), actor, object: wanted.object.trim().to_owned() };
    let mut tx = can.begin(&app).await?;
    let found = service::list(&mut tx, &asked, after, paging.fetch()).await?;
    drop(tx);
    let page = paging.page(LIST, found, |row| (row.at, row.id))?;
    let next = page.pagination.as_ref().and_then(|page| page.next_cursor.as_deref()).map(|cursor| {
        let fields = [("action", &wanted.action), ("actor", &wanted.actor), ("object", &wanted.object)];
        let kept: String = fields.iter().map(|(name, value)| format!("&{name}={}", encoded(value))).collect();
        format!("/audit?cursor={}{kept}", encoded(cursor))
    });
    let mut names: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut rows = Vec::new();
    for done in page.data {
        let who = match done.actor {
            None => done.via.clone(),
            Some(actor) => match names.get(&actor) {
                Some(known) => known.clone(),
                None => {
                    let name = email_of(&app, PersonId::from_uuid(actor)).await;
                    let name = name.map_or_else(|_| "somebody who is gone".to_owned(), |email| email.to_string());
                    names.insert(actor, name.clone());
                    name
                }
            },
        };
        rows.push(Row { action: words(&done.action), changes: changes(&done.diff), who, done });
    }
    can.page(&List { shell: Shell::new(&can, Nav::Audit, "What was done"), rows, asked: wanted, next })
}

/// `people.invited` as words.
fn words(action: &str) -> String {
    action.replace(['.', '_'], " ")
}

/// A difference as pairs of words.
fn changes(diff: &Value) -> Vec<(String, String)> {
    let pairs = diff.as_object().into_iter().flatten();
    let shown = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => String::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    let cut = |text: String| {
        if text.chars().count() > SHOWN { text.chars().take(SHOWN).chain(['…']).collect() } else { text }
    };
    pairs.map(|(name, value)| (words(name), cut(shown(value)))).filter(|(_, text)| !text.is_empty()).collect()
}
