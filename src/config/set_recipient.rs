//! Sets the recipient of the store of encrypted files in a configuration's text, and keeps every other byte.

use super::document::parse;
use super::edit::{EditError, line_end};
use super::lookup::FixedNames;
use super::reader::encrypted::TABLE;
use crate::age_file::Recipient;

/// Adds the recipient at the end of the text.
///
/// # Errors
/// [`EditError`]; [`EditError::Recipient`] if the table of the store exists already.
pub fn set_recipient(text: &str, recipient: &Recipient) -> Result<String, EditError> {
    let mut config = parse(text, &FixedNames).map_err(EditError::Invalid)?;
    if config.recipient.replace(recipient.clone()).is_some() {
        return Err(EditError::Recipient);
    }
    let end = line_end(text);
    let mut new = text.to_owned();
    if !new.is_empty() {
        if !new.ends_with('\n') {
            new.push_str(end);
        }
        new.push_str(end);
    }
    new.push_str(&format!("[{TABLE}]{end}recipient = \"{recipient}\"{end}"));
    match parse(&new, &FixedNames) {
        Ok(changed) if changed == config => Ok(new),
        _ => Err(EditError::Recipient),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn setting_a_recipient_adds_it_once_and_keeps_every_other_byte() {
        let recipient = Recipient::parse(RECIPIENT).unwrap();
        let line = format!("recipient = \"{RECIPIENT}\"");
        for (text, expected) in [
            ("", format!("[encrypted-file]\n{line}\n")),
            ("# mine", format!("# mine\n\n[encrypted-file]\n{line}\n")),
            (
                "[socket]\r\nmode = \"all\"\r\n",
                format!("[socket]\r\nmode = \"all\"\r\n\r\n[encrypted-file]\r\n{line}\r\n"),
            ),
        ] {
            let new = set_recipient(text, &recipient).unwrap();
            assert_eq!(new, expected);
            let again = set_recipient(&new, &recipient);
            assert_eq!(again, Err(EditError::Recipient));
        }
        for text in ["[encrypted-file]\n", "encrypted-file = {}\n"] {
            assert_eq!(set_recipient(text, &recipient), Err(EditError::Recipient));
        }
        let faulty = set_recipient("[sockets]\n", &recipient);
        assert!(matches!(faulty, Err(EditError::Invalid(_))));
    }
}
