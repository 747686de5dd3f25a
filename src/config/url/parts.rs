//! An address and its parts, shown to the person who pasted it.
//!
//! A pasted address may have a secret after its `?` or `#`: a token that a browser got, a signature, a password. So of
//! these two parts, only words that are very unlikely to be one are shown. The path is shown whole.

use ::url::{Url, form_urlencoded};

/// The text that replaces a possible secret.
const HIDDEN: &str = "[...]";

/// Parts of parameter names whose values are always hidden.
const SECRETS: [&str; 15] = [
    "assert", "auth", "code", "cred", "jwt", "key", "nonce", "pass", "pwd", "secret", "sess",
    "sig", "sid", "state", "token",
];

/// Formats the address with possible secrets hidden.
pub(super) fn shown(url: &Url) -> String {
    let [path, query, fragment] = parts(url);
    // A URL without a path has a slash before its query or fragment.
    let slash = if path.is_empty() && !(query.is_empty() && fragment.is_empty()) {
        "/"
    } else {
        ""
    };
    format!("{}{slash}{path}{query}{fragment}", server(url))
}

/// Writes `in ADDRESS, SERVER is taken for the server, PATH for the path` and so on.
pub(super) fn apart(url: &Url) -> String {
    let [path, query, fragment] = parts(url);
    let named = [(path, "path"), (query, "query"), (fragment, "fragment")];
    let named = named.into_iter().filter(|(part, _)| !part.is_empty());
    let mut taken = vec![format!("{} is taken for the server", server(url))];
    taken.extend(named.map(|(part, name)| format!("{part} for the {name}")));
    let last = taken.pop().unwrap_or_default();
    let taken = match &*taken.join(", ") {
        "" => last,
        others => format!("{others} and {last}"),
    };
    format!("in {}, {taken}", shown(url))
}

fn server(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Returns the path, the query and the fragment, each with its leading sign; empty for a part that the address lacks.
fn parts(url: &Url) -> [String; 3] {
    let path: Vec<_> = url.path().split('/').map(parameters).collect();
    let path = match &*path.join("/") {
        "/" => String::new(),
        path => path.to_owned(),
    };
    let query = url.query().map(|text| format!("?{}", query(text)));
    let fragment = url.fragment().map(|text| format!("#{}", fragment(text)));
    [
        path,
        query.unwrap_or_default(),
        fragment.unwrap_or_default(),
    ]
}

/// Formats a path segment without the values of its parameters (`;jsessionid=…`).
fn parameters(piece: &str) -> String {
    let mut parts = piece.split(';');
    let name = parts.next().unwrap_or_default();
    parts.fold(name.to_owned(), |whole, part| {
        format!("{whole};{}", query(part))
    })
}

fn query(text: &str) -> String {
    let pairs: Vec<_> = text.split('&').map(pair).collect();
    pairs.join("&")
}

/// Formats a fragment as web pages use it: a path of their own, parameters, or a word.
fn fragment(text: &str) -> String {
    let (path, parameters) = match text.split_once('?') {
        Some((path, parameters)) => (path, Some(parameters)),
        None => (text, None),
    };
    if !path.starts_with(['/', '!']) {
        return query(text);
    }
    let pieces = path.split('/').map(|piece| {
        let is_shown = piece.is_empty() || is_plain(piece);
        if is_shown { piece } else { HIDDEN }
    });
    let path = pieces.collect::<Vec<_>>().join("/");
    match parameters {
        Some(parameters) => format!("{path}?{}", query(parameters)),
        None => path,
    }
}

/// Formats `name=value`, or a word alone.
fn pair(text: &str) -> String {
    let Some((name, value)) = text.split_once('=') else {
        let is_word = text.len() <= 12 && text.bytes().all(|b| b.is_ascii_lowercase());
        return if is_word { text } else { HIDDEN }.to_owned();
    };
    if !is_plain(name) {
        return HIDDEN.to_owned();
    }
    let lower = name.to_ascii_lowercase();
    let may_be_secret = SECRETS.iter().any(|word| lower.contains(word));
    let decoded = form_urlencoded::parse(text.as_bytes()).next();
    let decoded = decoded.map_or_else(String::new, |(_, value)| value.into_owned());
    if !may_be_secret && (value.is_empty() || is_plain(&decoded)) {
        text.to_owned()
    } else {
        format!("{name}={HIDDEN}")
    }
}

/// Reports whether a text consists of words, short numbers and UUIDs, unlike random data.
pub(super) fn is_plain(text: &str) -> bool {
    let is_sign = |b: u8| b"-._~/:,+@! ".contains(&b);
    let are_known = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || is_sign(b));
    let mut runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    are_known && text.len() <= 64 && (is_uuid(text) || runs.all(is_plain_run))
}

fn is_plain_run(run: &str) -> bool {
    let of_letters = run.bytes().all(|b| b.is_ascii_alphabetic());
    let of_digits = run.bytes().all(|b| b.is_ascii_digit());
    let most = match (of_letters, of_digits) {
        (true, _) => 16,
        (_, true) => 10,
        _ => 6,
    };
    // Encoded data changes between upper and lower case all the time.
    let case = |b: &u8| b.is_ascii_uppercase();
    let changes = run.as_bytes().chunk_by(|a, b| case(a) == case(b)).count();
    run.len() <= most && changes <= 5
}

fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_whole() {
        for text in [
            "https://acme.run.ai",
            "https://acme.run.ai:8443",
            "https://acme.run.ai/projects",
            "https://acme.run.ai/projects?tab=jobs&page=2#top",
            "https://acme.run.ai/#/projects/team-a?sort=name",
            "https://idp.example/t?p=b2c_1a_signin",
            "https://idp.example/6731de76-14a6-49ae-97bc-6eba6914391e/oauth2/aus1a2b3C4D5e6F7g8",
            "https://idp.example/x?tenant=6731de76-14a6-49ae-97bc-6eba6914391e",
            "https://idp.example/x?next=%2Fprojects%2Fteam",
            "https://idp.example/x?wsdl",
            "https://idp.example/x?empty=",
            "https://idp.example/x?",
            "https://idp.example/x#",
            "http://127.0.0.1:8080/a//b/",
        ] {
            assert_eq!(shown(&Url::parse(text).unwrap()), text);
        }
        assert_eq!(shown(&Url::parse("https://a/").unwrap()), "https://a");
        assert_eq!(shown(&Url::parse("https://a/?b").unwrap()), "https://a/?b");
    }

    #[test]
    fn possible_secrets_in_an_address_are_not_shown() {
        for (text, expected) in [
            (
                "https://a/x?access_token=abc",
                "https://a/x?access_token=[...]",
            ),
            (
                "https://a/x?Client-Secret=abc&p=1",
                "https://a/x?Client-Secret=[...]&p=1",
            ),
            (
                "https://a/x?code=abc&state=x",
                "https://a/x?code=[...]&state=[...]",
            ),
            ("https://a/x?hunter2", "https://a/x?[...]"),
            ("https://a/x?p=hunter2", "https://a/x?p=[...]"),
            (
                "https://a/x?p=dGhpcyBpcyBhIHNlY3JldA",
                "https://a/x?p=[...]",
            ),
            ("https://a/x?p=qWeRtYuIoP", "https://a/x?p=[...]"),
            (
                "https://a/x?p=0123456789abcdef0123456789abcdef",
                "https://a/x?p=[...]",
            ),
            ("https://a/x?p=%68unter%32", "https://a/x?p=[...]"),
            (
                "https://a/x?eyJhbGciOiJIUzI1NiJ9.e30.c2ln=1",
                "https://a/x?[...]",
            ),
            (
                "https://a/#id_token=abc&page=1",
                "https://a/#id_token=[...]&page=1",
            ),
            (
                "https://a/#eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
                "https://a/#[...]",
            ),
            (
                "https://a/#/s/dGhpcyBpcyBhIHNlY3JldA?key=1",
                "https://a/#/s/[...]?key=[...]",
            ),
            (
                "https://a/x;jsessionid=1A2B3C4D5E6F/y",
                "https://a/x;jsessionid=[...]/y",
            ),
        ] {
            assert_eq!(shown(&Url::parse(text).unwrap()), expected);
        }
    }

    #[test]
    fn each_part_is_named() {
        for (text, told) in [
            (
                "https://a.example/",
                "in https://a.example, https://a.example is taken for the server",
            ),
            (
                "https://a.example/x/y",
                "in https://a.example/x/y, https://a.example is taken for the server and /x/y for the path",
            ),
            (
                "https://a.example:8443/x?p=1#top",
                "in https://a.example:8443/x?p=1#top, https://a.example:8443 is taken for the server, /x for the path, ?p=1 for the query and #top for the fragment",
            ),
            (
                "https://a.example/#token=abc",
                "in https://a.example/#token=[...], https://a.example is taken for the server and #token=[...] for the fragment",
            ),
        ] {
            assert_eq!(apart(&Url::parse(text).unwrap()), told);
        }
    }
}
