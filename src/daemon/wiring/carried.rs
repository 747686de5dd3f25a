//! What a profile that starts over keeps of its life so far.

use super::super::keep::handle::Handle;
use crate::config::Profile;
use crate::lifecycle::Pace;
use crate::lifecycle::credentials::Credentials;

/// What a profile that starts over begins with.
#[derive(Default)]
pub(super) struct Carried {
    pub(super) credentials: Credentials,
    pub(super) pace: Pace,
}

/// What the changed profile begins with. An issuer elsewhere knows nothing of the calls so far. One that is asked in
/// another way may accept the credential, since that may be what was mended.
pub(super) async fn carried_over(handle: &Handle, before: &Profile, profile: &Profile) -> Carried {
    let is_asked_alike = before.provider == profile.provider
        && before.client_certificate == profile.client_certificate;
    Carried {
        credentials: if before.site() == profile.site() {
            handle.hand_over(is_asked_alike).await
        } else {
            Credentials::default()
        },
        pace: if is_same_issuer(before, profile) {
            handle.pace()
        } else {
            Pace::default()
        },
    }
}

/// Whether a profile that starts over asks the same issuer, so that what that asked for and what failed there still
/// counts.
fn is_same_issuer(before: &Profile, now: &Profile) -> bool {
    let of = |profile: &Profile| (profile.provider.as_str(), profile.site(), profile.url());
    of(before) == of(now)
}
