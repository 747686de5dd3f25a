//! State that a profile keeps when it starts over.

use super::super::keep::handle::Handle;
use crate::config::Profile;
use crate::lifecycle::AttemptLimits;
use crate::lifecycle::credentials::Credentials;

/// State with which a profile starts over.
#[derive(Default)]
pub(super) struct CarriedState {
    pub(super) credentials: Credentials,
    pub(super) pace: AttemptLimits,
}

/// Returns the state with which the changed profile starts over. An issuer at another site knows nothing about earlier
/// calls. An issuer that is asked in another way may accept a credential that it rejected before, since the change may
/// have fixed the cause.
pub(super) async fn carried_over(
    handle: &Handle,
    before: &Profile,
    profile: &Profile,
) -> CarriedState {
    let is_asked_alike = before.provider == profile.provider
        && before.client_certificate == profile.client_certificate;
    CarriedState {
        credentials: if before.site() == profile.site() {
            handle.hand_over(is_asked_alike).await
        } else {
            Credentials::default()
        },
        pace: if is_same_issuer(before, profile) {
            handle.pace()
        } else {
            AttemptLimits::default()
        },
    }
}

/// Whether the changed profile asks the same issuer, so that its stated waits and failures still count.
fn is_same_issuer(before: &Profile, now: &Profile) -> bool {
    let of = |profile: &Profile| (profile.provider.as_str(), profile.site(), profile.url());
    of(before) == of(now)
}
