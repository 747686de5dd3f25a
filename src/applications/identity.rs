//! The identity of a token's bearer, in words and as JSON.
//!
//! Texts from a server are escaped and shortened.

use std::fmt::Write as _;

use super::clusters::Clusters;
use super::kind::Family;
use super::list::Application;
use super::rules::{Rule, Rules};
use super::table::{printable, printable_sentence};
use super::time;
use crate::provider::Claims;
use crate::query;

mod json;

/// The maximum number of roles in the text for people.
const SHOWN: usize = 50;

/// What this machine knows about a token's bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerFacts {
    /// The client ID of the stored credential.
    pub client_id: String,
    /// When its secret was stored, in Unix seconds.
    pub stored_at: Option<u64>,
    /// The claims in the token, unverified.
    pub claims: Option<Claims>,
}

/// A part of the server's information, or why it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Information<T> {
    Known(T),
    Unknown(String),
}

/// The release line of a control plane, as far as its endpoints reveal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    UpTo2_19,
    Is2_20,
    From2_21To2_23,
    From2_24,
}

/// What a control plane says about a token's bearer.
#[derive(Debug)]
pub(super) struct ControlPlaneIdentity {
    pub(super) at: String,
    pub(super) line: Option<Line>,
    pub(super) key: Information<Option<(Family, Application)>>,
    /// `None` where the server has no such endpoint.
    pub(super) rules: Option<Information<Rules>>,
    pub(super) clusters: Information<Clusters>,
}

/// The identity of a token's bearer.
#[derive(Debug)]
pub struct Identity {
    bearer: BearerFacts,
    /// `None` for an issuer other than Run:ai.
    plane: Option<ControlPlaneIdentity>,
}

// === impl Line ===

impl Line {
    /// Returns the line that has these families of keys; access rules came with 2.21.
    pub(super) fn of(families: &[Family], has_rules: bool) -> Self {
        let has = |family| families.contains(&family);
        if has(Family::AccessKeys) || has(Family::ServiceAccounts) {
            Self::From2_24
        } else if has_rules {
            Self::From2_21To2_23
        } else if has(Family::UserApplications) {
            Self::Is2_20
        } else {
            Self::UpTo2_19
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::UpTo2_19 => "2.19 or earlier",
            Self::Is2_20 => "2.20",
            Self::From2_21To2_23 => "2.21 to 2.23",
            Self::From2_24 => "2.24 or later",
        }
    }
}

// === impl Identity ===

impl Identity {
    pub(super) const fn new(bearer: BearerFacts, plane: Option<ControlPlaneIdentity>) -> Self {
        Self { bearer, plane }
    }

    /// Returns the identity in a token of an issuer other than Run:ai.
    pub const fn of_token(bearer: BearerFacts) -> Self {
        Self::new(bearer, None)
    }

    fn rules(&self) -> Option<&Rules> {
        match self.plane.as_ref()?.rules.as_ref()? {
            Information::Known(rules) => Some(rules),
            Information::Unknown(_) => None,
        }
    }

    /// Returns the subject of the first rule that does not apply to a group.
    fn subject(&self) -> Option<(&str, &str)> {
        let rules = self.rules()?.rules.iter();
        let named = rules.filter_map(|rule| {
            let (id, kind) = (rule.subject_id.as_deref()?, rule.subject_type.as_deref()?);
            (!id.is_empty() && kind != "group").then_some((id, kind))
        });
        named.into_iter().next()
    }

    fn age_in_days(&self, now: u64) -> Option<u64> {
        self.bearer
            .stored_at
            .map(|stored| now.saturating_sub(stored) / 86_400)
    }
}

impl query::Identity for Identity {
    fn print(&self, form: &query::WhoamiForm<'_>) -> String {
        if form.json {
            self.json(form)
        } else {
            self.lines(form)
        }
    }
}

// === For people ===

impl Identity {
    fn lines(&self, form: &query::WhoamiForm<'_>) -> String {
        let mut out = String::new();
        let mut line = |what: &str, text: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{what:<11}{text}");
        };
        line("profile", form.profile.as_str());
        line("client ID", &printable(&self.bearer.client_id));
        if let Some(plane) = &self.plane {
            line("key", &plane.key_in_words());
            let release = plane
                .line
                .map_or("cannot tell which release it is".to_owned(), |line| {
                    format!("Run:ai {}, by its endpoints", line.as_str())
                });
            line("server", &format!("{}; {release}", plane.at));
        }
        line("subject", &self.subject_in_words());
        if let Some(plane) = &self.plane {
            let roles = plane.roles_in_words();
            for (n, role) in roles.iter().enumerate() {
                line(if n == 0 { "roles" } else { "" }, role);
            }
            line("clusters", &plane.clusters_in_words());
        }
        let secret = match (self.age_in_days(form.now), self.bearer.stored_at) {
            (Some(days), Some(at)) => {
                let days = match days {
                    0 => "today".to_owned(),
                    1 => "1 day ago".to_owned(),
                    days => format!("{days} days ago"),
                };
                format!("stored {days} ({})", time::day(at))
            }
            _ => "it is not known when it was stored".to_owned(),
        };
        line("secret", &secret);
        for text in form.lines {
            line("rotation", &printable_sentence(text));
        }
        if self.plane.is_none() {
            line(
                "note",
                "keys, roles and clusters are looked up for Run:ai profiles alone",
            );
        }
        out
    }

    fn subject_in_words(&self) -> String {
        if let Some((id, kind)) = self.subject() {
            return format!("{} {}", printable(kind), printable(id));
        }
        let Some(claims) = &self.bearer.claims else {
            return "cannot tell: the token shows nothing".to_owned();
        };
        let said: Vec<_> = [
            ("", &claims.name),
            ("sub ", &claims.subject),
            ("client ", &claims.client_id),
        ]
        .into_iter()
        .filter_map(|(what, text)| Some(format!("{what}{}", printable(text.as_deref()?))))
        .collect();
        if said.is_empty() {
            return "cannot tell: the token shows nothing".to_owned();
        }
        format!("{} (by the token, unverified)", said.join(", "))
    }
}

impl ControlPlaneIdentity {
    fn key_in_words(&self) -> String {
        match &self.key {
            Information::Known(Some((family, key))) => {
                format!("{} ({})", printable(&key.name), family.noun())
            }
            Information::Known(None) => "the server lists no key of this client ID".to_owned(),
            Information::Unknown(why) => format!("cannot tell: {why}"),
        }
    }

    fn roles_in_words(&self) -> Vec<String> {
        let rules = match &self.rules {
            None => {
                let what =
                    "cannot tell: the server has no list of access rules (it came with 2.21)";
                return vec![what.to_owned()];
            }
            Some(Information::Unknown(why)) => return vec![format!("cannot tell: {why}")],
            Some(Information::Known(rules)) => rules,
        };
        let shown = rules.rules.iter().take(SHOWN);
        let mut roles: Vec<_> = shown.map(Rule::in_words).collect();
        let total = rules.total();
        if roles.is_empty() {
            roles.push("none".to_owned());
        } else if total > roles.len() {
            roles.push(format!("first {} of {total}; more: --json", roles.len()));
        }
        roles
    }

    fn clusters_in_words(&self) -> String {
        let clusters = match &self.clusters {
            Information::Unknown(why) => return format!("cannot tell: {why}"),
            Information::Known(clusters) => clusters,
        };
        let old = clusters.too_old();
        if old.is_empty() {
            return "none below 2.20".to_owned();
        }
        let names: Vec<_> = old
            .iter()
            .take(SHOWN)
            .map(|cluster| {
                let version = cluster.version.as_deref().unwrap_or_default();
                format!("{} ({})", printable(&cluster.name), printable(version))
            })
            .collect();
        let more = if old.len() > SHOWN { ", ..." } else { "" };
        format!(
            "{} below 2.20, where keys of users do not work: {}{more}",
            old.len(),
            names.join(", ")
        )
    }
}

impl Rules {
    fn total(&self) -> usize {
        self.total.unwrap_or(0).max(self.rules.len())
    }
}

impl Rule {
    fn in_words(&self) -> String {
        let text = |text: &Option<String>| text.as_deref().map(printable);
        let role = text(&self.role_name).unwrap_or_else(|| "a role without a name".to_owned());
        let scope = text(&self.scope_name).or_else(|| text(&self.scope_id));
        let kind = text(&self.scope_type).unwrap_or_else(|| "scope".to_owned());
        match scope {
            Some(scope) => format!("{role} in {kind} {scope}"),
            None => role,
        }
    }
}

#[cfg(test)]
mod tests;
