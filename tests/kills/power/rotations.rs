//! Power loss while a key is rotated.
//!
//! The control plane keeps its state, so each disk is judged by the keys of that moment: a secret in the remaining
//! record must work then, and each key that the rotation made must be known by its name. In place, there is one key: a
//! secret in the record or the second slot must work, or the slot must have a token and the journal must exist.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::disk::{Change, Disk, Tree};
use super::log;
use crate::judge::ForbiddenOutcome;
use crate::place::{KillEnv, PROFILE};
use crate::rotation::form::Form;
use crate::rotation::mode::FIRST;
use crate::rotation::mode::Mode;
use crate::rotation::phase::answered;
use crate::rotation::turns::CpuPermit;
use crate::rotation::walk::{END, RequestedRotation};
use crate::tracer;

/// The names of the keys at the control plane, by client ID. For a rotation in place, the secret of the key, without a
/// name.
type Keys = BTreeMap<String, String>;

/// A change of the keys that occurred after the first and before the second moment.
struct KeysChange {
    after: f64,
    until: f64,
    keys: Keys,
}

/// Rotates a key while the control plane has this behaviour, and tries this many variants. Returns their number, the
/// number of different disks after them, and what is wrong.
pub(super) fn of_form(
    mode: &'static Mode,
    form: Form,
    variants: usize,
    seed: u64,
) -> (usize, usize, Vec<String>) {
    let working = CpuPermit::take();
    let mut place = KillEnv::with_life(mode.life);
    let mut former = place.replace_daemon();
    place.env.stop(&mut former);
    let roots = ["state", "config", "home"].map(|root| place.env.path(root));
    let before = Tree::read(&roots);
    // The file has secrets, so it is not in the place.
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = tracer::writing(&place.env, file.path());
    command.args(["-D", env!("CARGO_BIN_EXE_jetond"), "run"]);
    place.daemon = place.env.serving(place.env.spawn_command(command));
    place.wait_for_token();

    let first = keys(&place, mode);
    let mut asked = RequestedRotation::new(place, mode, form);
    drop(working);
    let turns = follow(&mut asked, mode, &first);
    let mut daemon = asked.place.replace_daemon();
    asked.place.env.stop(&mut daemon);
    // The tracer ends a moment after the traced process.
    crate::support::daemon::wait_until("the log to end", || {
        text(file.path()).contains("+++ exited with 0 +++")
    });

    let changes = log::operations_at(&text(file.path()), &roots);
    let times: Vec<f64> = changes.iter().map(|(at, _)| *at).collect();
    let changes: Vec<Change> = changes.into_iter().map(|(_, change)| change).collect();
    let mut secrets = secrets_in(&changes);
    secrets.insert(FIRST.to_owned(), asked.place.env.secret().to_owned());
    let disk = Disk::new(before, changes);
    assert_eq!(
        disk.whole(),
        Tree::read(&roots),
        "the model is of another disk"
    );
    let judge = Judge {
        first,
        states: states(&turns, &times),
        secrets,
        roots: roots[0].clone(),
    };

    let mut random = fastrand::Rng::with_seed(seed);
    let mut seen: BTreeMap<(usize, Tree), String> = BTreeMap::new();
    for _ in 0..variants {
        let loss = disk.after_power_loss(&mut random);
        seen.entry((loss.end, loss.tree)).or_insert(loss.label);
    }
    let mut broken: Vec<String> = vec![];
    for ((end, tree), label) in &seen {
        let wrong = match mode.is_in_place {
            true => judge.of_in_place(*end, tree),
            false => judge.of(*end, tree),
        };
        broken
            .extend(wrong.map(|what| format!("{} [{}] {label}: {what}", mode.name, form.label())));
    }
    // The tests with kills measure how soon the next daemon serves.
    let walked = asked.ended(None, 1).broken.into_iter();
    let walked = walked.filter(|(bar, _)| *bar != ForbiddenOutcome::Late);
    broken.extend(walked.map(|(_, what)| what));
    (variants, seen.len(), broken)
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

fn keys(place: &KillEnv, mode: &Mode) -> Keys {
    if mode.is_in_place {
        let sandbox = place.env.sandbox();
        let newest = match sandbox.stats().keys_regenerated {
            0 => None,
            _ => sandbox.secrets().pop(),
        };
        let secret = newest.unwrap_or_else(|| place.env.secret().to_owned());
        return Keys::from([(secret, String::new())]);
    }
    let keys = place.keys().into_iter();
    keys.map(|key| (key.client_id, key.name)).collect()
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs_f64()
}

/// Records the changes of the keys until the rotation is over.
fn follow(asked: &mut RequestedRotation, mode: &Mode, first: &Keys) -> Vec<KeysChange> {
    let (start, mut last, mut at, mut looks) = (Instant::now(), first.clone(), now(), 0_u64);
    let mut turns = vec![];
    loop {
        let keys = keys(&asked.place, mode);
        let until = now();
        if keys != last {
            last.clone_from(&keys);
            turns.push(KeysChange {
                after: at,
                until,
                keys,
            });
        }
        at = until;
        looks += 1;
        if looks.is_multiple_of(10) {
            let phase = asked.phase();
            if asked.is_over(phase) {
                return turns;
            }
        }
        assert!(start.elapsed() < END, "the rotation does not end");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Finds for each change of the keys the number of preceding changes of the disk. A network call takes longer than
/// the time between two changes of the disk, so keys change in the longest pause.
fn states(turns: &[KeysChange], times: &[f64]) -> Vec<(usize, Keys)> {
    let of_gap = |gap: usize| {
        let begin = gap.checked_sub(1).map_or(f64::MIN, |n| times[n]);
        let end = times.get(gap).copied().unwrap_or(f64::MAX);
        (begin, end)
    };
    let find = |turn: &KeysChange| {
        let gaps = (0..=times.len()).filter(|gap| {
            let (begin, end) = of_gap(*gap);
            begin < turn.until && end > turn.after
        });
        let long = |gap: &usize| {
            let (begin, end) = of_gap(*gap);
            end - begin
        };
        gaps.max_by(|a, b| long(a).total_cmp(&long(b))).unwrap()
    };
    turns
        .iter()
        .map(|turn| (find(turn), turn.keys.clone()))
        .collect()
}

/// Returns the secrets in the written records, by client ID.
fn secrets_in(changes: &[Change]) -> BTreeMap<String, String> {
    let mut secrets = BTreeMap::new();
    for change in changes {
        let Change::Write(_, bytes) = change else {
            continue;
        };
        let record: Value = serde_json::from_slice(bytes).unwrap_or_default();
        for key in [&record, &record["next"], &record["previous"]] {
            secrets.extend(credential(key));
        }
    }
    secrets
}

/// Returns a client ID and its secret.
fn credential(key: &Value) -> Option<(String, String)> {
    let text = |name: &str| Some(key[name].as_str()?.to_owned());
    Some((text("client_id")?, text("client_secret")?))
}

/// The data for judging a disk.
struct Judge {
    /// The keys before the rotation.
    first: Keys,
    /// The later keys, each with the number of preceding changes of the disk.
    states: Vec<(usize, Keys)>,
    secrets: BTreeMap<String, String>,
    /// The state folder's parent.
    roots: PathBuf,
}

impl Judge {
    /// Returns what is wrong with a disk after `end` changes.
    fn of(&self, end: usize, tree: &Tree) -> Option<String> {
        let json = |path: &str| self.json(tree, path);
        let Some(record) = json(&format!("jeton/credentials/{PROFILE}.json")) else {
            return Some("the record is lost".to_owned());
        };
        let journal = json(&format!("jeton/rotations/{PROFILE}.json")).unwrap_or_default();
        let stored = [&record, &record["next"], &record["previous"]];
        let stored: Vec<_> = stored.into_iter().filter_map(credential).collect();
        let tried = journal["tried"].as_array().into_iter().flatten();
        let tried: Vec<&str> = tried.filter_map(Value::as_str).collect();
        for keys in self.keys_at(end) {
            let works = |(client_id, secret): &(String, String)| {
                keys.contains_key(client_id) && self.secrets.get(client_id) == Some(secret)
            };
            if !stored.iter().any(works) {
                return Some(format!("no secret of the record works; keys {keys:?}"));
            }
            let is_stored = |client_id: &String| stored.iter().any(|(id, _)| id == client_id);
            let unknown = keys.iter().find(|(client_id, name)| {
                !self.first.contains_key(*client_id)
                    && !is_stored(client_id)
                    && !tried.contains(&name.as_str())
            });
            if let Some((_, name)) = unknown {
                return Some(format!("the key {name} is known by no name"));
            }
            // The old key belongs to the profile, so it must be known, too.
            if keys.contains_key(FIRST)
                && !is_stored(&FIRST.to_owned())
                && journal["former"]["client_id"] != FIRST
            {
                return Some("the old key is forgotten".to_owned());
            }
        }
        None
    }

    /// Returns what is wrong with a disk after `end` changes by a rotation in place.
    fn of_in_place(&self, end: usize, tree: &Tree) -> Option<String> {
        let Some(record) = self.json(tree, &format!("jeton/credentials/{PROFILE}.json")) else {
            return Some("the record is lost".to_owned());
        };
        let journal = self.json(tree, &format!("jeton/rotations/{PROFILE}.json"));
        let slot = self.json(tree, &format!("jeton/kept/{PROFILE}.json"));
        let slot = slot.unwrap_or_default();
        let stored = [&record, &record["previous"]].map(|key| key["client_secret"].as_str());
        let stored: Vec<String> = stored.into_iter().flatten().map(str::to_owned).collect();
        let stored: Vec<String> = stored.into_iter().chain(answered(&slot)).collect();
        let may_ask_again = slot["token"].is_string()
            && journal.is_some_and(|journal| journal["rotation_id"] == slot["rotation_id"]);
        let mut keys = self.keys_at(end);
        let is_lost = keys.any(|keys| !stored.iter().any(|secret| keys.contains_key(secret)));
        (is_lost && !may_ask_again)
            .then(|| "no secret works, and no token can get another one".to_owned())
    }

    fn json(&self, tree: &Tree, path: &str) -> Option<Value> {
        let bytes = tree.file(&self.roots.join(path))?;
        serde_json::from_slice(bytes).ok()
    }

    /// Returns the keys that may exist after `end` changes of the disk: the last ones before, and any that appeared
    /// after exactly this many changes.
    fn keys_at(&self, end: usize) -> impl Iterator<Item = &Keys> {
        let before = self.states.iter().rfind(|(gap, _)| *gap < end);
        let before = before.map_or(&self.first, |(_, keys)| keys);
        let at = self.states.iter().filter(move |(gap, _)| *gap == end);
        std::iter::once(before).chain(at.map(|(_, keys)| keys))
    }
}
