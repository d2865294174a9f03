//! Laws that every op of the list obeys, on every one of its samples: types agree with values, gradients with numerical
//! differences, expansions and lowerings with the reference meaning, open extents with known ones, and what an op does not
//! take it refuses.

use tapeless_compiler::autodiff::gradients;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::expand::expand;
use tapeless_compiler::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Graph, Leaf, Lowering, NodeId, Op, Origin, Role, Sample,
    SampleOperand, Vjp, bind, evaluate, for_each_point, verify,
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
        let shapes: Vec<Vec<Vec<usize>>> = samples.iter().map(|sample| shapes(op, sample)).collect();
        if shapes.iter().all(|other| *other == shapes[0]) {
            assert!(samples.len() > 2, "{}: one shape, so at least its attributes vary", op.name());
            continue;
        }
        let extents: Vec<usize> = shapes.into_iter().flatten().flatten().collect();
        assert!(extents.contains(&1), "{}: no axis of extent 1", op.name());
        assert!(extents.iter().any(|n| n % 2 == 1 && *n > 1), "{}: no odd extent", op.name());
        assert!(extents.contains(&0), "{}: no empty axis", op.name());
    }
}

/// The shapes of the operands and of the results.
fn shapes(op: &&'static dyn Op, sample: &Sample) -> Vec<Vec<usize>> {
    let graph = sample.graph(*op).expect("samples are well typed");
    graph.values().map(|(_, value)| value.ty.known_shape()).collect()
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
        Lowering::Expand | Lowering::Scan => return false,
    };
    assert_close(&found, &case.reference()[0], 1e-9, &case.name);
    true
}

#[test]
fn expansions_agree_with_the_reference() {
    let mut expanded = 0;
    for case in cases() {
        let composite = matches!(case.op.lower(&case.call()), Lowering::Expand);
        assert_eq!(case.op.is_composite(), composite, "{}", case.name);
        if composite {
            check_expansion(&case, &case.graph(), &Bindings::new());
            expanded += 1;
        }
    }
    assert!(expanded > 80, "only {expanded} samples expand");
}

#[test]
fn gradients_agree_with_numerical_differences() {
    let checked: usize = cases().map(|case| check_gradients(&case, case.graph(), &Bindings::new())).sum();
    assert!(checked > 4500, "only {checked} derivatives were compared");
}

#[test]
fn open_extents_give_the_same_gradients_and_expansions_as_known_ones() {
    let mut checked = 0;
    for case in cases() {
        let (sample, bindings) = opened(&case.sample);
        let mut graph = sample.graph(case.op).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        graph.dims = bindings.keys().cloned().collect();
        if case.op.is_composite() {
            check_expansion(&case, &graph, &bindings);
        }
        checked += check_gradients(&case, graph, &bindings);
    }
    assert!(checked > 4500, "only {checked} derivatives were compared");
}

#[test]
fn elementwise_ops_read_their_operands_at_the_position_that_they_write() {
    for case in cases().filter(|case| case.op.is_elementwise()) {
        let Lowering::Nest(nest) = case.op.lower(&case.call()) else { panic!("{}: no nest", case.name) };
        let straight: Vec<Index> = (0..nest.outputs).map(Index::axis).collect();
        assert!(nest.reducer.is_none() && nest.reads.iter().all(|read| read.index == straight), "{}", case.name);
    }
}

#[test]
fn samples_keep_indices_within_their_bounds() {
    let mut checked = 0;
    for case in cases() {
        let Some((operand, bound)) = case.op.index_bound(&case.call()) else { continue };
        assert!(case.operands[operand].elements.iter().all(|&index| index < bound as f64), "{}", case.name);
        checked += 1;
    }
    assert!(checked > 40, "only {checked} samples have indices");
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
///
/// What has a region stays as it is, for the region is written for its extents.
fn opened(sample: &Sample) -> (Sample, Bindings) {
    let mut bindings = Bindings::new();
    if sample.attributes.regions().next().is_some() {
        return (sample.clone(), bindings);
    }
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
        attributes = attributes.with(name.to_string(), attribute);
    }
    (Sample { attributes, operands }, bindings)
}

/// Evaluates what the graph of a composite op expands to.
fn check_expansion(case: &Case, graph: &Graph, bindings: &Bindings) {
    let expanded = expand(graph);
    assert_eq!(verify(&expanded), Ok(()), "{}", case.name);
    let bound = bind(&expanded, bindings).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    for (found, expected) in evaluate(&bound, &case.operands).iter().zip(case.reference()) {
        assert_close(found, &expected, 1e-9, &case.name);
    }
}

/// Compares gradients of the sum of the result times fixed weights with central differences; gives how many. `graph` has
/// the op as its only node.
fn check_gradients(case: &Case, graph: Graph, bindings: &Bindings) -> usize {
    let call = case.call();
    let result = &call.result_types[0];
    if !result.dtype.is_float() || case.op.stops_gradients() {
        let nothing = vec![None; call.results.len()];
        let vjp = case.op.vjp(&mut Builder::new(&mut graph.clone(), Origin::default()), &call, &nothing);
        assert!(matches!(vjp, Vjp::Operands(parts) if parts.iter().all(Option::is_none)), "{}", case.name);
        return 0;
    }
    let weights = SampleOperand { ty: result.clone(), fill: Fill::Between(-1.0, 1.0) };
    let weights = Sample { attributes: Attributes::none(), operands: vec![weights] }.arrays(99).remove(0);
    let found = gradients_of_weighted_sum(case, graph, bindings, &weights);
    let mut checked = 0;
    for (position, operand) in case.operands.iter().enumerate().filter(|(_, operand)| operand.dtype.is_float()) {
        for i in 0..operand.elements.len() {
            let numerical = central_difference(case, &call, &weights, (position, i));
            let derived = found[position].as_ref().map_or(0.0, |gradient| gradient.elements[i]);
            let close = (derived - numerical).abs() <= 1e-6 * (1.0 + numerical.abs());
            assert!(close, "{}: operand {position} at {i}: {derived} is not {numerical}", case.name);
            checked += 1;
        }
    }
    checked
}

/// The derivative of the sum of the result times the weights by one element of one operand.
fn central_difference(case: &Case, call: &Call, weights: &Array, (position, i): (usize, usize)) -> f64 {
    let mut operands = case.operands.clone();
    let mut moved = |step: f64| {
        operands[position].elements[i] = case.operands[position].elements[i] + step;
        let result = case.op.reference(call, &operands.iter().collect::<Vec<_>>()).remove(0);
        result.elements.iter().zip(&weights.elements).map(|(x, weight)| x * weight).sum::<f64>()
    };
    (moved(1e-5) - moved(-1e-5)) / 2e-5
}

/// The derived gradient of each operand; `None` where none flows.
fn gradients_of_weighted_sum(
    case: &Case,
    mut graph: Graph,
    bindings: &Bindings,
    weights: &Array,
) -> Vec<Option<Array>> {
    let call = graph.call(NodeId(0));
    let leaf = graph.leaf(Leaf::User { name: "weights".to_string() }, call.result_types[0].clone());
    let mut b = Builder::new(&mut graph, Origin::default());
    let parts = ops::mul(&mut b, call.results[0], leaf);
    let axes: Vec<usize> = (0..b.ty(parts).rank()).collect();
    let loss = ops::sum(&mut b, parts, &axes);
    let found = gradients(&mut graph, loss, &call.operands);
    graph.results.clear();
    for (position, (&operand, gradient)) in call.operands.iter().zip(&found).enumerate() {
        let Some(gradient) = *gradient else { continue };
        assert!(graph.dtype(operand).is_float(), "{}: a gradient of no float", case.name);
        assert_eq!(graph.ty(gradient), graph.ty(operand), "{}: a gradient of another type", case.name);
        graph.result(Role::Output(position), gradient);
    }
    assert_eq!(verify(&graph), Ok(()), "{}", case.name);
    let bound = bind(&graph, bindings).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let mut arrays = evaluate(&bound, &[case.operands.as_slice(), std::slice::from_ref(weights)].concat()).into_iter();
    found.iter().map(|gradient| gradient.and_then(|_| arrays.next())).collect()
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
            Atom::Clamped(index, bound) => self.index(index, point).clamp(0, *bound - 1),
            Atom::Gathered { read, bound } => {
                let read = &self.reads[*read];
                (self.element(read.operand, &read.index, point) as i64).clamp(0, *bound as i64 - 1)
            }
        };
        index.terms.iter().map(|term| term.coefficient * atom(&term.atom)).sum::<i64>() + index.offset
    }
}
