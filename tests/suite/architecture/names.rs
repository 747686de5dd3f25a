//! Which file names what of which file: names are followed through imports and re-exports to the item's definition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::source::{Path, Scope, Source};
use super::tree::Tree;

/// File, file that defines what it names, and the names.
pub(crate) type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The names that are being looked up, each with its module.
type Seen = BTreeSet<(Path, String)>;

/// The modules of one program, library or test, without those for unit tests.
pub(crate) struct Names {
    /// Several by one path are for several systems.
    modules: BTreeMap<Path, Vec<Module>>,
}

struct Module {
    path: Path,
    file: String,
    source: Arc<Source>,
    scope: usize,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Module(Path),
    /// A type, or whatever else a path can go on behind.
    Type(Item),
    /// A function or a constant.
    Value(Item),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    module: Path,
    file: String,
    name: String,
}

impl Module {
    fn item(&self, name: &str) -> Item {
        Item {
            module: self.path.clone(),
            file: self.file.clone(),
            name: name.to_owned(),
        }
    }

    fn scope(&self) -> &Scope {
        &self.source.scopes[self.scope]
    }
}

/// Whether a path begins in the crate that it is written in.
fn is_ours(path: &[String]) -> bool {
    ["crate", "self", "super"].contains(&path[0].as_str())
}

impl Names {
    /// The modules that are reached from this file.
    pub(crate) fn of(tree: &Tree, root: &str) -> Self {
        let mut modules: BTreeMap<Path, Vec<Module>> = BTreeMap::new();
        for module in tree
            .modules(root)
            .into_iter()
            .filter(|module| !module.is_test)
        {
            let source = tree.source(&module.file);
            for (scope, inside) in source.scopes.iter().enumerate() {
                let path = [module.path.as_slice(), &inside.path].concat();
                modules.entry(path.clone()).or_default().push(Module {
                    path,
                    file: module.file.clone(),
                    source: Arc::clone(&source),
                    scope,
                });
            }
        }
        Self { modules }
    }

    /// Every file with the files that define what it names. A parent's re-export of what is below it is left out.
    pub(crate) fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for module in self.modules.values().flatten() {
            let from = edges.entry(module.file.clone()).or_default();
            let mut name = |meanings: BTreeSet<Meaning>, is_re_export: bool| {
                for meaning in meanings {
                    let (Meaning::Type(item) | Meaning::Value(item)) = meaning else {
                        continue;
                    };
                    let is_below = item.module.starts_with(&module.path);
                    if item.file != module.file && !(is_re_export && is_below) {
                        from.entry(item.file).or_default().insert(item.name);
                    }
                }
            };
            for import in &module.scope().imports {
                let mut meanings = self.follow(module, &import.path, &mut Seen::new());
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
                name(self.follow(module, named, &mut Seen::new()), false);
            }
        }
        edges
    }

    /// The paths of the crate's own that lead nowhere, each with its file. Each would be a name that no cycle shows.
    pub(crate) fn lost(&self) -> Vec<(&str, &Path)> {
        let mut lost = vec![];
        for module in self.modules.values().flatten() {
            let imports = module.scope().imports.iter().map(|import| &import.path);
            for path in imports.chain(&module.scope().paths) {
                if is_ours(path)
                    && self.follow(module, path, &mut Seen::new()).is_empty()
                    && !self.is_imported_from_elsewhere(module, path)
                {
                    lost.push((module.file.as_str(), path));
                }
            }
        }
        lost
    }

    /// Whether a name on the path is one of another crate, imported by the module that the path has led to.
    fn is_imported_from_elsewhere(&self, module: &Module, path: &[String]) -> bool {
        (1..path.len()).any(|at| {
            let (before, behind) = path.split_at(at);
            let leads_to = self.follow(module, before, &mut Seen::new());
            leads_to.into_iter().any(|meaning| match meaning {
                Meaning::Module(path) => self.called(&path).iter().any(|module| {
                    let mut imports = module.scope().imports.iter();
                    let wanted = Some(behind[0].as_str());
                    imports.any(|i| i.name.as_deref() == wanted && !is_ours(&i.path))
                }),
                _ => false,
            })
        })
    }

    /// The modules that have this path.
    fn called(&self, path: &[String]) -> Vec<&Module> {
        self.modules.get(path).into_iter().flatten().collect()
    }

    /// What a path means that is written in this module.
    fn follow(&self, module: &Module, path: &[String], seen: &mut Seen) -> BTreeSet<Meaning> {
        let mut base = module.path.clone();
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
                    Meaning::Type(_) => drop(next.insert(meaning)),
                    Meaning::Value(_) => {}
                    // Of two files for two systems, neither sees the other.
                    Meaning::Module(path) if path == module.path => {
                        next.extend(self.look_up(&path, &[module], name, seen));
                    }
                    Meaning::Module(path) => {
                        let modules = self.called(&path);
                        let found = self.look_up(&path, &modules, name, seen);
                        if found.is_empty() {
                            let makers = modules.iter().filter(|m| m.scope().calls_macro);
                            next.extend(makers.map(|maker| Meaning::Type(maker.item(name))));
                        }
                        next.extend(found);
                    }
                }
            }
            meanings = next;
        }
        meanings
    }

    /// What this name means in the modules that are called `path`.
    fn look_up(
        &self,
        path: &[String],
        modules: &[&Module],
        name: &str,
        seen: &mut Seen,
    ) -> BTreeSet<Meaning> {
        let mut meanings = BTreeSet::new();
        for module in modules {
            if module.scope().types.contains(name) {
                meanings.insert(Meaning::Type(module.item(name)));
            }
            if module.scope().values.contains(name) {
                meanings.insert(Meaning::Value(module.item(name)));
            }
        }
        let child = [path, &[name.to_owned()]].concat();
        if self.modules.contains_key(&child) {
            meanings.insert(Meaning::Module(child));
        }
        // `pub use run::run` leads back to this name, and `use super::*` to a module that imports from here.
        let here = (path.to_vec(), name.to_owned());
        if !seen.insert(here.clone()) {
            return meanings;
        }
        let imports = |wanted: Option<&str>, seen: &mut Seen| {
            let mut found = BTreeSet::new();
            for module in modules {
                let imports = module.scope().imports.iter();
                for import in imports.filter(|import| import.name.as_deref() == wanted) {
                    found.extend(self.follow(module, &import.path, seen));
                }
            }
            found
        };
        meanings.extend(imports(Some(name), seen));
        if meanings.is_empty() {
            for target in imports(None, seen) {
                if let Meaning::Module(target) = target {
                    let modules = self.called(&target);
                    meanings.extend(self.look_up(&target, &modules, name, seen));
                }
            }
        }
        seen.remove(&here);
        meanings
    }
}
