//! Models by themselves: each is elaborated once with open extents, which decides its keys, shapes and order.

use super::instance::BlockItem;
use super::report::Problem;
use super::scope::Frame;
use super::store::{Entry, Store};
use super::value::Value;
use super::{Elaborator, Items};
use crate::syntax::ast::{self, Alias, Block, Item};
use crate::syntax::diagnostic::Diagnostics;
use crate::syntax::output;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A model that has a Rust type: a block marked `model` with consts.
pub struct ModelType {
    /// The type's name.
    pub name: String,
    /// The block behind it.
    pub block: String,
    /// The value of each const.
    pub consts: Vec<Value>,
    /// The tensors of its store.
    pub entries: BTreeMap<String, Entry>,
    /// Whether mistakes were found in it; then what is above is not whole.
    pub broken: bool,
    /// The position of its item in the file.
    item: usize,
}

impl ModelType {
    /// What the macro generates for it.
    pub fn output(&self, file: &ast::File) -> output::Model {
        let (visibility, docs, name) = match &file.items[self.item] {
            Item::Block(block) => (&block.visibility, &block.docs, &block.name),
            Item::Alias(alias) => (&alias.visibility, &alias.docs, &alias.name),
            Item::Step(_) | Item::Use(_) => unreachable!("types are made of blocks and aliases"),
        };
        let store = Store { model: self.name.clone(), entries: self.entries.clone(), ..Store::default() };
        output::Model {
            visibility: visibility.clone(),
            docs: docs.clone(),
            name: name.clone(),
            description: store.description(),
        }
    }
}

/// All models of a file that have types: those whose consts all have defaults, and aliases.
pub fn model_types(file: &ast::File, items: &Items, diagnostics: &Diagnostics) -> Vec<ModelType> {
    let mut types: Vec<ModelType> = Vec::new();
    for (item, written) in file.items.iter().enumerate() {
        if let Item::Block(block) = written {
            let has_type = block.is_model && block.consts.iter().all(|parameter| parameter.default.is_some());
            if has_type {
                types.push(model_type(item, block, items, diagnostics));
            }
        }
    }
    for (item, written) in file.items.iter().enumerate() {
        if let Item::Alias(alias) = written {
            let broken = types.iter().any(|ty| ty.block == alias.target.name && ty.broken);
            types.push(alias_type(item, alias, broken, items, diagnostics));
        }
    }
    types.sort_by_key(|ty| ty.item);
    types
}

fn model_type(item: usize, block: &Block, items: &Items, diagnostics: &Diagnostics) -> ModelType {
    let mut elaborator = Elaborator::new(&block.name.name, items, &[], diagnostics);
    let before = diagnostics.count();
    elaborator.frames.push(Frame::new(None, true));
    let found = items.find(&block.name.name).expect("the block is an item of this file");
    let consts = elaborator.consts(&found, &[], block.name.span);
    elaborator.finish_type(item, &block.name.name, found, consts, before)
}

fn alias_type(item: usize, alias: &Alias, broken: bool, items: &Items, diagnostics: &Diagnostics) -> ModelType {
    let mut elaborator = Elaborator::new(&alias.name.name, items, &[], diagnostics);
    let before = diagnostics.count();
    elaborator.frames.push(Frame::new(None, true));
    let empty = |broken| ModelType {
        name: alias.name.name.clone(),
        block: alias.target.name.clone(),
        consts: Vec::new(),
        entries: BTreeMap::new(),
        broken,
        item,
    };
    let Some(found) = items.find(&alias.target.name).filter(|found| found.block.is_model) else {
        let known = items.blocks.values().filter(|block| block.block.is_model);
        let names: Vec<&str> = known.map(|block| block.block.name.name.as_str()).collect();
        let nearest = crate::nearest::nearest(&alias.target.name, names.iter().copied());
        let problem = Problem::new(alias.target.span, format!("no model `{}`", alias.target.name));
        elaborator.report(problem.nearest("", &nearest));
        return empty(true);
    };
    let consts = elaborator.consts(&found, &alias.arguments, alias.target.span);
    if broken {
        // Its mistakes are reported once, with the consts of the model itself.
        return empty(true);
    }
    elaborator.finish_type(item, &alias.name.name, found, consts, before)
}

impl Elaborator<'_> {
    fn finish_type(
        mut self,
        item: usize,
        name: &str,
        block: Rc<BlockItem>,
        consts: Option<Vec<Value>>,
        before: usize,
    ) -> ModelType {
        self.frames.clear();
        self.stores.push(Store { model: name.to_string(), open: true, ..Store::default() });
        let value = consts.as_ref().map_or(Value::Poison, |consts| self.root_body(&block.block, consts));
        ModelType {
            name: name.to_string(),
            block: block.block.name.name.clone(),
            broken: value.is_poison() || self.diagnostics.count() > before,
            consts: consts.unwrap_or_default(),
            entries: std::mem::take(&mut self.stores[0].entries),
            item,
        }
    }

    /// Runs the body of a model with open extents.
    fn root_body(&mut self, block: &Block, consts: &[Value]) -> Value {
        let mut frame = Frame::new(Some(Elaborator::root_place(0, "", block.name.span)), true);
        let training = Value::Bool(true);
        frame.bind("training", training, super::scope::BindingKind::Fixed, block.name.span);
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
