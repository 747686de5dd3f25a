//! NVIDIA Run:ai in the configuration.

use ::url::Url;
use toml_edit::Value;

use super::kind::{Described, Kind};
use super::reader::key::{Key, OptionForm, key, set};
use super::reader::{Reader, Section};
use super::url::{BaseUrl, Origin};

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

/// A control plane while its keys are read.
#[derive(Default)]
pub(super) struct Draft {
    url: Option<BaseUrl>,
    api: Api,
}

// === impl Api ===

impl Api {
    /// The API as the configuration spells it.
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

    #[rustfmt::skip]
    const KEYS: &'static [Key<Draft>] = &[
        key("url", "an https address", "", "the control plane; http only for a loopback address such as http://127.0.0.1:8080", |r, f, d: &mut Draft| {
            d.url = r.parsed(f, BaseUrl::parse);
        }).option(OptionForm::Once, "URL", "The control plane's address, such as https://acme.run.ai"),
        key("api", "\"auto\", \"v2\" or \"v1\"", "\"auto\"", "which of the control plane's APIs gives the token", |r, f, d: &mut Draft| {
            set(&mut d.api, r.one_of(f, &[Api::Auto, Api::V2, Api::V1].map(|api| (api.as_str(), api)), &[]));
        }).option(OptionForm::Words(&["auto", "v2", "v1"]), "API", "Which of Run:ai's APIs to use"),
    ];
    type Draft = Draft;

    fn finish(draft: Draft, _: &mut Reader<'_>, _: &Section<'_>) -> Option<Self> {
        Some(Self {
            url: draft.url?,
            api: draft.api,
        })
    }
}

impl Described for Runai {
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
