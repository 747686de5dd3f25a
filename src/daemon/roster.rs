//! The profiles that are being kept, by name. It changes as one, on reload; readers never wait.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::handle::Handle;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;

/// The profiles by name.
pub type Profiles = BTreeMap<ProfileName, Arc<Handle>>;

/// The profiles that are being kept, or that there is no configuration to keep any by.
#[derive(Default)]
pub struct Roster(RwLock<Arc<Profiles>>);

impl Roster {
    /// The profiles of this moment.
    pub fn all(&self) -> Arc<Profiles> {
        // The map behind the lock is replaced whole, so a panic of a holder cannot have left it half changed.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other profiles in their place.
    pub fn replace(&self, profiles: Profiles) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(profiles);
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// `unknown_profile`.
    pub fn get(&self, name: &ProfileName) -> Result<Arc<Handle>, Problem> {
        self.all()
            .get(name)
            .map(Arc::clone)
            .ok_or_else(|| Problem::new(Code::UnknownProfile).of(name))
    }

    /// The profile of this name; without a name, the only one there is.
    ///
    /// # Errors
    /// `unknown_profile`, or `bad_request` when there are several to choose from.
    pub fn pick(&self, name: Option<&ProfileName>) -> Result<Arc<Handle>, Problem> {
        if let Some(name) = name {
            return self.get(name);
        }
        let all = self.all();
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
