//! Makes the state machine of a rotation: a new one, or one from its journal or its record.

use std::collections::BTreeSet;
use std::time::Duration;

use getrandom::Error as NoRandom;
use tracing::{debug, info};

use super::driver::Driver;
use super::how::{HowToRotate, Mode};
use super::journal;
use super::prepared::PreparedRotation;
use super::refused::RotationRefused;
use super::storing;
use crate::applications::{Family, MAX_USER_KEYS};
use crate::causes::Causes;
use crate::profile::ProfileName;
use crate::rotation::host::{self, Claim, Host};
use crate::rotation::names::key_name;
use crate::rotation::{GraceMoment, Notes, Overlap, RotationId, RotationRequest, Terms};
use crate::store::{BoundTarget, Machine, Record, RotationJournal, RotationMode, RotationRead};
use crate::token::MAX_LIFETIME;

/// A rotation that an earlier process left open.
enum LeftoverRotation {
    Overlap {
        notes: Box<Notes>,
        family: Option<Family>,
        with: Option<ProfileName>,
    },
    /// The journal of a rotation in place.
    InPlace(Box<RotationJournal>),
}

impl Driver {
    /// Returns the state machine of the open rotation; without one, that of a new rotation with the options `how`.
    pub(super) async fn machine(&mut self, how: Option<&HowToRotate>) -> PreparedRotation {
        let record = match self.record().await {
            Ok(record) => record,
            Err(why) if how.is_some() => {
                return PreparedRotation::Refused(RotationRefused::System(why));
            }
            Err(_) => None,
        };
        let take_over = how.is_some_and(|how| how.take_over);
        let left = match self.left(record.as_ref(), take_over).await {
            Ok(left) => left,
            Err(refused) => return PreparedRotation::Refused(refused),
        };
        let (left, in_place) = match left {
            Some(LeftoverRotation::InPlace(journal)) => {
                (None, self.resume_in_place(&journal).await.map(Some))
            }
            Some(left @ LeftoverRotation::Overlap { .. }) => (Some(left), Ok(None)),
            None => (None, self.resume_from_store(record.as_ref()).await),
        };
        match in_place {
            Ok(None) => {}
            Ok(Some(begun)) => return begun,
            Err(refused) => return PreparedRotation::Refused(refused),
        }
        let terms = self.terms(record.as_ref());
        let clock = GraceMoment {
            boot_id: self.shared.outside.machine.boot.clone(),
            at: self.shared.outside.clock.now().boot,
            date: None,
        };
        if let Some(LeftoverRotation::Overlap {
            notes,
            family,
            with,
        }) = left
        {
            info!(rotation = notes.rotation.as_str(), phase = ?notes.phase, "rotation goes on");
            // It manages the keys as soon as it turns out to see them.
            if let Some(asked) = how.and_then(|how| how.with.as_ref()) {
                self.open.manage_with(asked);
            }
            self.with = with;
            self.family = family;
            return PreparedRotation::Machine(Box::new(Overlap::resume(*notes, terms, clock)));
        }
        if take_over {
            return PreparedRotation::Refused(RotationRefused::NothingOpen);
        }
        let (Some(how), Some(record)) = (how, record) else {
            return match how {
                Some(_) => {
                    let why = "no credential is stored for the profile".to_owned();
                    PreparedRotation::Refused(RotationRefused::System(why))
                }
                None => PreparedRotation::Nothing,
            };
        };
        if matches!(record.binding.bound, BoundTarget::Origin(_)) {
            let why = "the stored credential does not say where it may be sent; store it again with 'jetond add'";
            return PreparedRotation::Refused(RotationRefused::System(why.to_owned()));
        }
        let rotation = match random_id() {
            Ok(rotation) => rotation,
            Err(error) => {
                let why = format!("the system gives no random bytes: {error}");
                return PreparedRotation::Refused(RotationRefused::System(why));
            }
        };
        if how.mode == Mode::InPlace {
            let begun = self.new_in_place(how, rotation, &record).await;
            return begun.unwrap_or_else(PreparedRotation::Refused);
        }
        self.with.clone_from(&how.with);
        let client_id = record.key.credential.client_id.clone();
        let mut sharers = self.sharers(&record.binding.origin(), &client_id);
        sharers.extend(self.possible_sharers());
        let wanted = RotationRequest {
            sharers,
            in_use: self.in_use(),
            client_id,
            name: key_name(&self.name, &rotation),
            max_keys: MAX_USER_KEYS,
        };
        info!(rotation = rotation.as_str(), "rotation begins");
        PreparedRotation::Machine(Box::new(Overlap::new(rotation, wanted, terms, clock)))
    }

    /// Finds what an earlier process left open.
    async fn left(
        &self,
        record: Option<&Record>,
        take_over: bool,
    ) -> Result<Option<LeftoverRotation>, RotationRefused> {
        let (shared, name) = (self.shared(), self.name.clone());
        let read = self
            .blocking(move || shared.outside.journals.read(&name))
            .await
            .map_err(RotationRefused::System)?;
        let journal = match read {
            Ok(RotationRead::Absent) => return Ok(self.left_in(record)),
            Ok(RotationRead::Begun(journal)) => journal,
            Ok(RotationRead::Unclear { error, names }) => {
                let why = Causes(&error).to_string();
                let keys = self.known_keys(record, names);
                return Err(RotationRefused::NeedsHuman { why, keys });
            }
            Err(error) => return Err(RotationRefused::System(Causes(&error).to_string())),
        };
        let own = &self.shared.outside.machine;
        let claim = host::claim(&host_of(&journal.machine), &host_of(own), take_over);
        debug!(?claim, phase = %journal.phase, "a journal was left");
        if let Claim::Theirs(host) = claim {
            return Err(RotationRefused::OtherHost(host));
        }
        let unclear = |journal: &RotationJournal, why: &str| RotationRefused::NeedsHuman {
            why: why.to_owned(),
            keys: self.known_keys(
                record,
                journal.names().into_iter().map(str::to_owned).collect(),
            ),
        };
        if journal.mode == RotationMode::InPlace {
            return Ok(Some(LeftoverRotation::InPlace(journal)));
        }
        let (notes, family) = journal::notes(&journal).ok_or_else(|| {
            unclear(
                &journal,
                "its journal contains a value that this version does not know",
            )
        })?;
        Ok(Some(LeftoverRotation::Overlap {
            notes: Box::new(notes),
            family: Some(family),
            with: journal.with.clone(),
        }))
    }

    /// Returns the names of keys that may be at the issuer: `names`, which come from the journal, those in the
    /// record, and the name that the rotation's ID implies.
    fn known_keys(&self, record: Option<&Record>, mut names: Vec<String>) -> Vec<String> {
        let begun = record.filter(|record| record.rotation.is_some());
        if let Some(record) = begun {
            let others = record.other_key().and_then(|key| key.key_name.clone());
            names.extend(record.key.key_name.clone().into_iter().chain(others));
            let rotation = storing::view(record).and_then(|view| view.rotation);
            names.extend(rotation.map(|rotation| key_name(&self.name, &rotation)));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Finds a rotation in the record whose journal is missing.
    fn left_in(&self, record: Option<&Record>) -> Option<LeftoverRotation> {
        let view = storing::view(record?)?;
        let name = key_name(&self.name, view.rotation.as_ref()?);
        Some(LeftoverRotation::Overlap {
            notes: Box::new(Notes::of_record(&view, name)?),
            family: None,
            with: None,
        })
    }

    fn terms(&mut self, record: Option<&Record>) -> Terms {
        let rotation = self.shared.profile(&self.name);
        let rotation = rotation.map(|profile| profile.rotation.clone());
        let rotation = rotation.unwrap_or_default();
        self.is_record_shared = record.is_some_and(|record| record.key.credential.is_shared());
        Terms {
            lifetime: self.lifetime(),
            longest_lifetime: MAX_LIFETIME,
            grace: rotation.grace,
            is_shared: rotation.is_shared || self.is_record_shared,
        }
    }

    /// Passes on what the configuration says now. A profile that is gone from it keeps its terms.
    pub(super) fn take_terms(&self, machine: &mut Overlap) {
        if let Some(profile) = self.shared.profile(&self.name) {
            let rotation = &profile.rotation;
            machine.take_terms(rotation.grace, rotation.is_shared || self.is_record_shared);
        }
    }

    /// Returns the lifetime of the profile's tokens; `None` before its first token.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.shared.handle(&self.name)?.state().lifetime
    }

    /// Returns the client IDs that the profiles of this daemon use.
    pub(super) fn in_use(&self) -> BTreeSet<String> {
        let all = self.shared.outside.roster.all();
        let enrolments = all.values().filter_map(|entry| entry.handle.enrolment());
        enrolments.map(|it| it.client_id.clone()).collect()
    }
}

fn host_of(machine: &Machine) -> Host {
    Host {
        name: machine.host.clone(),
        boot_id: machine.boot.clone(),
    }
}

fn random_id() -> Result<RotationId, NoRandom> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(RotationId::of_bits(u128::from_be_bytes(bytes)))
}
