//! The identity of a token's bearer, for programs.

use serde::Serialize;

use super::{Identity, Information, Line};
use crate::applications::rules::{Rule, Rules};
use crate::applications::table::ascii;
use crate::query;

/// The maximum size of the roles in JSON, and also of the clusters, in bytes: an answer has at most 256 KiB.
const ROOM: usize = 96 * 1024;

/// The maximum length of a text from a server in JSON, in characters.
const MAX_TEXT: usize = 256;

#[derive(Serialize)]
struct JsonIdentity<'a> {
    profile: &'a str,
    client_id: String,
    key: Option<JsonKey<'a>>,
    server: Option<JsonServer<'a>>,
    subject: Option<JsonSubject>,
    token_claims: Option<JsonClaims>,
    roles: Option<Vec<JsonRole>>,
    roles_total: Option<usize>,
    clusters_below_2_20: Option<Vec<JsonCluster>>,
    secret_stored_at: Option<u64>,
    secret_age_days: Option<u64>,
    #[serde(flatten)]
    more: &'a query::Members,
}

#[derive(Serialize)]
struct JsonKey<'a> {
    name: String,
    id: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct JsonServer<'a> {
    url: &'a str,
    line: Option<&'static str>,
}

#[derive(Serialize)]
struct JsonSubject {
    id: String,
    r#type: String,
}

#[derive(Serialize)]
struct JsonClaims {
    verified: bool,
    sub: Option<String>,
    name: Option<String>,
    client_id: Option<String>,
    issuer: Option<String>,
}

#[derive(Serialize)]
struct JsonRole {
    role: Option<String>,
    scope_type: Option<String>,
    scope: Option<String>,
    scope_id: Option<String>,
}

#[derive(Serialize)]
struct JsonCluster {
    name: String,
    version: Option<String>,
}

/// Shortens a long text from a server.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Returns the first of these items, as many as fit.
fn fitting<T: Serialize>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut room = ROOM;
    let fits = |item: &T| {
        let len = ascii(item).len() + 1;
        let fits = len <= room;
        room = room.saturating_sub(len);
        fits
    };
    items.take_while(fits).collect()
}

impl Identity {
    /// Returns one line of ASCII, because a terminal may show it. An unknown value is null.
    pub(super) fn json(&self, form: &query::WhoamiForm<'_>) -> String {
        let optional = |text: &Option<String>| text.as_deref().map(short);
        let plane = self.plane.as_ref();
        let key = plane.and_then(|plane| match &plane.key {
            Information::Known(Some((family, key))) => Some(JsonKey {
                name: short(&key.name),
                id: &key.id,
                kind: family.kind().as_str(),
            }),
            _ => None,
        });
        let role = |rule: &Rule| JsonRole {
            role: optional(&rule.role_name),
            scope_type: optional(&rule.scope_type),
            scope: optional(&rule.scope_name),
            scope_id: optional(&rule.scope_id),
        };
        let roles = self
            .rules()
            .map(|rules| fitting(rules.rules.iter().map(role)));
        let clusters = plane.and_then(|plane| match &plane.clusters {
            Information::Known(clusters) => Some(clusters.too_old()),
            Information::Unknown(_) => None,
        });
        let clusters = clusters.map(|old| {
            fitting(old.into_iter().map(|cluster| JsonCluster {
                name: short(&cluster.name),
                version: optional(&cluster.version),
            }))
        });
        ascii(&JsonIdentity {
            profile: form.profile.as_str(),
            client_id: short(&self.bearer.client_id),
            key,
            server: plane.map(|plane| JsonServer {
                url: &plane.at,
                line: plane.line.map(Line::as_str),
            }),
            subject: self.subject().map(|(id, kind)| JsonSubject {
                id: short(id),
                r#type: short(kind),
            }),
            token_claims: self.bearer.claims.as_ref().map(|claims| JsonClaims {
                verified: false,
                sub: optional(&claims.subject),
                name: optional(&claims.name),
                client_id: optional(&claims.client_id),
                issuer: optional(&claims.issuer),
            }),
            roles,
            roles_total: self.rules().map(Rules::total),
            clusters_below_2_20: clusters,
            secret_stored_at: self.bearer.stored_at,
            secret_age_days: self.age_in_days(form.now),
            more: form.members,
        }) + "\n"
    }
}
