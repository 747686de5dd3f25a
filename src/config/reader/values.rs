//! Reading one value: of its type, in its form, or a fault at its place.

use toml_edit::TableLike;

use super::super::InvalidUrl;
use super::super::keys::Key;
use super::{Field, Reader, fields, nearest};

impl Reader<'_> {
    /// The text of a value.
    pub(in crate::config) fn text<'f>(&mut self, field: &Field<'f>) -> Option<&'f str> {
        let text = field.item.as_str();
        if text.is_none() {
            self.wrong_type(field, "a string");
        }
        text
    }

    /// The yes or no of a value.
    pub(in crate::config) fn flag(&mut self, field: &Field<'_>) -> Option<bool> {
        let flag = field.item.as_bool();
        if flag.is_none() {
            self.wrong_type(field, "true or false");
        }
        flag
    }

    /// One of these words; `known` are words that are refused for a reason of their own.
    pub(in crate::config) fn one_of<T: Copy>(
        &mut self,
        field: &Field<'_>,
        words: &[(&'static str, T)],
        known: &[(&'static str, &'static str)],
    ) -> Option<T> {
        let text = self.text(field)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let list: Vec<_> = all.iter().map(|word| format!("\"{word}\"")).collect();
        let list = list.join(", ");
        let (message, suggestion) = match known.iter().find(|(word, _)| *word == text) {
            Some((word, why)) => (format!("\"{word}\" {why}; it takes {list}"), None),
            None => (
                format!("it takes {list}"),
                nearest(text, &all).map(|word| format!("\"{word}\"")),
            ),
        };
        self.fault(field, message, suggestion);
        None
    }

    /// A value that has a parser of its own.
    pub(in crate::config) fn parsed<T>(
        &mut self,
        field: &Field<'_>,
        parse: impl Fn(&str) -> Result<T, InvalidUrl>,
    ) -> Option<T> {
        match parse(self.text(field)?) {
            Ok(value) => Some(value),
            Err(e) => {
                self.fault(field, e.message, e.suggestion);
                None
            }
        }
    }

    /// A text that is checked.
    pub(in crate::config) fn checked(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, String>,
    ) -> Option<String> {
        let text = self.text(field)?;
        check(text).map_err(|why| self.fault(field, why, None)).ok()
    }

    /// A key that is checked itself.
    pub(in crate::config) fn name(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, String>,
    ) -> Option<String> {
        let fault = |why| self.fault_at(field.key, &field.path, why, None);
        check(field.name).map_err(fault).ok()
    }

    /// The texts of an array, each checked; a fault is at its element.
    pub(in crate::config) fn list(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, String>,
    ) -> Vec<String> {
        let Some(array) = field.item.as_array() else {
            self.wrong_type(field, "an array of strings, as [\"a\", \"b\"]");
            return vec![];
        };
        let mut texts = Vec::new();
        for value in array {
            let checked = match value.as_str() {
                Some(text) => check(text),
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

    /// One text, or the texts of an array.
    pub(in crate::config) fn one_or_list(
        &mut self,
        field: &Field<'_>,
        check: impl Fn(&str) -> Result<String, String>,
    ) -> Vec<String> {
        if field.item.is_str() {
            self.checked(field, check).into_iter().collect()
        } else {
            self.list(field, check)
        }
    }

    /// The entries of a table whose keys are up to the user.
    pub(in crate::config) fn entries<'f>(&mut self, field: &Field<'f>) -> Vec<Field<'f>> {
        let table = self.table(field);
        table.map_or_else(Vec::new, |table| fields(&field.path, table))
    }

    /// A table with keys of its own.
    pub(in crate::config) fn table_of<D>(
        &mut self,
        field: &Field<'_>,
        keys: &[Key<D>],
        draft: &mut D,
    ) {
        if let Some(table) = self.table(field) {
            self.keys(&field.path, table, keys, draft);
            self.missing(field, table, keys, "");
        }
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
