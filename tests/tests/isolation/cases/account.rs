//! One's own account: name, password, e-mail, sessions, second factors.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, delete, get, patch, post};

const ME: &str = "one's own account";
const MFA: &str = "one's own second factors";
const LINK: &str = "a link is the credential";
const HALF: &str = "a cookie of the sign-in is the credential";
const OTHERS: &str = "it names nothing and ends the sessions that the others try with";

pub fn cases() -> Vec<Case> {
    let mut cases = doors();
    cases.extend(vec![
        get("/v1/me").own(ME),
        patch("/v1/me").own(ME).json(json!({"name": "Somebody"})),
        post("/v1/me/password").own(ME).json(json!({"current": "not this one", "new": "a new one for me"})),
        post("/v1/me/email").own(ME).json(json!({"email": "new@x.example", "password": "not this one"})),
        get("/v1/me/sessions").own(ME),
        delete("/v1/me/sessions/{id}").own(ME).names("session"),
        post("/v1/me/sessions/end-others").own(ME).not_tried(OTHERS),
        post("/v1/auth/step-up").own(ME).json(json!({"password": "no such password"})),
        post("/v1/auth/step-up/passkey").own(ME).json(json!({})),
        get("/v1/me/mfa").own(MFA),
        // Before one is begun: taking one away ends other sessions.
        delete("/v1/me/mfa/totp").own(MFA),
        post("/v1/me/mfa/totp").own(MFA).json(json!({})),
        post("/v1/me/mfa/totp/confirm").own(MFA).json(json!({"code": "000000"})),
        post("/v1/me/mfa/passkeys").own(MFA).json(json!({})),
        post("/v1/me/mfa/passkeys/confirm").own(MFA).json(json!({"name": "mine", "ceremony": "0", "credential": {}})),
        patch("/v1/me/mfa/passkeys/{id}").own(MFA).names("passkey").json(json!({"name": "taken over"})),
        delete("/v1/me/mfa/passkeys/{id}").own(MFA).names("passkey"),
        post("/v1/me/mfa/recovery-codes").own(MFA).json(json!({})),
        delete("/v1/people/{id}/mfa").can(P::RolesWrite).names("person"),
        delete("/v1/platform/people/{id}/mfa").can(P::PlatformTenantsWrite).names("person"),
    ]);
    cases.extend(pages());
    cases
}

fn doors() -> Vec<Case> {
    let credential = "its body is the credential";
    vec![
        post("/v1/auth/mfa").everybody(credential).json(json!({"token": "0", "totp": "123456"})),
        post("/v1/auth/mfa/passkey").everybody(credential).json(json!({"token": "0"})),
        post("/v1/auth/passkey").everybody("whoever signs in asks for a challenge").json(json!({})),
        post("/v1/auth/passkey/finish")
            .everybody(credential)
            .json(json!({"passkey": {"ceremony": "0", "credential": {}}})),
        post("/v1/auth/forgot").everybody("whoever forgot the password").json(json!({"email": "nobody@x.example"})),
        post("/v1/auth/reset").everybody(LINK).json(json!({"token": "0", "password": "a new one"})),
        post("/v1/auth/email/confirm").everybody(LINK).json(json!({"token": "0"})),
        post("/v1/auth/email/stop").everybody(LINK).json(json!({"token": "0"})),
        get("/sign-in/second").everybody(HALF),
        post("/sign-in/second").everybody(HALF).form(&[("code", "123456")]),
        post("/sign-in/second/passkey/begin").everybody(HALF).form(&[]),
        post("/sign-in/second/passkey").everybody(HALF).form(&[("ceremony", "0"), ("credential", "{}")]),
        post("/sign-in/passkey/begin").everybody("whoever signs in asks for a challenge").form(&[]),
        post("/sign-in/passkey").everybody(credential).form(&[("ceremony", "0"), ("credential", "{}")]),
        get("/forgot").everybody("whoever forgot the password"),
        post("/forgot").everybody("whoever forgot the password").form(&[("email", "nobody@x.example")]),
        get("/reset/{token}").everybody(LINK),
        post("/reset/{token}").everybody(LINK).form(&[("password", "a new one")]),
        get("/email/{door}/{token}").everybody(LINK),
        post("/email/{door}/{token}").everybody(LINK).form(&[]),
    ]
}

fn pages() -> Vec<Case> {
    vec![
        get("/me").own(ME),
        post("/me/name").own(ME).form(&[("name", "Somebody")]),
        post("/me/password").own(ME).form(&[("current", "not this one"), ("new", "a new one for me")]),
        post("/me/email").own(ME).form(&[("email", "new@x.example"), ("password", "not this one")]),
        post("/me/sessions/{id}/end").own(ME).names("session").form(&[]),
        post("/me/sessions/end-others").own(ME).form(&[]).not_tried(OTHERS),
        get("/me/confirm").own(ME),
        post("/me/confirm").own(ME).form(&[("password", "no such password")]),
        post("/me/confirm/passkey/begin").own(ME).form(&[]),
        post("/me/confirm/passkey").own(ME).form(&[("ceremony", "0"), ("credential", "{}")]),
        get("/me/security").own(MFA),
        post("/me/security/totp/remove").own(MFA).form(&[]),
        post("/me/security/totp").own(MFA).form(&[]),
        get("/me/security/totp").own(MFA),
        post("/me/security/totp/confirm").own(MFA).form(&[("code", "000000")]),
        post("/me/security/passkeys/begin").own(MFA).form(&[]),
        post("/me/security/passkeys").own(MFA).form(&[("ceremony", "0"), ("credential", "{}"), ("name", "mine")]),
        post("/me/security/passkeys/{id}/rename").own(MFA).names("passkey").form(&[("name", "taken over")]),
        post("/me/security/passkeys/{id}/remove").own(MFA).names("passkey").form(&[]),
        post("/me/security/recovery-codes").own(MFA).form(&[]),
    ]
}
