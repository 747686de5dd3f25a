//! `jetond check`: every fault of the configuration and the store, with the place and what to do.

mod reach;

use super::app;
use super::ca_variables;
use super::leftover;
use super::output::{Exit, fail, say, tell};
use super::target::{Target, TargetArgs};
use crate::causes::Causes;
use crate::certificates::ClientFiles;
use crate::config::{Config, Profile};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::source::binding_of;
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
        let (found, remedy) = (leftover.found(), &leftover.remedy);
        tell(format!("warning: {found}; {remedy}"));
    }
    app::look_for_lost(&target, env);
    for doubtful in &config.doubts {
        tell(format!(
            "warning: {}:{doubtful}; {}; {}",
            target.config.display(),
            doubtful.consequence(),
            doubtful.remedy()
        ));
    }
    if !config.waits_for_group() {
        reach::note_socket(&target, env, config.socket);
    }
    if config.is_empty() {
        say(format!(
            "{}: no profiles yet; make one with: {}",
            target.config.display(),
            target.line("add NAME --provider runai --url https://…")
        ));
        return Ok(());
    }
    let mut faults = faults(&target, &config);
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

/// Checks each profile's credential; says of the good ones that they are.
fn faults(target: &Target, config: &Config) -> Vec<String> {
    let stores = target.stores();
    let mut faults = vec![];
    for (name, profile) in &config.profiles {
        match check_profile(target, &stores, name, profile) {
            Ok(client_id) => say(format!(
                "{name}: ok, {} at {}, client {client_id}, credential in {}",
                profile.provider.as_str(),
                profile.url(),
                stores.store(&profile.store).about().title()
            )),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    faults
}

fn check_profile(
    target: &Target,
    stores: &Stores,
    name: &ProfileName,
    profile: &Profile,
) -> Result<String, String> {
    let rebind = || target.line(&format!("add {name} --rebind"));
    let store = stores.reader(&profile.store);
    // By the owner and mode of the record, so as ourselves: only its owner can read it.
    let record = store.load(name).map_err(|e| Causes(&e).to_string())?;
    let Some(record) = record else {
        let system = target.note_of_the_systems("check");
        return Err(format!(
            "no credential is stored; run: {}{system}",
            rebind()
        ));
    };
    let now = target.as_daemon(|| binding_of(profile, &record.binding.bound, target.daemon));
    let now = now.map_err(|e| Causes(&e).to_string())?;
    if let Some(files) = &profile.client_certificate {
        let read = target.as_daemon(|| ClientFiles::read(files, target.daemon).map(drop));
        read.map_err(|e| Causes(&e).to_string())?;
    }
    let differences = record.binding.differences(&now);
    if differences.is_empty() {
        return Ok(record.key.credential.client_id);
    }
    Err(format!(
        "nothing is sent with the stored credential: {}; if that is right, run: {}",
        Differences(&differences),
        rebind()
    ))
}
