//! The pages of roles: which there are, one of the company's own, and which of them a person holds.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use protocol::id::PersonId;
use uuid::Uuid;

use super::service;
use super::types::{AssignmentView, NewAssignment, Role, RoleBody, RoleView, Wanted};
use crate::app::App;
use crate::auth::policy::{Bits, Module, Permission, right};
use crate::domain::regions::{self, types::Region};
use crate::domain::shops::{self, types::Shop};
use crate::http::{ApiError, IfMatch, Path};
use crate::web::caller::email_of;
use crate::web::{Flash, Form, Nav, PageCan, PageResult, Pages, Shell};

/// The pages of roles.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/roles", list)
        .route(Method::POST, "/roles", create)
        .route(Method::GET, "/roles/new", new)
        .route(Method::GET, "/roles/{id}", one)
        .route(Method::POST, "/roles/{id}", save)
        .route(Method::POST, "/roles/{id}/remove", remove)
        .route(Method::GET, "/people/{id}/roles", of_person)
        .route(Method::POST, "/people/{id}/roles", give)
        .route(Method::POST, "/people/{id}/roles/take", take)
}

/// A form with one box per permission: its fields are only known at run time.
type Fields = BTreeMap<String, String>;

#[derive(Template)]
#[template(path = "domain/roles/templates/list.html")]
struct List {
    shell: Shell,
    roles: Vec<RoleView>,
}

async fn list(State(app): State<App>, can: PageCan<right::RolesRead>) -> PageResult {
    let mut tx = can.begin(&app).await?;
    let roles = service::list(&mut tx).await?;
    can.page(&List { shell: Shell::new(&can, Nav::Roles, "Roles"), roles })
}

/// A module with its permissions, each with whether the role has it and whether the editor could give it.
struct Group {
    module: Module,
    boxes: Vec<(Permission, bool, bool)>,
}

fn groups(chosen: Bits, mine: Bits, platform: bool) -> Vec<Group> {
    let modules = Module::ALL.into_iter().filter(|module| platform || *module != Module::Platform);
    let group = |module: Module| {
        let of_module = Bits::of_module(module).iter();
        let boxes: Vec<_> =
            of_module.map(|permission| (permission, chosen.has(permission), mine.has(permission))).collect();
        Group { module, boxes }
    };
    modules.map(group).collect()
}

#[derive(Template)]
#[template(path = "domain/roles/templates/one.html")]
struct One {
    shell: Shell,
    role: RoleView,
    groups: Vec<Group>,
    /// Whether the reader can change it.
    editable: bool,
    error: Option<String>,
}

fn shown(can: &PageCan<impl crate::auth::policy::Right>, role: RoleView, error: Option<String>) -> One {
    let editable = !role.built_in && can.policy.may(Permission::RolesWrite);
    let platform = can.caller.tenant == crate::auth::policy::PLATFORM_TENANT;
    let title = if role.id.is_empty() { "A new role".to_owned() } else { role.name.clone() };
    let groups = groups(Bits::of(&role.permissions), can.policy.held(), platform);
    One { shell: Shell::new(can, Nav::Roles, title), groups, editable, error, role }
}

fn blank() -> RoleView {
    let empty = String::new;
    RoleView {
        id: empty(),
        name: empty(),
        description: empty(),
        built_in: false,
        wants_mfa: false,
        by_shop: true,
        permissions: Vec::new(),
        holders: 0,
        version: 0,
    }
}

async fn new(can: PageCan<right::RolesWrite>) -> PageResult {
    can.page(&shown(&can, blank(), None))
}

async fn one(State(app): State<App>, can: PageCan<right::RolesRead>, Path(id): Path<String>) -> PageResult {
    let mut tx = can.begin(&app).await?;
    let role = service::one(&mut tx, &id).await?;
    can.page(&shown(&can, role, None))
}

/// What the form says; unknown names in it are refused by not being taken.
fn typed(fields: &Fields) -> RoleBody {
    let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let named = fields.keys().filter_map(|key| Permission::of_name(key.strip_prefix("p.")?));
    RoleBody {
        name: text("name"),
        description: text("description"),
        wants_mfa: fields.contains_key("wants_mfa"),
        permissions: named.collect(),
    }
}

/// As it was typed, to be looked at again.
fn again(role: RoleView, typed: RoleBody) -> RoleView {
    let RoleBody { name, description, wants_mfa, permissions } = typed;
    RoleView { name, description, wants_mfa, permissions, ..role }
}

fn by_person(error: &ApiError) -> bool {
    [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED, StatusCode::FORBIDDEN]
        .contains(&error.status)
}

async fn create(State(app): State<App>, can: PageCan<right::RolesWrite>, Form(fields): Form<Fields>) -> PageResult {
    let typed = typed(&fields);
    let mut tx = can.begin(&app).await?;
    match service::create(&mut tx, &can.caller, &can.policy, &typed, app.clock.now()).await {
        Ok(role) => {
            tx.save().await?;
            can.see_other("/roles", Flash::done(format!("The role {} is there; give it to people now.", role.name)))
        }
        Err(error) if by_person(&error) => {
            can.page_with(error.status, &shown(&can, again(blank(), typed), Some(error.message)))
        }
        Err(error) => Err(error.into()),
    }
}

fn own(id: &str) -> Result<Uuid, ApiError> {
    match Role::of_id(id) {
        Some(Role::Own(id)) => Ok(id),
        Some(Role::BuiltIn(_)) => Err(ApiError::conflict("Built-in roles cannot be changed: make one of your own.")),
        None => Err(ApiError::not_found("role")),
    }
}

async fn save(
    State(app): State<App>,
    can: PageCan<right::RolesWrite>,
    Path(id): Path<String>,
    Form(fields): Form<Fields>,
) -> PageResult {
    let (id, typed) = (own(&id)?, typed(&fields));
    let seen = IfMatch::version(fields.get("seen").and_then(|seen| seen.parse().ok()).unwrap_or(0_i64));
    let mut tx = can.begin(&app).await?;
    let role = service::one(&mut tx, &id.to_string()).await?;
    match service::update(&mut tx, &can.caller, &can.policy, id, &seen, &typed, app.clock.now()).await {
        Ok(role) => {
            tx.save().await?;
            can.see_other("/roles", Flash::done(format!("{} is changed for everybody who holds it.", role.name)))
        }
        Err(error) if by_person(&error) => {
            can.page_with(error.status, &shown(&can, again(role, typed), Some(error.message)))
        }
        Err(error) => Err(error.into()),
    }
}

async fn remove(
    State(app): State<App>,
    can: PageCan<right::RolesWrite>,
    Path(id): Path<String>,
    Form(_): Form<Fields>,
) -> PageResult {
    let id = own(&id)?;
    let mut tx = can.begin(&app).await?;
    match service::remove(&mut tx, &can.caller, id, &IfMatch::any(), app.clock.now()).await {
        Ok(()) => {
            tx.save().await?;
            can.see_other("/roles", Flash::done("The role is gone."))
        }
        Err(error) if by_person(&error) => can.see_other(&format!("/roles/{id}"), Flash::failed(error.message)),
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "domain/roles/templates/person.html")]
struct OfPerson {
    shell: Shell,
    person: Uuid,
    email: String,
    held: Vec<AssignmentView>,
    roles: Vec<RoleView>,
    regions: Vec<Region>,
    shops: Vec<Shop>,
    typed: Fields,
    error: Option<String>,
}

impl OfPerson {
    fn is(&self, field: &str, value: impl std::fmt::Display) -> bool {
        self.typed.get(field).is_some_and(|typed| *typed == value.to_string())
    }
}

/// Roles shown of one person.
const SHOWN: i64 = 500;

async fn page_of(
    app: &App,
    can: &PageCan<impl crate::auth::policy::Right>,
    person: Uuid,
    typed: Fields,
    error: Option<String>,
) -> Result<OfPerson, ApiError> {
    let mut tx = can.begin(app).await?;
    service::member(&mut tx, person).await?;
    let held = service::held(&mut tx, Some(person), None, SHOWN).await?;
    let roles = service::list(&mut tx).await?;
    let regions = regions::service::list(&mut tx).await?;
    let shops = shops::service::list(&mut tx).await?;
    drop(tx);
    let email = email_of(app, PersonId::from_uuid(person)).await?.to_string();
    let shell = Shell::new(can, Nav::People, format!("Roles of {email}"));
    Ok(OfPerson { shell, person, email, held, roles, regions, shops, typed, error })
}

async fn of_person(State(app): State<App>, can: PageCan<right::RolesRead>, Path(person): Path<Uuid>) -> PageResult {
    let page = page_of(&app, &can, person, Fields::new(), None).await?;
    can.page(&page)
}

fn back(person: Uuid) -> String {
    format!("/people/{person}/roles")
}

async fn give(
    State(app): State<App>,
    can: PageCan<right::RolesWrite>,
    Path(person): Path<Uuid>,
    Form(fields): Form<Fields>,
) -> PageResult {
    let place = fields.get("place").map(String::as_str).unwrap_or_default();
    let of = |kind: &str| place.strip_prefix(kind).and_then(|id| id.parse().ok());
    let role = fields.get("role").cloned().unwrap_or_default();
    let wanted = Wanted { role, region_id: of("region:"), shop_id: of("shop:") };
    let new = NewAssignment { person_id: person, wanted };
    let mut tx = can.begin(&app).await?;
    service::member(&mut tx, person).await?;
    match service::give(&mut tx, &can.caller, &can.policy, &new, app.clock.now()).await {
        Ok(given) => {
            tx.save().await?;
            can.see_other(&back(person), Flash::done(format!("{} is given, from now on.", given.role_name)))
        }
        Err(error) if by_person(&error) => {
            drop(tx);
            let page = page_of(&app, &can, person, fields, Some(error.message)).await?;
            can.page_with(error.status, &page)
        }
        Err(error) => Err(error.into()),
    }
}

async fn take(
    State(app): State<App>,
    can: PageCan<right::RolesWrite>,
    Path(person): Path<Uuid>,
    Form(fields): Form<Fields>,
) -> PageResult {
    let id =
        fields.get("assignment").and_then(|id| id.parse().ok()).ok_or_else(|| ApiError::not_found("assignment"))?;
    let mut tx = can.begin(&app).await?;
    service::member(&mut tx, person).await?;
    match service::take(&mut tx, &can.caller, &can.policy, id, app.clock.now()).await {
        Ok(()) => {
            tx.save().await?;
            can.see_other(&back(person), Flash::done("Taken away, at once."))
        }
        Err(error) if by_person(&error) => can.see_other(&back(person), Flash::failed(error.message)),
        Err(error) => Err(error.into()),
    }
}
