//! NVIDIA Run:ai in the configuration.

use ::url::Url;
use toml_edit::Value;

use super::kind::{AddressCandidate, Kind, ProviderConfig};
use super::reader::key::{Key, OptionForm, key, set};
use super::reader::{Reader, Section};
use super::url::{BaseUrl, InvalidUrl, Origin, pasted};

/// A Run:ai control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runai {
    /// Its address.
    pub url: BaseUrl,
    /// The API to request tokens from.
    pub api: Api,
}

/// The Run:ai API to request tokens from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    /// The newest API that the control plane has.
    #[default]
    Auto,
    /// `/api/v2/token`.
    V2,
    /// `/api/v1/token`.
    V1,
}

/// The most paths at which a pasted address is tried.
const MAX_PATHS: usize = 4;

/// A control plane while its keys are read.
#[derive(Default)]
pub(super) struct RunaiDraft {
    url: Option<BaseUrl>,
    api: Api,
}

// === impl Api ===

impl Api {
    /// Returns the API in the configuration's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V2 => "v2",
            Self::V1 => "v1",
        }
    }
}

// === impl Runai ===

impl Kind for Runai {
    const NAME: &'static str = "runai";
    const INSTEAD_OF_URL: &'static str = "";
    const HEADING: &'static str = "";
    const USAGE: &'static str = "--url <URL>";
    const NEEDS: &'static str = "--url URL";
    const EXAMPLE: &'static str = "research --provider runai --url https://acme.run.ai";
    const TITLE: &'static str = "NVIDIA Run:ai";
    const ADDRESS: &'static str = "such as https://acme.run.ai, or any page of it";

    #[rustfmt::skip]
    const KEYS: &'static [Key<RunaiDraft>] = &[
        key("url", "an https address", "", "the control plane; http only for a loopback address such as http://127.0.0.1:8080", |r, f, d: &mut RunaiDraft| {
            d.url = r.parsed(f, BaseUrl::parse);
        }).option(OptionForm::Once, "URL", "The control plane's address, such as https://acme.run.ai"),
        key("api", "\"auto\", \"v2\" or \"v1\"", "\"auto\"", "which of the control plane's APIs gives the token", |r, f, d: &mut RunaiDraft| {
            set(&mut d.api, r.one_of(f, &[Api::Auto, Api::V2, Api::V1].map(|api| (api.as_str(), api)), &[]));
        }).option(OptionForm::Words(&["auto", "v2", "v1"]), "API", "Which of Run:ai's APIs to use"),
    ];
    type Draft = RunaiDraft;

    /// Returns the server's root first: most control planes have their API there. A page of the console may lie below
    /// any of the other paths.
    fn pasted(text: &str) -> Result<Vec<AddressCandidate>, InvalidUrl> {
        let meant = pasted::meant(text)?;
        let origin = Origin::of(&meant);
        let whole = BaseUrl::parse(origin.join(meant.path()).as_str())?;
        let url = |value: String| AddressCandidate {
            option: "url",
            value,
        };
        if whole.path() != meant.path().trim_end_matches('/') {
            // The address contains the path of the API, and so also the path before it.
            return Ok(vec![url(whole.to_string())]);
        }
        let paths = pasted::paths(&meant).into_iter().take(MAX_PATHS);
        Ok(paths.map(|path| url(format!("{origin}{path}"))).collect())
    }

    fn finish(draft: RunaiDraft, _: &mut Reader<'_>, _: &Section<'_>) -> Option<Self> {
        Some(Self {
            url: draft.url?,
            api: draft.api,
        })
    }
}

impl ProviderConfig for Runai {
    fn url(&self) -> String {
        self.url.to_string()
    }

    fn origin(&self) -> Origin {
        self.url.origin()
    }

    fn endpoint(&self) -> Option<Url> {
        Some(self.url.base())
    }

    fn entries(&self) -> Vec<(&'static str, Value)> {
        let mut entries = vec![("url", self.url.to_string().into())];
        if self.api != Api::default() {
            entries.push(("api", self.api.as_str().into()));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_is_derived_from_a_pasted_console_or_api_address() {
        for (pasted, urls) in [
            ("https://acme.run.ai", &["https://acme.run.ai"][..]),
            ("acme.run.ai/", &["https://acme.run.ai"]),
            ("https://acme.run.ai/api/v1", &["https://acme.run.ai"]),
            ("https://acme.run.ai/api/v2/token", &["https://acme.run.ai"]),
            ("https://x.org/runai/api/v1/", &["https://x.org/runai"]),
            (
                "https://acme.run.ai/projects?tab=jobs#top",
                &["https://acme.run.ai", "https://acme.run.ai/projects"],
            ),
            ("https://acme.run.ai/#/jobs", &["https://acme.run.ai"]),
            (
                "https://x.org/a/b/c/d/e",
                &[
                    "https://x.org",
                    "https://x.org/a",
                    "https://x.org/a/b",
                    "https://x.org/a/b/c",
                ],
            ),
        ] {
            let all = Runai::pasted(pasted).unwrap();
            let all: Vec<_> = all.iter().map(|one| one.value.as_str()).collect();
            assert_eq!(all, urls, "{pasted}");
            for url in urls {
                assert_eq!(BaseUrl::parse(url).unwrap().to_string(), *url);
            }
        }
    }
}
