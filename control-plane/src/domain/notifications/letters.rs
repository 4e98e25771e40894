//! The words of every mail, and how they look: plain text, and the same as simple HTML. Names that people typed are
//! made harmless: one line, no control characters, escaped in HTML.

use askama::Template as _;

use super::types::Template;

/// Characters of a name or a reason that a mail repeats.
const CHARS: usize = 300;

/// A mail in both shapes.
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What a mail says, before it has a shape.
struct Words {
    subject: String,
    paragraphs: Vec<String>,
    /// What the button says, and where it leads.
    button: Option<(&'static str, String)>,
    /// In small letters at the end.
    small: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "domain/notifications/templates/mail.txt", escape = "none")]
struct Plain<'a> {
    words: &'a Words,
    base: &'a str,
}

#[derive(askama::Template)]
#[template(path = "domain/notifications/templates/mail.html")]
struct Html<'a> {
    words: &'a Words,
    base: &'a str,
}

/// Renders a mail. `base`: where head office is.
pub(super) fn render(template: &Template, base: &str) -> Result<Rendered, askama::Error> {
    let words = words(template);
    let (text, html) = (Plain { words: &words, base }.render()?, Html { words: &words, base }.render()?);
    Ok(Rendered { subject: words.subject, text, html })
}

/// What kind of mail it was, for somebody who is told that it did not arrive.
pub(super) const fn about(template: &Template) -> &'static str {
    match template {
        Template::ConfirmEmail { .. } => "It asked to confirm the address",
        Template::AlreadyKnown { .. } => "It said that the address has a sign-in already",
        Template::Invitation { .. } => "It was an invitation to join your company",
        Template::PasswordReset { .. } => "It was a link to set a new password",
        Template::PasswordChanged { .. } => "It said that a password was changed",
        Template::SignInMethod { .. } => "It said that a way to sign in was changed",
        Template::NewEmail { .. } => "It asked to confirm a new e-mail",
        Template::EmailChanging { .. } | Template::EmailChanged { .. } => "It said that your e-mail changes",
        Template::TenantApproved { .. } => "It said that your company was approved",
        Template::TenantRefused { .. } => "It said that your company was not approved",
        Template::TenantSuspended { .. } => "It said that your company is suspended",
        Template::TenantResumed { .. } => "It said that your company is no longer suspended",
        Template::ImpersonationAsked { .. } => "It asked to let support look at your pages",
        Template::MfaReset { .. } => "It said that a second factor was reset",
        Template::Notice { .. } => "It repeated a notification",
    }
}

/// A name or reason that somebody typed, as one line.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(CHARS).collect()
}

/// How long a link is good, in words.
fn good_for(minutes: u32) -> String {
    let (count, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2_880 => (minutes / 60, "hour"),
        2_880.. => (minutes / 1_440, "day"),
    };
    format!("The link is good for {count} {unit}{} and works once.", if count == 1 { "" } else { "s" })
}

const NOT_YOU: &str = "If it was not you, somebody may know your password: set a new one at once, end the other sessions on \
                       the same page, and tell whoever runs your company's account.";

fn words(template: &Template) -> Words {
    let words = |subject: String, paragraphs: Vec<String>| Words { subject, paragraphs, button: None, small: None };
    match template {
        Template::ConfirmEmail { link, good_for_minutes } => Words {
            button: Some(("Confirm this address", link.clone())),
            small: Some(format!("{} If you did not register, do nothing.", good_for(*good_for_minutes))),
            ..words(
                "Confirm your e-mail address".to_owned(),
                vec!["Somebody registered at Tillway with this address. Confirm that it is yours to go on.".to_owned()],
            )
        },
        Template::AlreadyKnown { link } => Words {
            button: Some(("Register another company", link.clone())),
            small: Some("If you did not register, do nothing: nothing has changed.".to_owned()),
            ..words(
                "You have a sign-in already".to_owned(),
                vec![
                    "Somebody registered a company at Tillway with this address, which has a sign-in already."
                        .to_owned(),
                    "If it was you: sign in, and register the other company with the same sign-in.".to_owned(),
                ],
            )
        },
        Template::Invitation { tenant, invited_by, role, link, good_for_minutes } => {
            let (tenant, by, role) = (one_line(tenant), one_line(invited_by), one_line(role));
            Words {
                button: Some(("Accept the invitation", link.clone())),
                small: Some(format!("{} If you do not know {by}, do nothing.", good_for(*good_for_minutes))),
                ..words(
                    format!("{by} invites you to {tenant}"),
                    vec![format!("{by} invites you to join {tenant} at Tillway as {role}.")],
                )
            }
        }
        Template::PasswordReset { link, good_for_minutes } => Words {
            button: Some(("Set a new password", link.clone())),
            small: Some(format!(
                "{} If you did not ask for it, do nothing: your password stays as it is.",
                good_for(*good_for_minutes)
            )),
            ..words(
                "Set a new password".to_owned(),
                vec!["Somebody asked for a new password for this address.".to_owned()],
            )
        },
        Template::PasswordChanged { address, link } => Words {
            button: Some(("Look at your security page", link.clone())),
            ..words(
                "Your password was changed".to_owned(),
                vec![
                    format!("The password of your sign-in was changed, from the address {}.", one_line(address)),
                    NOT_YOU.to_owned(),
                ],
            )
        },
        Template::SignInMethod { what, address, link } => Words {
            button: Some(("Look at your security page", link.clone())),
            ..words(
                "How you sign in was changed".to_owned(),
                vec![format!("{}, from the address {}.", one_line(what), one_line(address)), NOT_YOU.to_owned()],
            )
        },
        Template::NewEmail { .. } | Template::EmailChanging { .. } | Template::EmailChanged { .. } => {
            of_email(template)
        }
        Template::TenantApproved { .. }
        | Template::TenantRefused { .. }
        | Template::TenantSuspended { .. }
        | Template::TenantResumed { .. }
        | Template::ImpersonationAsked { .. }
        | Template::MfaReset { .. }
        | Template::Notice { .. } => of_tenant(template),
    }
}

/// The mails about another e-mail.
fn of_email(template: &Template) -> Words {
    let words = |subject: &str, said: Vec<String>| Words {
        subject: subject.to_owned(),
        paragraphs: said,
        button: None,
        small: None,
    };
    match template {
        Template::NewEmail { link, good_for_minutes } => Words {
            button: Some(("Confirm this address", link.clone())),
            small: Some(format!("{} If you do not know of it, do nothing.", good_for(*good_for_minutes))),
            ..words(
                "Confirm your new e-mail",
                vec!["Somebody who signs in at Tillway wants to use this address from now on.".to_owned()],
            )
        },
        Template::EmailChanging { to, address, link, good_for_minutes } => Words {
            button: Some(("Stop the change", link.clone())),
            small: Some(good_for(*good_for_minutes)),
            ..words(
                "Your e-mail is about to change",
                vec![
                    format!(
                        "Somebody who knows your password asked, from the address {}, that {} signs you in from now on.",
                        one_line(address),
                        one_line(to)
                    ),
                    "If it was you, do nothing. If not, stop it and set a new password at once.".to_owned(),
                ],
            )
        },
        Template::EmailChanged { to, address, link } => Words {
            button: Some(("Set a new password", link.clone())),
            ..words(
                "Your e-mail was changed",
                vec![
                    format!(
                        "From now on {} signs you in at Tillway; it was confirmed from the address {}.",
                        one_line(to),
                        one_line(address)
                    ),
                    "If it was not you, tell whoever runs your company's account.".to_owned(),
                ],
            )
        },
        Template::ConfirmEmail { .. }
        | Template::AlreadyKnown { .. }
        | Template::Invitation { .. }
        | Template::PasswordReset { .. }
        | Template::PasswordChanged { .. }
        | Template::SignInMethod { .. }
        | Template::TenantApproved { .. }
        | Template::TenantRefused { .. }
        | Template::TenantSuspended { .. }
        | Template::TenantResumed { .. }
        | Template::ImpersonationAsked { .. }
        | Template::MfaReset { .. }
        | Template::Notice { .. } => of_tenant(template),
    }
}

/// The mails about a company.
fn of_tenant(template: &Template) -> Words {
    let words = |subject: String, paragraphs: Vec<String>| Words { subject, paragraphs, button: None, small: None };
    let with = |label: &'static str, link: &str, rest: Words| Words { button: Some((label, link.to_owned())), ..rest };
    match template {
        Template::TenantApproved { tenant, link } => {
            let (subject, said) = (one_line(tenant), "You can sign in and make your first shop.");
            with(
                "Sign in",
                link,
                words(format!("{subject} is approved"), vec![format!("{subject} is approved. {said}")]),
            )
        }
        Template::TenantRefused { tenant, reason } => {
            let tenant = one_line(tenant);
            let said = format!("The registration of {tenant} was not approved.");
            let why = format!("The reason: {}", one_line(reason));
            words(format!("{tenant} was not approved"), vec![said, why])
        }
        Template::TenantSuspended { tenant, reason } => {
            let tenant = one_line(tenant);
            let said = "Until this is settled your people can look at everything and change nothing. Your shops go on \
                        selling, and what they sell still arrives.";
            let why = format!("The reason: {}", one_line(reason));
            words(format!("{tenant} is suspended"), vec![format!("{tenant} is suspended. {said}"), why])
        }
        Template::TenantResumed { tenant, link } => {
            let tenant = one_line(tenant);
            let said = format!("{tenant} is no longer suspended: your people can work as before.");
            with("Sign in", link, words(format!("{tenant} can work again"), vec![said]))
        }
        Template::ImpersonationAsked { tenant, operator, reason, minutes, link } => {
            let (tenant, operator) = (one_line(tenant), one_line(operator));
            let said = format!(
                "{operator} of Tillway asks to look at the pages of {tenant} for {minutes} minutes. Nothing happens \
                 unless one of you allows it; what they look at is recorded and shown to you."
            );
            let why = format!("The reason: {}", one_line(reason));
            let subject = format!("Tillway asks to look at the pages of {tenant}");
            with("Allow or refuse", link, words(subject, vec![said, why]))
        }
        Template::MfaReset { tenant, by, link } => {
            let said = format!(
                "{} of {} reset the second factor of your sign-in. Set a new one up when you sign in next.",
                one_line(by),
                one_line(tenant)
            );
            let not_you = "If you did not ask for it, tell whoever runs your company's account.".to_owned();
            let subject = "Your second factor was reset".to_owned();
            with("Look at your security page", link, words(subject, vec![said, not_you]))
        }
        Template::Notice { tenant, title, body, link } => {
            let small = "You choose on the page of your notifications what comes by mail.".to_owned();
            let rest = words(format!("{}: {}", one_line(tenant), one_line(title)), vec![one_line(body)]);
            Words { small: Some(small), ..with("Look at it", link, rest) }
        }
        Template::ConfirmEmail { .. }
        | Template::AlreadyKnown { .. }
        | Template::Invitation { .. }
        | Template::PasswordReset { .. }
        | Template::PasswordChanged { .. }
        | Template::SignInMethod { .. }
        | Template::NewEmail { .. }
        | Template::EmailChanging { .. }
        | Template::EmailChanged { .. } => words("Tillway".to_owned(), Vec::new()),
    }
}
