//! `jetond check`: lists every fault of the configuration and the store, with its place and its remedy.

mod opened;
mod reach;
mod source;

use std::sync::Arc;

use tokio::task::JoinSet;

use super::admin;
use super::app;
use super::ca_variables;
use super::clusters::{self, ClusterVersions, DaemonAt, Destination};
use super::hosts;
use super::leftover;
use super::output::{Exit, fail, print_line, print_note};
use super::same_client;
use super::sink_folders::{self, MOUNT, SinkFolder};
use super::target::{Target, TargetArgs};
use crate::causes::Causes;
use crate::certificates::ClientFiles;
use crate::config::{Config, Profile};
use crate::dialect::human::duration;
use crate::offload;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::provider::configured::ProviderFiles;
use crate::store::{Differences, Stores};

/// The arguments of `jetond check`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn check(args: &CheckArgs, env: &Env) -> Exit {
    try_check(args, env).err().unwrap_or(Exit::Done)
}

fn try_check(args: &CheckArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find(env)?;
    let config = target.read_config()?;
    for leftover in leftover::find(&target, &config, env) {
        match &leftover.remedy {
            Some(remedy) => print_note(format!("warning: {}; {remedy}", leftover.found())),
            None => print_line(leftover.found()),
        }
    }
    app::look_for_lost(&target, env);
    for doubtful in &config.doubts {
        print_note(format!(
            "warning: {}:{doubtful}; {}; {}",
            target.config.display(),
            doubtful.consequence(),
            doubtful.remedy()
        ));
    }
    reach::note_lost_group(&target);
    if !config.waits_for_group() {
        reach::note_socket(&target, env, config.socket);
    }
    if config.is_empty() {
        print_line(format!(
            "{}: no profiles yet; make one with: {}",
            target.config.display(),
            target.line("add NAME --provider runai --url https://…")
        ));
        return Ok(());
    }
    let Checked {
        mut faults,
        bound,
        unopened,
    } = check_profiles(&target, &config);
    faults.extend(opened::unusable(&target, env, &unopened));
    same_client::warn(&target.stores(), &config);
    say_hosts(&config);
    say_rotations(&config);
    faults.extend(sinks(&target, &config, env));
    say_clusters(&target, &config, env, bound);
    faults.extend(reach::unreachable(&config, target.daemon));
    ca_variables::note_issuers(&config, target.daemon, env);
    for fault in &faults {
        fail(Exit::Config, fault);
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Exit::Config)
    }
}

/// Prints the hosts of each profile's tokens. A host that some clients cannot use is not a fault.
fn say_hosts(config: &Config) {
    for told in hosts::address_reports(config) {
        let profile = told.profile;
        print_line(format!("{profile}: {}", told.addresses));
        for note in told.notes {
            print_line(format!("{profile}: {note}"));
        }
        for (found, remedy) in told.doubts {
            print_note(format!("warning: {profile}: {found}; {remedy}"));
        }
    }
}

/// Prints the keys that are rotated by their age.
fn say_rotations(config: &Config) {
    for (name, profile) in &config.profiles {
        if let Some(every) = profile.rotation.every {
            let every = duration(every);
            print_line(format!(
                "{name}: a daemon rotates its key at an age of {every}, or up to a tenth less"
            ));
        }
    }
}

/// A profile, and where its token may be sent.
type ProfileTarget = (ProfileName, Destination);

/// The result of checking the profiles' credentials.
#[derive(Default)]
struct Checked {
    faults: Vec<String>,
    /// The profiles whose credential is good.
    bound: Vec<ProfileTarget>,
    /// The profiles whose credential only the daemon can open.
    unopened: Vec<ProfileName>,
}

/// Checks each profile's credential, and reports the good ones.
fn check_profiles(target: &Target, config: &Config) -> Checked {
    let stores = target.stores();
    let mut checked = Checked::default();
    for (name, profile) in &config.profiles {
        match check_profile(target, &stores, name, profile) {
            Ok(None) => {
                print_line(format!(
                    "{name}: {} at {}, credential {}: it is not opened here, so it is not compared with the configuration; 'jeton status' shows what the daemon finds",
                    profile.provider.as_str(),
                    profile.url(),
                    stores.whereabouts(profile)
                ));
                checked.unopened.push(name.clone());
            }
            Ok(Some((client_id, is_read, destination))) => {
                let ok = if is_read { "ok, " } else { "" };
                print_line(format!(
                    "{name}: {ok}{} at {}, client {client_id}, credential {}",
                    profile.provider.as_str(),
                    profile.url(),
                    stores.whereabouts(profile)
                ));
                checked.bound.push((name.clone(), destination));
            }
            Err(fault) => checked.faults.push(format!("{name}: {fault}")),
        }
    }
    checked
}

/// Reports whether each file for a token can be written; returns the faults of those that cannot.
fn sinks(target: &Target, config: &Config, env: &Env) -> Vec<String> {
    let folders = sink_folders::look(target, config, env);
    let mut faults = vec![];
    for folder in &folders {
        let (name, path) = (&folder.profile, folder.path.display());
        match &folder.fault {
            Some((found, remedy)) => {
                faults.push(format!("{name}: {path} is not written: {found}; {remedy}"));
            }
            None => print_line(format!(
                "{name}: writes its token to {path} ({})",
                folder.format
            )),
        }
        if folder.is_on_disk {
            let remedy = SinkFolder::DISK_REMEDY;
            print_note(format!("warning: {name}: {}; {remedy}", folder.disk()));
        }
    }
    if !folders.is_empty() {
        print_line(format!("files: {MOUNT}"));
    }
    faults
}

/// Reports the clusters that are too old for users' keys. They keep no token from being served, so this is not a fault.
fn say_clusters(target: &Target, config: &Config, env: &Env, bound: Vec<ProfileTarget>) {
    let (Ok(places), Ok(runtime)) = (admin::places(target, env), offload::event_loop()) else {
        return;
    };
    let socket = places.token.display().to_string();
    let daemon = DaemonAt {
        token: places.token,
        admin: Some(places.admin),
    };
    let asking = ask_for_clusters(target, config, daemon, bound);
    let outlooks = runtime.block_on(asking);
    let is_absent = |(_, outlook): &(_, ClusterVersions)| *outlook == ClusterVersions::NoDaemon;
    if outlooks.iter().any(is_absent) {
        print_line(format!(
            "no daemon is running at {socket}, so the versions of the clusters were not checked"
        ));
    }
    for (name, outlook) in outlooks {
        match outlook {
            ClusterVersions::NoDaemon => {}
            ClusterVersions::Old(text) => print_note(format!("warning: {name}: {text}")),
            ClusterVersions::Good(text) | ClusterVersions::Unknown(text) => {
                print_line(format!("{name}: clusters: {text}"));
            }
        }
    }
}

/// Asks for the clusters of all profiles at once; returns the answers in the order of the profiles.
async fn ask_for_clusters(
    target: &Target,
    config: &Config,
    daemon: DaemonAt,
    bound: Vec<ProfileTarget>,
) -> Vec<(ProfileName, ClusterVersions)> {
    let shared = Arc::new((target.clone(), daemon));
    let mut tasks = JoinSet::new();
    for (name, destination) in bound {
        let Some(profile) = config.profiles.get(&name).cloned() else {
            continue;
        };
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            let (target, daemon) = &*shared;
            let outlook = clusters::look(daemon, target, &name, &profile, destination).await;
            outlook.map(|outlook| (name, outlook))
        });
    }
    let mut all = vec![];
    // No task panics or is aborted.
    while let Some(Ok(one)) = tasks.join_next().await {
        all.extend(one);
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// The client ID, whether the whole credential was read, and the address that the profile's token may be sent to;
/// `None` for a record that only the daemon can open.
fn check_profile(
    target: &Target,
    stores: &Stores,
    name: &ProfileName,
    profile: &Profile,
) -> Result<Option<(String, bool, Destination)>, String> {
    let rebind = || target.line(&format!("add {name} --rebind"));
    // Read as ourselves: by the record's owner and mode, only its owner can read it.
    let enrolled = match stores.enrolled(name, profile) {
        Err(error) if error.is_locked() => return Ok(None),
        enrolled => enrolled.map_err(|e| Causes(&e).to_string())?,
    };
    let Some(enrolled) = enrolled else {
        let system = target.note_of_the_systems("check");
        return Err(format!(
            "no credential is stored; run: {}{system}",
            rebind()
        ));
    };
    let compared = target.as_daemon(|| enrolled.compare(profile, target.daemon));
    let (now, differences) = compared.map_err(|e| Causes(&e).to_string())?;
    if let Some(files) = &profile.client_certificate {
        let read = target.as_daemon(|| ClientFiles::examine(files, target.daemon));
        read.map_err(|e| Causes(&e).to_string())?;
    }
    if differences.is_empty() {
        let is_read = match stores.source_of(profile) {
            None => true,
            Some(source) => {
                let is_used = enrolled.binding.is_some();
                source::check(target, stores, name, &source, is_used)?
            }
        };
        let destination = Destination {
            files: ProviderFiles::with_ca(target.daemon, now.ca_file),
            ca: now.binding.ca,
        };
        return Ok(Some((enrolled.client_id, is_read, destination)));
    }
    let kept = match profile.store() {
        Some(_) => "stored ",
        None => "",
    };
    Err(format!(
        "nothing is sent with the {kept}credential: {}; if that is right, run: {}",
        Differences(&differences),
        rebind()
    ))
}
