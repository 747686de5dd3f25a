//! The content of an accent's file before expansion.

/// An accent: a profile, an issuer's answers, and the expected results.
#[derive(Debug)]
pub(crate) struct Accent {
    /// The name of the provider.
    pub(crate) provider: String,
    /// Additional lines of the profile.
    pub(crate) profile: Vec<String>,
    pub(crate) id: String,
    pub(crate) secret: String,
    /// The endpoint for which the credential was enrolled.
    pub(crate) bound_to: Option<String>,
    /// The issuer's certificate, and the CA file that the profile trusts (`certificate.rs`). Without it, the issuer
    /// does not use TLS.
    pub(crate) certificate: Option<String>,
    pub(crate) trusts: String,
    /// The number of profiles at the issuer.
    pub(crate) profiles: usize,
    /// All answers, in the file's order.
    pub(crate) answers: Vec<Answer>,
    /// The steps, in order.
    pub(crate) steps: Vec<Step>,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `METHOD PATH` of the request, or `None` for any request.
    pub(crate) to: Option<String>,
    pub(crate) framing: Framing,
    /// The lines of the answer's head.
    pub(crate) head: Vec<String>,
    pub(crate) body: String,
}

/// The framing of a body, and what happens to the connection afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    Close,
    Open,
    Reset,
}

/// The kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// A token, in the way of the daemon.
    Token,
    /// A token that proves the credential, in the way of `jetond add`.
    Proof,
    /// The endpoint's address.
    Endpoint,
}

/// A step, with its expected result.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) asks: StepKind,
    /// Keys and values of the expected result.
    pub(crate) wanted: Vec<(String, String)>,
}

impl Accent {
    /// Reads a file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (preamble, parts) = split(text);
        let mut accent = Self {
            provider: "oauth2".to_owned(),
            profile: vec![],
            id: "an-id".to_owned(),
            secret: "canary-secret".to_owned(),
            bound_to: None,
            certificate: None,
            trusts: "root".to_owned(),
            profiles: 1,
            answers: vec![],
            steps: vec![],
        };
        if !preamble.starts_with("# ") {
            return Err("the first line does not name the server of this accent".to_owned());
        }
        for (key, value) in pairs(preamble)? {
            match key.as_str() {
                "provider" => accent.provider = value,
                "profile" => accent.profile.push(value),
                "id" => accent.id = value,
                "secret" => accent.secret = value,
                "bound-to" => accent.bound_to = Some(value),
                "certificate" => accent.certificate = Some(value),
                "trusts" => accent.trusts = value,
                "profiles" => accent.profiles = value.parse().map_err(|_| "profiles: no number")?,
                _ => return Err(format!("unknown key {key}")),
            }
        }
        for (title, text) in parts {
            match title.split(' ').next() {
                Some("answer") => accent.answers.push(Answer::parse(title, text)?),
                Some("fetch") => accent.steps.push(Step::parse(StepKind::Token, text)?),
                Some("proof") => accent.steps.push(Step::parse(StepKind::Proof, text)?),
                Some("destination") => accent.steps.push(Step::parse(StepKind::Endpoint, text)?),
                _ => return Err(format!("unknown part {title}")),
            }
        }
        if accent.steps.is_empty() {
            return Err("the accent has no step".to_owned());
        }
        Ok(accent)
    }
}

impl Answer {
    fn parse(title: &str, text: &str) -> Result<Self, String> {
        let (mut framing, mut to) = (Framing::Length, vec![]);
        for word in title.split(' ').skip(1) {
            match word {
                "chunked" => framing = Framing::Chunked,
                "close" => framing = Framing::Close,
                "open" => framing = Framing::Open,
                "reset" => framing = Framing::Reset,
                word => to.push(word),
            }
        }
        if !matches!(to.len(), 0 | 2) {
            return Err(format!("not a method and a path: {title}"));
        }
        // Blank lines before the file's next part do not belong to the body.
        let text = text.trim_end_matches('\n');
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        Ok(Self {
            to: (!to.is_empty()).then(|| to.join(" ")),
            framing,
            head: head.lines().map(str::to_owned).collect(),
            body: body.to_owned(),
        })
    }
}

impl Step {
    fn parse(asks: StepKind, text: &str) -> Result<Self, String> {
        let wanted = pairs(text)?;
        Ok(Self { asks, wanted })
    }
}

/// Returns the text before the first part, and each part with its title.
fn split(text: &str) -> (&str, Vec<(&str, &str)>) {
    let mut parts = text.split("\n=== ");
    let preamble = parts.next().unwrap_or_default();
    let titled = |part| -> (&str, &str) { str::split_once(part, '\n').unwrap_or((part, "")) };
    (preamble, parts.map(titled).collect())
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let pair = line
                .split_once(": ")
                .ok_or(format!("not a key and a value: {line}"))?;
            Ok((pair.0.to_owned(), pair.1.to_owned()))
        })
        .collect()
}

/// Returns a simplified form for finding duplicates: without comments and most spaces, and with every digit as 9,
/// except a lone 0 and the digits of a status.
pub(crate) fn shape(text: &str) -> String {
    let mut shape = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            continue;
        }
        if line.starts_with("HTTP/1.") {
            // The version and the status code of a status line. The reason phrase has no effect.
            shape.extend(line.chars().take("HTTP/1.1 200".len()));
        } else {
            shape.push_str(&without_values(&line));
        }
        shape.push('\n');
    }
    shape
}

fn without_values(line: &str) -> String {
    let bytes: Vec<_> = line.chars().collect();
    let is_digit = |at: Option<usize>| {
        let c = at.and_then(|at| bytes.get(at));
        c.is_some_and(char::is_ascii_digit)
    };
    let read = |(at, c): (usize, &char)| {
        let alone = !is_digit(at.checked_sub(1)) && !is_digit(Some(at + 1));
        if c.is_ascii_digit() && !(*c == '0' && alone) {
            '9'
        } else {
            *c
        }
    };
    bytes.iter().enumerate().map(read).collect()
}
