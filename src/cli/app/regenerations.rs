//! Reports what an interrupted regeneration may have done: the stored secret may be revoked, and the new one lost.

use std::path::Path;

use super::super::output::print_note;
use super::journal::{Journal, may_come};
use super::secret_file;
use super::session::Session;
use crate::applications::{ApiErrorKind, Family};
use crate::causes::Causes;
use crate::config::StoreKind;
use crate::credential::Credential;
use crate::profile::ProfileName;
use crate::store::{KeyCall, KeyIntent, Record, SecretDestination};

/// The key whose secret was to be replaced.
struct Key<'a> {
    name: &'a str,
    id: &'a str,
    client_id: &'a str,
    /// The time at which the stored secret was made, if the issuer has rejected it.
    rejected: Option<u64>,
}

/// The state of the key's secret.
enum Secret {
    /// The stored secret gives a token; `is_enrolled` says whether its profile is in the configuration.
    Works { is_enrolled: bool },
    /// The issuer rejects the stored secret, which was made at this time.
    Rejected(u64),
    /// The file that was named for it holds a new secret, which gives a token.
    InFile,
    /// The issuer rejects the secret in that file.
    RejectedInFile,
    /// No store or file has a secret.
    Lost,
    /// The state cannot be determined, for this reason.
    Unknown(String),
}

/// Tries the stored secret, and prints the remedy.
pub(super) fn look_at(session: &Session, journal: &Journal, intent: &KeyIntent) {
    let KeyCall::Regeneration {
        name,
        key_id,
        client_id,
        rejected,
    } = &intent.call
    else {
        return;
    };
    let key = Key {
        name,
        id: key_id,
        client_id,
        rejected: *rejected,
    };
    let secret = key.secret(session, &intent.keeper);
    let mut may_renew = false;
    if matches!(
        secret,
        Secret::Rejected(_) | Secret::RejectedInFile | Secret::Lost
    ) {
        match key.is_there(session, &intent.path) {
            Some(false) => {
                print_note(format!(
                    "the regeneration of {name} has ended: the key is gone"
                ));
                return journal.end(intent);
            }
            is_there => may_renew = is_there.is_some(),
        }
    }
    let is_over = !may_come(intent, session.now());
    key.tell(session, &intent.keeper, &secret, is_over, may_renew);
    match secret {
        Secret::Rejected(made) if *rejected != Some(made) => {
            let call = KeyCall::Regeneration {
                name: name.clone(),
                key_id: key_id.clone(),
                client_id: client_id.clone(),
                rejected: Some(made),
            };
            journal.amend(&KeyIntent {
                call,
                ..intent.clone()
            });
        }
        Secret::Works { is_enrolled: true } | Secret::Lost if is_over => {
            if let SecretDestination::File(path) = &intent.keeper {
                secret_file::remove_if_empty(path);
            }
            journal.end(intent);
        }
        // A rejected secret is not sent again.
        Secret::RejectedInFile => journal.amend(&KeyIntent {
            keeper: SecretDestination::Nothing,
            ..intent.clone()
        }),
        Secret::InFile if is_over => journal.end(intent),
        _ => {}
    }
}

// === impl Key ===

impl Key<'_> {
    fn secret(&self, session: &Session, keeper: &SecretDestination) -> Secret {
        match keeper {
            SecretDestination::Profile(name, store) => self.stored(session, name, store),
            SecretDestination::File(path) => self.in_file(session, path),
            SecretDestination::Nothing => Secret::Lost,
        }
    }

    /// Tests the secret in the file: a server that executes a lost call late revokes a secret that was made after it.
    fn in_file(&self, session: &Session, path: &Path) -> Secret {
        let secret = match secret_file::read(path) {
            Ok(Some(secret)) => secret,
            Ok(None) => return Secret::Lost,
            Err(error) => return Secret::Unknown(format!("{}: {error}", path.display())),
        };
        let Ok(credential) = Credential::new(self.client_id, secret) else {
            return Secret::Lost;
        };
        let binding = &session.binding;
        let credential = credential
            .bound_to(binding.bound.as_str())
            .trusting(binding.ca.clone());
        match session.prove(&session.profile, &session.files, &credential) {
            Ok(()) => Secret::InFile,
            Err(fault) if fault.is_of_credential() => Secret::RejectedInFile,
            Err(fault) => Secret::Unknown(fault.detail),
        }
    }

    fn stored(&self, session: &Session, name: &ProfileName, store: &StoreKind) -> Secret {
        match session.stores.reader(store).load(name) {
            Ok(Some(record)) if record.key.credential.client_id == self.client_id => {
                self.proved(session, name, &record)
            }
            Ok(_) => Secret::Lost,
            Err(error) => Secret::Unknown(Causes(&error).to_string()),
        }
    }

    fn proved(&self, session: &Session, name: &ProfileName, record: &Record) -> Secret {
        let made = record.key.created_at.seconds_down();
        // A rejected secret is not sent again.
        if self.rejected == Some(made) {
            return Secret::Rejected(made);
        }
        let is_enrolled = session.config.profiles.contains_key(name);
        let proof = if is_enrolled {
            match session.route_of(name) {
                Ok((profile, files)) => session.prove(&profile, &files, &record.key.credential),
                Err(_) => return Secret::Unknown("nothing is sent with it".to_owned()),
            }
        } else {
            session.prove(&session.profile, &session.files, &record.key.credential)
        };
        match proof {
            Ok(()) => Secret::Works { is_enrolled },
            Err(fault) if fault.is_of_credential() => Secret::Rejected(made),
            Err(fault) => Secret::Unknown(fault.detail),
        }
    }

    /// Whether the server has such a key; `None` if it does not say.
    fn is_there(&self, session: &Session, path: &str) -> Option<bool> {
        let shown = session.wait(session.api.show(Family::of_path(path)?, self.id));
        match shown {
            Ok(_) => Some(true),
            Err(trouble) if trouble.kind == ApiErrorKind::NotFound => Some(false),
            Err(_) => None,
        }
    }

    /// Prints the state and the remedy. `may_renew` says whether the current token can manage the key.
    fn tell(
        &self,
        session: &Session,
        keeper: &SecretDestination,
        secret: &Secret,
        is_over: bool,
        may_renew: bool,
    ) {
        let (name, id) = (self.name, self.id);
        let holder = match keeper {
            SecretDestination::Profile(holder, _) => holder.as_str(),
            SecretDestination::File(_) | SecretDestination::Nothing => "NEW",
        };
        let regenerate = |rest: &str| session.target.line(&format!("app regenerate {id} {rest}"));
        let begun = format!("the regeneration of {name} (ID {id}) was interrupted");
        match secret {
            Secret::Works { is_enrolled: true } if is_over => {}
            Secret::Works { is_enrolled: true } => print_note(format!(
                "{begun}, or an answer was lost; the secret that {holder} has works, but the server may execute the call late: every 'jetond app' command of the next hour tries it again"
            )),
            Secret::Works { is_enrolled: false } => print_note(format!(
                "{begun}: its new secret is stored for {holder}, which is not in the configuration; to finish, run: {}",
                regenerate(&format!("--enrol {holder}"))
            )),
            Secret::Rejected(_) => {
                let by = match may_renew {
                    true => format!("while the token of {} is valid, run", session.name),
                    false => "with the token of another profile of the same user, run".to_owned(),
                };
                let whose = if may_renew {
                    session.name.as_str()
                } else {
                    "PROFILE"
                };
                print_note(format!(
                    "warning: {begun}, and the secret that {holder} has is revoked: the key is locked out; {by}: {}; or make a new key, and give it to the profile with: {}",
                    regenerate(whose),
                    session.target.line(&format!("add {holder} --rebind"))
                ));
            }
            Secret::InFile if is_over => {}
            Secret::InFile => print_note(format!(
                "{begun}, or an answer was lost; the new secret in the file that was named for it works, but the server may execute the call late: every 'jetond app' command of the next hour tries it again"
            )),
            Secret::RejectedInFile => print_note(format!(
                "warning: {begun}, and the secret in the file that was named for it is revoked: the key is locked out; to make another one, run: {}",
                regenerate("--secret-file PATH")
            )),
            Secret::Lost => print_note(format!(
                "warning: {begun}: its old secret may be revoked, and the new one is lost; to make another one, run: {}",
                regenerate("--secret-file PATH")
            )),
            Secret::Unknown(why) => print_note(format!(
                "warning: {begun}, and it is not known whether its stored secret still works: {why}; every later 'jetond app' command tries it again"
            )),
        }
    }
}
