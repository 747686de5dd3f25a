//! Name resolution: which file names which items of which file, through imports and re-exports to the definition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::source::{Path, Scope, Source};
use super::tree::Tree;

/// For each file, the files that define what it names, with the names.
pub(crate) type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The names that are being looked up, each with its module. Guards against endless recursion.
type VisitedNames = BTreeSet<(Path, String)>;

/// The modules of one program, library or test, without unit tests.
pub(crate) struct Names {
    /// Several modules have the same path if they are for different systems.
    modules: BTreeMap<Path, Vec<Module>>,
}

struct Module {
    path: Path,
    file: String,
    source: Arc<Source>,
    scope: usize,
}

/// The meaning of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PathTarget {
    Module(Path),
    /// A type, or anything else that a path can continue after.
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

/// Returns whether a path begins in the crate in which it is written.
fn is_ours(path: &[String]) -> bool {
    ["crate", "self", "super"].contains(&path[0].as_str())
}

impl Names {
    /// Collects the modules that can be reached from this file.
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

    /// Returns each file with the files that define what it names. A parent's re-export of its children's items is left
    /// out.
    pub(crate) fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for module in self.modules.values().flatten() {
            let from = edges.entry(module.file.clone()).or_default();
            let mut name = |meanings: BTreeSet<PathTarget>, is_re_export: bool| {
                for meaning in meanings {
                    let (PathTarget::Type(item) | PathTarget::Value(item)) = meaning else {
                        continue;
                    };
                    let is_below = item.module.starts_with(&module.path);
                    if item.file != module.file && !(is_re_export && is_below) {
                        from.entry(item.file).or_default().insert(item.name);
                    }
                }
            };
            for import in &module.scope().imports {
                let mut meanings = self.follow(module, &import.path, &mut VisitedNames::new());
                // If a module and a function share the name, the code shows which of them is meant.
                if meanings
                    .iter()
                    .any(|meaning| matches!(meaning, PathTarget::Module(_)))
                {
                    meanings.clear();
                }
                name(meanings, import.is_public);
            }
            for named in &module.scope().paths {
                name(self.follow(module, named, &mut VisitedNames::new()), false);
            }
        }
        edges
    }

    /// Returns the paths into the crate that lead nowhere, each with its file. Each would be a name that the search for
    /// cycles misses.
    pub(crate) fn lost(&self) -> Vec<(&str, &Path)> {
        let mut lost = vec![];
        for module in self.modules.values().flatten() {
            let imports = module.scope().imports.iter().map(|import| &import.path);
            for path in imports.chain(&module.scope().paths) {
                if is_ours(path)
                    && self
                        .follow(module, path, &mut VisitedNames::new())
                        .is_empty()
                    && !self.is_imported_from_elsewhere(module, path)
                {
                    lost.push((module.file.as_str(), path));
                }
            }
        }
        lost
    }

    /// Returns whether a name on the path was imported from another crate, by the module that the path has led to.
    fn is_imported_from_elsewhere(&self, module: &Module, path: &[String]) -> bool {
        (1..path.len()).any(|at| {
            let (before, behind) = path.split_at(at);
            let leads_to = self.follow(module, before, &mut VisitedNames::new());
            leads_to.into_iter().any(|meaning| match meaning {
                PathTarget::Module(path) => self.called(&path).iter().any(|module| {
                    let mut imports = module.scope().imports.iter();
                    let wanted = Some(behind[0].as_str());
                    imports.any(|i| i.name.as_deref() == wanted && !is_ours(&i.path))
                }),
                _ => false,
            })
        })
    }

    /// Returns the modules that have this path.
    fn called(&self, path: &[String]) -> Vec<&Module> {
        self.modules.get(path).into_iter().flatten().collect()
    }

    /// Returns what a path means in this module.
    fn follow(
        &self,
        module: &Module,
        path: &[String],
        seen: &mut VisitedNames,
    ) -> BTreeSet<PathTarget> {
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
        let mut meanings = BTreeSet::from([PathTarget::Module(base)]);
        for name in rest {
            let mut next = BTreeSet::new();
            for meaning in meanings {
                match meaning {
                    // After a type comes its variant or its function.
                    PathTarget::Type(_) => drop(next.insert(meaning)),
                    PathTarget::Value(_) => {}
                    // Two files for two systems do not see each other.
                    PathTarget::Module(path) if path == module.path => {
                        next.extend(self.look_up(&path, &[module], name, seen));
                    }
                    PathTarget::Module(path) => {
                        let modules = self.called(&path);
                        let found = self.look_up(&path, &modules, name, seen);
                        if found.is_empty() {
                            let makers = modules.iter().filter(|m| m.scope().calls_macro);
                            next.extend(makers.map(|maker| PathTarget::Type(maker.item(name))));
                        }
                        next.extend(found);
                    }
                }
            }
            meanings = next;
        }
        meanings
    }

    /// Returns what this name means in the modules whose path is `path`.
    fn look_up(
        &self,
        path: &[String],
        modules: &[&Module],
        name: &str,
        seen: &mut VisitedNames,
    ) -> BTreeSet<PathTarget> {
        let mut meanings = BTreeSet::new();
        for module in modules {
            if module.scope().types.contains(name) {
                meanings.insert(PathTarget::Type(module.item(name)));
            }
            if module.scope().values.contains(name) {
                meanings.insert(PathTarget::Value(module.item(name)));
            }
        }
        let child = [path, &[name.to_owned()]].concat();
        if self.modules.contains_key(&child) {
            meanings.insert(PathTarget::Module(child));
        }
        // Guards against a loop: `pub use run::run` leads back to this name, and `use super::*` to a module that
        // imports from here.
        let here = (path.to_vec(), name.to_owned());
        if !seen.insert(here.clone()) {
            return meanings;
        }
        let imports = |wanted: Option<&str>, seen: &mut VisitedNames| {
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
                if let PathTarget::Module(target) = target {
                    let modules = self.called(&target);
                    meanings.extend(self.look_up(&target, &modules, name, seen));
                }
            }
        }
        seen.remove(&here);
        meanings
    }
}
