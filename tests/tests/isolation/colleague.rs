//! A colleague of alpha's owner: one session for the API and one for the pages, and a role of their own that a test makes as
//! wide or narrow as it likes, for the whole company or for one shop.

use control_plane::auth::policy::Permission;
use protocol::id::TenantId;
use sqlx::PgConnection;
use tillway_tests::cloud::Cloud;
use tillway_tests::hq::Hq;
use tillway_tests::town::SignIn;
use uuid::Uuid;

use crate::ask::Asker;
use crate::ground::{Ground, Side, page_session};

pub struct Colleague {
    pub asker: Asker,
    who: SignIn,
    tenant: TenantId,
    role: Uuid,
    /// A shop of the same tenant that is not the side's.
    pub other_shop: Uuid,
}

/// Tables that change when a colleague of the same tenant signs in, is given rights and looks around: with the reason why it
/// is theirs to change.
pub const THEIRS: &[(&str, &str)] = &[
    ("audit", "a refusal may be worth a line"),
    ("assignments", "the test gives and takes rights"),
    ("role_permissions", "the test gives and takes rights"),
    ("tenants", "so the version of rights rises"),
    ("sessions", "when a session was last used"),
    ("idempotency", "what a write answered"),
    ("days_seen", "who looks at a day of their own shops has seen it"),
];

impl Colleague {
    pub async fn join(cloud: &Cloud, side: &Side) -> Self {
        let other = cloud.shop(&side.hq, &format!("{} lane", side.marker)).await.unwrap();
        let mut admin = cloud.database().superuser().await;
        let (person, role) = (Uuid::from_u128(0xc0_11ea), Uuid::from_u128(0x2_01e));
        let tenant = side.tenant.as_uuid();
        let email = format!("colleague@{}.example", side.marker);
        // The owner's password will do; making another hash would only take time.
        let join = [
            "INSERT INTO platform.people (person_id, email, email_key, created_at) VALUES ($1, $4, $4, now())",
            "INSERT INTO platform.passwords (person_id, phc, changed_at)
             SELECT $1, w.phc, now() FROM platform.passwords w JOIN platform.people p USING (person_id) WHERE p.email = $5",
            "INSERT INTO app.memberships (tenant_id, person_id, created_at) VALUES ($2, $1, now())",
            "INSERT INTO app.roles (tenant_id, role_id, name, description, wants_mfa, version, created_at, updated_at)
             VALUES ($2, $3, 'whatever', '', false, 1, now(), now())",
            "INSERT INTO app.assignments (tenant_id, assignment_id, person_id, role_id, reach, created_at)
             VALUES ($2, $1, $1, $3, 'tenant', now())",
        ];
        for sql in join {
            // Every statement takes all five, so that the list above reads as it is.
            let sql = sqlx::AssertSqlSafe(format!(
                "WITH all_of_them AS (SELECT $1::uuid, $2::uuid, $3::uuid, $4::text, $5::text) {sql}"
            ));
            let bound = sqlx::query(sql).bind(person).bind(tenant).bind(role).bind(&email).bind(&side.who.email);
            assert_eq!(bound.execute(&mut admin).await.unwrap().rows_affected(), 1);
        }
        let who = SignIn { email, password: side.who.password.clone() };
        let mut colleague = Self {
            asker: Asker::nobody("a colleague"),
            who,
            tenant: side.tenant,
            role,
            other_shop: other.parse().unwrap(),
        };
        colleague.sign_in(cloud).await;
        colleague
    }

    /// Signs in, for the API and for the pages: at first, and when what they did to their own account has ended either.
    pub async fn sign_in(&mut self, cloud: &Cloud) {
        // Whoever may nothing has no page with a form to take the proof from.
        self.hold(&mut cloud.database().superuser().await, Permission::ALL, None).await;
        let hq = Hq::sign_in(cloud.url(), &self.who.email, &self.who.password).await.unwrap();
        let (cookie, csrf) = page_session(cloud.url(), &self.who).await;
        self.asker = Asker { name: "a colleague", token: Some(hq.token()), cookie: Some(cookie), csrf };
    }

    /// From now on they hold these, in the whole company or in one shop alone.
    pub async fn hold(&self, admin: &mut PgConnection, permissions: &[Permission], shop: Option<Uuid>) {
        let names: Vec<&str> = permissions.iter().map(|permission| permission.name()).collect();
        let reach = if shop.is_some() { "shop" } else { "tenant" };
        let sql = "WITH gone AS (DELETE FROM app.role_permissions WHERE tenant_id = $1 AND role_id = $2 AND permission <> ALL ($3)),
                        come AS (INSERT INTO app.role_permissions (tenant_id, role_id, permission)
                                 SELECT $1, $2, p FROM unnest($3) p ON CONFLICT DO NOTHING),
                        reach AS (UPDATE app.assignments SET reach = $4, at_shop = $5 WHERE tenant_id = $1 AND role_id = $2)
                   UPDATE app.tenants SET policy_version = policy_version + 1 WHERE tenant_id = $1";
        let done = sqlx::query(sql).bind(self.tenant.as_uuid()).bind(self.role).bind(names).bind(reach).bind(shop);
        assert_eq!(done.execute(admin).await.unwrap().rows_affected(), 1);
    }

    /// Everything but one.
    pub async fn hold_all_but(&self, admin: &mut PgConnection, but: Permission) {
        let rest: Vec<Permission> = Permission::ALL.iter().copied().filter(|known| *known != but).collect();
        self.hold(admin, &rest, None).await;
    }
}

impl Ground {
    /// Suspends alpha, or lets it go on.
    pub async fn suspend_alpha(&self, admin: &mut PgConnection, suspended: bool) {
        let sql = "UPDATE app.tenants SET suspended_at = CASE WHEN $2 THEN now() END WHERE tenant_id = $1";
        let done = sqlx::query(sql).bind(self.alpha.tenant.as_uuid()).bind(suspended).execute(admin).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
    }
}
