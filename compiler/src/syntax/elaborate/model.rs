//! Models by themselves: each is elaborated once with open extents, which decides its keys, shapes and order.

use super::instance::BlockItem;
use super::report::Problem;
use super::scope::Frame;
use super::store::{Entry, Store};
use super::value::Value;
use super::{Elaborator, Items, Scope};
use crate::syntax::ast::{self, Alias, Block, Item};
use crate::syntax::diagnostic::Diagnostics;
use crate::syntax::output;
use proc_macro2::TokenStream;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A model that has a Rust type: a block marked `model` with consts.
pub struct ModelType {
    /// The type's name.
    pub name: String,
    /// The block behind it; `None` if there is no such model, which is reported.
    pub block: Option<Rc<BlockItem>>,
    /// The value of each const.
    pub consts: Vec<Value>,
    /// The tensors of its store.
    pub entries: BTreeMap<String, Entry>,
    /// Whether mistakes were found in it; then what is above is not whole.
    pub broken: bool,
    /// Where it stands.
    origin: Origin,
}

/// Where a model type comes from.
enum Origin {
    /// The item at this position of the file: the macro generates it.
    Item(usize),
    /// Another `model!`, by this path.
    Import(TokenStream),
}

impl ModelType {
    /// What the macro generates for it; `None` if another macro does.
    pub fn output(&self, file: &ast::File) -> Option<output::Model> {
        let Origin::Item(item) = self.origin else { return None };
        let (visibility, docs, name) = match &file.items[item] {
            Item::Block(block) => (&block.visibility, &block.docs, &block.name),
            Item::Alias(alias) => (&alias.visibility, &alias.docs, &alias.name),
            Item::Step(_) | Item::Use(_) => unreachable!("types are made of blocks and aliases"),
        };
        let store = Store { model: self.name.clone(), entries: self.entries.clone(), ..Store::default() };
        Some(output::Model {
            visibility: visibility.clone(),
            docs: docs.clone(),
            name: name.clone(),
            description: store.description(),
        })
    }

    /// The path of a type that another macro generates.
    pub fn path(&self) -> Option<&TokenStream> {
        match &self.origin {
            Origin::Item(_) => None,
            Origin::Import(path) => Some(path),
        }
    }

    /// Whether it is a type of this block.
    pub fn is_of(&self, block: &Rc<BlockItem>) -> bool {
        self.block.as_ref().is_some_and(|own| Rc::ptr_eq(own, block))
    }
}

/// All models that have types in a file: those whose consts all have defaults, and aliases; first those that it imports.
pub fn model_types(file: &ast::File, items: &Items, diagnostics: &Diagnostics) -> Vec<ModelType> {
    let mut types: Vec<ModelType> = file.imports.iter().filter_map(|import| imported_type(import, items)).collect();
    let imported = types.len();
    for (item, written) in file.items.iter().enumerate() {
        if let Item::Block(block) = written
            && has_type(block)
        {
            let found = items.find(Scope::MAIN, &block.name.name).expect("the block is an item of this file");
            types.push(model_type(Origin::Item(item), found, items, diagnostics));
        }
    }
    for (item, written) in file.items.iter().enumerate() {
        if let Item::Alias(alias) = written {
            let target = items.find(Scope::MAIN, &alias.target.name);
            let broken = target.is_some_and(|target| types.iter().any(|ty| ty.is_of(&target) && ty.broken));
            types.push(alias_type(Origin::Item(item), Scope::MAIN, alias, broken, items, diagnostics));
        }
    }
    types[imported..].sort_by_key(|ty| match ty.origin {
        Origin::Item(item) => item,
        Origin::Import(_) => 0,
    });
    types
}

fn has_type(block: &Block) -> bool {
    block.is_model && block.consts.iter().all(|parameter| parameter.default.is_some())
}

/// The type of an imported model. Its mistakes are reported where it is written.
fn imported_type(import: &ast::Import, items: &Items) -> Option<ModelType> {
    let (origin, quiet) = (Origin::Import(import.path.clone()), Diagnostics::default());
    if let Some((scope, alias)) = items.alias(Scope::MAIN, &import.name) {
        return Some(alias_type(origin, scope, &alias, false, items, &quiet));
    }
    let found = items.find(Scope::MAIN, &import.name)?;
    has_type(&found.block).then(|| model_type(origin, found, items, &quiet))
}

fn model_type(origin: Origin, found: Rc<BlockItem>, items: &Items, diagnostics: &Diagnostics) -> ModelType {
    let name = &found.block.name;
    let mut elaborator = Elaborator::new(&name.name, items, &[], diagnostics);
    let before = diagnostics.count();
    elaborator.frames.push(root_frame(found.scope));
    let consts = elaborator.consts(&found, &[], name.span);
    elaborator.finish_type(origin, &name.name, found.clone(), consts, before)
}

fn root_frame(scope: Scope) -> Frame {
    let mut frame = Frame::new(None, true);
    frame.scope = scope;
    frame
}

fn alias_type(
    origin: Origin,
    scope: Scope,
    alias: &Alias,
    broken: bool,
    items: &Items,
    diagnostics: &Diagnostics,
) -> ModelType {
    let mut elaborator = Elaborator::new(&alias.name.name, items, &[], diagnostics);
    let before = diagnostics.count();
    elaborator.frames.push(root_frame(scope));
    let name = alias.name.name.clone();
    let empty =
        |origin, block| ModelType { name, block, consts: Vec::new(), entries: BTreeMap::new(), broken: true, origin };
    let Some(found) = items.find(scope, &alias.target.name).filter(|found| found.block.is_model) else {
        let is_model = |name: &&str| items.find(scope, name).is_some_and(|found| found.block.is_model);
        let nearest = crate::nearest::nearest(&alias.target.name, items.names(scope).filter(is_model));
        if !items.is_missing(scope, &alias.target.name) {
            let problem = Problem::new(alias.target.span, format!("no model `{}`", alias.target.name));
            elaborator.report(problem.nearest("", &nearest));
        }
        return empty(origin, None);
    };
    let consts = elaborator.consts(&found, &alias.arguments, alias.target.span);
    if broken {
        // Its mistakes are reported once, with the consts of the model itself.
        return empty(origin, Some(found));
    }
    elaborator.finish_type(origin, &alias.name.name, found, consts, before)
}

impl Elaborator<'_> {
    fn finish_type(
        mut self,
        origin: Origin,
        name: &str,
        block: Rc<BlockItem>,
        consts: Option<Vec<Value>>,
        before: usize,
    ) -> ModelType {
        self.frames.clear();
        self.stores.push(Store { model: name.to_string(), open: true, ..Store::default() });
        let value = consts.as_ref().map_or(Value::Poison, |consts| self.root_body(&block, consts));
        ModelType {
            name: name.to_string(),
            broken: value.is_poison() || self.diagnostics.count() > before,
            consts: consts.unwrap_or_default(),
            entries: std::mem::take(&mut self.stores[0].entries),
            block: Some(block),
            origin,
        }
    }

    /// Runs the body of a model with open extents.
    fn root_body(&mut self, item: &BlockItem, consts: &[Value]) -> Value {
        let block = &item.block;
        let mut frame = Frame::new(Some(Elaborator::root_place(0, "", block.name.span)), true);
        let training = Value::Bool(true);
        frame.bind("training", training, super::scope::BindingKind::Fixed, block.name.span);
        frame.scope = item.scope;
        self.frames.push(frame);
        self.bind_consts(block, consts);
        self.open_inputs(&block.inputs);
        let before = self.diagnostics.count();
        let value = self.block_result(block);
        // What is not applied after a mistake may be so because of it.
        if self.items.whole && self.diagnostics.count() == before && !value.is_poison() {
            self.declare_rest(0);
        }
        self.frames.pop();
        value
    }
}

/// Whether two consts are the same.
pub fn same_const(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Tuple(a), Value::Tuple(b)) | (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_const(a, b))
        }
        _ => false,
    }
}
