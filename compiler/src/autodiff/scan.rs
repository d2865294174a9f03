//! The gradient of a scan: a scan in the other direction.
//!
//! A turn of it computes the body's values again from the carries before the turn, which the forward scan stacks, and takes
//! the cotangents of what the turn made back to what it was made of. What the forward scan stacks besides is not computed
//! again. Cotangents of carries are carries, those of stacked operands are stacked. The gradient of an invariant is a sum
//! over all turns: a contraction or a sum in every turn becomes one over all of them, behind the scan, and what is neither
//! is added up in a carry.

use super::Walk;
use crate::graph::{Builder, Call, Graph, Leaf, NodeId, Origin, Region, ValueId, between, inline};
use crate::ops::{self, Turns};
use crate::shape::{Extent, Shape, Type};

/// The cotangents of the operands of a scan, of those that are wanted.
pub(super) fn flows(
    graph: &mut Graph,
    node: NodeId,
    cotangents: &[Option<ValueId>],
    wanted: &[bool],
) -> Vec<Option<ValueId>> {
    let (call, origin) = (graph.call(node), graph.node(node).origin);
    let mut b = Builder::new(graph, origin);
    let kept = Kept::new(&mut b, &call);
    let mut turn = Turn::new(&mut b, &kept, &call, cotangents, origin);
    turn.back(wanted, origin);
    turn.scan(&mut b, &kept, &call, cotangents)
}

/// A scan that stacks all its carries.
struct Kept {
    turns: Turns,
    results: Vec<ValueId>,
}

impl Kept {
    /// The scan of a call if it does, else one that computes more.
    fn new(b: &mut Builder<'_>, call: &Call) -> Kept {
        let turns = Turns::of(&call.attributes);
        let mut all = turns.results();
        let missing = |&carry: &usize| !all[turns.carries..].contains(&all[carry]);
        let missing: Vec<usize> = (0..turns.carries).filter(missing).collect();
        if missing.is_empty() {
            return Kept { turns, results: call.results.clone() };
        }
        for carry in missing {
            // The next values of two carries may be the same.
            if !all[turns.carries..].contains(&all[carry]) {
                all.push(all[carry]);
            }
        }
        let body = between(turns.body.graph(), &turns.arguments(), &all);
        let turns = Turns { body, ..turns };
        Kept { results: ops::scan(b, &turns, &call.operands), turns }
    }

    /// A carry as it was before each turn, stacked.
    fn before(&self, b: &mut Builder<'_>, carry: usize, initial: ValueId) -> ValueId {
        let all = self.turns.results();
        let stacks = &all[self.turns.carries..];
        let stack = stacks.iter().position(|&stack| stack == all[carry]).expect("all carries are stacked");
        let stack = self.results[self.turns.carries + stack];
        let (count, one) = (self.turns.count.clone(), Extent::from(1));
        let first = ops::unsqueeze(b, initial, &[0]);
        match self.turns.reverse {
            false => {
                let rest = ops::slice(b, stack, 0, Extent::from(0), count - one);
                ops::cat(b, &[first, rest], 0)
            }
            true => {
                let rest = ops::slice(b, stack, 0, one, count);
                ops::cat(b, &[rest, first], 0)
            }
        }
    }
}

/// A turn of the way back, as a graph under construction. Its leaves have names of their own until it is a region.
struct Turn {
    graph: Graph,
    /// The body's arguments.
    arguments: Vec<ValueId>,
    /// What the body makes of them.
    results: Vec<ValueId>,
    /// What comes back to each result; `None` where nothing does.
    incoming: Vec<Option<ValueId>>,
    /// What goes back to each argument.
    outgoing: Vec<Option<ValueId>>,
    /// Values of a turn that are stacked already, with their stacks.
    stacked: Vec<(ValueId, ValueId)>,
    /// Values that the way back stacks.
    stacks: Vec<ValueId>,
    /// What is added up turn by turn: the carry, and what it is next.
    sums: Vec<(ValueId, ValueId)>,
}

/// A gradient of an invariant over all turns.
enum Total {
    Add(Box<Total>, Box<Total>),
    /// Of two values of a turn, with the equation of a turn.
    Contract(ValueId, ValueId, String),
    /// Of a value of a turn, over these axes of it.
    Sum(ValueId, Vec<usize>),
    Reshape(Box<Total>, Shape),
    Permute(Box<Total>, Vec<usize>),
    /// Added up turn by turn: the position among the sums.
    Carry(usize),
}

impl Turn {
    /// The forward half of a turn, and leaves for what comes back.
    fn new(b: &mut Builder<'_>, kept: &Kept, call: &Call, cotangents: &[Option<ValueId>], origin: Origin) -> Turn {
        let mut graph = Graph::new(&b.graph().name);
        let arguments: Vec<ValueId> = kept.turns.body.argument_types().map(|ty| leaf(&mut graph, ty)).collect();
        let results = inline(&mut Builder::new(&mut graph, origin), &kept.turns.body, &arguments);
        let carries = kept.turns.carries;
        let mut incoming = vec![None; results.len()];
        let mut stacked = Vec::new();
        for (position, &result) in results.iter().enumerate() {
            let cotangent = cotangents.get(position).copied().flatten();
            let ty = graph.ty(result).clone();
            if ty.dtype.is_float() && (position < carries || cotangent.is_some()) {
                incoming[position] = Some(leaf(&mut graph, &ty));
            }
        }
        for (carry, &argument) in arguments[..carries].iter().enumerate() {
            stacked.push((argument, kept.before(b, carry, call.operands[carry])));
        }
        let slices = arguments.iter().zip(&call.operands).skip(carries).take(kept.turns.slices);
        stacked.extend(slices.map(|(&argument, &operand)| (argument, operand)));
        for (position, &result) in results.iter().enumerate().skip(carries) {
            let known = arguments.contains(&result) || stacked.iter().any(|(value, _)| *value == result);
            if !known {
                stacked.push((result, kept.results[position]));
            }
            if let (Some(inside), Some(outside)) = (incoming[position], cotangents.get(position).copied().flatten()) {
                stacked.push((inside, outside));
            }
        }
        let (outgoing, stacks, sums) = (Vec::new(), Vec::new(), Vec::new());
        Turn { graph, arguments, results, incoming, outgoing, stacked, stacks, sums }
    }

    /// The backward half.
    fn back(&mut self, wanted: &[bool], origin: Origin) {
        let nodes = 0..self.graph.nodes().len();
        let mut walk = Walk { graph: &mut self.graph, active: Vec::new(), cotangents: Vec::new() };
        for (&argument, wanted) in self.arguments.iter().zip(wanted) {
            if *wanted {
                walk.activate(argument);
            }
        }
        walk.spread(nodes.clone());
        for (&result, cotangent) in self.results.iter().zip(&self.incoming) {
            cotangent.iter().for_each(|&cotangent| walk.add(result, cotangent, origin));
        }
        walk.back(nodes);
        self.outgoing = self.arguments.iter().map(|&argument| walk.cotangent(argument)).collect();
    }

    /// The scan over all turns, and what it gives for each operand.
    fn scan(
        mut self,
        b: &mut Builder<'_>,
        kept: &Kept,
        call: &Call,
        cotangents: &[Option<ValueId>],
    ) -> Vec<Option<ValueId>> {
        let (carries, slices) = (kept.turns.carries, kept.turns.slices);
        let floats: Vec<usize> = (0..carries).filter(|&carry| self.incoming[carry].is_some()).collect();
        let invariants = self.outgoing[carries + slices..].to_vec();
        let totals: Vec<Option<Total>> =
            invariants.into_iter().map(|gradient| gradient.map(|gradient| self.total(gradient))).collect();
        let of_slices: Vec<usize> = (carries..carries + slices).filter(|&at| self.outgoing[at].is_some()).collect();
        let mut operands: Vec<ValueId> = Vec::new();
        for &carry in &floats {
            operands.push(cotangents[carry].unwrap_or_else(|| ops::constant_like(b, 0.0, call.operands[carry])));
        }
        for &(sum, _) in &self.sums {
            let ty = self.graph.ty(sum).clone();
            let zero = ops::constant(b, 0.0, ty.dtype);
            operands.push(ops::broadcast(b, zero, &ty.shape));
        }
        operands.extend(self.stacked.iter().map(|(_, stack)| *stack));
        operands.extend(&call.operands[carries + slices..]);
        let turns = Turns {
            body: self.region(&floats, &of_slices, carries + slices),
            carries: floats.len() + self.sums.len(),
            slices: self.stacked.len(),
            count: kept.turns.count.clone(),
            reverse: !kept.turns.reverse,
        };
        let results = ops::scan(b, &turns, &operands);
        let mut flows = vec![None; call.operands.len()];
        let (carried, stacks) = results.split_at(turns.carries);
        floats.iter().zip(carried).for_each(|(&carry, &gradient)| flows[carry] = Some(gradient));
        of_slices.iter().zip(stacks).for_each(|(&slice, &gradient)| flows[slice] = Some(gradient));
        self.stacked.extend(self.stacks.iter().copied().zip(stacks[of_slices.len()..].iter().copied()));
        for (flow, total) in flows[carries + slices..].iter_mut().zip(&totals) {
            *flow = total.as_ref().map(|total| self.made(b, total, &carried[floats.len()..]));
        }
        flows
    }

    /// The body of the scan.
    fn region(&mut self, floats: &[usize], slices: &[usize], invariants: usize) -> Region {
        let mut arguments: Vec<ValueId> = floats.iter().filter_map(|&carry| self.incoming[carry]).collect();
        arguments.extend(self.sums.iter().map(|(sum, _)| *sum));
        arguments.extend(self.stacked.iter().map(|(value, _)| *value));
        arguments.extend(&self.arguments[invariants..]);
        let mut results: Vec<ValueId> = Vec::new();
        for &carry in floats {
            results.push(match self.outgoing[carry] {
                Some(gradient) => gradient,
                None => {
                    let like = self.arguments[carry];
                    ops::constant_like(&mut self.builder(), 0.0, like)
                }
            });
        }
        results.extend(self.sums.iter().map(|(_, next)| *next));
        results.extend(slices.iter().filter_map(|&slice| self.outgoing[slice]));
        results.extend(&self.stacks);
        between(&self.graph, &arguments, &results)
    }

    fn builder(&mut self) -> Builder<'_> {
        let origin = self.graph.nodes().next().map(|(_, node)| node.origin).unwrap_or_default();
        Builder::new(&mut self.graph, origin)
    }

    /// How a gradient of an invariant, as it is in a turn, comes together over all turns.
    fn total(&mut self, gradient: ValueId) -> Total {
        let known = self.graph.producer(gradient).map(|(_, node)| node.clone());
        let made = known.and_then(|node| {
            let operands = node.operands.as_slice();
            Some(match (node.op.name(), operands) {
                ("add", &[left, right]) => Total::Add(Box::new(self.total(left)), Box::new(self.total(right))),
                ("contract", &[left, right]) if !self.is_invariant(left) && !self.is_invariant(right) => {
                    [left, right].into_iter().for_each(|value| self.stack(value));
                    Total::Contract(left, right, node.attributes.word("equation").to_string())
                }
                ("sum", &[x]) if !self.is_invariant(x) => {
                    self.stack(x);
                    Total::Sum(x, node.attributes.axes("axes"))
                }
                ("reshape", &[x]) => Total::Reshape(Box::new(self.total(x)), node.attributes.shape("shape").clone()),
                ("permute", &[x]) => Total::Permute(Box::new(self.total(x)), node.attributes.axes("axes")),
                _ => return None,
            })
        });
        made.unwrap_or_else(|| self.carry(gradient))
    }

    fn is_invariant(&self, value: ValueId) -> bool {
        self.arguments.contains(&value) && !self.stacked.iter().any(|(known, _)| *known == value)
    }

    /// Sees to it that a value of a turn is stacked.
    fn stack(&mut self, value: ValueId) {
        if !self.stacked.iter().any(|(known, _)| *known == value) && !self.stacks.contains(&value) {
            self.stacks.push(value);
        }
    }

    fn carry(&mut self, gradient: ValueId) -> Total {
        let ty = self.graph.ty(gradient).clone();
        let sum = leaf(&mut self.graph, &ty);
        let next = ops::add(&mut self.builder(), sum, gradient);
        self.sums.push((sum, next));
        Total::Carry(self.sums.len() - 1)
    }

    /// The nodes of a total, behind the scan.
    fn made(&self, b: &mut Builder<'_>, total: &Total, sums: &[ValueId]) -> ValueId {
        match total {
            Total::Add(left, right) => {
                let (left, right) = (self.made(b, left, sums), self.made(b, right, sums));
                ops::add(b, left, right)
            }
            Total::Contract(left, right, equation) => {
                ops::contract(b, self.stack_of(*left), self.stack_of(*right), &over_turns(equation))
            }
            Total::Sum(x, axes) => {
                let axes: Vec<usize> = [0].into_iter().chain(axes.iter().map(|axis| axis + 1)).collect();
                ops::sum(b, self.stack_of(*x), &axes)
            }
            Total::Reshape(inner, shape) => {
                let inner = self.made(b, inner, sums);
                ops::reshape(b, inner, shape)
            }
            Total::Permute(inner, axes) => {
                let inner = self.made(b, inner, sums);
                ops::permute(b, inner, axes)
            }
            Total::Carry(position) => sums[*position],
        }
    }

    fn stack_of(&self, value: ValueId) -> ValueId {
        let known = self.stacked.iter().find(|(known, _)| *known == value);
        known.expect("what is contracted or summed up is stacked").1
    }
}

/// A leaf with a name that no other has.
fn leaf(graph: &mut Graph, ty: &Type) -> ValueId {
    let name = graph.values().len().to_string();
    graph.leaf(Leaf::User { name }, ty.clone())
}

/// The equation with one more label that is summed, the first axis of both operands.
fn over_turns(equation: &str) -> String {
    let label = ('a'..='z').chain('A'..='Z').find(|&label| !equation.contains(label)).expect("arrays have fewer axes");
    let (left, right) = equation.split_once(',').expect("the equation of a contraction has two operands");
    format!("{label}{left},{label}{right}")
}
