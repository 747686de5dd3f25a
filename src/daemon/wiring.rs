//! Builds the profiles that a configuration names. This is the only place that names the implementations.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tokio::task::yield_now;
use tracing::{info, warn};

use super::keep::bulkhead::Bulkhead;
use super::keep::handle::Handle;
use super::keep::keeper::KeeperParts;
use super::keep::roster::{Entry, Profiles, Roster};
use super::rotating::Rotations;
use crate::clock::Clock;
use crate::config::{Config, Profile, Rule};
use crate::lifecycle::Policy;
use crate::profile::ProfileName;
use crate::provider::{configured, http};
use crate::query::Reloaded;
use crate::store::source::Rotating;
use crate::store::{SourceContext, StoreKeys, Stores};

mod carried;
mod control_plane;
mod locking;
mod names;
mod profile_parts;
mod rechecks;
mod rotating;
mod sourced;

pub use profile_parts::ProfileParts;

use carried::{CarriedState, carried_over};
use control_plane::ControlPlanes;
use profile_parts::on_this_machine;
use rechecks::Rechecks;

/// Number of profiles that are compared or started before requests get their turn. All of this runs on the thread that
/// serves requests.
const AT_A_STRETCH: usize = 16;

/// Finds the outside parts of a profile, or `None` if the profile cannot be used.
type FindParts = dyn Fn(&ProfileName, &Profile) -> Option<ProfileParts> + Send + Sync;

/// Builds the profiles of a configuration.
pub struct Wiring {
    find: Box<FindParts>,
    clock: Arc<dyn Clock>,
    roster: Arc<Roster>,
    bulkhead: Bulkhead,
    /// The largest generation of any earlier profile. A profile that starts over counts from there, because its clients
    /// may hold tokens with such numbers and the wall clock may have been set back.
    generation: u64,
    /// The current configuration.
    config: Config,
    /// The checks of the stores after the last reload.
    looks: Rechecks,
    /// The keys of the store of encrypted files.
    keys: Arc<StoreKeys>,
    /// The rotations of the profiles' keys.
    rotations: Arc<Rotations>,
}

impl Wiring {
    /// Creates a builder for credentials below this state folder. It has no profiles yet.
    pub fn new(
        state: &Path,
        surroundings: &Arc<SourceContext>,
        uid: u32,
        clock: Arc<dyn Clock>,
        roster: Arc<Roster>,
    ) -> Self {
        if let Err(error) = configured::prepare() {
            warn!(%error, "the system refuses another thread, so issuers' names cannot be looked up now");
        }
        let stores = Stores::new(state, uid).in_surroundings(Arc::clone(surroundings));
        let planes = ControlPlanes::new(uid);
        let keys = Arc::clone(stores.keys());
        let outside = rotating::outside(state, uid, &stores, &planes, &clock, &roster);
        let (rotations, found) = Rotations::new(outside);
        let rotating: Rotating = Arc::new(move |name: &ProfileName| {
            // A daemon without rotations takes no notice.
            let _: Result<_, _> = found.send(name.clone());
        });
        let wiring = Self::around(clock, roster, move |name, profile| {
            Some(on_this_machine(
                &stores, &planes, uid, name, profile, &rotating,
            ))
        });
        Self { keys, ..wiring }.with_rotations(Arc::new(rotations))
    }

    /// Returns the rotations of the profiles' keys.
    pub fn rotations(&self) -> Arc<Rotations> {
        Arc::clone(&self.rotations)
    }

    /// Returns the same builder with these rotations.
    #[must_use]
    pub fn with_rotations(self, rotations: Arc<Rotations>) -> Self {
        Self { rotations, ..self }
    }

    /// Disables rotations, for a daemon that ends with its command.
    #[must_use]
    pub fn without_rotations(self) -> Self {
        self.with_rotations(Arc::default())
    }

    /// Creates a builder that uses the parts that `find` returns, for example test doubles.
    pub fn around(
        clock: Arc<dyn Clock>,
        roster: Arc<Roster>,
        find: impl Fn(&ProfileName, &Profile) -> Option<ProfileParts> + Send + Sync + 'static,
    ) -> Self {
        Self {
            find: Box::new(find),
            clock,
            roster,
            bulkhead: Bulkhead::default(),
            generation: 0,
            config: Config::default(),
            looks: Rechecks::default(),
            keys: Arc::default(),
            rotations: Arc::default(),
        }
    }

    /// Limits how many attempts run at once, and how many idle connections to issuers are kept.
    #[must_use]
    pub fn with_attempts(self, attempts: usize) -> Self {
        http::limit_idle(attempts);
        Self {
            bulkhead: Bulkhead::new(attempts),
            ..self
        }
    }

    /// Returns the current configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Applies a configuration. A profile that gets its token from the same issuer as before keeps the token: it adopts
    /// its new policy or store, and checks whether its credential was replaced. Any other changed profile starts over.
    /// It keeps the limits on its attempts if its issuer is the same.
    pub async fn apply(&mut self, config: Config) -> Reloaded {
        self.keys.encrypt_to(config.recipient.clone());
        let old = self.roster.all();
        let generations = old.values().map(|entry| entry.handle.generation());
        self.generation = generations.chain([self.generation]).max().unwrap_or(0);
        let mut profiles = Profiles::new();
        let mut done = Reloaded::default();
        let mut kept = vec![];
        for (number, (name, profile)) in config.profiles.iter().enumerate() {
            // Do not yield at the start: until the first profiles are in place, a request would be told that there are
            // none.
            if number % AT_A_STRETCH == 0 && !old.is_empty() {
                yield_now().await;
            }
            let before = self.config.profiles.get(name);
            let of_old = old.get(name).map(|entry| &entry.handle).zip(before);
            let handle = match of_old {
                Some((handle, before)) if before.has_the_source_of(profile) => {
                    if before == profile {
                        done.kept += 1;
                    } else {
                        done.changed += 1;
                    }
                    let policy = policy(&config, name, profile);
                    if policy != self::policy(&self.config, name, before) {
                        handle.set_policy(policy).await;
                    }
                    if before.credential != profile.credential
                        && let Some(outside) = (self.find)(name, profile)
                    {
                        handle.set_source(outside.source).await;
                    }
                    kept.push(Arc::clone(handle));
                    Arc::clone(handle)
                }
                _ => {
                    let from = match of_old {
                        Some((handle, before)) => carried_over(handle, before, profile).await,
                        None => CarriedState::default(),
                    };
                    let policy = policy(&config, name, profile);
                    let Some(handle) = self.keep(name, profile, policy, from) else {
                        continue;
                    };
                    if before.is_some() {
                        done.changed += 1;
                    } else {
                        done.added += 1;
                    }
                    Arc::new(handle)
                }
            };
            let rules = config.rules(name);
            if before.is_some() && !Rule::allow_alike(rules, self.config.rules(name)) {
                info!(profile = %name, "the rules of this profile have changed");
            }
            if before.is_some() && config.hosts(name) != self.config.hosts(name) {
                info!(profile = %name, "the addresses that this profile's tokens are for have changed");
            }
            let entry = Entry {
                handle,
                rules: rules.into(),
                hosts: config.hosts(name).into(),
                sinks: config.sinks(name).into(),
                rotation: Arc::new(profile.rotation.clone()),
            };
            profiles.insert(name.clone(), entry);
        }
        done.removed = old
            .keys()
            .filter(|name| !config.profiles.contains_key(*name))
            .count();
        self.config = config;
        self.roster.replace(profiles);
        retire(&old, &kept);
        self.rotations.configure(&self.config);
        self.looks.renew(kept).await;
        done
    }

    fn keep(
        &self,
        name: &ProfileName,
        profile: &Profile,
        policy: Policy,
        from: CarriedState,
    ) -> Option<Handle> {
        let outside = (self.find)(name, profile)?;
        let parts = KeeperParts {
            name: name.clone(),
            source: outside.source,
            provider: outside.provider,
            clock: Arc::clone(&self.clock),
            jitter: outside.jitter,
            policy,
            compartment: self.bulkhead.compartment(&profile.site()),
            generation: self.generation,
            pace: from.pace,
        };
        let handle = Handle::spawn_after(
            from.credentials,
            parts,
            profile.provider.as_str(),
            profile.provider.purpose(),
        );
        Some(handle.with_api(outside.api))
    }
}

/// Stops the keepers of the old profiles, except these.
fn retire(old: &Profiles, kept: &[Arc<Handle>]) {
    let kept: HashSet<_> = kept.iter().map(Arc::as_ptr).collect();
    let gone = old
        .values()
        .filter(|entry| !kept.contains(&Arc::as_ptr(&entry.handle)));
    gone.for_each(|entry| entry.handle.retire());
}

/// Returns the policy of a profile. A profile whose token is written to a file never rests, because a program that
/// reads the file makes no request.
fn policy(config: &Config, name: &ProfileName, profile: &Profile) -> Policy {
    Policy {
        keep_warm: profile.keep_warm || !config.sinks(name).is_empty(),
        reissue: profile.reissue,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MemoryStore, Play, ScriptedIssuer};
    use super::*;
    use crate::clock::testing::TestClock;
    use crate::config::{LookupFailed, Names};
    use crate::policy::{AccessContext, Caller, UserNamespace};
    use crate::schedule::Jitter;
    use crate::testing::FewNames;

    /// Creates a daemon whose issuers hang, without profiles yet.
    fn wired() -> (Arc<Roster>, Wiring) {
        let roster = Arc::new(Roster::new(AccessContext {
            own_uid: 1_000,
            namespace: UserNamespace::Identity,
        }));
        let clock = Arc::new(TestClock::new());
        let wiring = Wiring::around(clock, Arc::clone(&roster), |_, _| {
            Some(ProfileParts {
                source: MemoryStore::new(Some("secret")),
                provider: ScriptedIssuer::new(&[Play::Hang]),
                api: None,
                jitter: || Jitter::new(0.5),
            })
        });
        (roster, wiring)
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_is_served_before_the_first_profiles_are_applied() {
        let (roster, mut wiring) = wired();
        let text: String = (0..3 * AT_A_STRETCH)
            .map(|n| format!("[profiles.p{n}]\nprovider='runai'\nurl='https://a.example'\n"))
            .collect();
        let config = crate::config::parse(&text, &FewNames).unwrap();
        let request = tokio::spawn(async move { roster.all().len() });
        wiring.apply(config).await;
        assert_eq!(request.await.unwrap(), 3 * AT_A_STRETCH);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_id_of_a_rule_name_updates_rules_and_keeps_the_keepers() {
        struct Same(Option<u32>);
        impl Names for Same {
            fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
                self.0.map_or_else(|| Ok(None), |id| Ok(Some(id)))
            }
            fn group(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
                Err(LookupFailed("no answer".into()))
            }
        }
        let (roster, mut wiring) = wired();
        let text = "[profiles.a]\nprovider='runai'\nurl='https://a.example'\nallow=[{user='later'},{group='team'}]\n";
        wiring
            .apply(crate::config::parse(text, &FewNames).unwrap())
            .await;
        let before = roster.all();
        let allowed = |uid, gid| {
            let groups = [gid].into();
            let caller = Caller { uid, gid, groups };
            roster.seen_by(&caller).has_any() && roster.may_have_any(&caller)
        };
        for (number, seven, eight) in [
            (None, false, false),
            (Some(7), true, false),
            (Some(8), false, true),
            (None, false, false),
        ] {
            wiring.look_up(&Same(number));
            assert_eq!((allowed(7, 7), allowed(8, 8)), (seven, eight), "{number:?}");
            assert!(allowed(9, 50), "the look-up of the group failed");
        }
        for (name, entry) in roster.all().iter() {
            assert!(Arc::ptr_eq(
                &entry.handle,
                &before.get(name).unwrap().handle
            ));
        }
    }
}
