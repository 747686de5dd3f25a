//! Which file names what of which file: names are followed through imports and re-exports to the item's definition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::source::{Path, Scope, Source};
use super::tree::Tree;

/// File, file that defines what it names, and the names.
pub(crate) type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The modules of one program, library or test, without those for unit tests.
pub(crate) struct Names {
    modules: BTreeMap<Path, Module>,
}

struct Module {
    file: String,
    source: Arc<Source>,
    scope: usize,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Module(Path),
    /// A type by its module and its name, or whatever else a path can go on behind.
    Type(Path, String),
    /// A function or a constant, likewise.
    Value(Path, String),
}

impl Module {
    fn scope(&self) -> &Scope {
        &self.source.scopes[self.scope]
    }
}

impl Names {
    /// The modules that are reached from this file.
    pub(crate) fn of(tree: &Tree, root: &str) -> Self {
        let mut modules = BTreeMap::new();
        for module in tree
            .modules(root)
            .into_iter()
            .filter(|module| !module.is_test)
        {
            let source = tree.source(&module.file);
            for (scope, inside) in source.scopes.iter().enumerate() {
                let path = [module.path.as_slice(), &inside.path].concat();
                let module = Module {
                    file: module.file.clone(),
                    source: Arc::clone(&source),
                    scope,
                };
                modules.insert(path, module);
            }
        }
        Self { modules }
    }

    /// Every file with the files that define what it names. A parent's re-export of what is below it is left out.
    pub(crate) fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (path, module) in &self.modules {
            let from = edges.entry(module.file.clone()).or_default();
            let mut name = |meanings: BTreeSet<Meaning>, is_re_export: bool| {
                for meaning in meanings {
                    let (Meaning::Type(owner, name) | Meaning::Value(owner, name)) = meaning else {
                        continue;
                    };
                    let file = &self.modules[&owner].file;
                    if *file != module.file && !(is_re_export && owner.starts_with(path)) {
                        from.entry(file.clone()).or_default().insert(name);
                    }
                }
            };
            for import in &module.scope().imports {
                let mut meanings = self.follow(path, &import.path);
                // Of a module and a function that share a name, the code tells which one is meant.
                if meanings
                    .iter()
                    .any(|meaning| matches!(meaning, Meaning::Module(_)))
                {
                    meanings.clear();
                }
                name(meanings, import.is_public);
            }
            for named in &module.scope().paths {
                name(self.follow(path, named), false);
            }
        }
        edges
    }

    /// What a path means that is written in this module.
    fn follow(&self, module: &[String], path: &[String]) -> BTreeSet<Meaning> {
        self.follow_unseen(module, path, &mut BTreeSet::new())
    }

    fn follow_unseen(
        &self,
        module: &[String],
        path: &[String],
        seen: &mut BTreeSet<(Path, String)>,
    ) -> BTreeSet<Meaning> {
        let mut base = module.to_vec();
        let mut rest = path;
        while let Some((first, behind)) = rest.split_first() {
            match first.as_str() {
                "crate" => base.clear(),
                "super" if base.pop().is_none() => return BTreeSet::new(),
                "super" | "self" => {}
                _ => break,
            }
            rest = behind;
        }
        let mut meanings = BTreeSet::from([Meaning::Module(base)]);
        for name in rest {
            let mut next = BTreeSet::new();
            for meaning in meanings {
                match meaning {
                    // What stands behind a type is its variant or its function.
                    Meaning::Type(..) => drop(next.insert(meaning)),
                    Meaning::Value(..) => {}
                    Meaning::Module(module) => next.extend(self.look_up(&module, name, seen)),
                }
            }
            if next.is_empty() {
                return next;
            }
            meanings = next;
        }
        meanings
    }

    /// What this name means in this module.
    fn look_up(
        &self,
        path: &[String],
        name: &str,
        seen: &mut BTreeSet<(Path, String)>,
    ) -> BTreeSet<Meaning> {
        let mut meanings = BTreeSet::new();
        let Some(module) = self.modules.get(path) else {
            return meanings;
        };
        let scope = module.scope();
        if scope.types.contains(name) {
            meanings.insert(Meaning::Type(path.to_vec(), name.to_owned()));
        }
        if scope.values.contains(name) {
            meanings.insert(Meaning::Value(path.to_vec(), name.to_owned()));
        }
        let child = [path, &[name.to_owned()]].concat();
        if self.modules.contains_key(&child) {
            meanings.insert(Meaning::Module(child));
        }
        // `pub use run::run` leads back to this name, and `use super::*` to a module that imports from here.
        if !seen.insert((path.to_vec(), name.to_owned())) {
            return meanings;
        }
        for import in &scope.imports {
            if import.name.as_deref() == Some(name) {
                meanings.extend(self.follow_unseen(path, &import.path, seen));
            }
        }
        if meanings.is_empty() {
            let globs = scope.imports.iter().filter(|import| import.name.is_none());
            let targets: BTreeSet<Meaning> = globs
                .flat_map(|glob| self.follow_unseen(path, &glob.path, seen))
                .collect();
            for target in targets {
                if let Meaning::Module(target) = target {
                    meanings.extend(self.look_up(&target, name, seen));
                }
            }
        }
        seen.remove(&(path.to_vec(), name.to_owned()));
        meanings
    }
}
