//! Random graphs: typed programs over every op there is, with arrays to run them on.
//!
//! A seed comes in, a graph with known extents and one array per leaf leave; the same for the same seed. Tests and fuzzing
//! hold the meanings of graphs against each other on them. Ops and their attributes are those of [`OPS`] and their samples;
//! operands are earlier values wherever they fit, so that shapes spread from the leaves, which hold extents of 0, 1, small
//! primes and what leaves a tail behind whole lanes.
//!
//! Invariants: indices stay within their bounds; and no output is sensitive. Beside each value the generator keeps what the
//! value becomes if the leaves are off by a millionth of their size. An op whose result then is off by more than
//! [`SENSITIVITY`] is not applied, so that rounding to f32 changes neither a comparison nor more than a few digits.

use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Graph, Leaf, NodeId, Op, Origin, Role, Sample, SampleOperand,
    ValueId,
};
use crate::ops::{self, OPS};
use crate::shape::Type;

/// How far a value may be off, relative to its size or to 1, when the leaves are off by a millionth.
pub const SENSITIVITY: f64 = 1e-4;

/// The extents of leaves.
const EXTENTS: [usize; 12] = [0, 1, 1, 2, 2, 3, 4, 5, 7, 8, 13, 33];

/// Values have at most so many elements.
const ELEMENTS: usize = 600;

/// A graph with arrays for its leaves.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The graph. Extents are known; its outputs are the values that nothing uses.
    pub graph: Graph,
    /// What the leaves hold, in their order.
    pub leaves: Vec<Array>,
}

/// The random graph of a seed with about so many nodes.
pub fn generate(seed: u64, nodes: usize) -> Generated {
    let mut generator = Generator::new(seed);
    for _ in 0..2 + generator.random.below(3) {
        generator.any_leaf();
    }
    for _ in 0..nodes {
        generator.grow();
    }
    generator.finish()
}

/// The generator xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 33) % bound.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// A value of the graph, what it holds, and what it would hold were the leaves a little off.
#[derive(Clone)]
struct Known {
    value: ValueId,
    exact: Array,
    moved: Array,
}

struct Generator {
    random: Random,
    graph: Graph,
    leaves: Vec<Array>,
    /// The values that ops may be applied to.
    pool: Vec<Known>,
}

impl Generator {
    fn new(seed: u64) -> Generator {
        // Neighbouring seeds begin far apart, and none of them at 0, where the generator would stay.
        let start = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let random = Random(start);
        Generator { random, graph: Graph::new(&format!("Random{seed}")), leaves: Vec::new(), pool: Vec::new() }
    }

    fn finish(mut self) -> Generated {
        let mut used = vec![false; self.graph.values().len()];
        for (_, node) in self.graph.nodes() {
            node.operands.iter().for_each(|operand| used[operand.0] = true);
        }
        let ends: Vec<ValueId> = self.pool.iter().map(|known| known.value).filter(|value| !used[value.0]).collect();
        for (position, value) in ends.into_iter().enumerate() {
            self.graph.result(Role::Output(position), value);
        }
        Generated { graph: self.graph, leaves: self.leaves }
    }

    /// A leaf of some type.
    fn any_leaf(&mut self) {
        let rank = *self.random.pick(&[0, 1, 1, 2, 2, 2, 3, 3, 4]);
        let mut shape: Vec<usize> = (0..rank).map(|_| *self.random.pick(&EXTENTS)).collect();
        while shape.iter().product::<usize>() > ELEMENTS {
            shape.pop();
        }
        let dtype = *self.random.pick(&[DType::F32, DType::F32, DType::F32, DType::U32, DType::I32, DType::Bool]);
        let leaf = self.leaf(&SampleOperand::numbers(dtype, &shape, Fill::Between(-2.0, 2.0)));
        self.pool.push(leaf);
    }

    /// A leaf that holds what an operand of a sample should.
    fn leaf(&mut self, operand: &SampleOperand) -> Known {
        let sample = Sample { attributes: Attributes::none(), operands: vec![operand.clone()] };
        let mut exact = sample.arrays(self.random.next()).remove(0);
        if exact.dtype == DType::F32 {
            exact.elements.iter_mut().for_each(|x| *x = f64::from(*x as f32));
        }
        let mut moved = exact.clone();
        if exact.dtype.is_float() {
            for (i, x) in moved.elements.iter_mut().enumerate() {
                *x += 1e-6 * (x.abs() + 0.1) * if i % 2 == 0 { 1.0 } else { -1.0 };
            }
        }
        let name = format!("x{}", self.leaves.len());
        let value = self.graph.leaf(Leaf::User { name }, operand.ty.clone());
        self.leaves.push(exact.clone());
        Known { value, exact, moved }
    }

    /// Applies an op to values of the pool, or to leaves of its own where they do not fit.
    fn grow(&mut self) {
        let op = *self.random.pick(OPS);
        let samples = op.samples();
        let coarse = |operand: &SampleOperand| matches!(operand.ty.dtype, DType::F16 | DType::Bf16);
        let samples: Vec<&Sample> = samples.iter().filter(|sample| !sample.operands.iter().any(coarse)).collect();
        if samples.is_empty() {
            return;
        }
        for _ in 0..6 {
            let sample = *self.random.pick(&samples);
            let Some(operands) = self.fitting(op, sample) else { continue };
            if self.apply(op, &sample.attributes, &operands) {
                return;
            }
        }
        let sample = *self.random.pick(&samples);
        let operands: Vec<Known> = sample.operands.iter().map(|operand| self.leaf(operand)).collect();
        self.apply(op, &sample.attributes, &operands);
    }

    /// Values of the pool for the operands of a sample: of the same type as an operand before it, or of the rank that the
    /// sample has there. Indices are leaves of their own, for only those are known to be in bounds.
    fn fitting(&mut self, op: &'static dyn Op, sample: &Sample) -> Option<Vec<Known>> {
        let mut found: Vec<Known> = Vec::new();
        for (position, operand) in sample.operands.iter().enumerate() {
            let like = sample.operands[..position].iter().position(|earlier| earlier.ty == operand.ty);
            let wanted = like.map(|earlier| self.graph.ty(found[earlier].value).clone());
            let fits = |known: &&Known| {
                let ty = self.graph.ty(known.value);
                match &wanted {
                    Some(wanted) => ty == wanted,
                    None => ty.dtype == operand.ty.dtype && ty.rank() == operand.ty.rank(),
                }
            };
            let candidates: Vec<Known> = self.pool.iter().filter(fits).cloned().collect();
            let is_index = index_operand(op, sample) == Some(position);
            let known = match (candidates.is_empty() || is_index, wanted) {
                (false, _) => self.random.pick(&candidates).clone(),
                (true, Some(ty)) => self.leaf(&SampleOperand { ty, fill: operand.fill }),
                (true, None) if is_index => self.leaf(operand),
                (true, None) => return None,
            };
            found.push(self.tamed(known, operand.fill)?);
        }
        Some(found)
    }

    /// The value within the range that the op is tried on, if need be by a sigmoid; `None` if it cannot be.
    fn tamed(&mut self, known: Known, fill: Fill) -> Option<Known> {
        let (low, high) = match fill {
            Fill::Between(low, high) => (low, high),
            Fill::Below(bound) => {
                let bound = f64::from(bound);
                return known.exact.elements.iter().all(|&x| (0.0..bound).contains(&x)).then_some(known);
            }
            Fill::Distinct => return distinct(&known.exact).then_some(known),
        };
        let inside = |x: &f64| (low..=high).contains(x);
        if !known.exact.dtype.is_float() || known.exact.elements.iter().all(inside) {
            return Some(known);
        }
        let mut b = Builder::new(&mut self.graph, Origin::default());
        let y = ops::sigmoid(&mut b, known.value);
        let scaled = ops::scale(&mut b, y, high - low);
        let offset = ops::constant_like(&mut b, low, scaled);
        let value = ops::add(&mut b, scaled, offset);
        let squashed = |array: &Array| {
            let elements = array.elements.iter().map(|x| low + (high - low) / (1.0 + (-x).exp())).collect();
            Array::new(array.dtype, &array.shape, elements)
        };
        Some(Known { value, exact: squashed(&known.exact), moved: squashed(&known.moved) })
    }

    /// Applies an op if it takes the operands and what comes out is neither large, nor infinite, nor sensitive.
    fn apply(&mut self, op: &'static dyn Op, attributes: &Attributes, operands: &[Known]) -> bool {
        let Some(results) = attempt(op, attributes, operands, &self.graph) else { return false };
        let ids: Vec<ValueId> = operands.iter().map(|known| known.value).collect();
        let values = self.graph.insert(op, attributes.clone(), &ids, Origin::default());
        let values = values.expect("the same op was applied to the same types before");
        for (value, (exact, moved)) in values.into_iter().zip(results) {
            self.pool.push(Known { value, exact, moved });
        }
        true
    }
}

/// What an op makes of these operands, exactly and of what is a little off; `None` if it refuses, or if the results are of
/// no use.
fn attempt(
    op: &'static dyn Op,
    attributes: &Attributes,
    operands: &[Known],
    graph: &Graph,
) -> Option<Vec<(Array, Array)>> {
    let types = operands.iter().map(|known| SampleOperand { ty: graph.ty(known.value).clone(), fill: Fill::Distinct });
    let alone = Sample { attributes: attributes.clone(), operands: types.collect() }.graph(op).ok()?;
    if !alone.checks.is_empty() {
        return None;
    }
    let call = alone.call(NodeId(0));
    let in_bounds = |(operand, bound): (usize, usize)| {
        operands[operand].exact.elements.iter().all(|&index| (0.0..bound as f64).contains(&index))
    };
    let small = |ty: &Type| ty.shape.known().is_some_and(|shape| shape.iter().product::<usize>() <= ELEMENTS);
    if !call.result_types.iter().all(small) || !strict_bound(op, call.clone()).is_none_or(in_bounds) {
        return None;
    }
    let of = |which: fn(&Known) -> &Array| op.reference(&call, &operands.iter().map(which).collect::<Vec<_>>());
    let pairs: Vec<(Array, Array)> = of(|known| &known.exact).into_iter().zip(of(|known| &known.moved)).collect();
    let decided = || decides(op, &call, operands, &pairs);
    (pairs.iter().all(|(exact, moved)| robust(exact, moved)) && decided()).then_some(pairs)
}

/// Whether what is no float stays the same, and what is one does not jump, if the floats that it is made of are moved apart, or
/// towards each other: those that were made of the same leaves may be moved alike by these, and be nearly equal all the same.
fn decides(op: &'static dyn Op, call: &Call, operands: &[Known], results: &[(Array, Array)]) -> bool {
    if operands.iter().all(|known| !known.exact.dtype.is_float()) {
        return true;
    }
    // Of two elements, one moves up and the other down for one of the bits in which their numbers differ, and of two operands
    // for all of them.
    let compares = results.iter().any(|(exact, _)| !exact.dtype.is_float());
    let bits = if compares { usize::BITS - ELEMENTS.leading_zeros() } else { 0 };
    let directions = (0..=bits).flat_map(|bit| [(bit, 1e-5), (bit, -1e-5)]);
    directions.into_iter().all(|(bit, by)| {
        let nudged = |known: &Known| {
            let first = operands.iter().position(|other| other.value == known.value);
            let by = if first.is_some_and(|first| first % 2 == 0) { by } else { -by };
            nudged(&known.exact, bit, by)
        };
        let nudged: Vec<Array> = operands.iter().map(nudged).collect();
        let found = op.reference(call, &nudged.iter().collect::<Vec<_>>());
        found.iter().zip(results).all(|(found, (exact, _))| close(exact, found, 10.0 * SENSITIVITY))
    })
}

/// The array with every float moved by a share of its size, the other way where its number has this bit.
fn nudged(array: &Array, bit: u32, by: f64) -> Array {
    let mut nudged = array.clone();
    for (i, x) in nudged.elements.iter_mut().enumerate().filter(|_| array.dtype.is_float()) {
        let by = if i >> bit & 1 == 1 { -by } else { by };
        *x += by * (x.abs() + 0.1);
    }
    nudged
}

/// The operand that is an index, and what it is below. Where an op ignores one label, its bound says nothing of the others,
/// so here that label has to be one of the classes too.
fn strict_bound(op: &'static dyn Op, mut call: Call) -> Option<(usize, usize)> {
    if call.attributes.get("ignore_index").is_some() {
        call.attributes = call.attributes.with("ignore_index", Attribute::Int(-1));
    }
    op.index_bound(&call)
}

/// Whether an array is finite and is little moved.
fn robust(exact: &Array, moved: &Array) -> bool {
    let finite = |x: &f64| !exact.dtype.is_float() || x.abs() < 1e6;
    exact.elements.iter().all(finite) && close(exact, moved, SENSITIVITY)
}

/// Whether floats are apart by such a share of their size at most, and all else is equal.
fn close(exact: &Array, moved: &Array, share: f64) -> bool {
    let close = |(x, y): (&f64, &f64)| match exact.dtype.is_float() {
        true => (x - y).abs() <= share * (1.0 + x.abs()),
        false => x == y,
    };
    exact.elements.iter().zip(&moved.elements).all(close)
}

/// Whether all elements are apart from each other and from 0.
fn distinct(array: &Array) -> bool {
    let mut sorted = [array.elements.as_slice(), &[0.0]].concat();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).all(|pair| pair[1] - pair[0] > 1e-3)
}

/// The operand of a sample that is an index.
fn index_operand(op: &'static dyn Op, sample: &Sample) -> Option<usize> {
    let graph = sample.graph(op).ok()?;
    let call: Call = graph.call(NodeId(0));
    op.index_bound(&call).map(|(operand, _)| operand)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{evaluate, print, verify};
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn graphs_are_well_typed_finite_and_depend_on_the_seed_only() {
        for seed in 0..200 {
            let Generated { graph, leaves } = generate(seed, 8);
            assert_eq!(verify(&graph), Ok(()), "seed {seed}\n{}", print(&graph));
            let results = evaluate(&graph, &leaves);
            assert!(results.iter().flat_map(|array| &array.elements).all(|x| x.is_finite()), "seed {seed}");
            assert_eq!(print(&generate(seed, 8).graph), print(&graph));
        }
    }

    #[test]
    fn labels_are_classes_where_one_of_them_is_ignored() {
        let mut labels = 0;
        for seed in 0..2000 {
            let Generated { graph, leaves } = generate(seed, 6);
            for (id, node) in graph.nodes().filter(|(_, node)| node.attributes.get("ignore_index").is_some()) {
                let call = graph.call(id);
                let (_, classes) = strict_bound(node.op, call).expect("labels are indices");
                let Some(at) = graph.leaves().position(|(leaf, ..)| leaf == node.operands[1]) else { continue };
                labels += leaves[at].elements.len();
                assert!(
                    leaves[at].elements.iter().all(|&label| label < classes as f64),
                    "seed {seed}: {}",
                    print(&graph)
                );
            }
        }
        assert!(labels > 100, "{labels} labels");
    }

    #[test]
    fn every_op_occurs_and_most_operands_are_results_of_others() {
        let (mut ops, mut chained, mut nodes) = (BTreeMap::new(), 0, 0);
        let mut shapes = BTreeSet::new();
        for seed in 0..2000 {
            let graph = generate(seed, 8).graph;
            for (_, node) in graph.nodes() {
                *ops.entry(node.op.name()).or_insert(0) += 1;
                nodes += 1;
                chained += usize::from(node.operands.iter().any(|&operand| graph.as_leaf(operand).is_none()));
            }
            shapes.extend(graph.values().map(|(_, value)| value.ty.to_string()));
        }
        let missing: Vec<&str> = OPS.iter().map(|op| op.name()).filter(|name| !ops.contains_key(name)).collect();
        assert_eq!(missing, Vec::<&str>::new());
        assert!(chained * 3 > nodes, "{chained} of {nodes} nodes have operands that nodes made");
        assert!(shapes.len() > 300, "only {} types occur", shapes.len());
    }
}
