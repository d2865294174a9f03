//! What names of blocks and models mean: in the file that is compiled, in those that it imports from, and in the prelude.
//!
//! Each file is a scope of its own. A body is read with the names of the file that it is written in.

use super::functions::Functions;
use super::instance::BlockItem;
use super::{prelude, report};
use crate::syntax::ast::{self, File, Item};
use crate::syntax::diagnostic::Diagnostics;
use proc_macro2::Span;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::rc::Rc;

/// A file that names are looked up in, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope(usize);

impl Scope {
    /// The file that is compiled.
    pub const MAIN: Scope = Scope(0);
    /// The built-in layers, which see each other only.
    pub const PRELUDE: Scope = Scope(usize::MAX);
}

/// The blocks and models of all files by name.
pub struct Items {
    /// The built-in functions.
    pub functions: Functions,
    scopes: Vec<Names>,
    /// Prelude blocks that were asked for, parsed.
    prelude: RefCell<FxHashMap<String, Rc<BlockItem>>>,
    /// Whether the file that is compiled was read without a mistake.
    pub whole: bool,
}

/// The names of one file.
#[derive(Default)]
struct Names {
    blocks: FxHashMap<String, Rc<BlockItem>>,
    /// Other names of models.
    aliases: FxHashMap<String, Rc<ast::Alias>>,
    /// What comes from other files, under its own name there.
    imports: FxHashMap<String, Scope>,
    /// What should come from other files, but is not there; that is reported where it is imported.
    missing: FxHashSet<String>,
}

impl Items {
    /// The names of a file and of all files that it imports from. Names that stand twice are reported, in that file alone:
    /// the others are compiled by themselves.
    pub fn collect(file: &File, diagnostics: &Diagnostics) -> Items {
        let mut items = Items {
            functions: Functions::new(),
            scopes: Vec::new(),
            prelude: RefCell::default(),
            whole: diagnostics.count() == 0,
        };
        items.add(file, diagnostics, &mut FxHashMap::default());
        items
    }

    /// The block or model of that name.
    pub fn find(&self, scope: Scope, name: &str) -> Option<Rc<BlockItem>> {
        let Some(names) = self.scopes.get(scope.0) else { return self.built_in(name) };
        match (names.blocks.get(name), names.imports.get(name)) {
            (Some(block), _) => Some(block.clone()),
            (None, Some(other)) => self.scopes[other.0].blocks.get(name).cloned(),
            (None, None) => self.built_in(name),
        }
    }

    /// The alias of that name, and the file that it is written in.
    pub fn alias(&self, scope: Scope, name: &str) -> Option<(Scope, Rc<ast::Alias>)> {
        let names = self.scopes.get(scope.0)?;
        match (names.aliases.get(name), names.imports.get(name)) {
            (Some(alias), _) => Some((scope, alias.clone())),
            (None, Some(other)) => Some((*other, self.scopes[other.0].aliases.get(name)?.clone())),
            (None, None) => None,
        }
    }

    /// Whether the name is of an import that did not come.
    pub fn is_missing(&self, scope: Scope, name: &str) -> bool {
        self.scopes.get(scope.0).is_some_and(|names| names.missing.contains(name))
    }

    /// All names of blocks and models that a file sees, beside the prelude's.
    pub fn names(&self, scope: Scope) -> impl Iterator<Item = &str> {
        self.scopes.get(scope.0).into_iter().flat_map(|names| {
            names.blocks.keys().chain(names.aliases.keys()).chain(names.imports.keys()).map(String::as_str)
        })
    }

    fn built_in(&self, name: &str) -> Option<Rc<BlockItem>> {
        if let Some(block) = self.prelude.borrow().get(name) {
            return Some(block.clone());
        }
        let block = Rc::new(BlockItem { block: prelude::block(name)?, scope: Scope::PRELUDE });
        self.prelude.borrow_mut().insert(name.to_string(), block.clone());
        Some(block)
    }

    fn add(&mut self, file: &File, diagnostics: &Diagnostics, known: &mut FxHashMap<String, Scope>) -> Scope {
        let scope = Scope(self.scopes.len());
        self.scopes.push(Names::default());
        let mut names = Names::default();
        let mut seen: FxHashMap<String, Span> = FxHashMap::default();
        for item in &file.items {
            for name in names.add(item, scope) {
                if let Some(first) = seen.insert(name.name.clone(), name.span) {
                    report::equal_names(diagnostics, name, first);
                }
            }
        }
        for import in &file.imports {
            let other = match known.get(&import.scope) {
                Some(other) => *other,
                None => {
                    let other = self.add(&import.file, &Diagnostics::default(), known);
                    known.insert(import.scope.clone(), other);
                    other
                }
            };
            names.missing.remove(&import.name);
            names.imports.insert(import.name.clone(), other);
        }
        for name in seen.keys().filter(|name| names.missing.contains(*name)) {
            report::missing_import(diagnostics, name, seen[name]);
        }
        self.scopes[scope.0] = names;
        scope
    }
}

impl Names {
    /// Adds an item; the names that it takes.
    fn add<'f>(&mut self, item: &'f Item, scope: Scope) -> Vec<&'f ast::Ident> {
        match item {
            Item::Block(block) => {
                let found = Rc::new(BlockItem { block: block.clone(), scope });
                self.blocks.insert(block.name.name.clone(), found);
                vec![&block.name]
            }
            Item::Alias(alias) => {
                self.aliases.insert(alias.name.name.clone(), Rc::new(alias.clone()));
                vec![&alias.name]
            }
            Item::Step(step) => vec![&step.name],
            Item::Use(import) => {
                let names: Vec<&ast::Ident> = import.paths.iter().filter_map(|path| path.last()).collect();
                self.missing.extend(names.iter().map(|name| name.name.clone()));
                names
            }
        }
    }
}
