//! Paths of the local interface, with the sockets that serve them and their parameters.

use std::time::Duration;

use hyper::Method;

use super::super::service::{ADMIN_ONLY, SocketKind};
use super::printers::{Json, Line};
use super::response::{JSON, TEXT};
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{DaemonState, ProfileState, Question, ReadyQuery, RefreshQuery};
use crate::wire::{self, ProfileReply, ProfilesReply};

/// The path whose answers follow OAuth 2.0.
pub(super) const OAUTH2_TOKEN: &str = "/oauth2/token";

/// A parsed request line.
pub(super) enum Route {
    /// A question that the request line contains in full. The printed answer is a body of this content type.
    Ask(&'static str, Box<Question>),
    Healthz,
    Helper,
    Lock,
    Oauth2Token,
    Openapi,
    Reject {
        profile: ProfileName,
        max_wait: Duration,
    },
    Reload,
    Rotate(ProfileName),
    TokenIssued,
    Unlock,
    Version,
    Token {
        profile: ProfileName,
        min_valid: Duration,
        max_wait: Duration,
    },
    Watch(ProfileName),
}

/// A path and the requests that it takes.
pub(super) struct Row {
    /// The path. The segment `{profile}` stands for a profile's name.
    pub(super) path: &'static str,
    /// The parts of the path before and after `{profile}`, if it occurs.
    around: Option<(&'static str, &'static str)>,
    pub(super) method: &'static str,
    pub(super) doors: &'static [SocketKind],
    /// Parses the rest: the segment at `{profile}`, and the query.
    read: fn(&str, &mut Parameters<'_>) -> Result<Route, Problem>,
}

/// The sockets that serve a path. A container that has only the token socket cannot do the admin socket's work with it.
/// In turn, the paths of the admin socket never return a token.
const TOKENS: &[SocketKind] = &[SocketKind::Tokens];
const ADMIN: &[SocketKind] = &[SocketKind::Admin];
const BOTH: &[SocketKind] = &[SocketKind::Tokens, SocketKind::Admin];

/// All paths. The search starts at the top, so the most frequent requests come first. `openapi.json` describes this
/// table.
pub(super) const TABLE: &[Row] = &[
    row("GET", "/v1/profiles/{profile}/token", TOKENS, token),
    row("GET", "/healthz", BOTH, |_, _| Ok(Route::Healthz)),
    row("POST", OAUTH2_TOKEN, TOKENS, |_, _| Ok(Route::Oauth2Token)),
    row("GET", "/readyz", TOKENS, |_, _| Ok(ready(None))),
    row("GET", "/readyz/{profile}", TOKENS, |p, _| {
        Ok(ready(Some(name(p)?)))
    }),
    row("POST", "/v1/helper", BOTH, |_, _| Ok(Route::Helper)),
    row("GET", "/v1/openapi.json", TOKENS, |_, _| Ok(Route::Openapi)),
    row("GET", "/v1/profiles", TOKENS, |_, _| {
        Ok(ask(
            JSON,
            Question::Profiles(None, Box::new(Json(profiles))),
        ))
    }),
    row("GET", "/v1/profiles/{profile}", TOKENS, |p, _| {
        Ok(ask(
            JSON,
            Question::Profile(name(p)?, Box::new(Json(profile))),
        ))
    }),
    row("POST", "/v1/profiles/{profile}/refresh", TOKENS, |p, _| {
        let query = RefreshQuery {
            profile: Some(name(p)?),
            max_wait: wire::DEFAULT_MAX_WAIT,
        };
        Ok(ask(JSON, Question::Refresh(query, Box::new(Json(profile)))))
    }),
    row(
        "POST",
        "/v1/profiles/{profile}/token/reject",
        TOKENS,
        |p, parameters| {
            Ok(Route::Reject {
                profile: name(p)?,
                max_wait: parameters.max_wait()?,
            })
        },
    ),
    row("GET", "/v1/profiles/{profile}/watch", TOKENS, |p, _| {
        Ok(Route::Watch(name(p)?))
    }),
    row("POST", "/v1/lock", ADMIN, |_, _| Ok(Route::Lock)),
    row("POST", "/v1/reload", ADMIN, |_, _| Ok(Route::Reload)),
    row("POST", "/v1/profiles/{profile}/rotate", ADMIN, |p, _| {
        Ok(Route::Rotate(name(p)?))
    }),
    row("POST", "/v1/token-issued", ADMIN, |_, _| {
        Ok(Route::TokenIssued)
    }),
    row("POST", "/v1/unlock", ADMIN, |_, _| Ok(Route::Unlock)),
    row("GET", "/v1/version", BOTH, |_, _| Ok(Route::Version)),
];

const fn row(
    method: &'static str,
    path: &'static str,
    doors: &'static [SocketKind],
    read: fn(&str, &mut Parameters<'_>) -> Result<Route, Problem>,
) -> Row {
    Row {
        path,
        around: around_profile(path),
        method,
        doors,
        read,
    }
}

const fn around_profile(path: &str) -> Option<(&str, &str)> {
    let (before, rest) = path.split_at(bytes_before_brace(path.as_bytes()));
    match rest.split_at_checked("{profile}".len()) {
        Some((_, after)) => Some((before, after)),
        None => None,
    }
}

const fn bytes_before_brace(path: &[u8]) -> usize {
    match path {
        [] | [b'{', ..] => 0,
        [_, rest @ ..] => 1 + bytes_before_brace(rest),
    }
}

// === impl Route ===

impl Route {
    /// Parses a request line.
    ///
    /// # Errors
    /// - `not_found` or `method_not_allowed`.
    /// - `forbidden` for a path of the other socket.
    /// - `unknown_profile` for a segment that cannot be a profile's name.
    /// - `bad_request` for invalid parameters.
    pub(super) fn parse(
        method: &Method,
        path: &str,
        query: Option<&str>,
        door: SocketKind,
    ) -> Result<Self, Problem> {
        let (row, profile) = Row::find(path).ok_or(Problem::new(Code::NotFound))?;
        row.admits(door)?;
        if method.as_str() != row.method {
            return Err(Problem::new(Code::MethodNotAllowed));
        }
        let mut parameters = Parameters::parse(query)?;
        let route = (row.read)(profile, &mut parameters)?;
        parameters.end()?;
        Ok(route)
    }

    /// Returns the method of a path, for the `Allow` header (RFC 9110 section 15.5.6).
    pub(super) fn allowed(path: &str) -> &'static str {
        Row::find(path).map_or("GET", |(row, _)| row.method)
    }
}

// === impl Row ===

impl Row {
    /// Finds the row of a path, and the segment at `{profile}`.
    fn find(path: &str) -> Option<(&'static Self, &str)> {
        TABLE.iter().find_map(|row| Some((row, row.fits(path)?)))
    }

    /// Returns the segment at `{profile}`, or an empty one if the row has no such segment. Returns `None` for another
    /// path.
    fn fits<'a>(&self, path: &'a str) -> Option<&'a str> {
        let Some((before, after)) = self.around else {
            return (path == self.path).then_some("");
        };
        let profile = path.strip_prefix(before)?.strip_suffix(after)?;
        (!profile.contains('/')).then_some(profile)
    }

    fn admits(&self, door: SocketKind) -> Result<(), Problem> {
        match door {
            _ if self.doors.contains(&door) => Ok(()),
            SocketKind::Tokens => Err(Problem::new(Code::Forbidden).with_detail(ADMIN_ONLY)),
            SocketKind::Admin => Err(Problem::new(Code::NotFound)
                .with_detail("the admin socket has no such path; try the token socket")),
        }
    }
}

fn name(segment: &str) -> Result<ProfileName, Problem> {
    ProfileName::parse(segment).map_err(|_| Problem::new(Code::UnknownProfile))
}

fn ask(content_type: &'static str, asked: Question) -> Route {
    Route::Ask(content_type, Box::new(asked))
}

fn profile(state: &ProfileState) -> ProfileReply {
    state.reply.clone()
}

fn profiles(state: &DaemonState) -> ProfilesReply {
    ProfilesReply {
        profiles: state.profiles.iter().map(profile).collect(),
    }
}

fn ready(profile: Option<ProfileName>) -> Route {
    let wait = Duration::ZERO;
    let print = Box::new(Line("ready\n"));
    ask(TEXT, Question::Ready(ReadyQuery { profile, wait }, print))
}

fn token(profile: &str, parameters: &mut Parameters<'_>) -> Result<Route, Problem> {
    Ok(Route::Token {
        profile: name(profile)?,
        min_valid: parameters
            .take("min_valid", wire::MAX_MIN_VALID)?
            .unwrap_or_default(),
        max_wait: parameters.max_wait()?,
    })
}

/// The parameters of a query, without duplicates.
struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    fn parse(query: Option<&'a str>) -> Result<Self, Problem> {
        let mut seen: Vec<(&str, &str)> = vec![];
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if seen.iter().any(|(other, _)| *other == name) {
                return Err(Problem::bad_request("a parameter is given twice"));
            }
            seen.push((name, value));
        }
        Ok(Self(seen))
    }

    fn take(&mut self, name: &str, max: Duration) -> Result<Option<Duration>, Problem> {
        let Some(at) = self.0.iter().position(|(other, _)| *other == name) else {
            return Ok(None);
        };
        let (_, value) = self.0.swap_remove(at);
        wire::seconds(value, max).map(Some).ok_or_else(|| {
            Problem::bad_request("min_valid takes seconds from 0 to 86400 and max_wait from 0 to 60, such as 30 or 0.5")
        })
    }

    fn max_wait(&mut self) -> Result<Duration, Problem> {
        let wait = self.take("max_wait", wire::MAX_MAX_WAIT)?;
        Ok(wait.unwrap_or(wire::DEFAULT_MAX_WAIT))
    }

    /// Refuses parameters that the route did not take. They are probably misspelt, and must not be ignored silently.
    fn end(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Problem::bad_request("there is no such parameter"))
        }
    }
}

#[cfg(test)]
mod tests;
