//! Reads one value: checks its type and its form, and reports a fault at its place.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use toml_edit::TableLike;

use super::super::url::InvalidUrl;
use super::{Field, Reader, fields};
use crate::spelling;

impl Reader<'_> {
    /// Reads a text.
    pub(in crate::config) fn text<'f>(&mut self, field: &Field<'f>) -> Option<&'f str> {
        let text = field.item.as_str();
        if text.is_none() {
            self.wrong_type(field, "a string");
        }
        text
    }

    /// Reads an absolute path.
    pub(in crate::config) fn absolute(&mut self, field: &Field<'_>) -> Option<PathBuf> {
        let text = self.text(field)?;
        let path = Path::new(text);
        if path.is_absolute() && !text.contains('\0') {
            return Some(path.to_owned());
        }
        self.fault(
            field,
            "this must be an absolute path, from / on; ~ and variables are not expanded",
            None,
        );
        None
    }

    /// Reads a boolean.
    pub(in crate::config) fn flag(&mut self, field: &Field<'_>) -> Option<bool> {
        let flag = field.item.as_bool();
        if flag.is_none() {
            self.wrong_type(field, "true or false");
        }
        flag
    }

    /// Reads one of these words; `known` are further words, each with its own error message.
    pub(in crate::config) fn one_of<T: Clone>(
        &mut self,
        field: &Field<'_>,
        words: &[(&'static str, T)],
        known: &[(&'static str, &'static str)],
    ) -> Option<T> {
        let text = self.text(field)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value.clone());
        }
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let list: Vec<_> = all.iter().map(|word| format!("\"{word}\"")).collect();
        let list = list.join(", ");
        let (message, suggestion) = match known.iter().find(|(word, _)| *word == text) {
            Some((word, why)) => (format!("\"{word}\" {why}; it takes {list}"), None),
            None => (
                format!("it takes {list}"),
                spelling::nearest(text, all.iter().copied()).map(|word| format!("\"{word}\"")),
            ),
        };
        self.fault(field, message, suggestion);
        None
    }

    /// Reads a value with the parser `parse`.
    pub(in crate::config) fn parsed<T>(
        &mut self,
        field: &Field<'_>,
        parse: impl Fn(&str) -> Result<T, InvalidUrl>,
    ) -> Option<T> {
        match parse(self.text(field)?) {
            Ok(value) => Some(value),
            Err(e) => {
                let message = match e.pasted {
                    Some(pasted) => format!("{}: {pasted}", e.message),
                    None => e.message,
                };
                self.fault(field, message, e.suggestion);
                None
            }
        }
    }

    /// Reads a text, and checks it.
    pub(in crate::config) fn checked<E: Display>(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, E>,
    ) -> Option<String> {
        let text = self.text(field)?;
        check(text)
            .map_err(|why| self.fault(field, why.to_string(), None))
            .ok()
    }

    /// Checks the name of a key.
    pub(in crate::config) fn name<E: Display>(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, E>,
    ) -> Option<String> {
        let fault = |why: E| self.fault_at(field.key, &field.path, why.to_string(), None);
        check(field.name).map_err(fault).ok()
    }

    /// Reads the texts of an array, and checks each; a fault is reported at its element.
    pub(in crate::config) fn list<E: Display>(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, E>,
    ) -> Vec<String> {
        let Some(array) = field.item.as_array() else {
            self.wrong_type(field, "an array of strings, as [\"a\", \"b\"]");
            return vec![];
        };
        let mut texts = Vec::new();
        for value in array {
            let checked = match value.as_str() {
                Some(text) => check(text).map_err(|why| why.to_string()),
                None => Err(format!(
                    "this must be a string, and is of type {}",
                    value.type_name()
                )),
            };
            match checked {
                Ok(text) => texts.push(text),
                Err(why) => {
                    let at = value.span().map_or(field.value, |span| span.start);
                    self.fault_at(at, &field.path, why, None);
                }
            }
        }
        texts
    }

    /// Reads one text, or the texts of an array.
    pub(in crate::config) fn one_or_list<E: Display>(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, E>,
    ) -> Vec<String> {
        if field.item.is_str() {
            self.checked(field, check).into_iter().collect()
        } else {
            self.list(field, check)
        }
    }

    /// Returns the entries of a table whose keys the user chooses.
    pub(in crate::config) fn entries<'f>(&mut self, field: &Field<'f>) -> Vec<Field<'f>> {
        let table = self.table(field);
        table.map_or_else(Vec::new, |table| fields(&field.path, table))
    }

    /// Returns the tables of an array, in either TOML form, each with its place.
    pub(in crate::config) fn tables<'f>(
        &mut self,
        field: &Field<'f>,
    ) -> Vec<(usize, &'f dyn TableLike)> {
        let tables: Option<Vec<(usize, &'f dyn TableLike)>> = match field.item.as_array_of_tables()
        {
            Some(tables) => Some(
                tables
                    .iter()
                    .map(|table| {
                        let at = table.span().map_or(field.value, |span| span.start);
                        (at, table as &dyn TableLike)
                    })
                    .collect(),
            ),
            None => field.item.as_array().and_then(|array| {
                let table = |value: &'_ toml_edit::Value| value.is_inline_table();
                array.iter().all(table).then(|| {
                    array
                        .iter()
                        .filter_map(|value| {
                            let at = value.span().map_or(field.value, |span| span.start);
                            Some((at, value.as_inline_table()? as &dyn TableLike))
                        })
                        .collect()
                })
            }),
        };
        if tables.is_none() {
            self.wrong_type(field, &format!("tables, as [[{}]] begins one", field.path));
        }
        tables.unwrap_or_default()
    }

    pub(in crate::config) fn wrong_type(&mut self, field: &Field<'_>, wanted: &str) {
        let found = field.item.type_name();
        self.fault(
            field,
            format!("this must be {wanted}, and is of type {found}"),
            None,
        );
    }

    pub(in crate::config) fn table<'f>(&mut self, field: &Field<'f>) -> Option<&'f dyn TableLike> {
        let table = field.item.as_table_like();
        if table.is_none() {
            self.wrong_type(field, &format!("a table, as [{}] begins one", field.path));
        }
        table
    }
}
