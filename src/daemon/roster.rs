//! The profiles that are being kept, by name. It changes as one, on reload; readers never wait.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::handle::Handle;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;

/// The profiles by name.
pub type Profiles = BTreeMap<ProfileName, Arc<Handle>>;

/// The profiles that are being kept, or what is wrong with the configuration, so that there are none.
pub struct Roster(RwLock<Result<Arc<Profiles>, Arc<str>>>);

impl Default for Roster {
    fn default() -> Self {
        Self(RwLock::new(Ok(Arc::default())))
    }
}

impl Roster {
    /// The profiles of this moment; none without a valid configuration.
    pub fn all(&self) -> Arc<Profiles> {
        self.now().unwrap_or_default()
    }

    /// The profiles of this moment.
    ///
    /// # Errors
    /// `misconfigured` with the reason, when there has been no valid configuration yet.
    pub fn valid(&self) -> Result<Arc<Profiles>, Problem> {
        self.now().map_err(|reason| {
            Problem::new(Code::Misconfigured)
                .with_detail("the configuration is invalid, and no token is served until it is mended and read again ('jeton reload')")
                .because(reason)
        })
    }

    fn now(&self) -> Result<Arc<Profiles>, Arc<str>> {
        // What is behind the lock is replaced whole, so a panic of a holder cannot have left it half changed.
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts other profiles in their place.
    pub fn replace(&self, profiles: Profiles) {
        self.put(Ok(Arc::new(profiles)));
    }

    /// There are no profiles, since the configuration is invalid for this reason.
    pub fn refuse(&self, reason: Arc<str>) {
        self.put(Err(reason));
    }

    fn put(&self, now: Result<Arc<Profiles>, Arc<str>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// `unknown_profile`, or `misconfigured`.
    pub fn get(&self, name: &ProfileName) -> Result<Arc<Handle>, Problem> {
        self.valid()?
            .get(name)
            .map(Arc::clone)
            .ok_or_else(|| Problem::new(Code::UnknownProfile).of(name))
    }

    /// The profile of this name; without a name, the only one there is.
    ///
    /// # Errors
    /// `unknown_profile`, `misconfigured`, or `bad_request` when there are several to choose from.
    pub fn pick(&self, name: Option<&ProfileName>) -> Result<Arc<Handle>, Problem> {
        if let Some(name) = name {
            return self.get(name);
        }
        let all = self.valid()?;
        let mut handles = all.values();
        match (handles.next(), handles.next()) {
            (Some(only), None) => Ok(Arc::clone(only)),
            (None, _) => Err(Problem::new(Code::UnknownProfile)
                .with_detail("there are no profiles yet; make one with 'jetond add'")),
            (Some(_), Some(_)) => Err(Problem::bad_request(
                "there are several profiles; name one, or set JETON_PROFILE ('jeton status' lists them)",
            )),
        }
    }
}
