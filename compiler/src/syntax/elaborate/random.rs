//! Where the random numbers of a step come from: the seed of a store and a count of runs that is kept beside its slots.
//!
//! Both are leaves that appear with the first number that is drawn. Which store they belong to is known when the step is
//! whole: the first one that the step changes, else the first one.

use super::Elaborator;
use super::report::Problem;
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, Builder, Leaf, Role, ValueId, seed_type};
use crate::ops;
use crate::random;
use crate::shape::Type;
use proc_macro2::Span;

/// The slot that counts the runs of a step.
const RUNS: &str = "runs";

/// What a step draws from.
pub struct Source {
    seed: ValueId,
    runs: ValueId,
    /// How many places have drawn so far.
    places: u32,
    /// The first of them.
    first: Span,
}

impl Elaborator<'_> {
    /// The key of a place that draws: no two places of a step, and no two runs, have the same.
    pub(super) fn random_key(&mut self, span: Span) -> Option<ValueId> {
        let first = self.user_span(span);
        let graph = &mut self.graph;
        let source = self.random.get_or_insert_with(|| Source {
            seed: graph.leaf(Leaf::Seed { store: 0 }, seed_type()),
            runs: graph.leaf(Leaf::Slot { store: 0, name: RUNS.to_string(), initial: 0.0 }, Type::scalar(DType::U32)),
            places: 0,
            first,
        });
        let (operands, stream) = ([source.seed, source.runs], random::stream(&graph.name, source.places));
        source.places += 1;
        let attributes = Attributes::none().with("stream", Attribute::Int(stream));
        self.insert_op("random_key", attributes, &operands, span)
    }

    /// Settles which store the seed and the count of runs belong to, and counts this run. All other next values are
    /// results already.
    pub(super) fn count_run(&mut self) {
        let Some(Source { seed, runs, first, .. }) = self.random.take() else { return };
        if self.stores.is_empty() {
            let problem = Problem::new(first, "random numbers come from a model, and the step names none");
            self.report(problem.exact().place("a model's store keeps the seed and counts the runs: let net = …;"));
            return;
        }
        let store = (0..self.stores.len()).find(|&store| self.graph.changes(store)).unwrap_or(0);
        self.graph.move_leaf(seed, store);
        self.graph.move_leaf(runs, store);
        let origin = self.origin(first);
        let mut b = Builder::new(&mut self.graph, origin);
        let one = ops::constant(&mut b, 1.0, DType::U32);
        let next = ops::add(&mut b, runs, one);
        self.graph.result(Role::Next(runs), next);
    }
}
