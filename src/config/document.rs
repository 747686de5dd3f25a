//! Parses a whole configuration into profiles.

use toml_edit::Document;

use super::fault::ConfigFault;
use super::lookup::Names;
use super::profile::Config;
use super::reader::{ReadProfile, Reader, encrypted, fields};

/// Reads a configuration; `names` resolves its users and groups. A name without a number is not a fault: see
/// [`Config::doubts`].
///
/// # Errors
/// Every fault, ordered by place; if the text is not TOML, only the place of the first syntax error.
pub fn parse(text: &str, names: &dyn Names) -> Result<Config, Vec<ConfigFault>> {
    let document = Document::parse(text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        let message = match e.message() {
            "duplicate key" => "this name occurs twice: join the two, or remove one",
            message => message,
        };
        vec![ConfigFault::at(text, at, "", message)]
    })?;
    let mut reader = Reader::new(text, names);
    let mut config = Config::default();
    for field in fields("", document.as_table()) {
        match field.name {
            "socket" => {
                if let Some((mode, group)) = reader.socket(&field) {
                    (config.socket, config.socket_group) = (mode, group);
                }
            }
            encrypted::TABLE => config.recipient = reader.encrypted_file(&field),
            "profiles" => {
                for field in reader.entries(&field) {
                    if let Some(ReadProfile {
                        name,
                        profile,
                        rules,
                        hosts,
                        sinks,
                    }) = reader.profile(&field)
                    {
                        let sinks = reader.distinct_sinks(&field, sinks, &config.sinks);
                        if !sinks.is_empty() {
                            config.sinks.insert(name.clone(), sinks);
                        }
                        if !hosts.is_empty() {
                            config.hosts.insert(name.clone(), hosts);
                        }
                        if !rules.is_empty() {
                            config.allow.insert(name.clone(), rules);
                        }
                        config.profiles.insert(name, profile);
                    }
                }
            }
            _ => reader.unknown(&field, &["profiles", "socket", encrypted::TABLE]),
        }
    }
    reader.without_recipient();
    reader.ties();
    config.doubts = reader.take_doubts();
    reader.finish(config)
}

/// Reads a configuration from bytes that may not be UTF-8.
///
/// # Errors
/// The errors of [`parse`], or the place of the first byte that is not UTF-8.
pub fn parse_bytes(bytes: &[u8], names: &dyn Names) -> Result<Config, Vec<ConfigFault>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, names),
        Err(e) => Err(vec![ConfigFault::not_utf8(bytes, e.valid_up_to())]),
    }
}
