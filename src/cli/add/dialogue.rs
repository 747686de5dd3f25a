//! `jetond add` on a terminal without the arguments of a whole profile: asks for the rest, and ends with how to use it.

use super::super::admin;
use super::super::issuer::exit_of;
use super::super::output::{Exit, fail, print_line, print_note};
use super::super::prompt;
use super::super::target::Target;
use super::enrolment::Enrolment;
use super::{AddArgs, Plan, destination, files, proposal, ways};
use crate::config::{AddressCandidate, Config, Profile, Provider, ProviderKind};
use crate::fault::{Fault, FaultKind};
use crate::offload;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::provider::configured;
use crate::settings::Content;
use crate::store::Required;

impl AddArgs {
    /// Asks for missing values, and enrols. The name comes last, since the other answers suggest one.
    pub(super) fn converse(&self, env: &Env) -> Result<(), Exit> {
        let target = self.target.find_own(env)?;
        target.note_beside_the_systems();
        let stores = target.stores();
        let found = target.read_to_change()?;
        if found.content != Content::Text {
            admin::refuse_if_gone(&target, env)?;
        }
        if let Some(name) = &self.name
            && found.config.profiles.contains_key(name)
        {
            return Err(fail(Exit::Config, Plan::is_there(&target, name)));
        }
        let mut profile = self.ask_for_profile(&target, env)?;
        let files = files(&profile, &target)?;
        let (bound, listed) = destination(&profile, &files, env)?;
        self.take_listed(&mut profile, listed.as_ref());
        let Required { binding, .. } = Required::of(&profile, &bound, files.ca_file.clone());
        let credential = self
            .credential(None, &binding.bound, profile.origin().is_none())?
            .bound_to(binding.bound.as_str())
            .trusting(binding.ca.clone());
        let proved = self.prove(&profile, &files, &credential, listed.as_ref(), env)?;
        if let Some(server) = proved.server {
            print_line(format!("found {server}"));
        }
        let enrolment = Enrolment::new(credential, binding, &proved);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ask_for_name(&profile.provider, &found.config)?,
        };
        let mut plan = Plan::of_new(profile, self.store.clone(), env, &target, &stores, &name)?;
        plan.keep(proved.client_auth);
        let seen = stores.reader(plan.place.kind()).look(&name);
        plan.finish(&enrolment, &name, &seen, &target, &stores, env)?;
        ways::say_them(&name, &target);
        Ok(())
    }

    /// The profile that the arguments fully describe.
    fn described(&self, env: &Env) -> Result<Profile, Exit> {
        let usage = || fail(Exit::Usage, "the provider is missing");
        self.profile(env)?.ok_or_else(usage)
    }

    /// Asks for the provider, and for its address until something answers there.
    fn ask_for_profile(&self, target: &Target, env: &Env) -> Result<Profile, Exit> {
        if self.provider.is_whole() {
            return self.described(env);
        }
        let kind = match self.provider.kind() {
            Some(kind) => kind,
            None => ask_for_kind()?,
        };
        loop {
            let typed = prompt::line(&format!("Address ({})", kind.address))?;
            let candidates = match kind.pasted(&typed) {
                Ok(candidates) => candidates,
                Err(invalid) => {
                    print_note(invalid);
                    continue;
                }
            };
            match self.first_that_answers(kind, &candidates, target, env)? {
                Ok((profile, value)) => {
                    if value != typed {
                        print_line(format!("the address is read as {value}"));
                    }
                    return Ok(profile);
                }
                // A mistyped address can be corrected here. Other faults have to be mended elsewhere.
                Err(fault) if is_of_address(&fault) => print_note(&fault.detail),
                Err(fault) => return Err(fail(exit_of(&fault), &fault.detail)),
            }
        }
    }

    /// Finds the first of the addresses at which a server of this kind answers. If none answers, and the address itself
    /// says where the credential goes, it takes the first: a gateway may hide the page that is looked for.
    fn first_that_answers(
        &self,
        kind: &'static ProviderKind,
        candidates: &[AddressCandidate],
        target: &Target,
        env: &Env,
    ) -> Result<Result<(Profile, String), Fault>, Exit> {
        let mut first = None;
        let mut proxy = self.proxy.clone();
        for candidate in candidates {
            let args = Self {
                provider: self.provider.with(kind, candidate),
                proxy: proxy.clone(),
                ..self.clone()
            };
            let profile = args.described(env)?;
            if !profile.provider.origin().is_loopback() {
                // The question is asked only once.
                proxy = Some(profile.proxy.clone());
            }
            let found = || (profile.clone(), candidate.value.clone());
            let files = files(&profile, target)?;
            let runtime = offload::event_loop().map_err(|error| fail(Exit::Failed, error))?;
            match runtime.block_on(configured::check_server(&profile, &files)) {
                Ok(()) => return Ok(Ok(found())),
                Err(fault) if !is_of_content(&fault) => return Ok(Err(fault)),
                Err(fault) => {
                    first.get_or_insert((found(), fault));
                }
            }
        }
        let Some(((profile, value), fault)) = first else {
            let what = "there is no address to check";
            return Ok(Err(Fault::no_endpoint(what)));
        };
        if profile.provider.endpoint().is_none() {
            return Ok(Err(fault));
        }
        print_note(format!(
            "{}; the address is used anyway, and the first token will prove it",
            fault.detail
        ));
        Ok(Ok((profile, value)))
    }
}

/// Whether another address of the same server may work: a server answers there, but without the expected content.
const fn is_of_content(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        FaultKind::NoEndpoint
            | FaultKind::Malformed
            | FaultKind::InterimAnswers
            | FaultKind::TooLarge
            | FaultKind::Redirect
    )
}

/// Whether the address may be mistyped.
const fn is_of_address(fault: &Fault) -> bool {
    is_of_content(fault)
        || matches!(
            fault.kind,
            FaultKind::Dns | FaultKind::Connect | FaultKind::Timeout | FaultKind::TlsName
        )
}

/// Asks which kind of provider it is; Enter takes the first.
fn ask_for_kind() -> Result<&'static ProviderKind, Exit> {
    let kinds: Vec<_> = ProviderKind::ALL
        .iter()
        .map(|kind| format!("{} ({})", kind.name, kind.title))
        .collect();
    let usual = ProviderKind::ALL.first().map_or("", |kind| kind.name);
    let question = format!("Provider: {} [{usual}]", kinds.join(" or "));
    loop {
        let typed = prompt::line(&question)?;
        let letters = |text: &str| {
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|c| c.to_ascii_lowercase()).collect::<String>()
        };
        let asked = match letters(&typed) {
            none if none.is_empty() => usual.to_owned(),
            some => some,
        };
        let is_meant = |(n, kind): &(usize, &ProviderKind)| {
            let titles = [kind.name, kind.title].map(letters);
            titles.contains(&asked) || (n + 1).to_string() == asked
        };
        let mut kinds = ProviderKind::ALL.iter().enumerate();
        match kinds.find(is_meant) {
            Some((_, kind)) => return Ok(kind),
            None => print_note("there is no such provider"),
        }
    }
}

/// Asks for the profile's name until the name is free.
fn ask_for_name(provider: &Provider, config: &Config) -> Result<ProfileName, Exit> {
    let is_taken = |name: &ProfileName| config.profiles.contains_key(name);
    let proposed = proposal::propose(&provider.reached_at(), provider.as_str(), is_taken);
    let question = match &proposed {
        Some(name) => format!("Name of the profile (Enter takes {name})"),
        None => "Name of the profile".to_owned(),
    };
    loop {
        let typed = prompt::line(&question)?;
        match (ProfileName::parse(&typed), &proposed) {
            (_, Some(name)) if typed.is_empty() => return Ok(name.clone()),
            (Ok(name), _) if is_taken(&name) => {
                print_note(format!("there is a profile {name} already"));
            }
            (Ok(name), _) => return Ok(name),
            (Err(invalid), _) => print_note(invalid),
        }
    }
}
