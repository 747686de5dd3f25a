//! One thing that was looked at, and what is to be thought of it.

use serde::Serialize;

use crate::profile::ProfileName;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Tokens may be served all the same.
    Warn,
    /// Tokens are not served, or not safely.
    Fail,
    /// Not tried, so nothing is known.
    Skip,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    /// The profile that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
}

// === impl Verdict ===

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

// === impl Finding ===

impl Finding {
    fn new(verdict: Verdict, check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            profile: None,
            verdict,
            found: found.into(),
            remedy: None,
        }
    }

    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, check, found)
    }

    pub(super) fn warn(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, check, found)
    }

    pub(super) fn fail(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, check, found)
    }

    pub(super) fn skip(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Skip, check, found)
    }

    /// What a person does about it.
    pub(super) fn remedy(mut self, remedy: impl Into<Option<String>>) -> Self {
        self.remedy = remedy.into();
        self
    }

    pub(super) fn of(mut self, profile: &ProfileName) -> Self {
        self.profile = Some(profile.to_string());
        self
    }
}
