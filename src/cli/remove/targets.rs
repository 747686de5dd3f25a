//! Finds the parts that a removal has to remove.

use super::super::output::{Exit, fail};
use super::{NOTHING, RemovalRun, Targets};
use crate::causes::Causes;
use crate::config::{Profile, StoreKind};
use crate::settings::Content;

impl RemovalRun<'_> {
    /// Finds the parts that a removal has to remove.
    pub(super) fn left(&self) -> Result<Targets, Exit> {
        let found = self.target.read_to_change()?;
        let look = |store: &StoreKind| self.stores.reader(store).look(self.name).revision;
        let of = |store: StoreKind, profile, former| Targets {
            credential: look(&store),
            store,
            profile,
            former,
        };
        let profile = found.config.profiles.get(self.name);
        if let Some(store) = profile.and_then(Profile::store) {
            let former = self.former(store)?;
            let former = former.map(|store| (store.clone(), look(&store)));
            return Ok(of(store.clone(), true, former));
        }
        let (name, shown) = (self.name, self.target.config.display());
        let unknown = match found.content {
            Content::Missing { .. } => format!("{shown}: there is no such file"),
            Content::Empty | Content::Text => format!("there is no profile {name} in {shown}"),
        };
        match self.removals.begun(name) {
            Ok(Some(removal)) if removal.config == self.config() => {
                Ok(of(removal.store, false, None))
            }
            Ok(Some(removal)) => {
                let line = self.target.line_of_removal(name, &removal.config);
                let what = format!(
                    "{NOTHING}: {unknown}; a removal from another configuration has not ended; to end it, run: {line}"
                );
                Err(fail(Exit::Config, what))
            }
            Ok(None) => {
                let system = self.target.hint_of_system(name, &format!("remove {name}"));
                let what = format!("{NOTHING}: {unknown}{system}");
                Err(fail(Exit::Config, what))
            }
            Err(error) => {
                let why = Causes(&error);
                Err(fail(Exit::Config, format!("{NOTHING}: {unknown}; {why}")))
            }
        }
    }

    /// The store of an interrupted removal, if it is not the profile's: a new record would overwrite its name. Refuses
    /// a removal of another configuration, which has to be finished first.
    fn former(&self, store: &StoreKind) -> Result<Option<StoreKind>, Exit> {
        let refuse = |why: String| Err(fail(Exit::Config, format!("{NOTHING}: {why}")));
        match self.removals.begun(self.name) {
            Ok(Some(removal)) if removal.store == *store => Ok(None),
            Ok(Some(removal)) if removal.config == self.config() => Ok(Some(removal.store)),
            Ok(Some(removal)) => refuse(format!(
                "a removal of {} from another configuration has not ended; first run: {}",
                self.name,
                self.target.line_of_removal(self.name, &removal.config)
            )),
            Ok(None) => Ok(None),
            // The record may name a credential, which would be forgotten.
            Err(error) => refuse(Causes(&error).to_string()),
        }
    }
}
