//! The printed form of graphs: what programs carry and listings show, one value per line. The regions of a node stand
//! behind its line, further in.
//!
//! A graph comes in, text leaves. [`super::parse`] takes the text back to an equal graph, to the last bit of every number.

use super::{
    Attribute, Attributes, Check, Definition, Graph, GraphResult, Leaf, Node, Origin, Relation, Role, ValueId,
};
use crate::shape::Type;
use crate::text::write_name;
use std::collections::HashMap;
use std::fmt::{self, Write};

/// The version of the printed form, in its first line.
pub(super) const VERSION: u32 = 1;

/// The printed form of a graph.
pub fn print(graph: &Graph) -> String {
    let mut text = String::with_capacity(64 * graph.values.len() + 256);
    write_graph(&mut text, graph).expect("writing to a string does not fail");
    text
}

fn write_graph(out: &mut String, graph: &Graph) -> fmt::Result {
    writeln!(out, "tapeless graph {VERSION}")?;
    out.write_str("step ")?;
    write_name(out, &graph.name)?;
    writeln!(out)?;
    for (number, file) in graph.files.iter().enumerate() {
        writeln!(out, "file {number} {file:?}")?;
    }
    for dim in &graph.dims {
        writeln!(out, "dim {dim}")?;
    }
    for (number, store) in graph.stores.iter().enumerate() {
        write!(out, "store {number} ")?;
        write_name(out, &store.binding)?;
        out.write_char(' ')?;
        write_name(out, &store.model)?;
        writeln!(out)?;
    }
    write_body(out, &mut Types::new(), graph, 0)
}

/// Values, checks and results, each line so many columns in.
fn write_body<'g>(out: &mut String, types: &mut Types<'g>, graph: &'g Graph, indent: usize) -> fmt::Result {
    for (id, value) in graph.values() {
        match &value.definition {
            Definition::Leaf(leaf) => {
                writeln!(out, "{:indent$}{id} = {leaf} : {}", "", written(types, &value.ty))?;
            }
            Definition::Node(node, 0) => write_node(out, types, graph, graph.node(*node), indent)?,
            Definition::Node(..) => {}
        }
    }
    graph.checks.iter().try_for_each(|check| write_check(out, check, indent))?;
    for GraphResult { role, value } in &graph.results {
        writeln!(out, "{:indent$}result {role} {value}", "")?;
    }
    writeln!(out, "{:indent$}end", "")
}

/// Types as they are written: few of a graph's types differ.
type Types<'g> = HashMap<&'g Type, String>;

fn written<'t, 'g>(types: &'t mut Types<'g>, ty: &'g Type) -> &'t str {
    types.entry(ty).or_insert_with(|| ty.to_string())
}

/// A node, and behind it its regions in order of the attributes' names.
fn write_node<'g>(
    out: &mut String,
    types: &mut Types<'g>,
    graph: &'g Graph,
    node: &'g Node,
    indent: usize,
) -> fmt::Result {
    write!(out, "{:indent$}", "")?;
    for result in &node.results {
        write!(out, "{result} ")?;
    }
    write!(out, "= {}{}", node.op.name(), node.attributes)?;
    for operand in &node.operands {
        write!(out, " {operand}")?;
    }
    for (i, result) in node.results.iter().enumerate() {
        write!(out, "{}{}", if i == 0 { " : " } else { ", " }, written(types, graph.ty(*result)))?;
    }
    writeln!(out, "{}", node.origin)?;
    node.attributes.regions().try_for_each(|region| write_body(out, types, region.graph(), indent + 4))
}

fn write_check(out: &mut String, check: &Check, indent: usize) -> fmt::Result {
    let relation = match check.relation {
        Relation::Equal => "=",
        Relation::AtMost => "<=",
    };
    writeln!(
        out,
        "{:indent$}check {{{}}} {relation} {{{}}} {:?}{}",
        "", check.left, check.right, check.message, check.origin
    )
}

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaf::User { name } => write!(f, "user {name:?}"),
            Leaf::Parameter { store, key } => write!(f, "parameter {store} {key:?}"),
            Leaf::State { store, key } => write!(f, "state {store} {key:?}"),
            Leaf::Slot { store, name, initial } => write!(f, "slot {store} {name:?} {initial:?}"),
            Leaf::Seed { store } => write!(f, "seed {store}"),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Metric(name) => write!(f, "metric {name:?}"),
            Role::Output(position) => write!(f, "output {position}"),
            Role::Loss(number) => write!(f, "loss {number}"),
            Role::Gradient { store, key } => write!(f, "gradient {store} {key:?}"),
            Role::NotFinite(role) => write!(f, "not_finite {role}"),
            Role::Next(leaf) => write!(f, "next {leaf}"),
        }
    }
}

impl fmt::Display for Origin {
    /// Prints nothing when the place is unknown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Origin::default() {
            return Ok(());
        }
        write!(f, " @{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for Attributes {
    /// Prints nothing when there are none, else a blank and a list in braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            f.write_str(if i == 0 { " {" } else { ", " })?;
            write!(f, "{name}={value}")?;
        }
        f.write_str(if self.iter().next().is_some() { "}" } else { "" })
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Int(value) => write!(f, "{value}"),
            Attribute::Ints(values) => write!(f, "{values:?}"),
            Attribute::Float(value) => write!(f, "{value:?}"),
            Attribute::Bool(value) => write!(f, "{value}"),
            Attribute::Word(value) => write!(f, "{value:?}"),
            Attribute::Type(value) => write!(f, "{value}"),
            Attribute::Extent(value) => write!(f, "{{{value}}}"),
            Attribute::Shape(value) => write!(f, "<{value}>"),
            Attribute::Region(_) => f.write_str("region"),
        }
    }
}
