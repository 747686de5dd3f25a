//! What a token opens beside the keys: who the bearer is, and the clusters. Field by field as the vendor's OpenAPI
//! documents (v1.218 to v1.224) have them; `minimal` clusters as its reference from 2.25 on has them.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::keys::{Key, Owner};
use super::line::Line;
use super::options::Role;
use super::tenant::USER;

/// The tenant, which is a number in some answers and a text in others.
pub(super) const TENANT_ID: u32 = 1_001;

const CLUSTER_ID: &str = "71f69d83-ba66-4822-adf5-55ce55efd210";
const CLUSTER_NAME: &str = "sandbox";
const DOMAIN: &str = "cluster.sandbox.invalid";

/// `GET /api/v1/authorization/permissions`: a list of `Permission`.
pub(super) fn permissions() -> Answer {
    ok(&json!([{
        "resourceType": "project",
        "displayName": "Projects",
        "groupId": "organization",
        "actions": ["read"],
    }]))
}

/// `GET /api/v1/authorization/me/access-rules`: one rule, for the bearer's user or for the bearer.
pub(super) fn access_rules(line: Line, role: Role, bearer: Option<&Key>) -> Answer {
    let (subject, kind) = match bearer {
        Some(key) if key.owner == Owner::Organisation && line >= Line::V2_24 => {
            (key.client_id.as_str(), "service-account")
        }
        Some(key) if key.owner == Owner::Organisation => (key.client_id.as_str(), "app"),
        _ => (USER, "user"),
    };
    let (role_id, role_name) = match role {
        Role::Administrator => (1, "System administrator"),
        Role::Practitioner => (2, "AI practitioner"),
    };
    ok(&json!({"accessRules": {
        "totalRecords": 1,
        "displayRecords": 1,
        "accessRules": [{
            "id": 32,
            "subjectId": subject,
            "subjectType": kind,
            "roleId": role_id,
            "roleName": role_name,
            "scopeId": CLUSTER_ID,
            "scopeName": CLUSTER_NAME,
            "scopeType": "cluster",
            "clusterId": CLUSTER_ID,
            "tenantId": TENANT_ID,
        }],
    }}))
}

/// `GET /api/v1/authorization/me/access-rules/count`.
pub(super) fn access_rules_count() -> Answer {
    ok(&json!({"count": 1}))
}

/// `GET /api/v1/clusters`: a bare list, with one cluster.
pub(super) fn clusters(line: Line, query: &str) -> Answer {
    ok(&json!([whole(line, query)]))
}

/// `GET /api/v1/clusters/{clusterUuid}`.
pub(super) fn cluster(line: Line, id: &str, query: &str) -> Answer {
    if id == CLUSTER_ID {
        ok(&whole(line, query))
    } else {
        answer::error(StatusCode::NOT_FOUND)
    }
}

/// `GET /api/v1/clusters/minimal`. That the list is bare is a guess: what is around it was seen nowhere.
pub(super) fn clusters_minimal(line: Line) -> Answer {
    ok(&json!([minimal(line)]))
}

/// `GET /api/v1/clusters/{clusterUuid}/minimal`.
pub(super) fn cluster_minimal(line: Line, id: &str) -> Answer {
    if id == CLUSTER_ID {
        ok(&minimal(line))
    } else {
        answer::error(StatusCode::NOT_FOUND)
    }
}

/// With `verbosity=metadata` there is no status; that the version stays is a guess.
fn whole(line: Line, query: &str) -> Value {
    let mut cluster = json!({
        "uuid": CLUSTER_ID,
        "tenantId": TENANT_ID,
        "name": CLUSTER_NAME,
        "createdAt": "2025-01-01T00:00:00Z",
        "updatedAt": "2025-01-01T00:00:00Z",
        "deletedAt": null,
        "lastLiveness": "2025-01-01T00:00:00Z",
        "domain": DOMAIN,
        "version": version(line),
        "status": {
            "state": "Connected",
            "conditions": [],
            "operands": {},
            "platform": platform(),
            "config": {},
            "dependencies": {},
        },
    });
    let metadata_alone = url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "verbosity" && value == "metadata");
    if let Some(members) = cluster.as_object_mut().filter(|_| metadata_alone) {
        members.remove("status");
    }
    cluster
}

fn minimal(line: Line) -> Value {
    json!({
        "uuid": CLUSTER_ID,
        "tenantId": TENANT_ID,
        "name": CLUSTER_NAME,
        "version": version(line),
        "domain": DOMAIN,
        "platform": platform(),
        "state": "Connected",
        "ingressClass": "nginx",
        "dependenciesStatus": {},
    })
}

fn platform() -> Value {
    json!({"type": "vanilla", "kubeVersion": "1.31.0"})
}

/// Clusters have the version of the control plane, and a patch number.
fn version(line: Line) -> String {
    format!("{line}.1")
}

fn ok(body: &Value) -> Answer {
    answer::json(StatusCode::OK, body)
}
