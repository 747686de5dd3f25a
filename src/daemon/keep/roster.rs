//! The profiles by name, with the rules for their use. A reload replaces all of them at once. Readers never wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::handle::Handle;
use crate::config::{HostEntry, Rotation, Rule, Sink};
use crate::policy::{AccessContext, AllowedUsers, Caller, RuleIndex};
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;

/// A profile with the rules for its use.
#[derive(Clone)]
pub struct Entry {
    /// The profile.
    pub handle: Arc<Handle>,
    /// The rules for users other than our own and root.
    pub rules: Arc<[Rule]>,
    /// The addresses that the profile's tokens are for.
    pub hosts: Arc<[HostEntry]>,
    /// The files that the profile's token is written to.
    pub sinks: Arc<[Sink]>,
    /// The configuration of its key's rotation.
    pub rotation: Arc<Rotation>,
}

/// The profiles by name.
pub type Profiles = BTreeMap<ProfileName, Entry>;

/// A snapshot of the profiles, or the reason why the configuration is invalid.
pub type RosterSnapshot = Result<Arc<Profiles>, Arc<str>>;

/// The profiles, and the rules that decide which caller may use them.
pub struct Roster {
    gate: AccessContext,
    guests: AllowedUsers,
    /// All users and groups in any rule, so that one check tells whether a caller may use any profile.
    named: Mutex<Arc<RuleIndex>>,
    kept: watch::Sender<RosterSnapshot>,
}

/// A snapshot of the profiles, as one caller may see them. A caller that may not use all profiles cannot tell a
/// forbidden profile from one that does not exist.
pub struct CallerView<'a> {
    gate: AccessContext,
    guests: &'a AllowedUsers,
    caller: &'a Caller,
    kept: watch::Ref<'a, RosterSnapshot>,
}

// === impl Roster ===

impl Roster {
    /// Creates an empty roster.
    pub fn new(gate: AccessContext) -> Self {
        Self {
            gate,
            guests: AllowedUsers::default(),
            named: Mutex::default(),
            kept: watch::channel(Ok(Arc::default())).0,
        }
    }

    /// Sets the users that the command runs as, for a daemon that serves one command. If there are any, the rules admit
    /// no other users.
    #[must_use]
    pub fn with_guests(self, guests: AllowedUsers) -> Self {
        Self { guests, ..self }
    }

    /// Whether this user may use every profile, whatever the rules say.
    pub fn has_all(&self, uid: u32) -> bool {
        self.gate.is_ours(uid) || self.guests.include(uid, self.gate.namespace)
    }

    /// Whether a caller may use any profile, as [`CallerView::has_any`] or [`Roster::has_all`] says. The cost does not
    /// grow with the number of profiles.
    pub fn may_have_any(&self, caller: &Caller) -> bool {
        self.has_all(caller.uid)
            || self.guests.is_empty() && self.gate.applies_rules() && self.named().names(caller)
    }

    /// Whether the groups of this user's processes can matter: some rule names a group or this user.
    pub fn knows_groups_of(&self, uid: u32) -> bool {
        let named = self.named();
        named.names_groups() || named.names_user(uid)
    }

    fn named(&self) -> Arc<RuleIndex> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&named)
    }

    /// Returns the problem for a user that may not use any profile.
    pub fn stranger(&self) -> Problem {
        let problem = Problem::new(Code::Forbidden);
        if self.guests.is_empty() {
            problem
        } else {
            problem.with_detail(NO_GUEST)
        }
    }

    /// Returns the gate, which decides which callers may use the profiles.
    pub const fn gate(&self) -> &AccessContext {
        &self.gate
    }

    /// Returns the current profiles, or none while there is no valid configuration.
    pub fn all(&self) -> Arc<Profiles> {
        self.now().unwrap_or_default()
    }

    /// Returns the current profiles.
    ///
    /// # Errors
    /// `misconfigured` with the reason, if there has been no valid configuration yet.
    pub fn valid(&self) -> Result<Arc<Profiles>, Problem> {
        self.now().map_err(misconfigured)
    }

    fn now(&self) -> RosterSnapshot {
        self.kept.borrow().clone()
    }

    /// Returns a receiver that is notified whenever a configuration takes effect.
    pub fn follow(&self) -> watch::Receiver<RosterSnapshot> {
        self.kept.subscribe()
    }

    /// Replaces the profiles.
    pub fn replace(&self, profiles: Profiles) {
        self.put(Ok(Arc::new(profiles)));
    }

    /// Removes all profiles, because the configuration is invalid for this reason.
    pub fn refuse(&self, reason: Arc<str>) {
        self.put(Err(reason));
    }

    fn put(&self, kept: RosterSnapshot) {
        let rules = kept.iter().flat_map(|all| all.values());
        let rules = rules.flat_map(|entry| entry.rules.iter().filter_map(Rule::who));
        let named = Arc::new(RuleIndex::by(rules));
        *self.named.lock().unwrap_or_else(PoisonError::into_inner) = named;
        // Dropping the last reference to the handle of a removed profile stops its keeper.
        drop(self.kept.send_replace(kept));
    }

    /// Returns the current profiles that a caller may use. Call it for each request, so that a reload takes effect on
    /// open connections, too.
    pub fn seen_by<'a>(&'a self, caller: &'a Caller) -> CallerView<'a> {
        CallerView {
            gate: self.gate,
            guests: &self.guests,
            caller,
            kept: self.kept.borrow(),
        }
    }
}

// === impl Seen ===

impl CallerView<'_> {
    fn allows(&self, entry: &Entry) -> bool {
        if !self.guests.is_empty() {
            return self.has_all();
        }
        let rules = entry.rules.iter().filter_map(Rule::who);
        self.gate.allows(self.caller, rules)
    }

    fn has_all(&self) -> bool {
        let uid = self.caller.uid;
        self.gate.is_ours(uid) || self.guests.include(uid, self.gate.namespace)
    }

    /// Returns all profiles, whatever the rules. Without a valid configuration there are no rules, so only a caller
    /// that may use all profiles learns what is wrong.
    fn valid(&self) -> Result<&Profiles, Problem> {
        match &*self.kept {
            Ok(profiles) => Ok(profiles),
            Err(reason) if self.has_all() => Err(misconfigured(Arc::clone(reason))),
            Err(_) => Err(Problem::new(Code::Forbidden)),
        }
    }

    /// Whether the caller may use any profile.
    pub fn has_any(&self) -> bool {
        self.handles().is_ok_and(|mut all| all.next().is_some())
    }

    /// Returns the profiles that the caller may use.
    ///
    /// # Errors
    /// `misconfigured` with the reason.
    pub fn handles(&self) -> Result<impl Iterator<Item = &Arc<Handle>>, Problem> {
        let entries = self.valid()?.values();
        Ok(entries
            .filter(|entry| self.allows(entry))
            .map(|entry| &entry.handle))
    }

    /// Returns the addresses of the profiles that the caller may use.
    ///
    /// # Errors
    /// `misconfigured` with the reason.
    pub fn hosts(&self) -> Result<impl Iterator<Item = (&Arc<Handle>, &HostEntry)>, Problem> {
        let entries = self.valid()?.values();
        let entries = entries.filter(|entry| self.allows(entry));
        Ok(entries.flat_map(|entry| entry.hosts.iter().map(|host| (&entry.handle, host))))
    }

    /// Returns the profile of this name.
    ///
    /// # Errors
    /// - `misconfigured` without a valid configuration.
    /// - `unknown_profile` for a caller that may use all profiles.
    /// - `forbidden` for any other caller, whether or not the profile exists.
    pub fn get(&self, name: &ProfileName) -> Result<&Arc<Handle>, Problem> {
        match self.valid()?.get(name) {
            Some(entry) if self.allows(entry) => Ok(&entry.handle),
            _ if self.has_all() => Err(Problem::new(Code::UnknownProfile).of(name)),
            _ => Err(Problem::new(Code::Forbidden)
                .with_detail(NOT_YOURS)
                .of(name)),
        }
    }

    /// Returns the profile of this name. Without a name, returns the only profile that the caller may use.
    ///
    /// # Errors
    /// As [`CallerView::get`], and `bad_request` if the caller may use several profiles and names none.
    pub fn pick(&self, name: Option<&ProfileName>) -> Result<&Arc<Handle>, Problem> {
        if let Some(name) = name {
            return self.get(name);
        }
        let mut handles = self.handles()?;
        match (handles.next(), handles.next()) {
            (Some(only), None) => Ok(only),
            (None, _) if !self.has_all() => Err(Problem::new(Code::Forbidden)),
            (None, _) => Err(Problem::new(Code::UnknownProfile)
                .with_detail("there are no profiles yet; make one with 'jetond add NAME'")),
            (Some(_), Some(_)) => Err(Problem::bad_request(
                "there are several profiles; name one, or set JETON_PROFILE ('jeton status' lists them)",
            )),
        }
    }
}

/// Detail for a user other than those that the command may run as.
const NO_GUEST: &str = "this daemon serves one command, which runs as another user; start it with: jetond run --allow USER -- CMD";

/// Detail for a profile that the caller may not use or that does not exist.
const NOT_YOURS: &str = "this user may not use that profile, or no profile has that name; 'jeton status' lists those that it may use";

fn misconfigured(reason: Arc<str>) -> Problem {
    Problem::new(Code::Misconfigured)
        .with_detail("the configuration is invalid, and no token is served until it is corrected and read again ('jeton reload')")
        .because(reason)
}
