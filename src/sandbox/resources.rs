//! The permissions and access rules of a token's bearer.
//!
//! Source of the fields: the vendor's OpenAPI documents (v1.218 to v1.224).

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::clusters::{CLUSTER_ID, CLUSTER_NAME, TENANT_ID};
use super::keys::{Key, Owner, USER};
use super::line::Line;
use super::role::Role;

/// Answers `GET /api/v1/authorization/permissions`: a list of `Permission`.
pub(super) fn permissions() -> Answer {
    ok(&json!([{
        "resourceType": "project",
        "displayName": "Projects",
        "groupId": "organization",
        "actions": ["read"],
    }]))
}

/// Answers `GET /api/v1/authorization/me/access-rules`: the rules of the bearer or its user, one per role.
pub(super) fn access_rules(line: Line, roles: &[Role], bearer: Option<&Key>) -> Answer {
    let (subject, kind) = match bearer {
        Some(key) if key.owner == Owner::Organisation && line >= Line::V2_24 => {
            (key.client_id.as_str(), "service-account")
        }
        Some(key) if key.owner == Owner::Organisation => (key.client_id.as_str(), "app"),
        _ => (USER, "user"),
    };
    let rule = |(n, role): (u32, &Role)| {
        let (role_id, role_name) = match role {
            Role::Administrator => (1, "System administrator"),
            Role::Practitioner => (2, "AI practitioner"),
        };
        json!({
            "id": 32 + n,
            "subjectId": subject,
            "subjectType": kind,
            "roleId": role_id,
            "roleName": role_name,
            "scopeId": CLUSTER_ID,
            "scopeName": CLUSTER_NAME,
            "scopeType": "cluster",
            "clusterId": CLUSTER_ID,
            "tenantId": TENANT_ID,
        })
    };
    let rules: Vec<_> = (0..).zip(roles).map(rule).collect();
    ok(&json!({"accessRules": {
        "totalRecords": rules.len(),
        "displayRecords": rules.len(),
        "accessRules": rules,
    }}))
}

/// Answers `GET /api/v1/authorization/me/access-rules/count`.
pub(super) fn access_rules_count(roles: &[Role]) -> Answer {
    ok(&json!({"count": roles.len()}))
}

fn ok(body: &Value) -> Answer {
    answer::json(StatusCode::OK, body)
}
