//! The clusters of a profile's control plane, requested with the token that a running daemon holds. A control plane
//! with a cluster below 2.20 cannot make users' keys. No client secret is sent, and no token is requested from the
//! issuer for this.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::admin;
use super::held_token::{self, NoToken};
use super::target::Target;
use crate::applications::{Applications, Clusters, Version};
use crate::config::{Profile, Provider};
use crate::credential::Ca;
use crate::offload;
use crate::profile::ProfileName;
use crate::provider::configured::ProviderFiles;

/// Time limit of the daemon, and then of the control plane.
const LIMIT: Duration = Duration::from_secs(5);

/// The address that a profile's token may be sent to, from its credential's binding.
pub(super) struct Destination {
    /// The profile's files.
    pub(super) files: ProviderFiles,
    /// The certificates that vouch for the server.
    pub(super) ca: Ca,
}

/// The sockets of the daemon that gives the token.
#[derive(Debug, Clone)]
pub(super) struct DaemonAt {
    /// Its token socket.
    pub(super) token: PathBuf,
    /// Its admin socket, if it is known.
    pub(super) admin: Option<PathBuf>,
}

/// The versions of the clusters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClusterVersions {
    /// No cluster is below 2.20; the text says so.
    Good(String),
    /// Some clusters are below 2.20; the text names them.
    Old(String),
    /// The versions are not known, for this reason.
    Unknown(String),
    /// The versions are not known, since no daemon runs that would give a token.
    NoDaemon,
}

/// Asks for the clusters of this profile's control plane with the token that the daemon holds. `None` if the provider
/// has no clusters.
pub(super) async fn look(
    daemon: &DaemonAt,
    target: &Target,
    name: &ProfileName,
    profile: &Profile,
    to: Destination,
) -> Option<ClusterVersions> {
    let Provider::Runai(_) = &profile.provider else {
        return None;
    };
    let socket = &daemon.token;
    let held = async {
        if !held_token::is_held(socket, target, name).await? {
            return Ok(None);
        }
        held_token::ask(socket, target, name, 0, 0).await.map(Some)
    };
    let late = |_| Err(NoToken::Io(io::ErrorKind::TimedOut.into()));
    let held = match tokio::time::timeout(LIMIT, held).await.unwrap_or_else(late) {
        Ok(Some(held)) => held,
        Ok(None) => {
            return Some(ClusterVersions::not_tried(
                "the daemon holds no token of this profile",
            ));
        }
        Err(none) if none.is_absence() => return Some(ClusterVersions::NoDaemon),
        Err(none) => return Some(ClusterVersions::not_tried(&why(&none, socket))),
    };
    if !is_its_daemon(daemon, target).await {
        let shown = socket.display();
        let what = format!("the daemon at {shown} does not say that it has this configuration");
        return Some(ClusterVersions::not_tried(&what));
    }
    let api = Applications::new(profile, &to.files, Some(to.ca), held.token)?;
    Some(match tokio::time::timeout(LIMIT, api.clusters()).await {
        Ok(Ok(clusters)) => ClusterVersions::of(&clusters),
        Ok(Err(trouble)) => ClusterVersions::Unknown(format!("{UNKNOWN}: {trouble}")),
        Err(_) => ClusterVersions::Unknown(format!("{UNKNOWN}: no answer within {LIMIT:?}")),
    })
}

const UNKNOWN: &str = "cannot tell whether every cluster is at 2.20 or later";

/// Whether the daemon seems to have this configuration and state: the token of another one would be from another
/// issuer. With neither named, the daemon is assumed to be the usual one.
pub(super) async fn is_its_daemon(daemon: &DaemonAt, target: &Target) -> bool {
    if target.system || !(target.config_named || target.state_named) {
        return true;
    }
    let Some(admin) = daemon.admin.clone() else {
        return false;
    };
    let target = target.clone();
    let asked = offload::run(move || admin::is_daemon_of(&target, &admin));
    matches!(tokio::time::timeout(LIMIT, asked).await, Ok(Ok(true)))
}

/// The reason why the daemon gives no token.
fn why(none: &NoToken, socket: &Path) -> String {
    let shown = socket.display();
    match none {
        NoToken::Io(error) => format!("the daemon at {shown} gives no token: {error}"),
        NoToken::Refused(_, why) => format!("the daemon at {shown} gives no token: {why}"),
        NoToken::Unknown => {
            format!("the daemon at {shown} gives no token: its answer is malformed")
        }
    }
}

// === impl Outlook ===

impl ClusterVersions {
    /// The versions are not known, since no request was made, for this reason.
    pub(super) fn not_tried(why: &str) -> Self {
        Self::Unknown(format!(
            "the versions of the clusters were not checked: {why}"
        ))
    }

    fn of(clusters: &Clusters) -> Self {
        let Clusters::Known(all) = clusters else {
            let text = clusters.warning();
            return Self::Unknown(text.unwrap_or_else(|| UNKNOWN.to_owned()));
        };
        if let Some(warning) = clusters.warning() {
            return Self::Old(warning);
        }
        let has_one = |version: &Option<String>| version.as_deref().and_then(Version::parse);
        let of_known = all
            .iter()
            .filter(|cluster| has_one(&cluster.version).is_some());
        let (known, all) = (of_known.count(), all.len());
        Self::Good(match all - known {
            0 => format!("none of {all} is below 2.20"),
            unknown => {
                format!(
                    "none of {all} clusters is known to be below 2.20; {unknown} without a known version"
                )
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applications::Cluster;

    #[test]
    fn cluster_versions_are_summarized_and_a_missing_one_is_not_old() {
        let cluster = |version: Option<&str>| Cluster {
            name: "a".to_owned(),
            version: version.map(str::to_owned),
        };
        let of = |versions: &[Option<&str>]| {
            let all = versions.iter().map(|version| cluster(*version)).collect();
            ClusterVersions::of(&Clusters::Known(all))
        };
        let good = |text: &str| ClusterVersions::Good(text.to_owned());
        assert_eq!(of(&[]), good("none of 0 is below 2.20"));
        assert_eq!(of(&[Some("2.20.1")]), good("none of 1 is below 2.20"));
        assert_eq!(
            of(&[Some("3.0"), None, Some("latest")]),
            good("none of 3 clusters is known to be below 2.20; 2 without a known version")
        );
        let ClusterVersions::Old(text) = of(&[None, Some("2.9.4"), Some("2.24")]) else {
            panic!("2.9 is below 2.20");
        };
        assert!(text.ends_with("below it: a (2.9.4)"), "{text}");
        let ClusterVersions::Unknown(text) = ClusterVersions::of(&Clusters::CannotTell) else {
            panic!("nothing is known");
        };
        assert!(text.starts_with("cannot tell"), "{text}");
    }
}
