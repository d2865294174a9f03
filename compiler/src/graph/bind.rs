//! Binding the open extents of a graph to numbers.
//!
//! A graph and a number for each of its dims come in; a graph leaves in which every extent is known, none is negative, every
//! check holds and is gone, and every value's bytes can be counted.

use super::rewrite::{Defined, Rewriter};
use super::{Attribute, Attributes, Check, Graph, Leaf, Region, Relation, TypeError};
use crate::shape::{Bindings, EvaluateError, Extent, Shape, Symbol, Type};
use std::fmt;
use thiserror::Error;

/// Why these extents do not fit a graph.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BindError {
    /// A dim of the step is not set.
    #[error("dims: {name} is not set")]
    Unset {
        /// The dim.
        name: Symbol,
    },
    /// The step has no such dim.
    #[error("dims: the step has no {name}; it has {}", list(known))]
    Unknown {
        /// What was set.
        name: Symbol,
        /// The dims of the step.
        known: Vec<Symbol>,
    },
    /// A dim is set to what is no length.
    #[error("dims: {name} is set to {extent}")]
    NoLength {
        /// The dim.
        name: Symbol,
        /// What it is set to.
        extent: Extent,
    },
    /// A check does not hold.
    #[error("{message}{}{sides}{place}", if message.contains('\n') { ": " } else { "\n  " })]
    Check {
        /// What the check says: `add: extents differ on axis 0`, and perhaps on a second line the expression.
        message: String,
        /// Both sides with their numbers.
        sides: Sides,
        /// Where.
        place: Place,
    },
    /// An extent has no number.
    #[error("{subject}: {reason}\n  {extent}{place}")]
    Evaluate {
        /// What has the extent.
        subject: String,
        /// The extent as written.
        extent: String,
        /// Why.
        reason: EvaluateError,
        /// Where.
        place: Place,
    },
    /// An extent is negative.
    #[error("{subject}: axis {axis} has a negative extent\n  {extent} is {number}{place}")]
    Negative {
        /// What has the extent.
        subject: String,
        /// Which.
        axis: usize,
        /// The extent as written.
        extent: String,
        /// Its number.
        number: i64,
        /// Where.
        place: Place,
    },
    /// A value has more elements than memory can have.
    #[error("{subject}: {ty} is too large{place}")]
    TooLarge {
        /// What has the type.
        subject: String,
        /// The type.
        ty: Type,
        /// Where.
        place: Place,
    },
    /// An op does not take operands of these extents.
    #[error("{error}{place}")]
    Type {
        /// What the op says.
        error: TypeError,
        /// Where.
        place: Place,
    },
}

/// The two sides of a check that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// One side and its number.
    pub left: (Extent, i64),
    /// How they should relate.
    pub relation: Relation,
    /// The other side and its number.
    pub right: (Extent, i64),
}

/// `file:line:column`, or nothing if that is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(pub Option<String>);

/// The graph with its dims bound.
pub fn bind(graph: &Graph, dims: &Bindings) -> Result<Graph, BindError> {
    verify_dims(graph, dims)?;
    bind_body(graph, graph, dims)
}

/// The graph, or a region of it, with the dims of `root` bound.
fn bind_body(root: &Graph, graph: &Graph, dims: &Bindings) -> Result<Graph, BindError> {
    graph.checks.iter().try_for_each(|check| hold(root, dims, check))?;
    let mut rewriter = Rewriter::new(graph);
    rewriter.target().dims.clear();
    for defined in graph.definitions() {
        match defined {
            Defined::Leaf(id, ty) => {
                let subject = leaf_name(graph.as_leaf(id).expect("a leaf"));
                let scope = Scope { dims, subject, place: Place(None) };
                let bound = Type::new(ty.dtype, scope.shape(&ty.shape)?);
                scope.countable(&bound)?;
                rewriter.leaf(id, bound);
            }
            Defined::Node(_, node) => {
                let place = Place(root.position(node.origin));
                let scope = Scope { dims, subject: node.op.name().to_string(), place };
                for &result in &node.results {
                    let ty = graph.ty(result);
                    scope.countable(&Type::new(ty.dtype, scope.shape(&ty.shape)?))?;
                }
                let attributes = scope.attributes(&node.attributes)?;
                let region = |region: &Region| bind_body(root, region.graph(), dims).map(Region::new);
                let attributes = attributes.with_regions(region)?;
                let refused = |error| BindError::Type { error, place: scope.place.clone() };
                rewriter.node(node, attributes).map_err(refused)?;
            }
        }
    }
    Ok(rewriter.finish())
}

fn verify_dims(graph: &Graph, dims: &Bindings) -> Result<(), BindError> {
    if let Some(name) = graph.dims.iter().find(|name| !dims.contains_key(name)) {
        return Err(BindError::Unset { name: name.clone() });
    }
    for (name, extent) in dims {
        if !graph.dims.contains(name) {
            return Err(BindError::Unknown { name: name.clone(), known: graph.dims.clone() });
        }
        if extent.known().is_none_or(|number| number < 0) {
            return Err(BindError::NoLength { name: name.clone(), extent: extent.clone() });
        }
    }
    Ok(())
}

/// Demands that a check holds.
fn hold(root: &Graph, dims: &Bindings, check: &Check) -> Result<(), BindError> {
    let place = Place(root.position(check.origin));
    let scope = Scope { dims, subject: check.message.clone(), place };
    let (left, right) = (scope.number(&check.left)?, scope.number(&check.right)?);
    let holds = match check.relation {
        Relation::Equal => left == right,
        Relation::AtMost => left <= right,
    };
    if holds {
        return Ok(());
    }
    let sides =
        Sides { left: (check.left.clone(), left), relation: check.relation, right: (check.right.clone(), right) };
    Err(BindError::Check { message: scope.subject, sides, place: scope.place })
}

/// What an extent belongs to, for messages, and the bindings.
struct Scope<'b> {
    dims: &'b Bindings,
    subject: String,
    place: Place,
}

impl Scope<'_> {
    fn number(&self, extent: &Extent) -> Result<i64, BindError> {
        let unevaluated = |reason| BindError::Evaluate {
            subject: self.subject.clone(),
            extent: extent.to_string(),
            reason,
            place: self.place.clone(),
        };
        extent.evaluate(self.dims).map_err(unevaluated)
    }

    fn shape(&self, shape: &Shape) -> Result<Shape, BindError> {
        let mut extents = Vec::with_capacity(shape.rank());
        for (axis, extent) in shape.extents().iter().enumerate() {
            let number = self.number(extent)?;
            if number < 0 {
                return Err(BindError::Negative {
                    subject: self.subject.clone(),
                    axis,
                    extent: extent.to_string(),
                    number,
                    place: self.place.clone(),
                });
            }
            extents.push(Extent::from(number));
        }
        Ok(Shape::new(extents))
    }

    fn attributes(&self, attributes: &Attributes) -> Result<Attributes, BindError> {
        let mut bound = Attributes::none();
        for (name, value) in attributes.iter() {
            let value = match value {
                Attribute::Extent(extent) => Attribute::Extent(Extent::from(self.number(extent)?)),
                Attribute::Shape(shape) => Attribute::Shape(self.shape(shape)?),
                other => other.clone(),
            };
            bound = bound.with(name.to_string(), value);
        }
        Ok(bound)
    }

    /// Demands that the bytes of a value of this type fit the address space, even where another extent is 0.
    fn countable(&self, ty: &Type) -> Result<(), BindError> {
        let times = |bytes: usize, extent: &usize| bytes.checked_mul((*extent).max(1));
        let bytes = ty.known_shape().iter().try_fold(ty.dtype.size(), times);
        if bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) {
            return Ok(());
        }
        Err(BindError::TooLarge { subject: self.subject.clone(), ty: ty.clone(), place: self.place.clone() })
    }
}

fn leaf_name(leaf: &Leaf) -> String {
    match leaf {
        Leaf::User { name } => format!("input {name}"),
        Leaf::Parameter { key, .. } => format!("parameter {key}"),
        Leaf::State { key, .. } => format!("state {key}"),
        Leaf::Slot { name, .. } => format!("slot {name}"),
        Leaf::Seed { store } => format!("seed {store}"),
    }
}

fn list(symbols: &[Symbol]) -> String {
    match symbols {
        [] => "none".to_string(),
        _ => symbols.iter().map(Symbol::name).collect::<Vec<_>>().join(", "),
    }
}

impl fmt::Display for Sides {
    /// `A is 8, B is 1`; a side that is a number anyway is not said to be one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = (&self.left, &self.right);
        match (left.0.known(), self.relation, right.0.known()) {
            (None, _, None) => write!(f, "{} is {}, {} is {}", left.0, left.1, right.0, right.1),
            (None, Relation::Equal, _) => write!(f, "{} is {}, not {}", left.0, left.1, right.1),
            (None, Relation::AtMost, _) => write!(f, "{} is {}, more than {}", left.0, left.1, right.1),
            (_, Relation::Equal, _) => write!(f, "{} is {}, not {}", right.0, right.1, left.1),
            (_, Relation::AtMost, _) => write!(f, "{} is {}, less than {}", right.0, right.1, left.1),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|place| write!(f, "\n  --> {place}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Origin, Role, print};
    use super::*;
    use crate::dtype::DType;
    use crate::ops;

    fn symbol(name: &str) -> Extent {
        Extent::symbol(Symbol::new(name))
    }

    /// `a + b` of these extents.
    fn sum_of(dims: &[&str], a: Vec<Extent>, b: Vec<Extent>) -> Graph {
        let mut graph = Graph::new("X");
        graph.files.push("src/main.rs".into());
        graph.dims = dims.iter().map(|name| Symbol::new(name)).collect();
        let a = graph.leaf(Leaf::User { name: "a".into() }, Type::new(DType::F32, Shape::new(a)));
        let b = graph.leaf(Leaf::User { name: "b".into() }, Type::new(DType::F32, Shape::new(b)));
        let origin = Origin { file: 0, line: 14, column: 18 };
        let sum = ops::add(&mut Builder::new(&mut graph, origin), a, b);
        graph.result(Role::Output(0), sum);
        graph
    }

    fn dims(set: &[(&str, i64)]) -> Bindings {
        set.iter().map(|&(name, number)| (Symbol::new(name), Extent::from(number))).collect()
    }

    fn refusal(graph: &Graph, set: &[(&str, i64)]) -> String {
        bind(graph, &dims(set)).expect_err("the extents do not fit").to_string()
    }

    #[test]
    fn bound_graphs_have_numbers_only() {
        let graph = sum_of(&["A", "B"], vec![symbol("A")], vec![symbol("B")]);
        let bound = bind(&graph, &dims(&[("A", 8), ("B", 8)])).expect("the extents fit");
        insta::assert_snapshot!(print(&bound), @r#"
        tapeless graph 1
        step X
        file 0 "src/main.rs"
        %0 = user "a" : f32<8>
        %1 = user "b" : f32<8>
        %2 = add %0 %1 : f32<8> @0:14:18
        result output 0 %2
        end
        "#);
    }

    #[test]
    fn a_check_names_both_sides_and_the_place() {
        let graph = sum_of(&["A", "B"], vec![symbol("A")], vec![symbol("B")]);
        let expected = "add: extents differ on axis 0\n  A is 8, B is 1\n  --> src/main.rs:14:18";
        assert_eq!(refusal(&graph, &[("A", 8), ("B", 1)]), expected);
        let mut graph = graph;
        graph.checks[0].message.push_str("\n  net(x) + y");
        let expected = "add: extents differ on axis 0\n  net(x) + y: A is 8, B is 1\n  --> src/main.rs:14:18";
        assert_eq!(refusal(&graph, &[("A", 8), ("B", 1)]), expected);
        let graph = sum_of(&["A"], vec![Extent::from(4)], vec![symbol("A") - Extent::from(1)]);
        let expected = "add: extents differ on axis 0\n  A - 1 is 7, not 4\n  --> src/main.rs:14:18";
        assert_eq!(refusal(&graph, &[("A", 8)]), expected);
    }

    #[test]
    fn at_most_is_no_equality() {
        let mut graph = sum_of(&["T"], vec![symbol("T")], vec![symbol("T")]);
        let message = "slice: the range ends behind the axis".to_string();
        let (right, origin) = (Extent::from(16), Origin::default());
        graph.check(Check { left: symbol("T"), relation: Relation::AtMost, right, message, origin });
        assert!(bind(&graph, &dims(&[("T", 16)])).is_ok());
        let expected = "slice: the range ends behind the axis\n  T is 17, more than 16";
        assert_eq!(refusal(&graph, &[("T", 17)]), expected);
    }

    #[test]
    fn dims_that_do_not_fit_are_named() {
        let graph = sum_of(&["A", "B"], vec![symbol("A")], vec![symbol("B")]);
        assert_eq!(refusal(&graph, &[("A", 8)]), "dims: B is not set");
        let all = [("A", 8), ("B", 8), ("C", 8)];
        assert_eq!(refusal(&graph, &all), "dims: the step has no C; it has A, B");
        assert_eq!(refusal(&graph, &[("A", -8), ("B", -8)]), "dims: A is set to -8");
    }

    #[test]
    fn extents_without_a_length_are_refused() {
        let quotient = Extent::from(8).floor_div(&symbol("A")).expect("no known zero");
        let graph = sum_of(&["A"], vec![quotient.clone()], vec![quotient]);
        assert_eq!(refusal(&graph, &[("A", 0)]), "input a: 8 is divided by A, which is 0\n  (8 / A)");
        let less = symbol("A") - Extent::from(3);
        let graph = sum_of(&["A"], vec![Extent::from(2), less.clone()], vec![Extent::from(2), less]);
        assert_eq!(refusal(&graph, &[("A", 2)]), "input a: axis 1 has a negative extent\n  A - 3 is -1");
    }

    #[test]
    fn more_elements_than_can_be_counted_are_refused() {
        let square = vec![symbol("A"), symbol("A")];
        let graph = sum_of(&["A"], square.clone(), square);
        assert_eq!(refusal(&graph, &[("A", 1 << 31)]), "input a: f32<2147483648, 2147483648> is too large");
        let cube = vec![symbol("A") * symbol("A") * symbol("A")];
        let graph = sum_of(&["A"], cube.clone(), cube);
        assert_eq!(refusal(&graph, &[("A", 1 << 31)]), "input a: the number is too large\n  A * A * A");
    }
}
