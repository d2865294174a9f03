//! Graphs: typed programs with one value per line, in an order in which every value stands after what it is made of.
//!
//! A graph is made of [`Leaf`]s (what comes from outside), nodes (an [`Op`] with attributes applied to earlier values) and
//! results (what leaves). Types are inferred at the only door, [`Graph::insert`], and never changed afterwards. Passes make
//! new graphs; nothing edits a node in place. Invariants: operands are defined before their node, result types are what
//! the op infers, state pairs have equal types, no two results have the same role.

mod array;
mod attribute;
mod bind;
mod builder;
mod infer;
mod op;
mod parse;
mod print;
mod reference;
mod region;
mod rewrite;
mod sample;
mod verify;

pub use array::{Array, for_each_point};
pub use attribute::{Attribute, AttributeKey, Attributes};
pub use bind::{BindError, bind};
pub use builder::Builder;
pub use infer::{Infer, TypeError};
pub use op::{Call, Fill, Lowering, Op, Sample, SampleOperand, Vjp};
pub use parse::parse;
pub use print::print;
pub use reference::evaluate;
pub use region::{Region, between, inline, outline};
pub use rewrite::{Defined, Rewriter, rewrite};
pub use verify::{VerifyError, verify};

use crate::dtype::DType;
use crate::shape::{Extent, Shape, Symbol, Type};
use rustc_hash::FxHashSet;

/// A value of a graph, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// A node of a graph, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// Where in the user's source something comes from: file number, line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Origin {
    /// Position in [`Graph::files`].
    pub file: u32,
    /// The line, 0 if unknown.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// What a step computes, from leaves to results.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The step's name.
    pub name: String,
    /// Paths of the source files that origins name.
    pub files: Vec<String>,
    /// The open extents that `compile` binds.
    pub dims: Vec<Symbol>,
    /// The models whose stores the step uses, in order.
    pub stores: Vec<StoreDecl>,
    /// What is left to check when the extents are bound.
    pub checks: Vec<Check>,
    /// What leaves the graph.
    pub results: Vec<GraphResult>,
    values: Vec<Value>,
    nodes: Vec<Node>,
    checked: FxHashSet<(Extent, Relation, Extent)>,
}

/// A model that a step names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDecl {
    /// The name of the binding in the step.
    pub binding: String,
    /// The name of the generated type.
    pub model: String,
}

/// A value: its type and what defines it.
#[derive(Clone, Debug)]
pub struct Value {
    /// Element type and shape.
    pub ty: Type,
    /// What defines it.
    pub definition: Definition,
}

/// What defines a value.
#[derive(Clone, Debug)]
pub enum Definition {
    /// It comes from outside.
    Leaf(Leaf),
    /// It is a result of a node, the one at this position.
    Node(NodeId, usize),
}

/// What comes from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// An input of the step, in order of declaration.
    User {
        /// The name in the step's signature.
        name: String,
    },
    /// A parameter of a store.
    Parameter {
        /// Position in [`Graph::stores`].
        store: usize,
        /// The key, like `fc1.weight`.
        key: String,
    },
    /// A state of a store: kept, but not trained.
    State {
        /// Position in [`Graph::stores`].
        store: usize,
        /// The key.
        key: String,
    },
    /// What an optimizer keeps between runs, in the store under the step's name.
    Slot {
        /// Position in [`Graph::stores`].
        store: usize,
        /// The name within the step, like `0.momentum.fc1.weight`.
        name: String,
        /// What every element is before the first run.
        initial: f64,
    },
    /// The seed of a store, `u32<2>`: its lower and its upper word.
    Seed {
        /// Position in [`Graph::stores`].
        store: usize,
    },
}

impl Leaf {
    /// The store that holds it; `None` for inputs.
    pub fn store(&self) -> Option<usize> {
        match self {
            Leaf::User { .. } => None,
            Leaf::Parameter { store, .. }
            | Leaf::State { store, .. }
            | Leaf::Slot { store, .. }
            | Leaf::Seed { store } => Some(*store),
        }
    }

    /// Whether a step may give it a next value.
    pub fn is_kept(&self) -> bool {
        matches!(self, Leaf::Parameter { .. } | Leaf::State { .. } | Leaf::Slot { .. })
    }
}

/// The type of every [`Leaf::Seed`].
pub fn seed_type() -> Type {
    Type::new(DType::U32, Shape::from_known(&[2]))
}

/// An op applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    /// The operation.
    pub op: &'static dyn Op,
    /// Its attributes.
    pub attributes: Attributes,
    /// What it is applied to.
    pub operands: Vec<ValueId>,
    /// What it makes.
    pub results: Vec<ValueId>,
    /// Where it was written.
    pub origin: Origin,
}

/// A value that leaves the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphResult {
    /// What it is for.
    pub role: Role,
    /// The value.
    pub value: ValueId,
}

/// What a result is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A metric of that name.
    Metric(String),
    /// An output of the step, by position.
    Output(usize),
    /// What a `minimize` makes small, by its number. The gradients behind it in the list are those of this loss.
    Loss(usize),
    /// The gradient of a parameter.
    Gradient {
        /// Position in [`Graph::stores`].
        store: usize,
        /// The key of the parameter.
        key: String,
    },
    /// How many elements of another result are infinite or no number: a loss or a gradient, as u32.
    NotFinite(Box<Role>),
    /// The next value of a parameter, state or slot leaf: a state pair.
    Next(ValueId),
}

/// Two extents that must relate in a way, where that depends on open extents.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// One side.
    pub left: Extent,
    /// How they must relate.
    pub relation: Relation,
    /// The other side.
    pub right: Extent,
    /// What to say when they do not; the expression may stand on a second line, two columns in.
    pub message: String,
    /// Where.
    pub origin: Origin,
}

/// How the two sides of a [`Check`] must relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// left == right
    Equal,
    /// left <= right
    AtMost,
}

impl Graph {
    /// An empty graph of that name.
    pub fn new(name: &str) -> Graph {
        Graph { name: name.to_string(), ..Graph::default() }
    }

    /// A graph without leaves, nodes, checks and results that stands for the same step as `self`.
    pub fn like(&self) -> Graph {
        Graph {
            name: self.name.clone(),
            files: self.files.clone(),
            dims: self.dims.clone(),
            stores: self.stores.clone(),
            ..Graph::default()
        }
    }

    /// Adds a value from outside.
    pub fn leaf(&mut self, leaf: Leaf, ty: Type) -> ValueId {
        self.values.push(Value { ty, definition: Definition::Leaf(leaf) });
        ValueId(self.values.len() - 1)
    }

    /// Moves a slot or a seed to another store, for those who learn late which one it is.
    pub fn move_leaf(&mut self, value: ValueId, to: usize) {
        match &mut self.values[value.0].definition {
            Definition::Leaf(Leaf::Slot { store, .. } | Leaf::Seed { store }) => *store = to,
            other => panic!("only slots and seeds move between stores, not {other:?}"),
        }
    }

    /// Applies an op: the only door through which nodes enter. Types are inferred here; what depends on open extents
    /// becomes a [`Check`].
    pub fn insert(
        &mut self,
        op: &'static dyn Op,
        attributes: Attributes,
        operands: &[ValueId],
        origin: Origin,
    ) -> Result<Vec<ValueId>, TypeError> {
        let types: Vec<&Type> = operands.iter().map(|&operand| self.ty(operand)).collect();
        let mut infer = Infer::new(op.name(), &attributes, &types);
        let inferred = op.infer(&mut infer)?;
        for (left, relation, right, message) in infer.into_checks() {
            self.check(Check { left, relation, right, message, origin });
        }
        let node = self.push(op, attributes, operands.to_vec(), inferred, origin);
        Ok(self.node(node).results.clone())
    }

    /// Adds a node whose types are inferred already.
    fn push(
        &mut self,
        op: &'static dyn Op,
        attributes: Attributes,
        operands: Vec<ValueId>,
        types: impl IntoIterator<Item = Type>,
        origin: Origin,
    ) -> NodeId {
        let node = NodeId(self.nodes.len());
        let mut results = Vec::with_capacity(1);
        for ty in types {
            let definition = Definition::Node(node, results.len());
            results.push(ValueId(self.values.len()));
            self.values.push(Value { ty, definition });
        }
        self.nodes.push(Node { op, attributes, operands, results, origin });
        node
    }

    /// Adds a check, unless it is there.
    pub fn check(&mut self, check: Check) {
        if self.checked.insert((check.left.clone(), check.relation, check.right.clone())) {
            self.checks.push(check);
        }
    }

    /// Adds a result.
    pub fn result(&mut self, role: Role, value: ValueId) {
        self.results.push(GraphResult { role, value });
    }

    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &Type {
        &self.values[value.0].ty
    }

    /// A value.
    pub fn value(&self, value: ValueId) -> &Value {
        &self.values[value.0]
    }

    /// All values in order of definition.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (ValueId, &Value)> {
        self.values.iter().enumerate().map(|(i, value)| (ValueId(i), value))
    }

    /// A node.
    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.0]
    }

    /// All nodes in order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i), node))
    }

    /// The node that makes a value; `None` for leaves.
    pub fn producer(&self, value: ValueId) -> Option<(NodeId, &Node)> {
        match self.values[value.0].definition {
            Definition::Node(node, _) => Some((node, self.node(node))),
            Definition::Leaf(_) => None,
        }
    }

    /// The leaf that a value is; `None` for results of nodes.
    pub fn as_leaf(&self, value: ValueId) -> Option<&Leaf> {
        match &self.values[value.0].definition {
            Definition::Leaf(leaf) => Some(leaf),
            Definition::Node(..) => None,
        }
    }

    /// All leaves in order.
    pub fn leaves(&self) -> impl Iterator<Item = (ValueId, &Leaf, &Type)> {
        self.values().filter_map(|(id, value)| match &value.definition {
            Definition::Leaf(leaf) => Some((id, leaf, &value.ty)),
            Definition::Node(..) => None,
        })
    }

    /// Whether the graph has a next value of something in a store.
    pub fn changes(&self, store: usize) -> bool {
        let kept = |role: &Role| match role {
            Role::Next(leaf) => self.as_leaf(*leaf).and_then(Leaf::store),
            _ => None,
        };
        self.results.iter().any(|result| kept(&result.role) == Some(store))
    }

    /// The element type of a value.
    pub fn dtype(&self, value: ValueId) -> DType {
        self.ty(value).dtype
    }

    /// `file:line:column` of an origin, or `None` if it is unknown.
    pub fn position(&self, origin: Origin) -> Option<String> {
        let file = self.files.get(origin.file as usize)?;
        (origin.line > 0).then(|| format!("{file}:{}:{}", origin.line, origin.column))
    }
}
