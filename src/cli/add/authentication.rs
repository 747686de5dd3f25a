//! The client authentication of an enrolment: the form that the issuer accepts, and the advice after a refusal.

use super::super::output::{Exit, print_line, print_note};
use super::enrolment::ProofFindings;
use super::{AddArgs, Plan, ask, granted};
use crate::clock::{Clock, SystemClock};
use crate::config::oauth2::ClientAuth;
use crate::config::{Profile, Provider};
use crate::credential::Credential;
use crate::paths::Env;
use crate::provider::configured::{self, ProviderFiles};
use crate::provider::{AuthMethods, Proof};
use crate::token::Validity;

impl AddArgs {
    /// Takes the form that the issuer's document lists, for a new profile without a form, if the document lists only
    /// one.
    pub(super) fn take_listed(&self, profile: &mut Profile, listed: Option<&AuthMethods>) {
        let only = listed.and_then(AuthMethods::only);
        let chosen = self.rebind || self.provider.has("client-auth");
        if let (Some(only), Provider::Oauth2(issuer), false) = (only, &mut profile.provider, chosen)
            && issuer.client_auth != only
        {
            issuer.client_auth = only;
            let (what, method) = (only.as_str(), only.method());
            print_line(format!(
                "the issuer's document lists only {method}: the profile gets client-auth = \"{what}\""
            ));
        }
    }

    /// Gets one token as proof, and discards it. After a refusal it reports how the client authenticated, and the forms
    /// that the issuer's document lists.
    pub(super) fn prove(
        &self,
        profile: &Profile,
        files: &ProviderFiles,
        credential: &Credential,
        listed: Option<&AuthMethods>,
        env: &Env,
    ) -> Result<ProofFindings, Exit> {
        let provider = configured::provider(profile, files);
        let (mut sent, mut untried) = (vec![], None);
        let proved = ask(profile, env, async {
            let proved = provider.prove(credential).await;
            proved.map_err(|unproved| {
                (sent, untried) = (unproved.sent, unproved.untried);
                unproved.fault
            })
        });
        let Proof {
            granted,
            client_auth,
            server,
        } = proved.inspect_err(|_| {
            if let Some(note) = note(&sent, untried, listed, self.rebind) {
                print_note(note);
            }
        })?;
        granted::warn(&granted.grant);
        let validity = Validity::new(SystemClock.now().boot, granted.grant.lifetime);
        Ok(ProofFindings {
            validity,
            client_auth,
            server,
            server_date: granted.server_date,
        })
    }
}

impl Plan {
    /// Keeps the form that the issuer accepted, if it is not the profile's.
    pub(super) fn keep(&mut self, taken: Option<ClientAuth>) {
        let Provider::Oauth2(issuer) = &mut self.profile.provider else {
            return;
        };
        let Some(taken) = taken.filter(|taken| *taken != issuer.client_auth) else {
            return;
        };
        if self.is_new {
            issuer.client_auth = taken;
        } else {
            self.client_auth = Some(taken);
        }
        let (how, what) = (written(taken), taken.as_str());
        print_line(format!(
            "the issuer takes the client ID and the secret {how}: the profile gets client-auth = \"{what}\""
        ));
    }
}

/// Describes how a form carries the client ID and the secret.
const fn written(form: ClientAuth) -> &'static str {
    match form {
        ClientAuth::Basic => "encoded in a header",
        ClientAuth::BasicRaw => "as they are in a header",
        ClientAuth::Post => "in the body",
    }
}

/// Describes the forms that were sent, those that the issuer lists, and those to try.
fn note(
    sent: &[ClientAuth],
    untried: Option<ClientAuth>,
    listed: Option<&AuthMethods>,
    rebind: bool,
) -> Option<String> {
    let first = *sent.first()?;
    let forms: Vec<_> = sent
        .iter()
        .map(|form| format!("client-auth \"{}\"", form.as_str()))
        .collect();
    let sent = format!(
        "the client ID and the secret were sent as {} with {}",
        first.method(),
        forms.join(" and then ")
    );
    let other = match first {
        ClientAuth::Basic | ClientAuth::BasicRaw => ClientAuth::Post,
        ClientAuth::Post => ClientAuth::Basic,
    };
    let may_be = |form: &ClientAuth| listed.is_none_or(|listed| listed.has(*form));
    let left: Vec<_> = untried.into_iter().chain([other]).filter(may_be).collect();
    let left: Vec<_> = left.iter().map(|form| form.as_str()).collect();
    let choose = match (left.as_slice(), rebind) {
        ([], _) => String::new(),
        (left, false) => format!("try --client-auth {}", left.join(" or ")),
        (left, true) => format!(
            "write client-auth = \"{}\" into the profile and run this again",
            left.join("\" or \"")
        ),
    };
    let what = listed.map_or_else(String::new, |listed| {
        format!("; the issuer's document lists {listed}")
    });
    let check = "check the client ID and the secret";
    let remedy = match (may_be(&first), choose.is_empty()) {
        (true, true) => check.to_owned(),
        (true, false) => format!("{check}, or {choose}"),
        (false, false) => choose,
        (false, true) => {
            "this version can send client_secret_basic and client_secret_post only".to_owned()
        }
    };
    Some(format!("{sent}{what}: {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_shows_the_method_sent_and_the_methods_the_issuer_lists() {
        use ClientAuth::{Basic, BasicRaw, Post};
        let listed = |text: &str| AuthMethods::parse(text);
        let post = listed(r#"["client_secret_post","private_key_jwt"]"#);
        let basic = listed(r#"["client_secret_basic"]"#);
        let both = listed(r#"["client_secret_basic","client_secret_post"]"#);
        let jwt = listed(r#"["private_key_jwt"]"#);
        let sent = "the client ID and the secret were sent as";
        let in_header = format!("{sent} client_secret_basic with client-auth \"basic\"");
        let in_body = format!("{sent} client_secret_post with client-auth \"post\"");
        for (forms, untried, listed, rebind, said) in [
            (
                &[Basic][..],
                None,
                &post,
                false,
                format!(
                    "{in_header}; the issuer's document lists client_secret_post and private_key_jwt: try --client-auth post"
                ),
            ),
            (
                &[Basic, BasicRaw],
                None,
                &post,
                true,
                format!(
                    "{in_header} and then client-auth \"basic-raw\"; the issuer's document lists client_secret_post and private_key_jwt: write client-auth = \"post\" into the profile and run this again"
                ),
            ),
            (
                &[Post],
                None,
                &post,
                false,
                format!(
                    "{in_body}; the issuer's document lists client_secret_post and private_key_jwt: check the client ID and the secret"
                ),
            ),
            (
                &[Post],
                None,
                &basic,
                false,
                format!(
                    "{in_body}; the issuer's document lists client_secret_basic: try --client-auth basic"
                ),
            ),
            (
                &[Basic],
                None,
                &both,
                false,
                format!(
                    "{in_header}; the issuer's document lists client_secret_basic and client_secret_post: check the client ID and the secret, or try --client-auth post"
                ),
            ),
            (
                &[Basic],
                None,
                &jwt,
                false,
                format!(
                    "{in_header}; the issuer's document lists private_key_jwt: this version can send client_secret_basic and client_secret_post only"
                ),
            ),
            (
                &[Basic],
                None,
                &None,
                false,
                format!(
                    "{in_header}: check the client ID and the secret, or try --client-auth post"
                ),
            ),
            (
                &[Basic],
                Some(BasicRaw),
                &None,
                false,
                format!(
                    "{in_header}: check the client ID and the secret, or try --client-auth basic-raw or post"
                ),
            ),
            (
                &[Basic],
                Some(BasicRaw),
                &basic,
                true,
                format!(
                    "{in_header}; the issuer's document lists client_secret_basic: check the client ID and the secret, or write client-auth = \"basic-raw\" into the profile and run this again"
                ),
            ),
        ] {
            assert_eq!(note(forms, untried, listed.as_ref(), rebind).unwrap(), said);
        }
        assert_eq!(note(&[], None, both.as_ref(), false), None);
    }
}
