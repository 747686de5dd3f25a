//! Warnings about the token that proves a credential.

use super::super::output::print_note;
use crate::token::Grant;

/// Warns of the way in which the daemon will treat the issuer's tokens.
pub(super) fn warn(grant: &Grant) {
    if grant.has_zero_lifetime() {
        print_note(
            "the issuer states a lifetime of 0 s: the daemon serves the token for a second, and asks for the next one less and less often; if you know the lifetime, set it in the profile, for example: lifetime = \"1h\"",
        );
    }
    if let Some(scope) = grant.scope.as_ref().filter(|scope| scope.is_narrower()) {
        let (granted, missing) = (&scope.granted, &scope.missing);
        print_note(format!(
            "the issuer granted a narrower scope than the profile asks for: {granted}, without {missing}"
        ));
    }
}
