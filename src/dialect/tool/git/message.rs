//! Git's message to its helper: lines of `KEY=VALUE` up to a blank line or the end (git-credential(1)).

use crate::address::{Address, InvalidAddress, is_invisible};

/// A message of git, without its unknown keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message<'a> {
    protocol: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    username: Option<&'a [u8]>,
    /// The password that git sent to the server.
    pub(super) password: Option<&'a [u8]>,
    /// The scheme with which git sent `credential`.
    pub(super) authtype: Option<&'a [u8]>,
    /// The credential that git sent with that scheme.
    pub(super) credential: Option<&'a [u8]>,
    /// The extensions of the protocol that git understands; empty before 2.46.
    pub(super) capabilities: Vec<&'a [u8]>,
    /// The server's `WWW-Authenticate` fields; empty before 2.41.
    pub(super) challenges: Vec<&'a [u8]>,
    /// The states that helpers gave to git, which git returns.
    pub(super) states: Vec<&'a [u8]>,
}

/// The reason for which a message is refused. It is a fixed sentence, since the message may hold a password or terminal
/// escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidMessage(pub(super) &'static str);

impl<'a> Message<'a> {
    /// Reads a message. Only a line feed ends a line, as in git itself. A helper that also ended lines at a carriage
    /// return sent one host's credential to another host (CVE-2024-50338).
    ///
    /// # Errors
    /// [`InvalidMessage`] for a control character, a line without `=`, and a second value of a key that may have only
    /// one.
    pub(super) fn parse(input: &'a [u8]) -> Result<Self, InvalidMessage> {
        let mut message = Self::default();
        let lines = input.split(|byte| *byte == b'\n');
        for line in lines.take_while(|line| !line.is_empty()) {
            if line.iter().any(u8::is_ascii_control) {
                return Err(InvalidMessage("it has a control character"));
            }
            let equals = line.iter().position(|byte| *byte == b'=');
            let (key, value) = equals
                .and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?)))
                .ok_or(InvalidMessage("a line of it has no '='"))?;
            message.take(key, value)?;
        }
        Ok(message)
    }

    fn take(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), InvalidMessage> {
        let once = match key {
            b"protocol" => &mut self.protocol,
            b"host" => &mut self.host,
            b"path" => &mut self.path,
            b"username" => &mut self.username,
            b"password" => &mut self.password,
            b"authtype" => &mut self.authtype,
            b"credential" => &mut self.credential,
            _ => {
                match key {
                    b"capability[]" => self.capabilities.push(value),
                    b"wwwauth[]" => self.challenges.push(value),
                    b"state[]" => self.states.push(value),
                    _ => {}
                }
                return Ok(());
            }
        };
        match once.replace(value) {
            None => Ok(()),
            Some(_) => Err(InvalidMessage("it has the same key twice")),
        }
    }

    /// Returns the address for which git wants the credential. Git sends the path decoded, without its leading slash,
    /// and only with `credential.useHttpPath`.
    ///
    /// # Errors
    /// [`InvalidMessage`] for a message without a protocol or a host, and for everything that [`Address::parse`]
    /// refuses.
    pub(super) fn address(&self) -> Result<Address, InvalidMessage> {
        let text = |value: Option<&'a [u8]>| {
            let text = std::str::from_utf8(value.unwrap_or_default());
            text.map_err(|_| InvalidMessage("it is not UTF-8"))
        };
        let (protocol, host) = (text(self.protocol)?, text(self.host)?);
        if protocol.is_empty() || host.is_empty() {
            return Err(InvalidMessage("its protocol or its host is missing"));
        }
        let is_http = |name: &&str| protocol.eq_ignore_ascii_case(name);
        let protocol = ["https", "http"].into_iter().find(is_http);
        let protocol = protocol.ok_or(InvalidMessage("its protocol is not https"))?;
        if host.contains(['/', '?', '#']) {
            return Err(InvalidMessage("its host is more than a host"));
        }
        let path = encoded(text(self.path)?);
        let address = Address::parse(&format!("{protocol}://{host}/{path}"));
        address.map_err(|InvalidAddress(why)| InvalidMessage(why))
    }

    /// Returns the user name in the address.
    ///
    /// # Errors
    /// [`InvalidMessage`] for a name that is not UTF-8 or has an invisible character: some of these end a line for some
    /// programs.
    pub(super) fn username(&self) -> Result<Option<String>, InvalidMessage> {
        let Some(name) = self.username.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let is_hidden =
            |c: char| c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}');
        match std::str::from_utf8(name) {
            Ok(name) if !name.contains(is_hidden) => Ok(Some(name.to_owned())),
            _ => Err(InvalidMessage(
                "its username has a character that cannot be seen",
            )),
        }
    }

    /// Reports whether git understands this extension of the protocol.
    pub(super) fn has_capability(&self, name: &[u8]) -> bool {
        self.capabilities.contains(&name)
    }
}

/// Encodes the decoded path again. A path that still has a code for `.`, `/` or `\\` stays as it is, so that it is
/// refused.
fn encoded(path: &str) -> String {
    let lower = path.to_ascii_lowercase();
    if ["%2e", "%2f", "%5c"]
        .iter()
        .any(|code| lower.contains(code))
    {
        return path.to_owned();
    }
    let mut encoded = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '%' => encoded.push_str("%25"),
            '?' => encoded.push_str("%3F"),
            '#' => encoded.push_str("%23"),
            ' ' => encoded.push_str("%20"),
            c => encoded.push(c),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_end_only_with_a_line_feed_and_control_characters_are_refused() {
        for bad in [
            "protocol=https\nhost=good.example\rhost=evil.example\n",
            "protocol=https\r\nhost=good.example\r\n",
            "protocol=https\nhost=good.example\r\r\n",
            "protocol=https\nhost=good.example\0\n",
            "protocol=https\nhost=good.example\u{1b}[31m\n",
            "protocol=https\nhost=good.example\u{7f}\n",
            "protocol=https\nhost=good.example\nwwwauth[]=Basic\trealm\n",
            "protocol=https\nho\u{8}st=good.example\n",
            "protocol=https\nhost=good.example\r",
            "protocol=https\nhost\n",
            "protocol=https\nhost=good.example\nhost=evil.example\n",
            "protocol=https\nhost=good.example\nhost=good.example\n",
            "protocol=https\nprotocol=http\nhost=good.example\n",
            "protocol=https\nhost=good.example\npath=a\npath=b\n",
            "protocol=https\nhost=good.example\nusername=a\nusername=b\n",
        ] {
            assert!(Message::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    fn address(text: &str) -> Result<String, InvalidMessage> {
        let message = Message::parse(text.as_bytes())?;
        Ok(message.address()?.to_string())
    }

    #[test]
    fn an_address_is_built_from_protocol_host_and_path() {
        for (text, want) in [
            (
                "protocol=https\nhost=git.example\n\n",
                "https://git.example",
            ),
            ("protocol=https\nhost=git.example", "https://git.example"),
            (
                "host=Git.Example:8443\nlater=x\nprotocol=HTTPS\npath=team/x.git\n\nhost=evil\n",
                "https://git.example:8443/team/x.git",
            ),
            (
                "protocol=https\nhost=git.example:443\npath=\nusername=\n",
                "https://git.example",
            ),
            ("protocol=http\nhost=127.0.0.1:80\n", "http://127.0.0.1"),
            (
                "protocol=http\nhost=[::1]:8080\npath=x/\n",
                "http://[::1]:8080/x",
            ),
            (
                "protocol=https\nhost=git.example\npath=my project/a?b#c/100%\n",
                "https://git.example/my%20project/a%3Fb%23c/100%25",
            ),
        ] {
            assert_eq!(address(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn an_incomplete_or_unsafe_address_is_refused() {
        for bad in [
            "",
            "\nprotocol=https\nhost=git.example\n",
            "protocol=https\n",
            "protocol=https\nhost=\n",
            "host=git.example\n",
            "protocol=\nhost=git.example\n",
            "protocol=http\nhost=git.example\n",
            "protocol=http\nhost=localhost:8080\n",
            "protocol=ssh\nhost=git.example\n",
            "protocol=cert\nhost=\npath=/home/x/key.pem\n",
            "protocol=https://git.example/x?\nhost=evil.example\n",
            "protocol=https\nhost=git.example/x\n",
            "protocol=https\nhost=git.example?x\n",
            "protocol=https\nhost=git.example#x\n",
            "protocol=https\nhost=git.example\\x\n",
            "protocol=https\nhost=user@git.example\n",
            "protocol=https\nhost=git.example.\n",
            "protocol=https\nhost=git.example:\n",
            "protocol=https\nhost=git.example:0443\n",
            "protocol=https\nhost=git.example:443.evil.example\n",
            "protocol=https\nhost=xn--a\n",
            "protocol=https\nhost=a\u{85}b\n",
            "protocol=https\nhost=a\u{2028}host=evil\n",
            "protocol=https\nhost=a%0ahost=evil\n",
            "protocol=https\nhost=a%2fb\n",
            "protocol=https\nhost=git.example\npath=team/../x\n",
            "protocol=https\nhost=git.example\npath=team/%2e%2E/x\n",
            "protocol=https\nhost=git.example\npath=team%2fx\n",
            "protocol=https\nhost=git.example\npath=team/%41\n",
            "protocol=https\nhost=git.example\npath=/team\n",
            "protocol=https\nhost=git.example\npath=team//x\n",
            "protocol=https\nhost=git.example\npath=team;x\n",
            "protocol=https\nhost=git.example\npath=team\\x\n",
            "url=https://git.example/\n",
        ] {
            assert!(address(bad).is_err(), "{bad:?}: {:?}", address(bad));
        }
        for bad in [
            &b"protocol=https\nhost=\xff\n"[..],
            b"protocol=https\nhost=a\npath=\xff\n",
        ] {
            assert!(Message::parse(bad).unwrap().address().is_err());
        }
    }

    #[test]
    fn a_user_name_must_be_a_single_printable_line() {
        for (name, want) in [
            ("oauth2", Ok(Some("oauth2"))),
            ("a b=c", Ok(Some("a b=c"))),
            ("", Ok(None)),
            ("a\u{2028}password=x", Err(())),
            ("a\u{85}password=x", Err(())),
            ("a\u{202e}b", Err(())),
        ] {
            let text = format!("username={name}\n");
            let got = Message::parse(text.as_bytes()).unwrap().username();
            assert_eq!(
                got.map_err(|_| ()),
                want.map(|name| name.map(str::to_owned))
            );
        }
        assert!(
            Message::parse(b"username=\xff\n")
                .unwrap()
                .username()
                .is_err()
        );
    }

    /// Messages in the form in which git writes them.
    const FIXTURES: [&str; 3] = [
        "protocol=https\nhost=git.example\n",
        "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=git.example:8443\npath=team/x.git\n\
         wwwauth[]=Bearer realm=\"x\"\nwwwauth[]=Basic realm=\"x\", charset=\"UTF-8\"\n\n",
        "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=x\nephemeral=1\n\
         protocol=http\nhost=[::1]:80\nusername=oauth2\npassword=x\npassword_expiry_utc=1\nstate[]=jeton:7\n",
    ];

    proptest! {
        #![proptest_config(crate::testing::many_cases())]

        #[test]
        fn a_mutated_message_yields_only_the_host_of_its_host_line(
            fixture in 0..FIXTURES.len(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..6),
        ) {
            let mut bytes = FIXTURES[fixture].as_bytes().to_vec();
            for (at, kind, byte) in changes {
                let at = at.index(bytes.len().max(1));
                let special = b"\n\r\0=/@:.%#?;\\ \x1b"[usize::from(byte) % 15];
                match kind {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    2 => bytes.insert(at.min(bytes.len()), special),
                    _ => bytes.extend_from_slice(&bytes.clone()[at.min(bytes.len())..]),
                }
            }
            let Ok(message) = Message::parse(&bytes) else {
                return Ok(());
            };
            let _ = message.username();
            if let Ok(address) = message.address() {
                let read: Vec<_> = bytes.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty()).collect();
                let hosts: Vec<_> = read.iter().filter_map(|line| line.strip_prefix(b"host=")).collect();
                prop_assert_eq!(hosts.len(), 1);
                let host = std::str::from_utf8(hosts[0]).unwrap();
                let scheme = address.to_string().split("://").next().unwrap().to_owned();
                let alone = Address::parse(&format!("{scheme}://{host}")).unwrap();
                prop_assert_eq!(address.host(), alone.host());
                prop_assert!(read.iter().all(|line| !line.iter().any(u8::is_ascii_control)));
            }
        }
    }
}
