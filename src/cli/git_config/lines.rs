//! The positions of the keys in a configuration file of git (git-config(1), "Syntax").

/// A key with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyLine {
    /// The key as git lists it: section and name in lower case, the subsection unchanged.
    pub(super) key: String,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// The keys of a file in their order, one for each value. The list ends at a line that git would refuse.
pub(super) fn keys(text: &str) -> Vec<KeyLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        rest: text.chars().peekable(),
        line: 1,
    };
    let (mut section, mut keys) = (None, vec![]);
    while let Some(c) = reader.rest.peek().copied() {
        match c {
            c if c.is_whitespace() => drop(reader.next()),
            '#' | ';' => reader.pass_line(),
            '[' => match reader.section() {
                Some(name) => section = Some(name),
                None => break,
            },
            _ => {
                let line = reader.line;
                let (Some(section), Some(name)) = (&section, reader.name()) else {
                    break;
                };
                let key = format!("{section}.{name}");
                keys.push(KeyLine { key, line });
                reader.pass_value();
            }
        }
    }
    keys
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn pass_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    /// Parses `[section]` or `[section "subsection"]`.
    fn section(&mut self) -> Option<String> {
        self.next();
        let mut name = String::new();
        loop {
            match self.next()? {
                ']' => return Some(name),
                c if c == ' ' || c == '\t' => {}
                '"' => break,
                c if c.is_ascii_alphanumeric() || c == '-' || c == '.' => {
                    name.push(c.to_ascii_lowercase());
                }
                _ => return None,
            }
        }
        name.push('.');
        loop {
            match self.next()? {
                '"' => break,
                '\n' => return None,
                '\\' => name.push(self.next()?),
                c => name.push(c),
            }
        }
        (self.next()? == ']').then_some(name)
    }

    /// Parses the last part of a key, its name.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '-')
        {
            name.push(c.to_ascii_lowercase());
        }
        Some(name).filter(|name| !name.is_empty())
    }

    /// Skips the rest after a key's name, to the end of the value. A backslash continues the value on the next line.
    fn pass_value(&mut self) {
        let mut is_quoted = false;
        while let Some(c) = self.next() {
            match c {
                '\n' => return,
                '"' => is_quoted = !is_quoted,
                '#' | ';' if !is_quoted => return self.pass_line(),
                '\\' => {
                    let escaped = self.next();
                    if escaped == Some('\r') && self.rest.peek() == Some(&'\n') {
                        self.next();
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_the_line_on_which_it_begins() {
        let text = "\u{feff}# a comment\n[core]\n\tbare\n[Credential \"https://Git.example\"] helper = a # x\n\
                    ; [other]\n  HELPER = \"b # no comment \\\n  goes on\" \\\n  and on\n\
                    helper=\\\"[no\n[credential]helper\n\n[credential \"a\\\"b\\\\c\"]\r\n useHttpPath = true\r\n";
        let got: Vec<_> = keys(text).into_iter().map(|at| (at.line, at.key)).collect();
        let want = [
            (3, "core.bare"),
            (4, "credential.https://Git.example.helper"),
            (6, "credential.https://Git.example.helper"),
            (9, "credential.https://Git.example.helper"),
            (10, "credential.helper"),
            (13, "credential.a\"b\\c.usehttppath"),
        ];
        let want: Vec<_> = want.map(|(line, key)| (line, key.to_owned())).into();
        assert_eq!(got, want);
    }

    #[test]
    fn parsing_stops_at_a_line_that_git_refuses() {
        for text in [
            "helper = a",
            "[core\nx = 1\n[a]\nb = 1",
            "[a \"b\nc\"]\nx = 1",
            "[a \"b\"x]\nx = 1",
            "[a]\n= 1",
            "[a",
            "[a \"",
            "[a \"\\",
        ] {
            assert_eq!(keys(text), [], "{text:?}");
        }
        assert_eq!(keys("[a]\nb = \"open").len(), 1);
    }
}
