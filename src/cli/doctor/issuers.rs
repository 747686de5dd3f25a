//! Examinations of each profile's credential and issuer.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::super::ca_variables;
use super::super::clusters::{self, ClusterVersions, DaemonAt, Destination};
use super::super::target::Target;
use super::facts::{CredentialFacts, IssuerFacts};
use super::finding::Finding;
use super::health::Health;
use super::judge;
use super::limit::{LIMIT, within};
use super::profiles::DaemonProfiles;
use crate::causes::Causes;
use crate::certificates::ClientFiles;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Profile, Provider};
use crate::paths::{Env, SocketPlaces};
use crate::profile::ProfileName;
use crate::provider::configured;
use crate::store::{BoundTarget, SourceReader, StoreError, Stores};

/// Examines all profiles at once.
pub(super) async fn examine(
    target: &Target,
    config: &Config,
    env: &Env,
    profiles: &DaemonProfiles,
    sockets: Option<&SocketPlaces>,
) -> Vec<Finding> {
    let stores = Arc::new(target.stores());
    let env = Arc::new(env.clone());
    let target = Arc::new(target.clone());
    let daemon = Arc::new(profiles.socket().map(|token| {
        DaemonAt {
            token: token.to_owned(),
            admin: sockets
                .filter(|places| places.token == token)
                .map(|places| places.admin.clone()),
        }
    }));
    let mut tasks = JoinSet::new();
    for (at, (name, profile)) in config.profiles.iter().enumerate() {
        let (name, profile, stores) = (name.clone(), profile.clone(), Arc::clone(&stores));
        let (env, target, daemon) = (Arc::clone(&env), Arc::clone(&target), Arc::clone(&daemon));
        tasks.spawn(async move {
            let findings = one(
                &name,
                profile,
                stores,
                target,
                &env,
                daemon.as_ref().as_ref(),
            )
            .await;
            (at, name, findings)
        });
    }
    let mut all = vec![];
    // No task panics or is aborted.
    while let Some(Ok(findings)) = tasks.join_next().await {
        all.push(findings);
    }
    all.sort_by_key(|(at, ..)| *at);
    let now = SystemClock.now().unix.seconds_down();
    let reviewed = |(_, name, findings): (usize, ProfileName, Vec<Finding>)| {
        let health = Health::of(&name, profiles, now).configured(config.profiles.get(&name));
        let of_daemon = health.token().into_iter().chain(health.rotation());
        let of_daemon: Vec<_> = of_daemon.map(|finding| finding.of(&name)).collect();
        let findings = findings.into_iter().map(|finding| health.review(finding));
        of_daemon.into_iter().chain(findings).collect::<Vec<_>>()
    };
    all.into_iter().flat_map(reviewed).collect()
}

async fn one(
    name: &ProfileName,
    profile: Profile,
    stores: Arc<Stores>,
    target: Arc<Target>,
    env: &Env,
    daemon_at: Option<&DaemonAt>,
) -> Vec<Finding> {
    let (stored, copy) = (name.clone(), profile.clone());
    let place = match profile.store() {
        Some(store) => format!("is in {}", stores.store(store).about().name),
        None => format!("comes {}", stores.whereabouts(&profile)),
    };
    let (daemon, systems) = (target.daemon, target.note_of_the_systems("doctor"));
    let examined = Arc::clone(&target);
    let credential = async {
        let read = within(move || credential(&stores, &stored, &copy, &examined)).await;
        match read {
            Ok((facts, destination)) => {
                let found = clusters(daemon_at, &target, name, &profile, destination).await;
                (Ok(facts), found)
            }
            Err(missed) => (Err(missed), None),
        }
    };
    let ((credential, clusters), issuer) = tokio::join!(credential, issuer(&profile, daemon));
    let mut findings = judge::credential(&place, name, credential.as_ref());
    if let (Ok(CredentialFacts::Absent), [finding]) = (&credential, &mut findings[..]) {
        finding.found.push_str(&systems);
    }
    findings.extend(judge::issuer(&profile, &issuer, env.https_proxy.is_some()));
    let discovered = issuer.discovered.as_ref();
    let unreached = issuer.reached.as_ref().err();
    let fault = unreached.or_else(|| discovered.and_then(|found| found.as_ref().err()));
    let note = fault.and_then(|fault| ca_variables::note(&profile, fault, env));
    findings.extend(note.map(|note| Finding::warn("certificates", note)));
    if let (Ok(CredentialFacts::Bound(bound, differences)), Some(Ok(discovered))) =
        (&credential, &issuer.discovered)
        && differences.is_empty()
    {
        let discovered = BoundTarget::of(&profile, discovered.clone());
        findings.extend(judge::moved(name, bound, &discovered));
    }
    findings.extend(clusters);
    findings.extend(judge::command(&profile));
    findings
        .into_iter()
        .map(|finding| finding.of(name))
        .collect()
}

/// Examines the clusters, if the credential's binding lets the daemon's token go there.
async fn clusters(
    daemon: Option<&DaemonAt>,
    target: &Target,
    name: &ProfileName,
    profile: &Profile,
    destination: Option<Destination>,
) -> Option<Finding> {
    const CHECK: &str = "clusters";
    if !matches!(profile.provider, Provider::Runai(_)) {
        return None;
    }
    let outlook = match (daemon, destination) {
        (Some(daemon), Some(to)) => clusters::look(daemon, target, name, profile, to).await?,
        (None, _) => ClusterVersions::NoDaemon,
        (_, None) => ClusterVersions::not_tried("no credential can be used"),
    };
    Some(match outlook {
        ClusterVersions::NoDaemon => {
            Finding::skip(CHECK, "not tried: no running daemon gives a token")
        }
        ClusterVersions::Good(found) => Finding::ok(CHECK, found),
        ClusterVersions::Old(found) => {
            let remedy = "upgrade them before you create a user's key";
            Finding::warn(CHECK, found).remedy(remedy.to_owned())
        }
        ClusterVersions::Unknown(found) => Finding::skip(CHECK, found),
    })
}

/// The facts about the credential, and the address that the profile's token may be sent to if the binding matches the
/// configuration.
fn credential(
    stores: &Stores,
    name: &ProfileName,
    profile: &Profile,
    target: &Target,
) -> (CredentialFacts, Option<Destination>) {
    let enrolled = match stores.enrolled(name, profile) {
        Ok(Some(enrolled)) => enrolled,
        Ok(None) => return (CredentialFacts::Absent, None),
        Err(error) => return (CredentialFacts::Unreadable(error), None),
    };
    if let Some(files) = &profile.client_certificate {
        let read = target.as_daemon(|| ClientFiles::examine(files, target.daemon));
        if let Err(error) = read {
            return (
                CredentialFacts::Uncompared(Causes(&error).to_string()),
                None,
            );
        }
    }
    let source = stores.source_of(profile);
    if let Some(Err(error)) = source.map(|source| target.as_daemon(|| examined(&source))) {
        return (CredentialFacts::Unreadable(error), None);
    }
    match target.as_daemon(|| enrolled.compare(profile, target.daemon)) {
        Ok((now, differences)) => {
            let destination = differences.is_empty().then_some(Destination {
                files: configured::ProviderFiles::with_ca(target.daemon, now.ca_file),
                ca: now.binding.ca,
            });
            let facts = match enrolled.binding {
                Some(binding) => CredentialFacts::Bound(binding.bound, differences),
                None => CredentialFacts::Unused(enrolled.bound(profile)),
            };
            (facts, destination)
        }
        Err(error) => (
            CredentialFacts::Uncompared(Causes(&error).to_string()),
            None,
        ),
    }
}

/// Reads a source. A command is checked but not run: the doctor has no side effects, and a person may have to touch a
/// key.
fn examined(source: &SourceReader) -> Result<(), StoreError> {
    match source.source().is_command() {
        true => source.judge_command(),
        false => source.credential().map(drop),
    }
}

async fn issuer(profile: &Profile, owner: u32) -> IssuerFacts {
    let files = configured::ProviderFiles::of(owner);
    let reached = configured::reach(profile, &files, LIMIT).await;
    let now = SystemClock.now().unix;
    let discovered = match (&reached, profile.issuer()) {
        // Each address of the document has a time limit of its own, so that one that hangs does not hide another.
        (Ok(_), Some(_)) => Some(configured::destination(profile, &files).await),
        _ => None,
    };
    IssuerFacts {
        reached,
        now,
        discovered: discovered.map(|found| found.map(|located| located.endpoint)),
    }
}
