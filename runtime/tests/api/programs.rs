//! Models and steps that tests run: what the macro would embed, written with the compiler's builder and printed.

use tapeless::generated::{Elements, StoreArgument};
use tapeless::{Device, Error, Options, Seed, Step, Store};
use tapeless_compiler::description::{self, Initial, ModelDescription, TensorDecl};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{self, Builder, Graph, Leaf, Origin, Role, StoreDecl, ValueId};
use tapeless_compiler::ops;
use tapeless_compiler::shape::{Extent, Shape, Symbol, Type};

/// The text of a graph, as a program embeds it.
pub fn text(graph: &Graph) -> &'static str {
    Box::leak(graph::print(graph).into_boxed_str())
}

/// A model of these tensors: key, type, whether it is a state, how it begins.
pub fn model(name: &str, tensors: &[(&str, Type, bool, Initial)]) -> &'static str {
    let tensor = |(key, ty, state, initial): &(&str, Type, bool, Initial)| TensorDecl {
        key: key.to_string(),
        ty: ty.clone(),
        state: *state,
        initial: *initial,
    };
    let tensors = tensors.iter().map(tensor).collect();
    Box::leak(description::print(&ModelDescription { name: name.to_string(), tensors }).into_boxed_str())
}

/// A type of f32 with known extents.
pub fn f32s(shape: &[usize]) -> Type {
    Type::new(DType::F32, Shape::from_known(shape))
}

/// A type whose first extent is open.
pub fn batched(dtype: DType, symbol: &Symbol, rest: &[usize]) -> Type {
    let rest = rest.iter().map(|&extent| Extent::from(extent));
    Type::new(dtype, Shape::new(std::iter::once(Extent::symbol(symbol.clone())).chain(rest).collect()))
}

/// A step that is being written.
pub struct Writer {
    /// The graph so far.
    pub graph: Graph,
}

impl Writer {
    /// A step over these bindings of models.
    pub fn new(name: &str, stores: &[(&str, &str)]) -> Writer {
        let mut graph = Graph::new(name);
        graph.files = vec!["src/main.rs".to_string()];
        let decl =
            |(binding, model): &(&str, &str)| StoreDecl { binding: binding.to_string(), model: model.to_string() };
        graph.stores = stores.iter().map(decl).collect();
        Writer { graph }
    }

    /// An open extent.
    pub fn dim(&mut self, name: &str) -> Symbol {
        self.graph.dims.push(Symbol::new(name));
        Symbol::new(name)
    }

    /// An input.
    pub fn input(&mut self, name: &str, ty: Type) -> ValueId {
        self.graph.leaf(Leaf::User { name: name.to_string() }, ty)
    }

    /// A parameter of the store at a position.
    pub fn parameter(&mut self, store: usize, key: &str, ty: Type) -> ValueId {
        self.graph.leaf(Leaf::Parameter { store, key: key.to_string() }, ty)
    }

    /// A state of the store at a position.
    pub fn state(&mut self, store: usize, key: &str, ty: Type) -> ValueId {
        self.graph.leaf(Leaf::State { store, key: key.to_string() }, ty)
    }

    /// A slot of the store at a position.
    pub fn slot(&mut self, store: usize, name: &str, ty: Type, initial: f64) -> ValueId {
        self.graph.leaf(Leaf::Slot { store, name: name.to_string(), initial }, ty)
    }

    /// Appends nodes, all written in one line of the source.
    pub fn at(&mut self, line: u32) -> Builder<'_> {
        Builder::new(&mut self.graph, Origin { file: 0, line, column: 9 })
    }

    /// The next value of a leaf.
    pub fn next(&mut self, leaf: ValueId, value: ValueId) {
        self.graph.result(Role::Next(leaf), value);
    }

    /// An output.
    pub fn output(&mut self, position: usize, value: ValueId) {
        self.graph.result(Role::Output(position), value);
    }

    /// The gradient of a parameter.
    pub fn gradient(&mut self, store: usize, key: &str, value: ValueId) {
        self.graph.result(Role::Gradient { store, key: key.to_string() }, value);
    }
}

/// `w - rate * gradient`.
pub fn descend(b: &mut Builder<'_>, w: ValueId, rate: ValueId, gradient: ValueId) -> ValueId {
    let shape = b.shape(gradient);
    let rate = ops::broadcast(b, rate, &shape);
    let change = ops::mul(b, rate, gradient);
    ops::sub(b, w, change)
}

/// The model `w * x + b` of scalars, which begin as 1 and 0.
pub fn line(device: &Device) -> Result<Store, Error> {
    Store::new(include_str!("../texts/line.model"), device, Seed(0))
}

/// The training step of [`line`]: inputs x, y, lr; metrics loss and pred; gradients of w and b.
pub fn train_line(device: &Device, options: &Options) -> Result<Step, Error> {
    Step::compile(include_str!("../texts/train_line.graph"), device, &[], options)
}

/// Runs [`train_line`] once.
pub fn run_line(step: &mut Step, store: &mut Store, x: f32, y: f32, lr: f32) -> Result<(), Error> {
    step.run(&mut [StoreArgument::Exclusive(store)], &[Elements::from(&x), Elements::from(&y), Elements::from(&lr)])
}
