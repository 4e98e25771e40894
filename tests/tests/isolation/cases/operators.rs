//! The console of the platform's operators. For a company none of it exists, whoever asks: 404.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, get, post};

pub fn cases() -> Vec<Case> {
    let write = |path| post(path).can(P::PlatformTenantsWrite).json(json!({}));
    let mut cases = vec![
        get("/v1/superadmin/registrations").can(P::PlatformTenantsRead),
        write("/v1/superadmin/registrations/{id}/approve").names("registration"),
        write("/v1/superadmin/registrations/{id}/refuse").names("registration").json(json!({"reason": "no"})),
        get("/v1/superadmin/tenants").can(P::PlatformTenantsRead),
        get("/v1/superadmin/tenants/{id}").can(P::PlatformTenantsRead).names("tenant_id"),
        write("/v1/superadmin/tenants/{id}/suspend").names("tenant_id").json(json!({"reason": "no"})),
        write("/v1/superadmin/tenants/{id}/resume").names("tenant_id"),
        write("/v1/superadmin/tenants/{id}/close").names("tenant_id"),
        write("/v1/superadmin/tenants/{id}/keep").names("tenant_id"),
        post("/v1/superadmin/tenants/{id}/modules")
            .can(P::PlatformModulesWrite)
            .names("tenant_id")
            .json(json!({"module": "staff", "enabled": false})),
        post("/v1/superadmin/tenants/{id}/features")
            .can(P::PlatformModulesWrite)
            .names("tenant_id")
            .json(json!({"feature": "a.b", "enabled": true})),
        post("/v1/superadmin/tenants/{id}/visits")
            .can(P::PlatformImpersonate)
            .names("tenant_id")
            .json(json!({"reason": "mine", "minutes": 5})),
        post("/v1/superadmin/tenants/{tenant_id}/visits/{visit_id}/end")
            .can(P::PlatformImpersonate)
            .missing()
            .json(json!({})),
        get("/v1/superadmin/modules").can(P::PlatformTenantsRead),
        post("/v1/superadmin/modules")
            .can(P::PlatformModulesWrite)
            .json(json!({"module": "staff", "available": false, "by_default": false})),
        post("/v1/superadmin/features")
            .can(P::PlatformModulesWrite)
            .json(json!({"feature": "a.b", "module": "staff", "description": "", "by_default": true})),
        get("/v1/superadmin/jobs").can(P::PlatformJobsRead),
        post("/v1/superadmin/jobs/{id}/retry").can(P::PlatformJobsWrite).names("job_id").json(json!({})),
        post("/v1/superadmin/jobs/{id}/cancel").can(P::PlatformJobsWrite).names("job_id").json(json!({})),
        get("/v1/superadmin/mails").can(P::PlatformJobsRead),
    ];
    cases.extend(pages());
    cases
}

fn pages() -> Vec<Case> {
    vec![
        get("/operator").can(P::PlatformTenantsRead),
        post("/operator/registrations/{id}/approve").can(P::PlatformTenantsWrite).names("registration").form(&[]),
        post("/operator/registrations/{id}/refuse")
            .can(P::PlatformTenantsWrite)
            .names("registration")
            .form(&[("reason", "no")]),
        get("/operator/tenants/{tenant_id}").can(P::PlatformTenantsRead).missing(),
        post("/operator/tenants/{tenant_id}/standing")
            .can(P::PlatformTenantsWrite)
            .missing()
            .form(&[("to", "suspend"), ("reason", "no")]),
        post("/operator/tenants/{tenant_id}/switch")
            .can(P::PlatformModulesWrite)
            .missing()
            .form(&[("module", "staff"), ("to", "off")]),
        post("/operator/tenants/{tenant_id}/visits")
            .can(P::PlatformImpersonate)
            .missing()
            .form(&[("reason", "mine"), ("minutes", "5")]),
        post("/operator/tenants/{tenant_id}/visits/{visit_id}/open").can(P::PlatformImpersonate).missing().form(&[]),
        post("/operator/tenants/{tenant_id}/visits/{visit_id}/end").can(P::PlatformImpersonate).missing().form(&[]),
        get("/operator/modules").can(P::PlatformTenantsRead),
        post("/operator/modules").can(P::PlatformModulesWrite).form(&[("module", "staff")]),
        post("/operator/features").can(P::PlatformModulesWrite).form(&[("feature", "a.b"), ("module", "staff")]),
        get("/operator/jobs").can(P::PlatformJobsRead),
        post("/operator/jobs/{job_id}").can(P::PlatformJobsWrite).missing().form(&[("word", "retry")]),
        get("/operator/mails").can(P::PlatformJobsRead),
    ]
}
