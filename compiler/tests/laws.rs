//! Laws that every op of the list obeys, on every one of its samples: types agree with values, gradients with numerical
//! differences, expansions and lowerings with the reference meaning, open extents with known ones, and what an op does not
//! take it refuses.

use std::collections::BTreeMap;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{
    Array, Attribute, Attributes, Builder, Call, Definition, Fill, Graph, Leaf, Lowering, NodeId, Op, Origin, Sample,
    SampleOperand, ValueId, Vjp, for_each_point,
};
use tapeless_compiler::nest::{Atom, Body, Index, Nest, Reducer, Scalar};
use tapeless_compiler::ops::{self, OPS};
use tapeless_compiler::scalar::ScalarOp;
use tapeless_compiler::shape::{Bindings, Extent, Shape, Symbol, Type};

/// An op on one of its samples.
struct Case {
    name: String,
    op: &'static dyn Op,
    sample: Sample,
    operands: Vec<Array>,
}

impl Case {
    fn new(op: &'static dyn Op, sample: Sample, seed: u64) -> Case {
        let types: Vec<String> = sample.operands.iter().map(|operand| operand.ty.to_string()).collect();
        let name = format!("{} {:?} ({})", op.name(), sample.attributes, types.join("; "));
        let operands = sample.arrays(seed);
        Case { name, op, sample, operands }
    }

    fn graph(&self) -> Graph {
        self.sample.graph(self.op).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn call(&self) -> Call {
        self.graph().call(NodeId(0))
    }

    fn reference(&self) -> Vec<Array> {
        self.op.reference(&self.call(), &self.operands.iter().collect::<Vec<_>>())
    }
}

fn cases() -> impl Iterator<Item = Case> {
    OPS.iter().flat_map(|&op| {
        op.samples().into_iter().enumerate().map(move |(seed, sample)| Case::new(op, sample, seed as u64))
    })
}

#[test]
fn the_list_is_sorted_and_every_op_is_found_by_its_name() {
    assert!(OPS.windows(2).all(|pair| pair[0].name() < pair[1].name()), "names are sorted and unique");
    for op in OPS {
        assert_eq!(ops::find(op.name()).map(|found| found.name()), Some(op.name()));
        assert!(op.doc().starts_with(op.name()), "{}: the formula begins with the name", op.name());
        assert!(op.doc().contains("->"), "{}: the formula says what comes out", op.name());
    }
    assert!(ops::find("frobnicate").is_none());
}

#[test]
fn samples_cover_size_1_odd_and_empty_extents() {
    for op in OPS {
        let samples = op.samples();
        assert!(!samples.is_empty(), "{}: no samples", op.name());
        if samples.iter().all(|sample| sample.operands.is_empty()) {
            continue;
        }
        let extents: Vec<usize> =
            samples.iter().flat_map(|s| &s.operands).flat_map(|operand| operand.ty.known_shape()).collect();
        assert!(extents.contains(&1), "{}: no axis of extent 1", op.name());
        assert!(extents.iter().any(|n| n % 2 == 1 && *n > 1), "{}: no odd extent", op.name());
        assert!(extents.contains(&0), "{}: no empty axis", op.name());
    }
}

#[test]
fn types_agree_with_values() {
    cases().for_each(|case| check_types(&case));
}

fn check_types(case: &Case) {
    let (inferred, found) = (case.call().result_types, case.reference());
    assert_eq!(inferred.len(), found.len(), "{}", case.name);
    for (ty, array) in inferred.iter().zip(&found) {
        assert_eq!((ty.dtype, ty.known_shape()), (array.dtype, array.shape.clone()), "{}", case.name);
        let legal = |&x: &f64| match array.dtype {
            DType::Bool => x == 0.0 || x == 1.0,
            // The maximum of no 64-bit integers has no f64.
            DType::I64 => x.fract() == 0.0 || x.is_infinite(),
            DType::U32 => x == f64::from(x as u32),
            DType::I32 => x == f64::from(x as i32),
            DType::U8 => x == f64::from(x as u8),
            DType::F32 | DType::F64 | DType::F16 | DType::Bf16 => true,
        };
        assert!(array.elements.iter().all(legal), "{}: {:?} holds {:?}", case.name, array.dtype, array.elements);
    }
}

#[test]
fn lowerings_agree_with_the_reference() {
    let lowered = cases().filter(check_lowering).count();
    assert!(lowered > 300, "only {lowered} samples lower to a nest or a view");
}

/// Whether there is a lowering to check.
fn check_lowering(case: &Case) -> bool {
    let call = case.call();
    let found = match case.op.lower(&call) {
        Lowering::Nest(nest) => evaluate_nest(&nest, &call, &case.operands, &case.name),
        Lowering::View(indices) => Array::build(call.result_types[0].dtype, &call.shape(), |point| {
            let walk = Walk { reads: &[], operands: &case.operands, name: &case.name };
            walk.element(0, &indices, point)
        }),
        Lowering::Expand => return false,
    };
    assert_close(&found, &case.reference()[0], 1e-9, &case.name);
    true
}

#[test]
fn expansions_agree_with_the_reference() {
    let mut expanded = 0;
    for case in cases().filter(|case| matches!(case.op.lower(&case.call()), Lowering::Expand)) {
        let (graph, results) = expand(&case.graph(), case.op);
        let values = evaluate(&graph, &case.operands);
        for (result, reference) in results.iter().zip(case.reference()) {
            assert_close(&values[result.0], &reference, 1e-9, &case.name);
        }
        expanded += 1;
    }
    assert!(expanded > 80, "only {expanded} samples expand");
}

#[test]
fn gradients_agree_with_numerical_differences() {
    let mut checked = 0;
    for case in cases() {
        let (graph, cotangents) = backward(&case.graph(), case.op, &case.name);
        checked += check_gradients(&case, &graph, &cotangents);
    }
    assert!(checked > 4500, "only {checked} derivatives were compared");
}

#[test]
fn open_extents_give_the_same_gradients_and_expansions_as_known_ones() {
    let mut checked = 0;
    for case in cases() {
        let (sample, bindings) = opened(&case.sample);
        let graph = sample.graph(case.op).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let (backward, cotangents) = backward(&graph, case.op, &case.name);
        checked += check_gradients(&case, &bound(&backward, &bindings), &cotangents);
        if matches!(case.op.lower(&case.call()), Lowering::Expand) {
            let (graph, results) = expand(&graph, case.op);
            let values = evaluate(&bound(&graph, &bindings), &case.operands);
            assert_close(&values[results[0].0], &case.reference()[0], 1e-9, &case.name);
        }
    }
    assert!(checked > 4500, "only {checked} derivatives were compared");
}

#[test]
fn what_an_op_takes_it_computes_and_the_rest_it_refuses() {
    for &op in OPS {
        let mut refused = 0;
        for sample in op.samples().iter().flat_map(variations) {
            match sample.graph(op) {
                Ok(_) => {
                    let case = Case::new(op, sample, 1);
                    check_types(&case);
                    check_lowering(&case);
                }
                Err(error) => {
                    assert!(error.to_string().starts_with(&format!("{}: ", op.name())), "{error}");
                    assert!(error.headline.len() > 5, "{error}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 2, "{} refused {refused} variations", op.name());
    }
}

/// The sample with one operand too many or too few, of another type, with an axis more or less, or a longer one.
fn variations(sample: &Sample) -> Vec<Sample> {
    let with = |operands: Vec<SampleOperand>| Sample { attributes: sample.attributes.clone(), operands };
    let mut more = sample.operands.clone();
    more.push(SampleOperand::numbers(DType::F32, &[2], Fill::Between(0.0, 1.0)));
    let mut variations = vec![with(more)];
    for position in 0..sample.operands.len() {
        let mut fewer = sample.operands.clone();
        fewer.remove(position);
        variations.push(with(fewer));
        let operand = &sample.operands[position];
        let shape = operand.ty.known_shape();
        let mut changed: Vec<(DType, Vec<usize>)> = DType::ALL.map(|dtype| (dtype, shape.clone())).to_vec();
        changed.push((operand.ty.dtype, [&[2], shape.as_slice()].concat()));
        for axis in 0..shape.len() {
            changed.push((operand.ty.dtype, [&shape[..axis], &shape[axis + 1..]].concat()));
            changed.push((operand.ty.dtype, [&shape[..axis], &[shape[axis] + 1], &shape[axis + 1..]].concat()));
        }
        for (dtype, shape) in changed {
            let mut operands = sample.operands.clone();
            operands[position] = SampleOperand::numbers(dtype, &shape, Fill::Between(0.5, 2.0));
            variations.push(with(operands));
        }
    }
    variations
}

/// The sample with a symbol for every extent but 0 and 1, the same for equal extents, and what the symbols stand for.
fn opened(sample: &Sample) -> (Sample, Bindings) {
    let mut bindings = Bindings::new();
    let mut open = |shape: &Shape| {
        let open = |extent: &Extent| match extent.known() {
            Some(n) if n > 1 => {
                let symbol = Symbol::new(&format!("E{n}"));
                bindings.insert(symbol.clone(), Extent::from(n));
                Extent::symbol(symbol)
            }
            _ => extent.clone(),
        };
        Shape::new(shape.extents().iter().map(open).collect())
    };
    let operand = |operand: &SampleOperand| {
        let ty = Type::new(operand.ty.dtype, open(&operand.ty.shape));
        SampleOperand { ty, fill: operand.fill }
    };
    let operands = sample.operands.iter().map(operand).collect();
    let mut attributes = Attributes::none();
    for (name, attribute) in sample.attributes.iter() {
        let attribute = match attribute {
            Attribute::Shape(shape) => Attribute::Shape(open(shape)),
            Attribute::Extent(extent) => Attribute::Extent(open(&Shape::new(vec![extent.clone()])).elements()),
            other => other.clone(),
        };
        attributes = attributes.with(name, attribute);
    }
    (Sample { attributes, operands }, bindings)
}

/// The graph with symbols replaced. Values keep their numbers.
fn bound(graph: &Graph, bindings: &Bindings) -> Graph {
    let mut result = graph.like();
    for (_, value) in graph.values() {
        match &value.definition {
            Definition::Leaf(leaf) => {
                let shape = value.ty.shape.substitute(bindings).expect("no divisor is 0");
                result.leaf(leaf.clone(), Type::new(value.ty.dtype, shape));
            }
            Definition::Node(node, _) => {
                let node = graph.node(*node);
                let attributes = node.attributes.substitute(bindings).expect("no divisor is 0");
                result.insert(node.op, attributes, &node.operands, node.origin).expect("types agree once bound");
            }
        }
    }
    for check in &graph.checks {
        let side = |extent: &Extent| extent.substitute(bindings).and_then(|extent| extent.known());
        assert!(side(&check.left).is_some() && side(&check.left) == side(&check.right), "{check:?}");
    }
    result
}

/// Every value of a graph, from its leaves.
fn evaluate(graph: &Graph, leaves: &[Array]) -> Vec<Array> {
    let mut leaves = leaves.iter();
    let mut values: Vec<Array> = Vec::new();
    for (_, value) in graph.values() {
        match value.definition {
            Definition::Leaf(_) => values.push(leaves.next().expect("an array for each leaf").clone()),
            Definition::Node(node, position) => {
                let operands: Vec<&Array> =
                    graph.node(node).operands.iter().map(|operand| &values[operand.0]).collect();
                let mut results = graph.node(node).op.reference(&graph.call(node), &operands);
                values.push(results.swap_remove(position));
            }
        }
    }
    values
}

/// A graph of the leaves of `graph` and the expansion of its only node.
fn expand(graph: &Graph, op: &'static dyn Op) -> (Graph, Vec<ValueId>) {
    let call = graph.call(NodeId(0));
    let mut expanded = graph.like();
    for (_, leaf, ty) in graph.leaves() {
        expanded.leaf(leaf.clone(), ty.clone());
    }
    let results = op.expand(&mut Builder::new(&mut expanded, Origin::default()), &call);
    let types: Vec<&Type> = results.iter().map(|&result| expanded.ty(result)).collect();
    assert_eq!(types, call.result_types.iter().collect::<Vec<_>>(), "{}: the expansion has other types", op.name());
    (expanded, results)
}

/// The graph of one node with the cotangents of its operands; the cotangent of the result is one more leaf.
fn backward(graph: &Graph, op: &'static dyn Op, name: &str) -> (Graph, Vec<Option<ValueId>>) {
    let (mut graph, call) = (graph.clone(), graph.call(NodeId(0)));
    let float = call.result_types[0].dtype.is_float();
    let seed = |graph: &mut Graph| graph.leaf(Leaf::User { name: "g".to_string() }, call.result_types[0].clone());
    let cotangent = float.then(|| seed(&mut graph));
    let cotangents = match op.vjp(&mut Builder::new(&mut graph, Origin::default()), &call, &[cotangent]) {
        Vjp::Operands(cotangents) => cotangents,
        Vjp::Expand => {
            let (expanded, results) = expand(&graph, op);
            // The leaf of the cotangent stands after the operands in this graph.
            graph = expanded;
            walk_back(&mut graph, results[0], ValueId(call.operands.len()))
        }
    };
    assert_eq!(cotangents.len(), call.operands.len(), "{name}");
    for (operand, cotangent) in call.operand_types.iter().zip(&cotangents) {
        assert!(cotangent.is_none() || (float && operand.dtype.is_float()), "{name}: a gradient of no float");
        assert!(cotangent.is_none_or(|cotangent| graph.ty(cotangent) == operand), "{name}: a gradient of another type");
    }
    (graph, cotangents)
}

/// The cotangents of all leaves but the last.
fn walk_back(graph: &mut Graph, result: ValueId, seed: ValueId) -> Vec<Option<ValueId>> {
    let mut cotangents = BTreeMap::from([(result, seed)]);
    let count = graph.nodes().len();
    for node in (0..count).rev().map(NodeId) {
        let (op, call) = (graph.node(node).op, graph.call(node));
        let Some(&cotangent) = cotangents.get(&call.results[0]) else { continue };
        let mut b = Builder::new(graph, Origin::default());
        let Vjp::Operands(parts) = op.vjp(&mut b, &call, &[Some(cotangent)]) else {
            panic!("{}: a rule by expansion within another", op.name())
        };
        for (&operand, part) in call.operands.iter().zip(parts) {
            let Some(part) = part else { continue };
            let sum = cotangents.get(&operand).map_or(part, |&other| ops::add(&mut b, other, part));
            cotangents.insert(operand, sum);
        }
    }
    (0..seed.0).map(|leaf| cotangents.get(&ValueId(leaf)).copied()).collect()
}

/// Compares cotangents with central differences of the sum of the result times fixed weights; gives how many.
fn check_gradients(case: &Case, graph: &Graph, cotangents: &[Option<ValueId>]) -> usize {
    let call = case.call();
    if !call.result_types[0].dtype.is_float() {
        return 0;
    }
    let weights = SampleOperand { ty: call.result_types[0].clone(), fill: Fill::Between(-1.0, 1.0) };
    let weights = Sample { attributes: Attributes::none(), operands: vec![weights] }.arrays(99).remove(0);
    let loss = |operands: &[Array]| {
        let result = case.op.reference(&call, &operands.iter().collect::<Vec<_>>()).remove(0);
        result.elements.iter().zip(&weights.elements).map(|(x, weight)| x * weight).sum::<f64>()
    };
    let values = evaluate(graph, &[case.operands.as_slice(), std::slice::from_ref(&weights)].concat());
    let mut operands = case.operands.clone();
    let mut checked = 0;
    for position in (0..operands.len()).filter(|&position| call.operand_types[position].dtype.is_float()) {
        for i in 0..operands[position].elements.len() {
            let x = operands[position].elements[i];
            let mut at = |x: f64| {
                operands[position].elements[i] = x;
                loss(&operands)
            };
            let numerical = (at(x + 1e-5) - at(x - 1e-5)) / 2e-5;
            at(x);
            let derived = cotangents[position].map_or(0.0, |cotangent| values[cotangent.0].elements[i]);
            let close = (derived - numerical).abs() <= 1e-6 * (1.0 + numerical.abs());
            assert!(close, "{}: operand {position} at {i}: {derived} is not {numerical}", case.name);
            checked += 1;
        }
    }
    checked
}

fn assert_close(found: &Array, expected: &Array, tolerance: f64, name: &str) {
    assert_eq!((found.dtype, &found.shape), (expected.dtype, &expected.shape), "{name}");
    for (i, (&x, &y)) in found.elements.iter().zip(&expected.elements).enumerate() {
        let exact = x == y || (x.is_nan() && y.is_nan());
        assert!(exact || (x - y).abs() <= tolerance * (1.0 + y.abs()), "{name} at {i}: {x} is not {y}");
    }
}

/// Evaluates a nest point by point, as it is written.
fn evaluate_nest(nest: &Nest, call: &Call, operands: &[Array], name: &str) -> Array {
    let (outputs, reduced) = nest.extents.split_at(nest.outputs);
    assert_eq!(outputs, call.shape(), "{name}: the output axes are those of the result");
    assert_eq!(nest.reducer.is_none(), reduced.is_empty(), "{name}: a reducer if there are reduction axes");
    assert_eq!(nest.dtype, call.result_types[0].dtype, "{name}");
    for read in &nest.reads {
        assert_eq!(read.dtype, call.operand_types[read.operand].dtype, "{name}: type of a read");
    }
    let walk = Walk { reads: &nest.reads, operands, name };
    Array::build(nest.dtype, outputs, |point| {
        let Some(reducer) = nest.reducer else { return walk.body(&nest.body, point).1 };
        let mut points: Vec<(DType, f64)> = Vec::new();
        for_each_point(reduced, |inner| points.push(walk.body(&nest.body, &[point, inner].concat())));
        walk.reduce(reducer, nest.dtype, &points)
    })
}

struct Walk<'a> {
    reads: &'a [tapeless_compiler::nest::Read],
    operands: &'a [Array],
    name: &'a str,
}

impl Walk<'_> {
    fn reduce(&self, reducer: Reducer, dtype: DType, points: &[(DType, f64)]) -> f64 {
        let op = match reducer {
            Reducer::Sum => ScalarOp::Add,
            Reducer::Max => ScalarOp::Max,
            Reducer::Min => ScalarOp::Min,
            Reducer::ArgMax => {
                let maximum =
                    points.iter().fold(f64::NEG_INFINITY, |m, &(dtype, x)| ScalarOp::Max.evaluate(dtype, &[m, x]));
                let found = |&(_, x): &(DType, f64)| x == maximum || (x.is_nan() && maximum.is_nan());
                return points.iter().position(found).unwrap_or(0) as f64;
            }
        };
        points.iter().fold(reducer.identity(dtype), |sum, &(_, x)| op.evaluate(dtype, &[sum, x]))
    }

    fn body(&self, body: &Body, point: &[usize]) -> (DType, f64) {
        let mut scalars: Vec<(DType, f64)> = Vec::new();
        for scalar in &body.scalars {
            let next = match scalar {
                Scalar::Read(read) => {
                    let read = &self.reads[*read];
                    (read.dtype, self.element(read.operand, &read.index, point))
                }
                Scalar::Constant(dtype, value) => (*dtype, *value),
                Scalar::Index(index) => (DType::U32, self.index(index, point) as f64),
                Scalar::Reduced => panic!("{}: no op lowers to an epilogue", self.name),
                Scalar::Apply(op, ids) => {
                    let (types, values): (Vec<DType>, Vec<f64>) = ids.iter().map(|id| scalars[id.0]).unzip();
                    let dtype = op.result(&types).unwrap_or_else(|| panic!("{}: {op} of {types:?}", self.name));
                    (dtype, op.evaluate(types[types.len() - 1], &values))
                }
            };
            scalars.push(next);
        }
        *scalars.last().expect("a body has a result")
    }

    fn element(&self, operand: usize, index: &[Index], point: &[usize]) -> f64 {
        let array = &self.operands[operand];
        let place: Vec<usize> = index.iter().map(|index| self.index(index, point) as usize).collect();
        let inside = place.len() == array.shape.len() && place.iter().zip(&array.shape).all(|(i, extent)| i < extent);
        assert!(inside, "{}: operand {operand} is read at {place:?}", self.name);
        array.at(&place)
    }

    fn index(&self, index: &Index, point: &[usize]) -> i64 {
        let atom = |atom: &Atom| match atom {
            Atom::Axis(axis) => point[*axis] as i64,
            Atom::Quotient(index, by) => self.index(index, point).div_euclid(*by),
            Atom::Remainder(index, by) => self.index(index, point).rem_euclid(*by),
            Atom::Gathered { read, bound } => {
                let read = &self.reads[*read];
                (self.element(read.operand, &read.index, point) as i64).clamp(0, *bound as i64 - 1)
            }
        };
        index.terms.iter().map(|term| term.coefficient * atom(&term.atom)).sum::<i64>() + index.offset
    }
}
