//! Calls to an issuer on behalf of a command, and reports of its refusals.

use super::ca_variables;
use super::output::{Exit, fail, print_note};
use crate::config::Profile;
use crate::fault::{Fault, FaultKind};
use crate::offload;
use crate::paths::Env;

/// Waits for the issuer's answer. `so` is the beginning of the message if there is no answer.
pub(super) fn ask<T>(
    profile: &Profile,
    env: &Env,
    so: &str,
    question: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Exit> {
    let runtime = offload::event_loop().map_err(|error| fail(Exit::Failed, error))?;
    runtime.block_on(question).map_err(|fault| {
        let exit = fail(exit_of(&fault), format!("{so}: {}", fault.detail));
        if let Some(note) = ca_variables::note(profile, &fault, env) {
            print_note(note);
        }
        exit
    })
}

/// The exit code of a command that an issuer refused. It means "try again later" only if that can help.
pub(super) fn exit_of(fault: &Fault) -> Exit {
    match fault.kind {
        FaultKind::Rejected => Exit::Failed,
        // The address, the configuration, a certificate or a clock has to be corrected first.
        FaultKind::NoEndpoint
        | FaultKind::BindingChanged
        | FaultKind::TlsName
        | FaultKind::TlsExpired
        | FaultKind::TlsUntrusted
        | FaultKind::NoCa
        | FaultKind::Redirect
        | FaultKind::Malformed
        | FaultKind::InterimAnswers
        | FaultKind::TooLarge => Exit::Config,
        FaultKind::Dns
        | FaultKind::Connect
        | FaultKind::Timeout
        | FaultKind::Reset
        | FaultKind::RateLimited
        | FaultKind::ServerError => Exit::Later,
    }
}
