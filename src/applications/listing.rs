//! The daemon's answer with a list of keys: in the format of `jetond app`, with as many keys as fit.

use super::MAX_USER_KEYS;
use super::list::{Application, KeyMatch, find};
use super::listed::Listed;
use super::table::{JsonRow, Row, ascii, cells, columns, count, head, json_of_one, lines_of_one};
use crate::instant::UnixTime;
use crate::query::{FormattedKey, KeyFacts, KeyForm, KeyList, KeyListing};

impl KeyList for Listed {
    fn list(&self, form: &KeyForm<'_>, room: usize) -> KeyListing {
        if form.json {
            self.json(form, room)
        } else {
            self.table(form, room)
        }
    }

    fn show(&self, key: &str, form: &KeyForm<'_>) -> FormattedKey {
        let noun = self.family.noun();
        let key = match find(&self.keys, key) {
            KeyMatch::One(key) => key,
            KeyMatch::Nothing => return FormattedKey::Nothing(noun),
            KeyMatch::Several(keys) => {
                let ids = keys.iter().map(|key| key.id.clone());
                return FormattedKey::Several(noun, ids.collect());
            }
        };
        let used_by = used_by(key, form);
        let row = Row {
            key,
            used_by: &used_by,
        };
        FormattedKey::One(if form.json {
            json_of_one(self.family, &row) + "\n"
        } else {
            lines_of_one(self.family, &row, form.now)
        })
    }

    fn may_lack(&self, key: &str) -> bool {
        self.may_have_more && find(&self.keys, key) == KeyMatch::Nothing
    }

    fn seen(&self, client_id: &str) -> Option<KeyFacts> {
        let key = self.keys.iter().find(|key| key.client_id == client_id)?;
        let moment = |seconds| UnixTime::from_epoch(std::time::Duration::from_secs(seconds));
        Some(KeyFacts {
            id: key.id.clone(),
            created_at: key.created_at.map(moment),
            date: self.server_date,
        })
    }
}

impl Listed {
    /// Makes the table. Stops before the first line that could make it too long: each line is as wide as the widest.
    fn table(&self, form: &KeyForm<'_>, room: usize) -> KeyListing {
        let with_owner = self.keys.iter().any(|key| key.created_by.is_some());
        let below = count(self.family, self.keys.len(), self.may_have_more);
        let room = room.saturating_sub(below.len());
        let head = head(with_owner);
        let mut widths: Vec<usize> = head.iter().map(String::len).collect();
        let mut lines = vec![head];
        for key in &self.keys {
            let used_by = used_by(key, form);
            let row = Row {
                key,
                used_by: &used_by,
            };
            let line = cells(&row, form.now, with_owner);
            let wider = widths.iter().zip(&line);
            widths = wider.map(|(width, cell)| cell.len().max(*width)).collect();
            // Two spaces after each cell, and the end of the line.
            let width = widths.iter().sum::<usize>() + 2 * widths.len() + 1;
            if (lines.len() + 1).saturating_mul(width) > room {
                break;
            }
            lines.push(line);
        }
        KeyListing {
            text: columns(&lines) + &below,
            shown: lines.len() - 1,
            total: self.keys.len(),
        }
    }

    /// Writes the list as [`json`](super::json) does. A shortened list also has the total number of keys.
    fn json(&self, form: &KeyForm<'_>, room: usize) -> KeyListing {
        let limit = if self.family.is_own() {
            MAX_USER_KEYS.to_string()
        } else {
            "null".to_owned()
        };
        let total = self.keys.len();
        let mut text = format!("{{\"kind\":\"{}\",\"keys\":[", self.family.kind().as_str());
        let end = format!("],\"limit\":{limit}}}\n");
        let end_of_cut = format!("],\"limit\":{limit},\"total\":{total}}}\n");
        let room = room.saturating_sub(end_of_cut.len());
        let mut shown = 0;
        for key in &self.keys {
            let used_by = used_by(key, form);
            let row = Row {
                key,
                used_by: &used_by,
            };
            let row = ascii(&JsonRow::of(self.family, &row));
            if text.len() + 1 + row.len() > room {
                break;
            }
            if shown > 0 {
                text.push(',');
            }
            text.push_str(&row);
            shown += 1;
        }
        let end = if shown < total { end_of_cut } else { end };
        KeyListing {
            text: text + &end,
            shown,
            total,
        }
    }
}

/// Returns the profiles that use a key.
fn used_by(key: &Application, form: &KeyForm<'_>) -> Vec<String> {
    let users = form.users.iter();
    let users = users.filter(|user| user.client_id == key.client_id);
    users.map(|user| user.profile.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{json, table};
    use super::*;
    use crate::applications::Family;
    use crate::profile::ProfileName;
    use crate::query::KeyUser;

    fn listed(family: Family, count: usize) -> Listed {
        let key = |n: usize| Application {
            id: n.to_string(),
            name: format!("key-{n}"),
            client_id: format!("c-{n}"),
            created_at: Some(1_735_787_045),
            last_login: None,
            created_by: family.is_administration().then(|| "u@example".to_owned()),
            enabled: None,
        };
        Listed {
            family,
            keys: (0..count).map(key).collect(),
            may_have_more: family.is_administration() && count >= 100,
            server_date: None,
        }
    }

    fn form(json: bool, users: &[KeyUser]) -> KeyForm<'_> {
        KeyForm {
            json,
            now: 1_800_000_000,
            users,
        }
    }

    #[test]
    fn a_key_list_that_fits_equals_the_output_of_jetond_app() {
        let users = [KeyUser {
            client_id: "c-1".into(),
            profile: ProfileName::parse("research").unwrap(),
        }];
        let (none, research) = (vec![], vec!["research".to_owned()]);
        for family in [Family::AccessKeys, Family::AllUserApplications] {
            for count in [0, 1, 3, 120] {
                let listed = listed(family, count);
                let row = |key: &'static Application| Row {
                    key,
                    used_by: if key.client_id == "c-1" {
                        research.clone().leak()
                    } else {
                        none.clone().leak()
                    },
                };
                let keys: &'static [Application] = listed.keys.clone().leak();
                let rows: Vec<_> = keys.iter().map(row).collect();
                let of_app = [
                    table(family, &rows, 1_800_000_000, listed.may_have_more),
                    json(family, &rows) + "\n",
                ];
                for (is_json, text) in [false, true].into_iter().zip(of_app) {
                    let shown = listed.list(&form(is_json, &users), 256 * 1024);
                    assert_eq!((shown.shown, shown.total), (count, count));
                    assert_eq!(shown.text, text);
                }
            }
        }
    }

    #[test]
    fn a_key_list_that_is_too_long_is_cut_between_two_keys() {
        let listed = listed(Family::AllAccessKeys, 10_000);
        for room in [0, 100, 1_000, 65_536, 260_000] {
            let table = listed.list(&form(false, &[]), room);
            assert_eq!(table.text.lines().count(), table.shown + 2);
            assert!(table.text.contains("10000 access keys"), "{room}");
            let json = listed.list(&form(true, &[]), room);
            let read: serde_json::Value = serde_json::from_str(&json.text).unwrap();
            assert_eq!(read["keys"].as_array().unwrap().len(), json.shown);
            assert_eq!(read["total"], 10_000);
            if room >= 1_000 {
                for cut in [&table, &json] {
                    assert!(cut.text.len() <= room, "{} > {room}", cut.text.len());
                    assert!(cut.shown > 2 && cut.shown < 10_000, "{}", cut.shown);
                }
            }
        }
    }

    #[test]
    fn showing_a_key_distinguishes_one_match_no_match_and_several() {
        let mut listed = listed(Family::UserApplications, 3);
        let one = listed.show("c-2", &form(true, &[]));
        assert!(
            matches!(&one, FormattedKey::One(text) if text.contains("\"id\":\"2\"") && text.ends_with("}\n"))
        );
        let lines = listed.show("key-0", &form(false, &[]));
        assert!(
            matches!(&lines, FormattedKey::One(text) if text.contains("no profile here uses it"))
        );
        let none = listed.show("key-9", &form(false, &[]));
        assert_eq!(none, FormattedKey::Nothing("user application"));
        assert!(!listed.may_lack("key-9"));
        listed.keys[1].name = "key-0".into();
        let several = listed.show("key-0", &form(false, &[]));
        let ids = vec!["0".to_owned(), "1".to_owned()];
        assert_eq!(several, FormattedKey::Several("user application", ids));
        listed.may_have_more = true;
        assert!(listed.may_lack("key-9") && !listed.may_lack("c-2"));
    }
}
