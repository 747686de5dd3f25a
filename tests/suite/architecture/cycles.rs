//! Cycles of files that name each other's items, directly or through other files. Such files cannot be read or changed
//! separately.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::check::{assert_clean, assert_finds};
use super::names::{Edges, Names};
use super::tree::{ROOTS, Tree};

/// Returns the cycles of each program and of the library.
fn no_cycles(tree: &Tree) -> Vec<String> {
    let mut faults = vec![];
    for root in ROOTS {
        let edges = Names::of(tree, root).edges();
        for knot in components(&edges) {
            faults.extend(describe(&edges, &knot));
        }
    }
    faults
}

/// Returns the strongly connected components: sets of files that can all be reached from each other.
fn components(edges: &Edges) -> BTreeSet<BTreeSet<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges
        .keys()
        .map(|file| (file.as_str(), reach(edges, file)))
        .collect();
    let mut knots = BTreeSet::new();
    for (file, others) in &reached {
        let knot = others
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
        let knot: BTreeSet<&str> = knot.copied().collect();
        if knot.len() > 1 {
            knots.insert(knot);
        }
    }
    knots
}

/// Returns the files that can be reached from this one.
fn reach<'a>(edges: &'a Edges, from: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for next in edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

/// Describes a strongly connected component as a list of cycles, file by file, with the names that each step uses. Each
/// cycle is the shortest one left after removing, from every earlier cycle, the step that uses the fewest names.
/// Removing all these steps therefore breaks the component.
fn describe(edges: &Edges, knot: &BTreeSet<&str>) -> Vec<String> {
    let mut left = edges.clone();
    left.retain(|file, _| knot.contains(file.as_str()));
    let mut told = vec![];
    while let Some(cycle) = left
        .keys()
        .filter_map(|file| shortest(&left, file))
        .min_by_key(Vec::len)
    {
        let steps = cycle.iter().zip(cycle.iter().cycle().skip(1));
        let tell = |(from, to): (&String, &String)| {
            let names: Vec<&str> = left[from][to].iter().map(String::as_str).collect();
            format!("{from} names {} of {to}", names.join(", "))
        };
        told.push(steps.clone().map(tell).collect::<Vec<_>>().join("; "));
        let (from, to) = steps
            .min_by_key(|(from, to)| left[*from][*to].len())
            .unwrap();
        left.get_mut(from).unwrap().remove(to);
    }
    told
}

/// Returns the files on the shortest path from this file back to it.
fn shortest(edges: &Edges, file: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([file]);
    while let Some(from) = open.pop_front() {
        for to in edges.get(from).into_iter().flat_map(BTreeMap::keys) {
            if to == file {
                let mut way = vec![from.to_owned()];
                let mut at = from;
                while at != file {
                    at = before[at];
                    way.push(at.to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(to.as_str()) {
                before.insert(to, from);
                open.push_back(to);
            }
        }
    }
    None
}

// === The test of the test ===

/// What the files have in common, the files, and their cycle if there is one.
const CASES: [(&str, &str, &str); 30] = [
    (
        "two files that name each other",
        "lib: mod a; mod b;
         a: use crate::b::B; pub struct A;
         b: use crate::a::A; pub struct B;",
        "src/a.rs names B of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "one file that names another, which names nothing",
        "lib: mod a; mod b;
         a: use crate::b::B; pub struct A;
         b: pub struct B;",
        "",
    ),
    (
        "three files, each naming the next",
        "lib: mod a; mod b; mod c;
         a: use crate::b::B; pub struct A;
         b: use crate::c::C; pub struct B;
         c: use crate::a::A; pub struct C;",
        "src/a.rs names B of src/b.rs; src/b.rs names C of src/c.rs; src/c.rs names A of src/a.rs",
    ),
    (
        "through a re-export",
        "lib: mod a; mod b; pub use b::B;
         a: use crate::B; pub struct A;
         b: use crate::a::A; pub struct B;",
        "src/a.rs names B of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "through a re-export of a re-export, by another name",
        "lib: mod a; mod b; mod c; pub use self::c::Last;
         c: pub use super::b::B as Last;
         a: use super::Last; pub struct A;
         b: use crate::a::A; pub struct B;",
        "src/a.rs names B of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "through a re-export of everything",
        "lib: mod a; mod b; pub use b::*;
         a: use crate::*; pub struct A(B);
         b: use crate::a::A; pub struct B;",
        "src/a.rs names B of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "a re-export whose module has the item's name",
        "lib: mod a; mod b; pub use b::b;
         a: use crate::b; pub fn a() { b() }
         b: use crate::a::a; pub fn b() {}",
        "src/a.rs names b of src/b.rs; src/b.rs names a of src/a.rs",
    ),
    (
        "a parent's re-export of what is below it names nothing",
        "lib: mod a;
         a: mod b; pub use b::B; pub(crate) use self::b::C; pub struct A;
         a/b: use super::A; pub struct B; pub struct C;",
        "",
    ),
    (
        "a parent that uses what it re-exports",
        "lib: mod a;
         a: mod b; pub use b::B; pub struct A(B);
         a/b: use super::A; pub struct B;",
        "src/a.rs names B of src/a/b.rs; src/a/b.rs names A of src/a.rs",
    ),
    (
        "a re-export of what is not below it",
        "lib: mod a; mod b;
         a: pub use crate::b::B; pub struct A;
         b: use crate::a::A; pub struct B;",
        "src/a.rs names B of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "a child that names what its parent imports names what defines it",
        "lib: mod a; mod c;
         a: mod b; use crate::c::C; pub struct A(C, b::B);
         a/b: use super::C; pub struct B;
         c: pub struct C;",
        "",
    ),
    (
        "a child that takes everything of its parent, which imports from the child",
        "lib: mod a;
         a: mod b; use b::B; pub struct A(B);
         a/b: use super::*; pub struct B; fn b(_: A) {}",
        "src/a.rs names B of src/a/b.rs; src/a/b.rs names A of src/a.rs",
    ),
    (
        "a child that takes everything of its parent and names nothing of it",
        "lib: mod a;
         a: mod b; use b::B; pub struct A(B);
         a/b: use super::*; pub struct B;",
        "",
    ),
    (
        "in a module of tests, in a file of tests, in a function for tests",
        "lib: mod a; mod b;
         b: use crate::a::A; pub struct B;
         a: pub struct A; #[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] mod more; #[cfg(all(test, unix))] fn f(_: crate::b::B) {} impl A { #[cfg(test)] fn g() -> crate::b::B { crate::b::B } }
         a/more: use crate::b::B;",
        "",
    ),
    (
        "in two files of tests",
        "lib: #[cfg(test)] mod a; #[cfg(test)] mod b;
         a: use crate::b::B; pub struct A;
         b: use crate::a::A; pub struct B;",
        "",
    ),
    (
        "in code that is for more than tests",
        "lib: mod a; mod b;
         a: pub struct A; #[cfg(any(test, unix))] mod m { use crate::b::B; }
         b: use crate::a::A; pub struct B;",
        "src/a.rs names B of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "in a nested tree of imports, one of them renamed",
        "lib: mod a; mod b;
         a: use crate::{b::{self, c::{C as D, self}}}; pub struct A;
         b: pub mod c; pub struct B;
         b/c: use crate::a::A; pub struct C;",
        "src/a.rs names C of src/b/c.rs; src/b/c.rs names A of src/a.rs",
    ),
    (
        "a module alone is no item",
        "lib: mod a; mod b;
         a: use crate::{b::{self}}; pub struct A;
         b: use crate::a::A; pub struct B;",
        "",
    ),
    (
        "a module is named that shares its name with a function",
        "lib: mod a; mod b;
         a: mod c; pub fn c() { crate::b::b() }
         a/c: pub struct C;
         b: use crate::a::c; pub fn b(_: c::C, _: crate::a::c::C) {}",
        "",
    ),
    (
        "a function is named that shares its name with a module",
        "lib: mod a; mod b;
         a: mod c; pub fn c() { crate::b::b() }
         a/c: pub struct C;
         b: use crate::a::c; pub fn b(_: c::C) { c() }",
        "src/a.rs names b of src/b.rs; src/b.rs names c of src/a.rs",
    ),
    (
        "by a module that is imported with what is in it",
        "lib: mod a; mod b;
         a: use crate::b::{self, C}; pub fn a() { b::b() }
         b: use super::a::a; pub struct C; pub fn b() {}",
        "src/a.rs names C, b of src/b.rs; src/b.rs names a of src/a.rs",
    ),
    (
        "by the module that is imported",
        "lib: mod a; mod b;
         a: use crate::b as other; pub fn a() { other::b() }
         b: use super::a::a; pub fn b() {}",
        "src/a.rs names b of src/b.rs; src/b.rs names a of src/a.rs",
    ),
    (
        "by a path in the code, in a macro's arguments, and in an attribute",
        "lib: mod a; mod b; mod c; mod d;
         a: pub fn a() {} fn f() { crate::b::b() }
         b: pub fn b() { println!(\"{}\", super::c::C) }
         c: pub const C: u8 = 0; #[arg(value_parser = crate::d::d)] struct S;
         d: pub fn d() { crate::a::a() }",
        "src/a.rs names b of src/b.rs; src/b.rs names C of src/c.rs; src/c.rs names d of src/d.rs; src/d.rs names a of src/a.rs",
    ),
    (
        "a variant of an enumeration, by a re-export",
        "lib: mod a; mod b; pub use b::E;
         a: pub struct A; fn f() { g(crate::E::One) }
         b: pub enum E { One(crate::a::A) }",
        "src/a.rs names E of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "the variants of an enumeration",
        "lib: mod a; mod b;
         a: use crate::b::E::*; pub struct A;
         b: pub enum E { One(crate::a::A) }",
        "src/a.rs names E of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "by one of two files for two systems",
        "lib: mod a; #[cfg(unix)] #[path = \"b/unix.rs\"] mod b; #[cfg(windows)] #[path = \"b/windows.rs\"] mod b;
         a: use crate::b::b; pub struct A;
         b/unix: const C: u8 = 0; pub fn b(_: crate::a::A) { C }
         b/windows: const C: u8 = 0; pub fn b() { C }",
        "src/a.rs names b of src/b/unix.rs; src/b/unix.rs names A of src/a.rs",
    ),
    (
        "what a macro defines",
        "lib: mod a; mod b;
         a: use crate::b::B; pub struct A;
         b: define! { B } pub struct C(crate::a::A);",
        "src/a.rs names B of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "a trait for its methods alone",
        "lib: mod a; mod b;
         a: use crate::b::T as _; pub struct A;
         b: pub trait T {} impl T for crate::a::A {}",
        "src/a.rs names T of src/b.rs; src/b.rs names A of src/a.rs",
    ),
    (
        "what another crate calls the same",
        "lib: mod b; use ::b::B; use std::b::B as C; pub struct A;
         b: use crate::A; pub struct B;",
        "",
    ),
    (
        "a field or a method that is called as an item",
        "lib: mod a; mod b; pub use b::b;
         a: use crate::*; pub fn a() { x.b(); print!(\"{}\", x.b); }
         b: use crate::a::a; pub fn b() {}",
        "",
    ),
];

/// Builds a tree from one line for each file: its name below `src`, and its text.
fn small(files: &str) -> Tree {
    let files = files.lines().map(|line| {
        let (name, text) = line.trim().split_once(": ").unwrap();
        (format!("src/{name}.rs"), text.to_owned())
    });
    Tree(files.collect())
}

#[test]
fn names_resolve_to_the_defining_file() {
    let wrong = CASES.iter().filter_map(|(what, files, cycle)| {
        let found = no_cycles(&small(files)).join(", and ");
        (found != *cycle).then(|| format!("{what}: found {found:?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_cycle_is_reported_at_the_step_with_the_fewest_names() {
    let tree = small(
        "lib: mod a; mod b; mod c;
         a: use crate::b::{B, C, D}; pub struct A;
         b: use crate::{a::A, c::E}; pub struct B; pub struct C; pub struct D;
         c: use crate::a::A; pub struct E;",
    );
    let cycles = [
        "src/a.rs names B, C, D of src/b.rs; src/b.rs names A of src/a.rs",
        "src/a.rs names B, C, D of src/b.rs; src/b.rs names E of src/c.rs; src/c.rs names A of src/a.rs",
    ];
    assert_eq!(no_cycles(&tree), cycles);
}

#[test]
fn no_files_form_a_cycle() {
    assert_clean(no_cycles);
    assert_finds(
        no_cycles,
        "src/instant.rs",
        "use crate::token::AccessToken;",
    );
}

fn every_name_leads_somewhere(tree: &Tree) -> Vec<String> {
    let names = ROOTS.map(|root| Names::of(tree, root));
    let lost = names.iter().flat_map(Names::lost);
    lost.map(|(file, path)| format!("{file} names {}, which is nowhere", path.join("::")))
        .collect()
}

/// The compiler has resolved all names, so a name that is not found is a hole in this test.
#[test]
fn every_path_into_the_crate_resolves() {
    assert_clean(every_name_leads_somewhere);
    assert_finds(
        every_name_leads_somewhere,
        "src/instant.rs",
        "use crate::token::Nothing;",
    );
}

#[test]
fn names_that_a_parent_imports_from_another_crate_are_not_checked() {
    let tree = small(
        "lib: mod a; use std::io; use std::fmt::Display;
         a: use super::Display; fn a() -> super::io::Error { crate::none() }",
    );
    let lost = ["src/a.rs names crate::none, which is nowhere"];
    assert_eq!(every_name_leads_somewhere(&tree), lost);
}
