//! `jetond doctor`: finds what keeps tokens from being served, and prints the remedies.
//!
//! `files`, `socket`, `profiles` and `issuers` gather facts, each inside a time limit. `judge` and `health` only turn
//! facts into findings. `units` makes a service the remedy if one is installed. `report` prints the findings. The
//! doctor changes nothing, and sends and shows no client secret: a running daemon reports whether an issuer accepts
//! one. The token that the daemon holds goes to the control plane, to ask for its clusters.

mod facts;
mod files;
mod finding;
mod git;
mod health;
mod issuers;
mod judge;
mod limit;
mod mounts;
mod profiles;
mod report;
mod sinks;
mod socket;
mod unit;
mod units;
mod version;

use std::path::{Path, PathBuf};

use self::facts::{Host, Listener, SocketState};
use self::finding::{Finding, Verdict};
use self::limit::within;
pub(super) use self::profiles::listed;
use self::units::Service;
use super::leftover::{self, Leftover};
use super::output::{Exit, fail};
use super::target::lines::option;
use super::target::{Target, TargetArgs};
use super::{admin, hosts, sockets};
use crate::config::{Config, SocketMode};
use crate::offload;
use crate::paths::{Env, PathError, SocketPlaces};
use crate::settings;

/// The arguments of `jetond doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// The token socket
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Print the findings as a JSON array of {check, profile, verdict, found, remedy}
    #[arg(long)]
    json: bool,
}

pub(super) fn doctor(args: &DoctorArgs, env: &Env) -> Exit {
    let target = match args.target.find(env) {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    let runtime = match offload::event_loop() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Failed, error),
    };
    let (findings, usable) = runtime.block_on(examine(args, &target, env));
    if args.json {
        report::json(&findings);
    } else {
        report::text(&findings, env);
    }
    let failed = findings.iter().any(|f| f.verdict == Verdict::Fail);
    match (failed, usable) {
        (false, _) => Exit::Done,
        (true, true) => Exit::Failed,
        (true, false) => Exit::Config,
    }
}

/// Makes all findings; the second value is whether the configuration can be used.
async fn examine(args: &DoctorArgs, target: &Target, env: &Env) -> (Vec<Finding>, bool) {
    let (mut findings, config) = configuration(target).await;
    let looked = socket::look(socket::places(args.socket.as_deref(), target, env)).await;
    let (profiles, not_listed) = profiles::list(&looked).await;
    let version = version::examine(&looked, target.system).await;
    let sockets = files::Sockets {
        place: usual_place(args, target, env),
        mode: config.as_ref().map_or(SocketMode::Private, |c| c.socket),
        is_served: looked
            .first()
            .is_some_and(|(_, state)| matches!(state, SocketState::Answers(200, _))),
        is_of_service: looked.first().is_some_and(|(_, state)| {
            matches!(state, SocketState::Answers(_, Some(Listener::Service(_))))
        }),
    };
    let service = Service::find(target.system, env);
    let service = service.filter(|_| args.socket.is_none() && env.socket.is_none());
    let admin = match service {
        Some(_) => admin_socket(&sockets, &looked).await,
        None => None,
    };
    findings.extend(files::folders(target, sockets, env).await);
    let daemons = judge::daemons(looked).into_iter();
    findings.extend(daemons.map(|finding| match service {
        Some(service) => service.start(finding),
        None => finding,
    }));
    findings.extend(admin);
    findings.extend(version);
    findings.extend(not_listed);
    if let Some(config) = &config {
        findings.extend(unit::place_finding(target).await);
        findings.extend(unit::lost_group_finding(target).await);
        if !config.waits_for_group() {
            findings.extend(unit::finding(target, env, config.socket).await);
        }
        findings.extend(leftovers(target, config, env).await);
        findings.extend(git::examine(config, env).await);
        findings.extend(hosts::address_reports(config).into_iter().map(judge::hosts));
        let places = usual_place(args, target, env).ok();
        findings.extend(sinks::findings(target, config, env, &profiles).await);
        findings.extend(issuers::examine(target, config, env, &profiles, places.as_ref()).await);
    }
    let host = Host::read(target, env);
    findings.extend(judge::linger(&host));
    let findings = findings.into_iter();
    let findings = findings.map(|finding| {
        let finding = finding.on(|command| line(args, target, command));
        finding.reloaded_by(target.line_of_reload())
    });
    (findings.collect(), config.is_some())
}

/// The finding for the admin socket of a service whose token socket answers at its usual place.
async fn admin_socket(
    sockets: &files::Sockets,
    looked: &[(PathBuf, SocketState)],
) -> Option<Finding> {
    let place = sockets.place.as_ref().ok()?;
    let (first, _) = looked.first()?;
    if place.token != *first || !sockets.is_served || !sockets.is_of_service {
        return None;
    }
    let (path, state) = socket::look(vec![place.admin.clone()]).await.pop()?;
    judge::admin(&path, &state)
}

/// The line that runs a command with the options of this one.
fn line(args: &DoctorArgs, target: &Target, command: &str) -> String {
    let line = target.line(command);
    match &args.socket {
        Some(socket) if command == "run" && !target.system => line + &option("--socket", socket),
        _ => line,
    }
}

/// The sockets of a daemon that would start now.
fn usual_place(args: &DoctorArgs, target: &Target, env: &Env) -> Result<SocketPlaces, PathError> {
    let socket = args.socket.as_deref();
    if target.system && socket.is_none() {
        let usual = Env {
            socket: None,
            ..env.clone()
        };
        return admin::places(target, &usual);
    }
    sockets::find(env, socket, None, Path::is_dir)
}

async fn configuration(target: &Target) -> (Vec<Finding>, Option<Config>) {
    let (path, examined) = (target.config.clone(), target.clone());
    let read = within(move || {
        let missing = path
            .symlink_metadata()
            .is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        let read = examined.as_daemon(|| settings::read(&path, examined.daemon));
        // That a named file is missing is a finding of its own.
        let read = read.and_then(|found| found.usable_at_start(&path, false));
        (missing, read.map(|found| found.config))
    })
    .await;
    let (missing, read) = match read {
        Ok(read) => read,
        Err(why) => {
            return (
                vec![judge::missed("configuration", &target.config, &why)],
                None,
            );
        }
    };
    let findings = judge::configuration(&target.config, target.config_named, missing, &read);
    let named_missing = missing && target.config_named;
    (findings, read.ok().filter(|_| !named_missing))
}

/// What interrupted commands have left. A state folder that cannot be read has a finding already.
async fn leftovers(target: &Target, config: &Config, env: &Env) -> Vec<Finding> {
    let (target, config, env) = (target.clone(), config.clone(), env.clone());
    let found = within(move || leftover::find(&target, &config, &env)).await;
    let of = |leftover: Leftover| {
        let found = leftover.found();
        match leftover.remedy {
            None => Finding::ok(leftover.check, found),
            remedy => Finding::warn("leftover", found).remedy(remedy),
        }
    };
    found.unwrap_or_default().into_iter().map(of).collect()
}
