//! Elaboration: syntax trees in, a graph per step and a description per model out.
//!
//! Expressions are evaluated while the macro expands: consts, extents, conditions and loops disappear, layers are applied,
//! and what remains are nodes of a graph. A mistake is reported where it stands and gives [`Value::Poison`], which stays
//! silent wherever it goes, so that each mistake is reported once and the next one is still found. Each model is first
//! elaborated by itself with open extents, which decides its parameters; steps then use it with those parameters fixed.

mod apply;
mod arguments;
mod assign;
mod binding;
mod evaluate;
mod functions;
mod initial;
mod instance;
mod items;
mod lists;
mod minimize;
mod model;
mod numbers;
mod operators;
mod parameter;
mod prelude;
mod random;
mod remat;
mod report;
mod scope;
mod state;
mod statement;
mod step;
mod store;
mod types;
mod unapplied;
mod value;

use super::ast;
use super::diagnostic::Diagnostics;
use super::output::{self, Program};
use crate::graph::{Graph, Origin};
use items::{Items, Scope};
use model::ModelType;
use proc_macro2::Span;
use scope::Frame;
use std::collections::HashSet;
use store::Store;

/// Elaborates a file: models first, then steps. Mistakes go to `diagnostics`; what could be made is returned all the same.
pub fn elaborate(file: &ast::File, diagnostics: &Diagnostics) -> Program {
    let items = Items::collect(file, diagnostics);
    let types = model::model_types(file, &items, diagnostics);
    let mut models: Vec<output::Model> = types.iter().filter_map(|ty| ty.output(file)).collect();
    let steps = file.items.iter().filter_map(|item| match item {
        ast::Item::Step(step) => Some(step::elaborate_step(step, &items, &types, diagnostics)),
        _ => None,
    });
    let mut steps: Vec<output::Step> = steps.collect();
    // Two items of one name are reported: two types of one name would only repeat it.
    let mut taken = HashSet::new();
    models.retain(|model| taken.insert(model.name.name.clone()));
    steps.retain(|step| taken.insert(step.name.name.clone()));
    Program { models, steps, export: None }
}

/// The state of elaborating one model or one step.
struct Elaborator<'a> {
    items: &'a Items,
    /// The models that have a type; empty while models themselves are checked.
    types: &'a [ModelType],
    diagnostics: &'a Diagnostics,
    graph: Graph,
    stores: Vec<Store>,
    /// The bodies that run, innermost last.
    frames: Vec<Frame>,
    /// Whether a layer without an input turned out to need one.
    input_needed: bool,
    /// What a step has asked for so far.
    requests: step::Requests,
    /// Where random numbers come from, once some were drawn.
    random: Option<random::Source>,
}

impl<'a> Elaborator<'a> {
    fn new(name: &str, items: &'a Items, types: &'a [ModelType], diagnostics: &'a Diagnostics) -> Elaborator<'a> {
        Elaborator {
            items,
            types,
            diagnostics,
            graph: Graph::new(name),
            stores: Vec::new(),
            frames: Vec::new(),
            input_needed: false,
            requests: step::Requests::default(),
            random: None,
        }
    }

    /// The file whose names the running body sees.
    fn scope(&self) -> Scope {
        self.frames.last().map_or(Scope::MAIN, |frame| frame.scope)
    }

    fn frame(&self) -> &Frame {
        self.frames.last().expect("an elaborator runs inside a frame")
    }

    fn frame_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("an elaborator runs inside a frame")
    }

    /// The place in the user's source that stands behind a token, as the graph keeps it.
    fn origin(&mut self, span: Span) -> Origin {
        let span = self.user_span(span);
        let (file, start) = (span.file(), span.start());
        let position = self.graph.files.iter().position(|known| *known == file);
        let file = position.unwrap_or_else(|| {
            self.graph.files.push(file);
            self.graph.files.len() - 1
        });
        Origin { file: file as u32, line: start.line as u32, column: start.column as u32 + 1 }
    }
}
