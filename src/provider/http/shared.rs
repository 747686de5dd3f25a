//! Shares clients, and thereby connections, among profiles that reach one issuer in the same way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Settings;
use crate::config::Origin;

/// Values by origin, one for each way to reach the origin.
pub(super) struct Shared<T>(Mutex<Option<ByOrigin<T>>>);

type ByOrigin<T> = HashMap<String, Vec<(Arc<Settings>, Weak<T>)>>;

// === impl Shared ===

impl<T> Shared<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Returns the value that all users of `origin` with these settings share; the first of them makes it.
    pub(super) fn of(
        &self,
        origin: &Origin,
        settings: &Arc<Settings>,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        // No code panics while it holds this lock, so the lock is never poisoned.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        let origin = origin.to_string();
        if !all.contains_key(&origin) {
            all.retain(|_, ways| {
                ways.retain(|(_, shared)| shared.strong_count() > 0);
                !ways.is_empty()
            });
        }
        let ways = all.entry(origin).or_default();
        let known = ways.iter().filter(|(how, _)| how.is(settings));
        if let Some(known) = known.filter_map(|(_, shared)| shared.upgrade()).next() {
            return known;
        }
        ways.retain(|(_, shared)| shared.strong_count() > 0);
        let made = Arc::new(make());
        ways.push((Arc::clone(settings), Arc::downgrade(&made)));
        made
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::{ClientSource, Timeouts};
    use super::*;
    use crate::config::ClientCertificate;

    #[test]
    fn only_profiles_with_equal_origin_and_settings_share_a_client() {
        let shared = Shared::<Mutex<u32>>::new();
        let origin = |text: &str| crate::config::BaseUrl::parse(text).unwrap().origin();
        let usual = || Arc::new(Settings::default());
        let a = shared.of(&origin("https://a.example"), &usual(), Mutex::default);
        let again = shared.of(&origin("https://a.example"), &usual(), Mutex::default);
        assert!(Arc::ptr_eq(&a, &again));
        let certificate = ClientCertificate {
            cert: PathBuf::from("/cert.pem"),
            key: PathBuf::from("/key.pem"),
        };
        let others = [
            ("https://b.example", usual()),
            (
                "https://a.example",
                Arc::new(Settings {
                    client_certificate: Some(ClientSource {
                        files: certificate,
                        owner: 0,
                    }),
                    ..Settings::default()
                }),
            ),
            (
                "https://a.example",
                Arc::new(Settings {
                    timeouts: Timeouts {
                        connect: Duration::from_secs(1),
                        ..Timeouts::default()
                    },
                    ..Settings::default()
                }),
            ),
        ];
        for (at, how) in others {
            let other = shared.of(&origin(at), &how, Mutex::default);
            assert!(!Arc::ptr_eq(&a, &other), "{at} {how:?}");
        }
        drop((a, again));
        let _kept = shared.of(&origin("https://kept.example"), &usual(), Mutex::default);
        assert_eq!(shared.0.lock().unwrap().as_ref().unwrap().len(), 1);
    }
}
