//! The profile's source of its credential.

use std::sync::Arc;
use std::time::Duration;

use jetond::credential::{Ca, Credential};
use jetond::fault::{Block, Fault, FaultKind};
use jetond::lifecycle::credentials::NotLoaded;
use jetond::profile::ProfileName;
use jetond::store::Key;
use jetond::store::source::{CredentialSource, LoadedCredential, Loading};
use tokio::sync::mpsc::UnboundedSender;

use super::bug::Bug;
use super::history::Event;
use super::world::World;

/// The store of the profile, which sometimes cannot be read. The sender reports each record with an open rotation.
pub(super) struct Source(
    pub(super) Arc<World>,
    pub(super) UnboundedSender<ProfileName>,
);

impl CredentialSource for Source {
    fn load(&self) -> Loading<'_> {
        Box::pin(async move {
            let world = &self.0;
            let (takes, fails, is_held) = {
                let state = &mut *world.state();
                let takes = Duration::from_millis(state.rng.u64(0..20));
                let fails = state.moods.disk.fails(10, &mut state.rng);
                let is_held = world.bug == Some(Bug::HeldStore) && state.is_open;
                if fails {
                    state.push(Event::Unreadable);
                }
                (takes, fails, is_held)
            };
            tokio::time::sleep(takes).await;
            if fails || is_held {
                let fault = Fault::new(FaultKind::Connect, "scripted");
                return Err(NotLoaded::Failed(fault));
            }
            world.look();
            let record = world.kept().1.load(&world.name).unwrap();
            let Some(record) = record else {
                return Err(NotLoaded::Blocked(Block::NotEnrolled(world.name.clone())));
            };
            let usable = |key: Key| -> Credential {
                let credential = key.credential.enrolled_at(key.created_at);
                credential.dated(key.server_date).trusting(Ca::System)
            };
            if record.rotation.is_some() {
                // The process may have ended.
                let _: Result<_, _> = self.1.send(world.name.clone());
            }
            let other = record.rotation.and_then(|rotation| rotation.other);
            let other = other.map(|other| usable(other.into_key()));
            Ok(LoadedCredential::new(usable(record.key)).beside(other))
        })
    }
}
