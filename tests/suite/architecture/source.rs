//! One parsed source file: what it defines, declares, imports and names, without its tests.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, Meta, UseTree, Visibility};

/// A path as it is written, such as `["super", "wire", "Reply"]`. If it begins with `::`, its first segment is empty.
pub(crate) type Path = Vec<String>;

/// One file without the parts that only tests compile.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file's own module, and the modules that are written inline in it.
    pub(crate) scopes: Vec<Scope>,
    /// The text without tests.
    pub(crate) text: String,
    /// The number of lines without those of tests.
    pub(crate) lines: usize,
}

/// One module's part of a file.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// The path below the file's own module.
    pub(crate) path: Path,
    /// Its types, traits and macros: names that a path can continue after.
    pub(crate) types: BTreeSet<String>,
    /// Its functions and constants: names that a path ends with.
    pub(crate) values: BTreeSet<String>,
    /// The modules that it declares and that have files of their own.
    pub(crate) declared: Vec<ModDeclaration>,
    pub(crate) imports: Vec<Import>,
    /// Whether it calls a macro that may define more.
    pub(crate) calls_macro: bool,
    /// The paths in its code, imports left out.
    pub(crate) paths: BTreeSet<Path>,
}

/// A declaration `mod name;`.
#[derive(Debug)]
pub(crate) struct ModDeclaration {
    pub(crate) name: String,
    /// The value of `#[path = "…"]`.
    pub(crate) elsewhere: Option<String>,
    pub(crate) is_test: bool,
}

/// One leaf of a `use` tree.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Path,
    /// The name that the import has here, or `None` for a glob.
    pub(crate) name: Option<String>,
    /// Whether it is `pub` in any form, so that other modules can see it.
    pub(crate) is_public: bool,
}

impl Source {
    /// Reads a file. Each text is parsed once, because the checks read the same tree many times.
    pub(crate) fn of(file: &str, text: &str) -> Arc<Self> {
        static READ: LazyLock<Mutex<HashMap<String, Arc<Source>>>> = LazyLock::new(Mutex::default);
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = read.get(text) {
            return Arc::clone(source);
        }
        let parsed = syn::parse_file(text).unwrap_or_else(|e| {
            let at = e.span().start();
            panic!("{file}:{}:{}: {e}", at.line, at.column)
        });
        let mut reader = Reader {
            scopes: vec![Scope::default()],
            at: 0,
            tests: vec![],
            test_lines: BTreeSet::new(),
        };
        reader.visit_file(&parsed);
        let mut kept = String::new();
        let mut end = 0;
        for test in &reader.tests {
            kept.push_str(&text[end..test.start]);
            end = test.end;
        }
        kept.push_str(&text[end..]);
        let source = Arc::new(Self {
            scopes: reader.scopes,
            lines: text.lines().count() - reader.test_lines.len(),
            text: kept,
        });
        read.insert(text.to_owned(), Arc::clone(&source));
        source
    }
}

/// Walks the syntax of a file. An inline module is a scope of its own.
struct Reader {
    scopes: Vec<Scope>,
    at: usize,
    /// The byte ranges that only tests compile, in order.
    tests: Vec<Range<usize>>,
    test_lines: BTreeSet<usize>,
}

impl Reader {
    fn scope(&mut self) -> &mut Scope {
        &mut self.scopes[self.at]
    }

    /// Returns whether these attributes exclude the node from the programs. Such a node is recorded as a test and not
    /// read.
    fn skips(&mut self, attributes: &[Attribute], node: proc_macro2::Span) -> bool {
        let skips = attributes.iter().any(needs_test);
        if skips {
            self.tests.push(node.byte_range());
            self.test_lines.extend(node.start().line..=node.end().line);
        }
        skips
    }

    fn define(&mut self, name: &Ident) {
        self.scope().types.insert(text(name));
    }

    fn define_value(&mut self, name: &Ident) {
        self.scope().values.insert(text(name));
    }

    fn import(&mut self, tree: &UseTree, path: &mut Path, is_public: bool) {
        let (last, name) = match tree {
            UseTree::Path(tree) => {
                path.push(text(&tree.ident));
                self.import(&tree.tree, path, is_public);
                path.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path, is_public);
                }
                return;
            }
            UseTree::Name(name) => (Some(text(&name.ident)), Some(text(&name.ident))),
            UseTree::Rename(tree) => (Some(text(&tree.ident)), Some(text(&tree.rename))),
            UseTree::Glob(_) => (None, None),
        };
        let mut path = path.clone();
        let is_self = last.as_deref() == Some("self");
        // `a::{self}` imports `a` under the name `a`.
        let name = match name {
            Some(name) if name == "self" => path.last().cloned(),
            name => name,
        };
        path.extend(last.filter(|_| !is_self || path.is_empty()));
        self.scope().imports.push(Import {
            path,
            name,
            is_public,
        });
    }

    /// Finds the paths among tokens that are not parsed yet, such as the arguments of a macro.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    self.scan(group.stream());
                    at += 1;
                }
                TokenTree::Ident(first) => {
                    // A field or a method is not a path, and neither is what follows generic arguments.
                    let is_member = at > 0 && is(at - 1, '.') && !(at > 1 && is(at - 2, '.'));
                    let is_rest = at > 1 && is(at - 1, ':') && is(at - 2, ':');
                    let mut path = vec![text(first)];
                    at += 1;
                    while is(at, ':')
                        && is(at + 1, ':')
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 2)
                    {
                        path.push(text(next));
                        at += 3;
                    }
                    if !is_member && !is_rest {
                        self.scope().paths.insert(path);
                    }
                }
                _ => at += 1,
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.skips(attributes(item), item.span()) {
            if let Item::Mod(module) = item {
                self.declare(module, true);
            }
            return;
        }
        match item {
            Item::Const(item) => self.define_value(&item.ident),
            Item::Enum(item) => self.define(&item.ident),
            Item::Fn(item) => self.define_value(&item.sig.ident),
            Item::Static(item) => self.define_value(&item.ident),
            Item::Struct(item) => self.define(&item.ident),
            Item::Trait(item) => self.define(&item.ident),
            Item::TraitAlias(item) => self.define(&item.ident),
            Item::Type(item) => self.define(&item.ident),
            Item::Union(item) => self.define(&item.ident),
            Item::Macro(item) => match &item.ident {
                Some(name) => self.define(name),
                None => self.scope().calls_macro = true,
            },
            Item::Use(item) => {
                let is_public = !matches!(item.vis, Visibility::Inherited);
                let mut path = match item.leading_colon {
                    Some(_) => vec![String::new()],
                    None => vec![],
                };
                self.import(&item.tree, &mut path, is_public);
                return;
            }
            Item::Mod(module) => {
                if let Some((_, items)) = &module.content {
                    let name = text(&module.ident);
                    let path = [self.scope().path.as_slice(), &[name]].concat();
                    let outside = std::mem::replace(&mut self.at, self.scopes.len());
                    self.scopes.push(Scope {
                        path,
                        ..Scope::default()
                    });
                    for item in items {
                        self.visit_item(item);
                    }
                    self.at = outside;
                } else {
                    self.declare(module, false);
                }
                return;
            }
            Item::ExternCrate(_) | Item::ForeignMod(_) | Item::Impl(_) => {}
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_foreign_item_fn(&mut self, item: &'ast syn::ForeignItemFn) {
        self.define_value(&item.sig.ident);
        visit::visit_foreign_item_fn(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !self.skips(attributes, item.span()) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !self.skips(&local.attrs, local.span()) {
            visit::visit_local(self, local);
        }
    }

    fn visit_stmt_macro(&mut self, call: &'ast syn::StmtMacro) {
        if !self.skips(&call.attrs, call.span()) {
            visit::visit_stmt_macro(self, call);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !self.skips(&field.attrs, field.span()) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !self.skips(&variant.attrs, variant.span()) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !self.skips(&arm.attrs, arm.span()) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments: Path = path.leading_colon.iter().map(|_| String::new()).collect();
        segments.extend(path.segments.iter().map(|segment| text(&segment.ident)));
        self.scope().paths.insert(segments);
        visit::visit_path(self, path);
    }

    /// A pattern that is a single word is a constant or a new variable. A constant may come from another file.
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = text(&pattern.ident);
        if name.starts_with(char::is_uppercase) {
            self.scope().paths.insert(vec![name]);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.scan(call.tokens.clone());
    }
}

impl Reader {
    fn declare(&mut self, module: &syn::ItemMod, is_test: bool) {
        if module.content.is_some() {
            return;
        }
        let elsewhere = module.attrs.iter().find_map(|attribute| {
            let Meta::NameValue(meta) = &attribute.meta else {
                return None;
            };
            match &meta.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(path),
                    ..
                }) if meta.path.is_ident("path") => Some(path.value()),
                _ => None,
            }
        });
        let name = text(&module.ident);
        self.scope().declared.push(ModDeclaration {
            name,
            elsewhere,
            is_test,
        });
    }
}

/// Returns a name in the form used for comparisons: `r#type` becomes `type`.
fn text(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

/// Returns whether the attribute is a `cfg` that never holds without `test`.
fn needs_test(attribute: &Attribute) -> bool {
    fn needs(tokens: TokenStream) -> bool {
        let mut tokens = tokens.into_iter();
        let word = match tokens.next() {
            Some(TokenTree::Ident(word)) => word.to_string(),
            _ => return false,
        };
        match (word.as_str(), tokens.next()) {
            ("test", None) => true,
            ("all", Some(TokenTree::Group(group))) => {
                members(group.stream()).into_iter().any(needs)
            }
            ("any", Some(TokenTree::Group(group))) => {
                members(group.stream()).into_iter().all(needs)
            }
            _ => false,
        }
    }
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => needs(list.tokens.clone()),
        _ => false,
    }
}

/// Splits tokens at the commas.
fn members(tokens: TokenStream) -> Vec<TokenStream> {
    let mut members = vec![vec![]];
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => members.push(vec![]),
            _ => members.last_mut().unwrap().push(token),
        }
    }
    members.retain(|member| !member.is_empty());
    members
        .into_iter()
        .map(|member| member.into_iter().collect())
        .collect()
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
