//! One check and its verdict.

use serde::Serialize;

use crate::profile::ProfileName;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// The check found no problem.
    Ok,
    /// A problem, but tokens may still be served.
    Warn,
    /// Tokens are not served, or not safely.
    Fail,
    /// Not checked, so nothing is known.
    Skip,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The subject of the check.
    pub(super) check: &'static str,
    /// The profile that it concerns, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
    /// The `jetond` command at the end of the remedy, if there is one.
    #[serde(skip)]
    command: Option<String>,
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
            command: None,
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

    /// Sets the remedy of the finding.
    pub(super) fn remedy(mut self, remedy: impl Into<Option<String>>) -> Self {
        self.remedy = remedy.into();
        self.command = None;
        self
    }

    /// Sets a remedy that ends with a `jetond` command; [`Self::on`] adds the target's options.
    pub(super) fn command(mut self, before: &str, command: impl Into<String>) -> Self {
        let command = command.into();
        self.remedy = Some(format!("{before}jetond {command}"));
        self.command = Some(command);
        self
    }

    /// Whether the remedy is this `jetond` command.
    pub(super) fn is_remedied_by(&self, command: &str) -> bool {
        self.command.as_deref() == Some(command)
    }

    /// Replaces the remedy's command by the command line that `line` returns for it.
    pub(super) fn on(mut self, line: impl FnOnce(&str) -> String) -> Self {
        if let (Some(command), Some(remedy)) = (self.command.take(), &mut self.remedy) {
            let before = remedy.strip_suffix(&format!("jetond {command}"));
            *remedy = format!("{}{}", before.unwrap_or_default(), line(&command));
        }
        self
    }

    /// Makes the remedy reload the daemon with this line.
    pub(super) fn reloaded_by(mut self, line: &str) -> Self {
        self.remedy = self
            .remedy
            .map(|remedy| remedy.replace("jeton reload", line));
        self
    }

    pub(super) fn of(mut self, profile: &ProfileName) -> Self {
        self.profile = Some(profile.to_string());
        self.on_profile(profile)
    }

    /// Puts the profile's name into the command, in place of `NAME`.
    fn on_profile(mut self, profile: &ProfileName) -> Self {
        if let (Some(command), Some(remedy)) = (&mut self.command, &mut self.remedy) {
            let named = command.replace("NAME", profile.as_str());
            *remedy = remedy.replace(command.as_str(), &named);
            *command = named;
        }
        self
    }
}
