//! Parses pasted text for a client ID and its secret: two lines, two cells of a table, lines with names, or JSON.

use zeroize::Zeroizing;

use crate::credential::{Label, SurroundedText, is_space, label};

/// The marks that a terminal puts around pasted text, once a program has enabled them.
const MARKS: [&str; 2] = ["\u{1b}[200~", "\u{1b}[201~"];

/// A value that was pasted or typed.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Value {
    /// The whole text, with quotes, spaces or a name around it.
    pub(super) whole: Zeroizing<String>,
    /// The value alone.
    pub(super) inner: Zeroizing<String>,
    /// A description of the text around it.
    pub(super) around: Option<String>,
}

/// The values that were found.
#[derive(Default)]
pub(super) struct Pasted {
    pub(super) id: Option<Value>,
    pub(super) secret: Option<Value>,
    /// The two parts of a single line with one gap in it, which may be an ID and a secret, or an ID with a space.
    pub(super) halves: Option<(Value, Value)>,
    /// The number of lines that were not used.
    pub(super) more: usize,
}

/// Looks for a client ID and its secret.
pub(super) fn pair(lines: &[&str]) -> Pasted {
    let lines: Vec<_> = lines.iter().map(|line| unmarked(line)).collect();
    let parts = parts(&lines);
    let mut found = Found::default();
    for part in &parts {
        found.take(part);
    }
    let Found {
        mut id,
        mut secret,
        bare,
        mut more,
        name,
    } = found;
    // A name without a value after it.
    more += usize::from(name.is_some());
    let has_names = id.is_some() || secret.is_some();
    let first_name = [&id, &secret]
        .into_iter()
        .flatten()
        .map(|(at, _)| *at)
        .min();
    let mut bare = bare.into_iter().peekable();
    if id.is_none() {
        id = bare.next();
    } else if secret.is_none() {
        // Lines before the first name are a heading.
        let is_heading = |(at, _): &Placed| Some(*at) < first_name;
        more += std::iter::from_fn(|| bare.next_if(is_heading)).count();
    }
    if secret.is_none() {
        secret = bare.next();
    }
    more += bare.count();
    let halves = match (parts.as_slice(), &id, &secret) {
        ([part], Some(_), None) if !has_names => halves(part),
        _ => None,
    };
    Pasted {
        id: id.map(|(_, value)| value),
        secret: secret.map(|(_, value)| value),
        halves,
        more,
    }
}

/// Looks for the secret of this client: a line with the ID, or with the ID's name, is not the secret.
pub(super) fn secret(lines: &[&str], client_id: &str) -> Pasted {
    let found = pair(lines);
    match found {
        Pasted {
            id: Some(id),
            secret: None,
            more,
            ..
        } if SurroundedText::of(&id.whole).label.is_none() => Pasted {
            secret: Some(id),
            more,
            ..Pasted::default()
        },
        Pasted {
            id: Some(id),
            secret: Some(secret),
            more,
            ..
        } if *id.inner != *client_id
            && SurroundedText::of(&id.whole).label.is_none()
            && SurroundedText::of(&secret.whole).label.is_none() =>
        {
            Pasted {
                secret: Some(id),
                more: more + 1,
                ..Pasted::default()
            }
        }
        found => found,
    }
}

/// Whether the line has only spaces.
pub(super) fn is_blank(line: &str) -> bool {
    unmarked(line).chars().all(is_space)
}

/// A line without the marks of a terminal.
pub(super) fn unmarked(line: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(line.to_owned());
    for mark in MARKS {
        if text.contains(mark) {
            text = Zeroizing::new(text.replace(mark, ""));
        }
    }
    text
}

/// The line of a value, and the value.
type Placed = (usize, Value);

#[derive(Default)]
struct Found {
    id: Option<Placed>,
    secret: Option<Placed>,
    /// The values without a name.
    bare: Vec<Placed>,
    more: usize,
    /// The name in the line before, which had no value.
    name: Option<Label>,
}

impl Found {
    fn take(&mut self, part: &str) {
        let around = SurroundedText::of(part);
        if around.inner.chars().all(|c| "{}[],;".contains(c)) && around.label.is_none() {
            // A blank line, or punctuation of a list.
            return;
        }
        let at = self.bare.len() + self.more + usize::from(self.id.is_some());
        let at = at + usize::from(self.secret.is_some());
        let named = match (around.label, around.inner.is_empty()) {
            (Some(name), true) => Some(name),
            (None, _) => label(part.trim_matches(is_space)).filter(|_| self.name.is_none()),
            _ => None,
        };
        if let Some(name) = named {
            self.more += usize::from(self.name.replace(name).is_some());
            return;
        }
        let value = Value::of(part);
        let place = match around.label.or(self.name.take()) {
            None => return self.bare.push((at, value)),
            Some(Label::Id) => &mut self.id,
            Some(Label::Secret) => &mut self.secret,
        };
        if place.is_some() {
            self.more += 1;
        } else {
            *place = Some((at, value));
        }
    }
}

/// Splits the lines into values: each line is one value, unless it is a row of a table or has several with names.
fn parts(lines: &[Zeroizing<String>]) -> Vec<Zeroizing<String>> {
    if let Some(members) = members(lines) {
        return members;
    }
    lines.iter().flat_map(|line| parts_of(line)).collect()
}

fn parts_of(line: &str) -> Vec<Zeroizing<String>> {
    let owned = |part: &str| Zeroizing::new(part.to_owned());
    if line.trim_matches(is_space).contains('\t') {
        return line.split('\t').map(owned).collect();
    }
    let words: Vec<_> = line.split(is_space).filter(|it| !it.is_empty()).collect();
    let has_name = |word: &&&str| {
        let around = SurroundedText::of(word);
        around.label.is_some() && !around.inner.is_empty()
    };
    let named: Vec<_> = words.iter().filter(has_name).collect();
    if named.len() > 1 {
        return named.into_iter().map(|word| owned(word)).collect();
    }
    vec![owned(line)]
}

/// The members of a JSON object, as lines with names.
fn members(lines: &[Zeroizing<String>]) -> Option<Vec<Zeroizing<String>>> {
    let first = lines.iter().find(|line| !is_blank(line))?;
    if !first.trim_start_matches(is_space).starts_with('{') {
        return None;
    }
    let texts: Vec<_> = lines.iter().map(|line| line.as_str()).collect();
    let text = Zeroizing::new(texts.join("\n"));
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text.trim_matches(is_space)).ok()?;
    let member = |(name, value): (&String, &serde_json::Value)| {
        let value = value.as_str()?;
        label(name)?;
        Some(Zeroizing::new(format!("{name}={value}")))
    };
    Some(object.iter().filter_map(member).collect())
}

/// Splits a line of two words.
fn halves(line: &str) -> Option<(Value, Value)> {
    let mut words = SurroundedText::of(line).inner.split(is_space);
    let (first, mut rest) = (words.next()?, words.filter(|word| !word.is_empty()));
    let second = rest.next()?;
    rest.next()
        .is_none()
        .then(|| (Value::of(first), Value::of(second)))
}

impl Value {
    fn of(part: &str) -> Self {
        let around = SurroundedText::of(part);
        Self {
            whole: Zeroizing::new(part.to_owned()),
            inner: Zeroizing::new(around.inner.to_owned()),
            around: around.said(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Option<Value>) -> String {
        value.map_or_else(|| "-".to_owned(), |value| value.inner.to_string())
    }

    #[test]
    fn client_id_and_secret_are_found_in_pasted_text() {
        for (lines, id, secret, more) in [
            (&["abc"][..], "abc", "-", 0),
            (&["abc", "xyz"], "abc", "xyz", 0),
            (&["", "abc", "", "xyz", ""], "abc", "xyz", 0),
            (&["abc", "xyz", "third", "fourth"], "abc", "xyz", 2),
            (&["abc\txyz"], "abc", "xyz", 0),
            (&["\tabc\t\txyz"], "abc", "xyz", 0),
            (&["abc\txyz\tlast login"], "abc", "xyz", 1),
            (&["\u{1b}[200~abc", "xyz\u{1b}[201~"], "abc", "xyz", 0),
            (&["\"abc\"", "'xyz'"], "abc", "xyz", 0),
            (&["abc ", " xyz"], "abc", "xyz", 0),
            (&["CLIENT_ID=abc", "CLIENT_SECRET=xyz"], "abc", "xyz", 0),
            // In the other order, and with other lines between them.
            (&["CLIENT_SECRET=xyz", "CLIENT_ID=abc"], "abc", "xyz", 0),
            (
                &["URL=https://a", "CLIENT_ID=abc", "CLIENT_SECRET=xyz"],
                "abc",
                "xyz",
                1,
            ),
            (&["CLIENT_SECRET=xyz"], "-", "xyz", 0),
            (&["CLIENT_SECRET=xyz", "abc"], "abc", "xyz", 0),
            (&["CLIENT_ID=abc", "xyz"], "abc", "xyz", 0),
            (&["A heading", "CLIENT_ID=abc"], "abc", "-", 1),
            (&["A heading", "CLIENT_ID=abc", "xyz"], "abc", "xyz", 1),
            (&["abc", "Client secret: xyz"], "abc", "xyz", 0),
            (
                &["Client ID", "abc", "Client secret", "xyz"],
                "abc",
                "xyz",
                0,
            ),
            (&["Client ID:", "abc", "Secret:", "xyz"], "abc", "xyz", 0),
            (&["Client ID\tabc", "Client secret\txyz"], "abc", "xyz", 0),
            (&["export CLIENT_ID=abc CLIENT_SECRET=xyz"], "abc", "xyz", 0),
            (
                &[r#"{"clientId":"abc","clientSecret":"x,y\"z"}"#],
                "abc",
                "x,y\"z",
                0,
            ),
            (
                &[
                    "{",
                    r#"  "clientSecret": "xyz","#,
                    r#"  "clientId": "abc""#,
                    "}",
                ],
                "abc",
                "xyz",
                0,
            ),
            // The JSON is cut.
            (&["{", r#"  "clientId": "abc","#], "abc", "-", 0),
            (&["abc", "a=b=="], "abc", "a=b==", 0),
            (&["", " "], "-", "-", 0),
        ] {
            let found = pair(lines);
            assert!(found.halves.is_none(), "{lines:?}");
            let all = (shown(found.id), shown(found.secret), found.more);
            assert_eq!(all, (id.to_owned(), secret.to_owned(), more), "{lines:?}");
        }
    }

    #[test]
    fn a_line_with_one_space_may_hold_client_id_and_secret() {
        for (line, halves) in [
            ("abc xyz", Some(("abc", "xyz"))),
            (" abc  xyz ", Some(("abc", "xyz"))),
            ("abc", None),
            ("a b c", None),
            ("CLIENT_ID=abc xyz", None),
        ] {
            let found = pair(&[line]).halves;
            let found = found
                .as_ref()
                .map(|(a, b)| (a.inner.as_str(), b.inner.as_str()));
            assert_eq!(found, halves, "{line}");
        }
        assert!(pair(&["abc xyz", "third"]).halves.is_none());
    }

    #[test]
    fn a_client_id_pasted_before_the_secret_is_not_read_as_the_secret() {
        for (lines, found, more) in [
            (&["xyz"][..], "xyz", 0),
            (&["abc", "xyz"], "xyz", 0),
            (&["\"abc\"", "\"xyz\""], "xyz", 0),
            (&["xyz", "second", "third"], "xyz", 2),
            (&["CLIENT_ID=other", "CLIENT_SECRET=xyz"], "xyz", 0),
            (&["CLIENT_SECRET=xyz"], "xyz", 0),
            (&["CLIENT_ID=abc"], "-", 0),
            (&["x y"], "x y", 0),
            (&[""], "-", 0),
        ] {
            let pasted = secret(lines, "abc");
            assert_eq!(
                (shown(pasted.secret).as_str(), pasted.more),
                (found, more),
                "{lines:?}"
            );
        }
    }
}
