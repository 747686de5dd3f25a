//! The keys of other users, which the administration endpoints list.

use std::collections::VecDeque;
use std::time::Duration;

use super::{FIRST_NAME, Key, Keys, Owner};
use crate::credential::ClientSecret;
use crate::sandbox::random;

/// The number of keys of each other user.
const KEYS_OF_EACH_OTHER: u16 = 20;

impl Keys {
    /// Replaces the other users' keys with `count` new ones. They cannot get tokens.
    pub(in crate::sandbox) fn set_others(&mut self, count: u16, now: Duration) {
        self.keys.retain(|key| key.owner != Owner::Other);
        let Ok(secret) = random::secret() else {
            return;
        };
        for n in 0..count {
            let (user, key) = (n / KEYS_OF_EACH_OTHER + 1, n % KEYS_OF_EACH_OTHER);
            let name = match key {
                0 => FIRST_NAME.to_owned(),
                _ => format!("key-{key}"),
            };
            let Ok(secret) = ClientSecret::parse(&secret) else {
                return;
            };
            self.keys.push(Key {
                owner: Owner::Other,
                id: format!("0d9b1c5e-7a54-4c1b-8d2f-{n:012}"),
                client_id: format!("other-{user}-{name}"),
                name,
                secret,
                enabled: true,
                created_by: format!("other-{user}@sandbox.invalid"),
                created_at: now,
                updated_at: now,
                logins: VecDeque::new(),
            });
        }
    }
}
