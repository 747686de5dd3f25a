//! The clusters, with the fields of the vendor's OpenAPI documents (v1.218 to v1.224).
//!
//! The `minimal` ones have those of its reference from 2.25 on.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::line::Line;
use super::setting::{ClusterVersion, Clusters};

/// The ID of the tenant, which is a number in some answers and a text in others.
pub(super) const TENANT_ID: u32 = 1_001;

/// The ID of the first cluster.
pub(super) const CLUSTER_ID: &str = "71f69d83-ba66-4822-adf5-55ce55efd210";
pub(super) const CLUSTER_NAME: &str = "sandbox";

const DOMAIN: &str = "cluster.sandbox.invalid";

/// Answers `GET /api/v1/clusters`: a bare list.
pub(super) fn list(line: Line, clusters: &Clusters, query: &str) -> Answer {
    listed(line, clusters, |cluster| cluster.whole(query))
}

/// Answers `GET /api/v1/clusters/{clusterUuid}`.
pub(super) fn one(line: Line, clusters: &Clusters, id: &str, query: &str) -> Answer {
    found(line, clusters, id, |cluster| cluster.whole(query))
}

/// Answers `GET /api/v1/clusters/minimal`. The bare list is a guess: no document shows what contains it.
pub(super) fn list_minimal(line: Line, clusters: &Clusters) -> Answer {
    listed(line, clusters, Cluster::minimal)
}

/// Answers `GET /api/v1/clusters/{clusterUuid}/minimal`.
pub(super) fn one_minimal(line: Line, clusters: &Clusters, id: &str) -> Answer {
    found(line, clusters, id, Cluster::minimal)
}

fn listed(line: Line, clusters: &Clusters, form: impl Fn(&Cluster) -> Value) -> Answer {
    match all(line, clusters) {
        Ok(all) => answer::json(StatusCode::OK, &all.iter().map(form).collect()),
        Err(status) => answer::error(status),
    }
}

fn found(line: Line, clusters: &Clusters, id: &str, form: impl Fn(&Cluster) -> Value) -> Answer {
    let all = match all(line, clusters) {
        Ok(all) => all,
        Err(status) => return answer::error(status),
    };
    match all.iter().find(|cluster| cluster.id == id) {
        Some(cluster) => answer::json(StatusCode::OK, &form(cluster)),
        None => answer::error(StatusCode::NOT_FOUND),
    }
}

struct Cluster {
    id: String,
    name: String,
    version: ClusterVersion,
}

fn all(line: Line, clusters: &Clusters) -> Result<Vec<Cluster>, StatusCode> {
    let versions = match clusters {
        // clusters have the version of the control plane, and a patch number
        Clusters::OwnLine => vec![ClusterVersion::Known(format!("{line}.1"))],
        Clusters::Versions(versions) => versions.clone(),
        Clusters::Status(status) => {
            let status = StatusCode::from_u16(*status);
            return Err(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        }
    };
    let cluster = |(n, version)| match n {
        0 => Cluster {
            id: CLUSTER_ID.to_owned(),
            name: CLUSTER_NAME.to_owned(),
            version,
        },
        n => Cluster {
            id: format!("71f69d83-ba66-4822-adf5-{n:012}"),
            name: format!("{CLUSTER_NAME}-{}", n + 1),
            version,
        },
    };
    Ok((0..).zip(versions).map(cluster).collect())
}

impl Cluster {
    /// Formats the cluster. With `verbosity=metadata` it has no status; that it still has a version is a guess.
    fn whole(&self, query: &str) -> Value {
        let mut cluster = json!({
            "uuid": self.id,
            "tenantId": TENANT_ID,
            "name": self.name,
            "createdAt": "2025-01-01T00:00:00Z",
            "updatedAt": "2025-01-01T00:00:00Z",
            "deletedAt": null,
            "lastLiveness": "2025-01-01T00:00:00Z",
            "domain": DOMAIN,
            "status": {
                "state": self.state(),
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
        self.with_version(cluster)
    }

    fn minimal(&self) -> Value {
        self.with_version(json!({
            "uuid": self.id,
            "tenantId": TENANT_ID,
            "name": self.name,
            "domain": DOMAIN,
            "platform": platform(),
            "state": self.state(),
            "ingressClass": "nginx",
            "dependenciesStatus": {},
        }))
    }

    fn with_version(&self, mut cluster: Value) -> Value {
        let version = match &self.version {
            ClusterVersion::Known(version) => version.as_str().into(),
            ClusterVersion::Null => Value::Null,
            ClusterVersion::Absent => return cluster,
        };
        if let Some(members) = cluster.as_object_mut() {
            members.insert("version".to_owned(), version);
        }
        cluster
    }

    const fn state(&self) -> &'static str {
        match self.version {
            ClusterVersion::Known(_) => "Connected",
            ClusterVersion::Null | ClusterVersion::Absent => "WaitingToConnect",
        }
    }
}

fn platform() -> Value {
    json!({"type": "vanilla", "kubeVersion": "1.31.0"})
}
