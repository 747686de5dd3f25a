//! Changes that the tools' own commands make and undo, with a record of the former settings.

use super::super::output::{Exit, fail, print_note, report};
use super::super::target::{Target, TargetArgs};
use super::recipe::{Change, Recipe, Refusal};
use super::records::{Record, Records};
use super::subject::{self, TypedArguments};
use crate::paths::Env;

pub(super) fn apply(
    recipe: &Recipe,
    change: &Change,
    target: &TargetArgs,
    typed: &TypedArguments<'_>,
    env: &Env,
) -> Result<(), Exit> {
    let target = target.find(env)?;
    let config = target.read_config()?;
    let found = subject::find(recipe, typed, &config, &target, env).map_err(|why| why.tell())?;
    if let Some(lacks) = found.lacks {
        let sentence = subject::sentence_of_lack(&target);
        let lines: Vec<_> = lacks.lines().map(|line| format!("\n  {line}")).collect();
        return Err(refuse_unchanged(&Refusal::config(&format!(
            "{sentence}{}",
            lines.concat()
        ))));
    }
    let subject = found.subject;
    let address = subject.address.as_ref().map(ToString::to_string);
    let address = address.unwrap_or_default();
    let records = open(&target, env).map_err(|why| refuse_unchanged(&why))?;
    let begin = || match records.read(recipe.name, &address)? {
        Some(mut record) => {
            // Changes that others made since then are kept, so the whole file is not restored any more.
            if !record.is_as_left()? {
                record.forget_left();
            }
            if let Some(amend) = change.amend {
                amend(&subject, &mut record.before)?;
            }
            records.write(&record)?;
            Ok((record, false))
        }
        None => {
            let before = (change.look)(&subject)?;
            let record = Record::of(recipe.name, &address, before)?;
            records.write(&record)?;
            Ok((record, true))
        }
    };
    let (mut record, is_first): (Record, bool) = begin().map_err(|why| refuse_unchanged(&why))?;
    let done = (change.apply)(&subject, &record.before);
    let done = match done {
        Ok(done) => done,
        Err(why) => {
            if is_first && record.is_as_before().unwrap_or(false) {
                records.remove(&record).map_err(|why| why.tell())?;
                return Err(refuse_unchanged(&why));
            }
            let undo = line_of_undo(recipe, &address);
            print_note(format!(
                "a part of the change may have been made; to restore the previous configuration: {undo}"
            ));
            return Err(why.tell());
        }
    };
    if is_first || record.was_left() {
        record.leave().map_err(|why| why.tell())?;
        records.write(&record).map_err(|why| why.tell())?;
    }
    for line in done {
        report(line);
    }
    report(format!(
        "to restore what stood there: {}",
        line_of_undo(recipe, &address)
    ));
    Ok(())
}

pub(super) fn undo(
    recipe: &Recipe,
    change: &Change,
    target: &TargetArgs,
    typed: &TypedArguments<'_>,
    env: &Env,
) -> Result<(), Exit> {
    let target = target.find(env)?;
    let undo = || {
        let records = open(&target, env)?;
        let address = match typed.address {
            Some(address) => subject::parse(address)?.to_string(),
            None => only_record(recipe, &records)?,
        };
        let Some(record) = records.read(recipe.name, &address)? else {
            return Err(Refusal::config(&format!(
                "there is nothing to undo: 'jetond setup {} {address} --apply' was not run, or is undone already",
                recipe.name
            )));
        };
        let done = if record.is_as_left()? {
            record.put_back()?
        } else if record.is_as_before()? {
            vec![]
        } else {
            let subject = subject::to_undo(&address, typed.jeton, env)?;
            (change.undo)(&subject, &record.before)?
        };
        records.remove(&record)?;
        Ok(done)
    };
    let done = undo().map_err(|why: Refusal| why.tell())?;
    if done.is_empty() {
        report("everything is already as it was before");
    }
    for line in done {
        report(line);
    }
    Ok(())
}

fn only_record(recipe: &Recipe, records: &Records) -> Result<String, Refusal> {
    let name = recipe.name;
    match records.addresses(name)?.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Refusal::config(&format!(
            "there is nothing to undo: 'jetond setup {name} --apply' was not run, or is undone already"
        ))),
        several => Err(Refusal::usage(&format!(
            "say which one to undo: jetond setup {name} ADDRESS --undo, where ADDRESS is one of {}",
            several.join(", ")
        ))),
    }
}

/// Opens the records of this user. A tool's file belongs to the user, so the records are never the system's.
fn open(target: &Target, env: &Env) -> Result<Records, Refusal> {
    let named = Some(&*target.state).filter(|_| target.state_named);
    let state = env.state_dir(named);
    let state = state.map_err(|error| Refusal::config(&error.to_string()))?;
    Records::open(&state, env.uid)
}

fn refuse_unchanged(why: &Refusal) -> Exit {
    fail(why.exit, format!("nothing is changed: {}", why.why))
}

fn line_of_undo(recipe: &Recipe, address: &str) -> String {
    format!("jetond setup {} {address} --undo", recipe.name).replace("  ", " ")
}
