//! The matrix: every case for every kind of caller. Each part answers what it tried and what was wrong, so that a mutant can
//! run one part alone and see whether it notices.

use control_plane::auth::policy::{Breadth, Level, Module, Permission, Weight};
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::PgConnection;

use crate::ask::{Asker, Names, ask};
use crate::cases::{Body, Case, Foreign, Needs, all};
use crate::ground::{Ground, Heard, Side};
use crate::tally::Tally;

/// What is wrong with an answer, in words.
fn told(asked: &str, heard: &Heard) -> String {
    let text: String = heard.text.chars().take(300).collect();
    format!("{asked}: {} {} {text}", heard.status, heard.location)
}

/// The word of a side that stands in an answer not meant for it. What was asked with is not told apart from an echo.
fn leak(case: &Case, heard: &Heard, secrets: &[String], code: &str, asked: &str) -> Option<String> {
    let mut text = heard.text.clone();
    if asked.contains(code)
        || matches!(&case.body, Body::Form(pairs) if pairs.iter().any(|(_, value)| *value == "{code}"))
    {
        text = text.replace(code, "");
    }
    let told = secrets.iter().find(|secret| {
        let echoed = case.path.contains('{') && asked.contains(*secret) && heard.location.contains(*secret);
        !echoed && text.contains(*secret)
    })?;
    let at = text.find(told.as_str()).unwrap_or_default();
    let around: String = text.chars().skip(at.saturating_sub(80)).take(240).collect();
    Some(format!("{asked} tells {told}: ..{around}.."))
}

/// Whether somebody heard what whoever names a thing that is not theirs must hear.
fn foreign_answer(case: &Case, heard: &Heard) -> bool {
    let status = heard.status;
    match case.foreign {
        Foreign::Missing => status == StatusCode::NOT_FOUND,
        Foreign::Refused(wanted) => status.as_u16() == wanted,
        Foreign::Own => {
            let denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
            !denied && !status.is_server_error() && !heard.location.starts_with("/sign-in")
        }
        Foreign::NotTried(_) => true,
    }
}

/// Whoever is nobody gets no further than the door.
pub async fn strangers(ground: &Ground) -> Tally {
    let mut tally = Tally::default();
    let side = &ground.alpha;
    for case in all() {
        for asker in [Asker::nobody("a stranger"), Asker::ended(side)] {
            let asked = Names::of(side).path(&case);
            let mut heard = ask(ground, &case, &asker, Names::of(side)).await;
            let right = match case.needs {
                Needs::Everybody(why) => !heard.status.is_server_error() && !why.is_empty(),
                Needs::Own(_) | Needs::Can(_) if case.page() => {
                    heard.status == StatusCode::SEE_OTHER && heard.location.starts_with("/sign-in")
                }
                Needs::Own(_) | Needs::Can(_) => heard.status == StatusCode::UNAUTHORIZED,
            };
            let wrong = (!right).then(|| told(&asked, &heard));
            heard.location.clear();
            let leak = leak(&case, &heard, &side.secrets(), &side.code, &asked);
            tally.note(format!("{} as {}", case.name(), asker.name), wrong.or(leak));
        }
    }
    tally
}

/// Somebody of another tenant: all ids foreign, and each one alone with the others their own.
pub async fn foreigners(ground: &Ground) -> Tally {
    let mut tally = Tally::default();
    let (alpha, beta) = (&ground.alpha, &ground.beta);
    let asker = Asker::owner(beta);
    for case in all() {
        if matches!(case.foreign, Foreign::NotTried(_)) || matches!(case.needs, Needs::Everybody(_)) || platform(&case)
        {
            continue;
        }
        let named = case.named();
        let mut swaps = vec![named.clone()];
        if named.len() > 1 {
            swaps.extend(named.iter().map(|one| vec![*one]));
        }
        for swapped in swaps {
            let names = Names { own: beta, swapped: &swapped, foreign: alpha };
            let asked = names.path(&case);
            let heard = ask(ground, &case, &asker, names).await;
            let wrong = (!foreign_answer(&case, &heard)).then(|| told(&asked, &heard));
            let leak = leak(&case, &heard, &alpha.secrets(), &alpha.code, &asked);
            tally.note(format!("{} as another tenant with its {}", case.name(), swapped.join(", ")), wrong.or(leak));
        }
    }
    tally
}

/// A colleague who holds everything but the permission is told so, by name.
pub async fn without(ground: &Ground, admin: &mut PgConnection, permission: Permission) -> Tally {
    let mut tally = Tally::default();
    let (side, colleague) = (&ground.alpha, &ground.colleague);
    colleague.hold_all_but(admin, permission).await;
    for case in needing(permission) {
        let asked = Names::of(side).path(&case);
        let heard = ask(ground, &case, &colleague.asker, Names::of(side)).await;
        // The front page is whichever page one may see.
        let elsewhere = case.path == "/" && heard.status == StatusCode::SEE_OTHER && heard.location != "/";
        let right = elsewhere || refused(&case, &heard, "permission", Some(permission));
        let leak = if right { leak(&case, &heard, &of_the_shop(side), &side.code, &asked) } else { None };
        let wrong = (!right).then(|| told(&asked, &heard));
        tally.note(format!("{} by a colleague without {permission}", case.name()), wrong.or(leak));
        // One look is enough for whoever only asks whether it is noticed.
        if !tally.breaches.is_empty() {
            return tally;
        }
    }
    tally
}

/// A colleague who holds that permission and no other gets past the door: the case names the right one. What cannot be made
/// good again, or wants a fresh proof, is left out.
pub async fn with_that_alone(ground: &Ground, admin: &mut PgConnection, permission: Permission) -> Tally {
    let mut tally = Tally::default();
    let (side, colleague) = (&ground.alpha, &ground.colleague);
    if permission.module() == Module::Platform {
        return tally;
    }
    colleague.hold(admin, &[permission], None).await;
    for case in needing(permission) {
        if case.more || (case.method != "GET" && permission.weight() == Weight::Sensitive) {
            continue;
        }
        let asked = Names::of(side).path(&case);
        let heard = ask(ground, &case, &colleague.asker, Names::of(side)).await;
        // Refused for another reason, such as that nobody acts on who may more, is past this door.
        let beyond = heard.text.contains("\"reason\":\"beyond\"");
        let denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&heard.status) && !beyond;
        let wrong = (denied || heard.status.is_server_error()).then(|| told(&asked, &heard));
        tally.note(format!("{} by a colleague with {permission} alone", case.name()), wrong);
    }
    tally
}

/// A manager of another shop, who holds everything there.
pub async fn managers_of_another_shop(ground: &Ground, admin: &mut PgConnection) -> Tally {
    let mut tally = Tally::default();
    let (side, colleague) = (&ground.alpha, &ground.colleague);
    colleague.hold(admin, Permission::ALL, Some(colleague.other_shop)).await;
    for case in all() {
        let Needs::Can(permission) = case.needs else { continue };
        if matches!(case.foreign, Foreign::NotTried(_)) {
            continue;
        }
        let asked = Names::of(side).path(&case);
        let heard = ask(ground, &case, &colleague.asker, Names::of(side)).await;
        let right = match permission.breadth() {
            _ if platform(&case) => refused(&case, &heard, "permission", Some(permission)),
            Breadth::ByShop => foreign_answer(&case, &heard),
            Breadth::Company => refused(&case, &heard, "permission", Some(permission)),
            Breadth::Anywhere => {
                (case.more || heard.status != StatusCode::FORBIDDEN) && !heard.status.is_server_error()
            }
        };
        // What all shops share, such as regions, names shops.
        let secrets = if permission.breadth() == Breadth::Anywhere { Vec::new() } else { of_the_shop(side) };
        let leak = leak(&case, &heard, &secrets, &side.code, &asked);
        let wrong = (!right).then(|| told(&asked, &heard));
        tally.note(format!("{} by a manager of another shop", case.name()), wrong.or(leak));
    }
    tally
}

/// A colleague who may everything names what is somebody's own.
pub async fn colleagues(ground: &Ground, admin: &mut PgConnection) -> Tally {
    let mut tally = Tally::default();
    let (side, colleague) = (&ground.alpha, &ground.colleague);
    colleague.hold(admin, Permission::ALL, None).await;
    for case in all() {
        if !matches!(case.needs, Needs::Own(_)) || case.shared || matches!(case.foreign, Foreign::NotTried(_)) {
            continue;
        }
        let asked = Names::of(side).path(&case);
        let heard = ask(ground, &case, &colleague.asker, Names::of(side)).await;
        let wrong = (!foreign_answer(&case, &heard)).then(|| told(&asked, &heard));
        let secrets = [side.who.email.clone(), format!("news of {}", side.marker)];
        let leak = leak(&case, &heard, &secrets, &side.code, &asked);
        tally.note(format!("{} by a colleague who names what is not theirs", case.name()), wrong.or(leak));
    }
    tally
}

/// The owner of a suspended tenant: everything can be read, nothing changed.
pub async fn suspended(ground: &Ground, admin: &mut PgConnection) -> Tally {
    let mut tally = Tally::default();
    let side = &ground.alpha;
    let owner = Asker::owner(side);
    ground.suspend_alpha(admin, true).await;
    for case in all() {
        let Needs::Can(permission) = case.needs else { continue };
        // Whatever asks for more also says what a suspended tenant may: ending a visit, for one.
        if platform(&case) || case.more || matches!(case.foreign, Foreign::NotTried(_)) {
            continue;
        }
        let asked = Names::of(side).path(&case);
        let heard = ask(ground, &case, &owner, Names::of(side)).await;
        let right = match permission.level() {
            Level::Read if case.method == "GET" => heard.status.is_success(),
            Level::Read => !heard.status.is_success() && !heard.status.is_server_error(),
            Level::Write => refused(&case, &heard, "suspended", Some(permission)),
        };
        tally.note(format!("{} of a suspended tenant", case.name()), (!right).then(|| told(&asked, &heard)));
    }
    ground.suspend_alpha(admin, false).await;
    tally
}

/// The cases are alive: their owner gets through where the others did not.
pub async fn owners(ground: &Ground) -> Tally {
    let mut tally = Tally::default();
    let side = &ground.alpha;
    let owner = Asker::owner(side);
    for case in all() {
        let tried = !matches!(case.foreign, Foreign::NotTried(_)) && !matches!(case.needs, Needs::Everybody(_));
        if case.method != "GET" || !tried || platform(&case) {
            continue;
        }
        let asked = Names::of(side).path(&case);
        let heard = ask(ground, &case, &owner, Names::of(side)).await;
        // A page of steps sends on to the step that is due.
        let onward = matches!(case.needs, Needs::Own(_)) && heard.status == StatusCode::SEE_OTHER;
        let right = heard.status.is_success() || (onward && !heard.location.starts_with("/sign-in"));
        tally.note(format!("{} as its owner", case.name()), (!right).then(|| told(&asked, &heard)));
    }
    tally
}

/// What of a side belongs to its shop, and is not for who has another.
fn of_the_shop(side: &Side) -> Vec<String> {
    vec![side.shop.clone(), side.node.clone(), format!("{} street", side.marker)]
}

/// Whether it is for operators of the platform, whom no tenant has.
fn platform(case: &Case) -> bool {
    matches!(case.needs, Needs::Can(permission) if permission.module() == Module::Platform)
}

/// The cases that need a permission; those that only look come first.
pub fn needing(permission: Permission) -> Vec<Case> {
    let tried = |case: &Case| !matches!(case.foreign, Foreign::NotTried(_)) && case.needs == Needs::Can(permission);
    let mut cases: Vec<Case> = all().into_iter().filter(tried).collect();
    cases.sort_by_key(|case| case.method != "GET");
    cases
}

/// Whether an answer is the refusal for that reason.
fn refused(case: &Case, heard: &Heard, reason: &str, permission: Option<Permission>) -> bool {
    // What is the platform's does not exist for a company.
    if permission.is_some_and(|permission| permission.module() == Module::Platform) {
        return heard.status == StatusCode::NOT_FOUND;
    }
    if heard.status != StatusCode::FORBIDDEN {
        return false;
    }
    if case.page() {
        return true;
    }
    let body: Value = serde_json::from_str(&heard.text).unwrap_or_default();
    let details = &body["error"]["details"];
    body["error"]["code"] == "AUTHZ"
        && details["reason"] == reason
        && permission.is_none_or(|permission| details["permission"] == permission.name())
}
