//! Reading the printed form of graphs back.
//!
//! Text and the list of ops come in, a graph or a [`ParseError`] leaves; no text causes a panic. Every node enters through
//! [`Graph::insert`], so that its types are inferred again and compared with those written. Which attributes an op takes,
//! its samples say. State pairs and roles are [`super::verify`]'s matter.

use super::print::VERSION;
use super::{Attribute, Attributes, Check, Graph, Leaf, Op, Origin, Region, Relation, Role, StoreDecl, ValueId};
use crate::dtype::DType;
use crate::shape::Type;
use crate::text::{Line, Lines, ParseError};
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

/// The graph whose printed form this is.
pub fn parse(text: &str, ops: &[&'static dyn Op]) -> Result<Graph, ParseError> {
    let mut lines = Lines::open(text, "graph", VERSION)?;
    let mut line = lines.next("the step's name")?;
    line.keyword("step")?;
    let graph = Graph::new(&line.name()?);
    line.end()?;
    let mut parser =
        Parser { lines, graph, checks: Vec::new(), depth: 0, ops: Vocabulary::new(ops), types: HashMap::new() };
    let graph = parser.body()?;
    parser.lines.finish()?;
    Ok(graph)
}

/// Regions may be nested this deep.
const DEPTH: usize = 32;

struct Parser<'t> {
    lines: Lines<'t>,
    /// The graph, or the region, that the lines belong to.
    graph: Graph,
    checks: Vec<Check>,
    /// How many regions the lines stand in.
    depth: usize,
    ops: Vocabulary,
    types: HashMap<&'t str, Type>,
}

impl<'t> Parser<'t> {
    /// Reads up to `end`; the graph is empty afterwards.
    fn body(&mut self) -> Result<Graph, ParseError> {
        loop {
            let mut line = self.lines.next("a value, a result or `end`")?;
            if line.peek_word() == "end" {
                line.keyword("end")?;
                line.end()?;
                return Ok(self.finish());
            }
            self.line(&mut line)?;
        }
    }

    /// Reads one line, and the regions of a node behind it.
    fn line(&mut self, line: &mut Line<'t>) -> Result<(), ParseError> {
        if line.rest().starts_with('%') {
            return self.value(line);
        }
        match line.peek_word() {
            "check" => self.check(line)?,
            "result" => self.result(line)?,
            "file" if self.depth == 0 => self.file(line)?,
            "dim" if self.depth == 0 => self.dim(line)?,
            "store" if self.depth == 0 => self.store(line)?,
            _ if self.depth > 0 => return line.unexpected("a value, `check`, `result` or `end`"),
            _ => return line.unexpected("a value, `file`, `dim`, `store`, `check`, `result` or `end`"),
        }
        line.end()
    }

    /// The checks stand in the text in their order; those that follow from the nodes must be among them, and are added if
    /// someone took them out.
    fn finish(&mut self) -> Graph {
        let mut graph = std::mem::take(&mut self.graph);
        let derived = std::mem::take(&mut graph.checks);
        graph.checked.clear();
        for check in std::mem::take(&mut self.checks).into_iter().chain(derived) {
            graph.check(check);
        }
        graph
    }

    /// Reads a region of the graph that is read.
    fn region(&mut self, line: &Line<'_>) -> Result<Region, ParseError> {
        if self.depth == DEPTH {
            return line.refused(format!("regions are nested more than {DEPTH} deep"));
        }
        let graph = std::mem::take(&mut self.graph);
        let checks = std::mem::take(&mut self.checks);
        self.graph.name.clone_from(&graph.name);
        self.depth += 1;
        let region = self.body()?;
        self.depth -= 1;
        (self.graph, self.checks) = (graph, checks);
        Ok(Region::new(region))
    }

    fn file(&mut self, line: &mut Line<'_>) -> Result<(), ParseError> {
        line.keyword("file")?;
        line.keyword(&self.graph.files.len().to_string())?;
        self.graph.files.push(line.string()?);
        Ok(())
    }

    fn dim(&mut self, line: &mut Line<'_>) -> Result<(), ParseError> {
        line.keyword("dim")?;
        let symbol = line.symbol()?;
        if self.graph.dims.contains(&symbol) {
            return line.refused(format!("dim {symbol} stands twice"));
        }
        self.graph.dims.push(symbol);
        Ok(())
    }

    fn store(&mut self, line: &mut Line<'_>) -> Result<(), ParseError> {
        line.keyword("store")?;
        line.keyword(&self.graph.stores.len().to_string())?;
        self.graph.stores.push(StoreDecl { binding: line.name()?, model: line.name()? });
        Ok(())
    }

    fn value(&mut self, line: &mut Line<'t>) -> Result<(), ParseError> {
        let mut count = 0;
        while !line.eat("=") {
            line.expect("%")?;
            line.keyword(&(self.graph.values.len() + count).to_string())?;
            count += 1;
        }
        match leaf(line)? {
            Some(_) if count != 1 => line.refused("a leaf is one value"),
            Some(leaf) => {
                line.expect(":")?;
                let ty = line.repeated_ty(&mut self.types)?;
                self.graph.leaf(leaf, ty);
                line.end()
            }
            None => self.node(line, count),
        }
    }

    fn node(&mut self, line: &mut Line<'t>, count: usize) -> Result<(), ParseError> {
        let (op, attributes) = self.ops.call(line)?;
        let mut operands = Vec::new();
        while !line.eat(":") {
            operands.push(self.known(line)?);
        }
        let mut types = vec![line.repeated_ty(&mut self.types)?];
        while line.eat(",") {
            types.push(line.repeated_ty(&mut self.types)?);
        }
        let origin = origin(line)?;
        line.end()?;
        let attributes = attributes.with_regions(|_| self.region(line))?;
        if types.len() != count {
            return line.refused(format!("{count} values with {} types", types.len()));
        }
        match self.graph.insert(op, attributes, &operands, origin) {
            Ok(results) => self.compare(line, &types, &results),
            Err(error) => line.refused(error.to_string()),
        }
    }

    /// Holds the types as written against those that the op infers.
    fn compare(&self, line: &Line<'_>, written: &[Type], results: &[ValueId]) -> Result<(), ParseError> {
        let inferred = || results.iter().map(|&result| self.graph.ty(result));
        if written.iter().eq(inferred()) {
            return Ok(());
        }
        let inferred: Vec<String> = inferred().map(Type::to_string).collect();
        let written: Vec<String> = written.iter().map(Type::to_string).collect();
        line.refused(format!("the types are written as {}, but are {}", written.join(", "), inferred.join(", ")))
    }

    fn check(&mut self, line: &mut Line<'_>) -> Result<(), ParseError> {
        line.keyword("check")?;
        let left = line.extent()?;
        let relation = match line.eat("<=") {
            true => Relation::AtMost,
            false => line.expect("=").map(|()| Relation::Equal)?,
        };
        let check = Check { left, relation, right: line.extent()?, message: line.string()?, origin: origin(line)? };
        self.checks.push(check);
        Ok(())
    }

    fn result(&mut self, line: &mut Line<'_>) -> Result<(), ParseError> {
        line.keyword("result")?;
        let role = self.role(line)?;
        let value = self.known(line)?;
        self.graph.result(role, value);
        Ok(())
    }

    fn role(&self, line: &mut Line<'_>) -> Result<Role, ParseError> {
        Ok(match line.peek_word() {
            "metric" => line.keyword("metric").and_then(|()| line.string()).map(Role::Metric)?,
            "output" => line.keyword("output").and_then(|()| line.int()).map(Role::Output)?,
            "loss" => line.keyword("loss").and_then(|()| line.int()).map(Role::Loss)?,
            "gradient" => {
                line.keyword("gradient")?;
                Role::Gradient { store: line.int()?, key: line.string()? }
            }
            "not_finite" => {
                line.keyword("not_finite")?;
                Role::NotFinite(Box::new(self.role(line)?))
            }
            "next" => line.keyword("next").and_then(|()| self.known(line)).map(Role::Next)?,
            _ => return line.unexpected("`metric`, `output`, `loss`, `gradient`, `not_finite` or `next`"),
        })
    }

    /// A value that is defined already.
    fn known(&self, line: &mut Line<'_>) -> Result<ValueId, ParseError> {
        let before = line.clone();
        line.expect("%")?;
        let number: usize = line.int()?;
        if number >= self.graph.values.len() {
            return before.refused(format!("%{number} is not defined above"));
        }
        Ok(ValueId(number))
    }
}

fn leaf(line: &mut Line<'_>) -> Result<Option<Leaf>, ParseError> {
    let word = line.peek_word();
    if !matches!(word, "user" | "parameter" | "state" | "slot" | "seed") {
        return Ok(None);
    }
    line.keyword(word)?;
    Ok(Some(match word {
        "user" => Leaf::User { name: line.string()? },
        "parameter" => Leaf::Parameter { store: line.int()?, key: line.string()? },
        "state" => Leaf::State { store: line.int()?, key: line.string()? },
        "seed" => Leaf::Seed { store: line.int()? },
        _ => Leaf::Slot { store: line.int()?, name: line.string()?, initial: line.float()? },
    }))
}

fn origin(line: &mut Line<'_>) -> Result<Origin, ParseError> {
    if !line.eat("@") {
        return Ok(Origin::default());
    }
    let file = line.int()?;
    line.expect(":")?;
    let row = line.int()?;
    line.expect(":")?;
    Ok(Origin { file, line: row, column: line.int()? })
}

/// The ops by name, and what is known about those that occurred.
struct Vocabulary(HashMap<&'static str, (&'static dyn Op, Option<Vec<Signature>>)>);

/// The names and kinds of attributes, in order of name.
type Signature = Vec<(String, Discriminant<Attribute>)>;

impl Vocabulary {
    fn new(ops: &[&'static dyn Op]) -> Vocabulary {
        Vocabulary(ops.iter().map(|&op| (op.name(), (op, None))).collect())
    }

    /// An op's name and attributes that the op can read.
    fn call(&mut self, line: &mut Line<'_>) -> Result<(&'static dyn Op, Attributes), ParseError> {
        let Some((op, signatures)) = self.0.get_mut(line.peek_word()) else { return line.unexpected("an op or leaf") };
        line.keyword(op.name())?;
        let attributes = attributes(line)?;
        let known = signatures.get_or_insert_with(|| sampled(*op));
        if !known.contains(&signature(&attributes)) {
            return line.refused(format!("{} does not take{attributes} as attributes", op.name()));
        }
        Ok((*op, attributes))
    }
}

fn sampled(op: &dyn Op) -> Vec<Signature> {
    let mut signatures: Vec<Signature> = Vec::new();
    for sample in op.samples() {
        let signature = signature(&sample.attributes);
        if !signatures.contains(&signature) {
            signatures.push(signature);
        }
    }
    signatures
}

fn signature(attributes: &Attributes) -> Signature {
    attributes.iter().map(|(name, value)| (name.to_string(), discriminant(value))).collect()
}

fn attributes(line: &mut Line<'_>) -> Result<Attributes, ParseError> {
    let mut attributes = Attributes::none();
    if !line.eat("{") {
        return Ok(attributes);
    }
    loop {
        let name = line.word("the name of an attribute")?;
        line.expect("=")?;
        if attributes.get(name).is_some() {
            return line.refused(format!("attribute {name} stands twice"));
        }
        attributes = attributes.with(name.to_string(), attribute(line)?);
        if line.eat("}") {
            return Ok(attributes);
        }
        line.expect(",")?;
    }
}

fn attribute(line: &mut Line<'_>) -> Result<Attribute, ParseError> {
    match line.rest().chars().next() {
        Some('"') => line.string().map(Attribute::Word),
        Some('{') => line.extent().map(Attribute::Extent),
        Some('<') => line.shape().map(Attribute::Shape),
        Some('[') => ints(line).map(Attribute::Ints),
        _ => match line.peek_word() {
            word @ ("true" | "false") => line.keyword(word).map(|()| Attribute::Bool(word == "true")),
            "region" => line.keyword("region").map(|()| Attribute::Region(Region::new(Graph::default()))),
            word if DType::from_name(word).is_some() => line.dtype().map(Attribute::Type),
            _ if line.is_whole() => line.int().map(Attribute::Int),
            _ => line.float().map(Attribute::Float),
        },
    }
}

fn ints(line: &mut Line<'_>) -> Result<Vec<i64>, ParseError> {
    line.expect("[")?;
    let mut ints = Vec::new();
    while !line.eat("]") {
        if !ints.is_empty() {
            line.expect(",")?;
        }
        ints.push(line.int()?);
    }
    Ok(ints)
}
