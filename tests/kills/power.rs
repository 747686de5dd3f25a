//! Power loss: replays the writes of each command up to some call, without some of the unsynced ones.
//!
//! Whatever state the disk has then, the next commands must find every credential.
//!
//! The model is as strict as POSIX allows. A file's content is on the disk after the file was synced, and a name
//! after its folder was. Every other change may be on the disk or not, independently of the others.

mod disk;
mod log;
mod rotations;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::operation::{self, Operation};
use crate::place::{COMMENT, KillEnv, PROFILE};
use crate::rotation::form::Form;
use crate::rotation::mode::{MODES, Mode};
use crate::support;
use crate::tracer;

use disk::{Disk, Tree};

/// Returns the operations that only write on this machine: an execution at the control plane could not be rolled
/// back.
fn operations() -> impl Iterator<Item = &'static Operation> {
    let all = operation::ALL.iter();
    all.filter(|operation| operation.is_local && !operation.uses_keyring && !operation.is_of_daemon)
}

/// The number of variants below which only some rotations are tried, and how many.
const SHORT: (usize, usize) = (500, 4);

/// Returns the rotations: one with a control plane that answers, and one for each kind of its faults. Tokens must not
/// die, so that each disk can be recovered. A second command for rotations in place makes the same writes.
fn rotation_forms() -> Vec<(&'static Mode, Form)> {
    let of_mode = |(n, mode): (usize, &'static Mode)| {
        let mut seen = vec![];
        let forms = mode.forms.iter().copied();
        let forms = forms.filter(move |form| {
            let is_new = !seen.contains(&(form.behaviour, form.span)) && !form.has_dying_tokens;
            seen.push((form.behaviour, form.span));
            is_new
        });
        let is_again = MODES[..n]
            .iter()
            .any(|it| it.is_in_place == mode.is_in_place);
        let most = if is_again { 1 } else { usize::MAX };
        forms
            .take(most)
            .map(move |form| (mode, form))
            .collect::<Vec<_>>()
    };
    MODES.iter().enumerate().flat_map(of_mode).collect()
}

/// Returns the rotations for a run of this many variants.
fn rotations_of(variants: usize, seed: usize) -> Vec<(&'static Mode, Form)> {
    let mut forms = rotation_forms();
    if variants < SHORT.0 {
        forms.retain(|(_, form)| !form.is_slow());
        fastrand::Rng::with_seed(u64::try_from(seed).unwrap()).shuffle(&mut forms);
        forms.truncate(SHORT.1);
    }
    forms
}

/// Tries this many variants, prints the results, and returns whether all is well.
pub(crate) fn run(variants: usize, seed: usize) -> bool {
    if let Some(why) = tracer::missing() {
        support::ignored(&format!("power loss: {why}"));
        return true;
    }
    let start = Instant::now();
    let count = operations().count();
    let mut faults: Vec<String> = vec![];
    let (mut tried, mut distinct) = (0, 0);
    let results = std::thread::scope(|scope| {
        let mut threads: Vec<_> = operations()
            .enumerate()
            .map(|(n, operation)| {
                let seed = u64::try_from(seed + n).unwrap();
                let variants = variants.div_ceil(count);
                scope.spawn(move || {
                    let name = operation.name.to_owned();
                    (name, of_operation(operation, variants, seed))
                })
            })
            .collect();
        // Rotations get twice as many: no command has to be run for them.
        let forms = rotations_of(variants, seed);
        let of_form = (2 * variants).div_ceil(forms.len());
        threads.extend(forms.into_iter().enumerate().map(|(n, (mode, form))| {
            let seed = u64::try_from(seed + count + n).unwrap();
            scope.spawn(move || {
                let name = format!("{} [{}]", mode.name, form.label());
                (name, rotations::of_form(mode, form, of_form, seed))
            })
        }));
        let results = threads.into_iter().map(|thread| thread.join());
        results.collect::<Vec<_>>()
    });
    for result in results {
        match result {
            Ok((name, (of_variants, trees, broken))) => {
                println!(
                    "{name:58} {of_variants} variants, {trees} different disks, {} faults",
                    broken.len()
                );
                (tried, distinct) = (tried + of_variants, distinct + trees);
                faults.extend(broken);
            }
            Err(_) => faults.push("an operation could not be tried, see above".to_owned()),
        }
    }
    for fault in &faults {
        println!("lost: {fault}");
    }
    println!("seed {seed}");
    println!(
        "{tried} power losses, {distinct} different disks, in {:.0} s: {} not recoverable",
        start.elapsed().as_secs_f64(),
        faults.len()
    );
    faults.is_empty()
}

/// Returns the number of variants, the number of different disks after them, and what is wrong.
fn of_operation(operation: &Operation, variants: usize, seed: u64) -> (usize, usize, Vec<String>) {
    let mut place = KillEnv::make();
    (operation.prepare)(&place);
    let arguments = (operation.arguments)(&place);
    // A power loss ends the daemon, too.
    let mut daemon = place.replace_daemon();
    place.env.stop(&mut daemon);
    let roots = ["state", "config", "home"].map(|root| place.env.path(root));
    let before = Tree::read(&roots);
    let (output, text) = tracer::writes(&place.env, &arguments);
    assert_eq!(output.code, 0, "{}: {output:?}", operation.name);
    let disk = Disk::new(before, log::operations(&text, &roots));
    let whole = disk.whole();
    assert_eq!(
        whole,
        Tree::read(&roots),
        "{}: the model is of another disk",
        operation.name
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let mut trees: BTreeMap<Tree, String> = BTreeMap::new();
    for _ in 0..variants {
        let loss = disk.after_power_loss(&mut random);
        trees.entry(loss.tree).or_insert(loss.label);
    }
    let mut broken = vec![];
    for (tree, label) in &trees {
        tree.restore(&roots);
        let wrong = judge(&place, operation);
        broken.extend(wrong.map(|what| format!("{} {label}: {what}", operation.name)));
    }
    (variants, trees.len(), broken)
}

/// Returns what is wrong on the present disk.
fn judge(place: &KillEnv, operation: &Operation) -> Option<String> {
    let text = std::fs::read_to_string(place.env.config()).unwrap_or_default();
    if !text.starts_with(COMMENT) {
        return Some("what a person wrote into the configuration is lost".to_owned());
    }
    if !place.has_profile(PROFILE) || !place.works(PROFILE) {
        return Some(format!("{PROFILE} does not work"));
    }
    for profile in place.profiles() {
        if !place.works(&profile) {
            return Some(format!("{profile} does not work"));
        }
    }
    let checked = place.env.jetond(&["check"]);
    if checked.code != 0 {
        return Some(format!("check: {}", checked.stderr));
    }
    if !(operation.is_safe)(place) {
        return Some("the credential is in no place that is whole".to_owned());
    }
    (operation.end)(place)
}
