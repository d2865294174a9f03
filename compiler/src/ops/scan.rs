//! A body that runs once per turn: recurrences over time.

use super::{add, contract, exp, mul, sub, tanh};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Graph, Infer, Leaf, Lowering, Op, Origin, Region, Role, Sample,
    SampleOperand, TypeError, ValueId, Vjp, evaluate,
};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Scan;

/// What a scan runs, and how often.
///
/// The operands of a scan are initial carries, then stacked values, whose first axis is the turn, then invariants; the
/// arguments of its body are the carries, the slices of the turn and the invariants. The results of the body are the next
/// carries, then slices; those of the scan are the carries after the last turn, then the slices as stacked values.
#[derive(Clone, Debug, PartialEq)]
pub struct Turns {
    /// What a turn computes.
    pub body: Region,
    /// How many carries there are.
    pub carries: usize,
    /// How many operands are stacked.
    pub slices: usize,
    /// How many turns there are, at least one.
    pub count: Extent,
    /// Whether the first turn is at the end of the stacked values.
    pub reverse: bool,
}

impl Turns {
    /// What the attributes of a scan say.
    pub fn of(attributes: &Attributes) -> Turns {
        Turns {
            body: attributes.region("body").clone(),
            carries: attributes.int("carries") as usize,
            slices: attributes.int("slices") as usize,
            count: attributes.extent("turns"),
            reverse: attributes.bool("reverse"),
        }
    }

    fn attributes(&self) -> Attributes {
        Attributes::none()
            .with("body", Attribute::Region(self.body.clone()))
            .with("carries", Attribute::Int(self.carries as i64))
            .with("slices", Attribute::Int(self.slices as i64))
            .with("turns", Attribute::Extent(self.count.clone()))
            .with("reverse", Attribute::Bool(self.reverse))
    }

    /// The arguments of the body: carries, slices, invariants.
    pub fn arguments(&self) -> Vec<ValueId> {
        self.body.graph().leaves().map(|(leaf, ..)| leaf).collect()
    }

    /// The results of the body: next carries, slices.
    pub fn results(&self) -> Vec<ValueId> {
        self.body.graph().results.iter().map(|result| result.value).collect()
    }

    /// The position on the first axis of stacked values in a turn.
    pub fn position(&self, turn: usize, count: usize) -> usize {
        if self.reverse { count - 1 - turn } else { turn }
    }
}

/// What a scan makes of these operands.
pub fn scan(b: &mut Builder<'_>, turns: &Turns, operands: &[ValueId]) -> Vec<ValueId> {
    b.apply_all(&Scan, turns.attributes(), operands)
}

/// The type of a slice with an axis for the turns in front.
fn stacked(ty: &Type, count: &Extent) -> Type {
    Type::new(ty.dtype, Shape::new([std::slice::from_ref(count), ty.shape.extents()].concat()))
}

/// Demands that a value is what the body takes there or gives.
fn same(infer: &mut Infer<'_>, what: &str, body: &Type, other: &Type) -> Result<(), TypeError> {
    if body.dtype != other.dtype || body.rank() != other.rank() {
        return infer.error(format!("{what} is {body} in the body, not {other}"));
    }
    for (axis, (a, b)) in body.shape.extents().iter().zip(other.shape.extents()).enumerate() {
        infer.same_extent(
            a,
            b,
            format_args!("{what} is {body} in the body, not {other}: extents differ on axis {axis}"),
        )?;
    }
    Ok(())
}

impl Op for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn doc(&self) -> &'static str {
        "scan {body, carries, reverse, slices, turns} (c: types of carries, x: types of slices with turns in front, v: types of invariants) -> types of carries, types of the body's slices with turns in front: c, y[t] = body(c, x[t], v) for one t after the other, from the last if reverse; the gradient is a scan the other way"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let turns = Turns::of(infer.attributes);
        let arguments: Vec<&Type> = turns.body.argument_types().collect();
        let results: Vec<&Type> = turns.body.result_types().collect();
        let (types, carries) = (infer.all(), turns.carries);
        if arguments.len() != types.len() || carries.saturating_add(turns.slices) > types.len() {
            return infer.error(format!("the body takes {} values, not {}", arguments.len(), types.len()));
        }
        if results.len() < carries.max(1) {
            return infer.error(format!("the body gives {} values, not {carries} carries", results.len()));
        }
        if turns.body.graph().nodes().any(|(_, node)| node.op.name() == self.name()) {
            return infer.error("the body has a scan of its own");
        }
        infer.at_most(&Extent::from(1), &turns.count, "there are no turns")?;
        for (carry, (argument, next)) in arguments.iter().zip(&results[..carries]).enumerate() {
            same(infer, &format!("carry {carry}"), argument, next)?;
        }
        for (position, (argument, given)) in arguments.iter().zip(types).enumerate() {
            let is_slice = (carries..carries + turns.slices).contains(&position);
            let inside = if is_slice { stacked(argument, &turns.count) } else { (*argument).clone() };
            same(infer, &format!("operand {position}"), &inside, given)?;
        }
        let carried = arguments[..carries].iter().map(|&ty| ty.clone());
        Ok(carried.chain(results[carries..].iter().map(|ty| stacked(ty, &turns.count))).collect())
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        if cotangents.iter().all(Option::is_none) { Vjp::none(call) } else { Vjp::Scan }
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Scan
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let turns = Turns::of(&call.attributes);
        let count = turns.count.known().expect("extents are known once bound") as usize;
        let (carries, slices) = (turns.carries, turns.slices);
        let mut results: Vec<Array> = operands[..carries].iter().map(|&array| array.clone()).collect();
        results.extend(call.result_types[carries..].iter().map(|ty| Array::filled(ty.dtype, &ty.known_shape(), 0.0)));
        for at in (0..count).map(|turn| turns.position(turn, count)) {
            let mut arguments: Vec<Array> = results[..carries].to_vec();
            for &array in &operands[carries..carries + slices] {
                let size: usize = array.shape[1..].iter().product();
                let elements = array.elements[at * size..][..size].to_vec();
                arguments.push(Array::new(array.dtype, &array.shape[1..], elements));
            }
            arguments.extend(operands[carries + slices..].iter().map(|&array| array.clone()));
            for (position, slice) in evaluate(turns.body.graph(), &arguments).into_iter().enumerate() {
                match position < carries {
                    true => results[position] = slice,
                    false => results[position].elements[at * slice.elements.len()..][..slice.elements.len()]
                        .copy_from_slice(&slice.elements),
                }
            }
        }
        results
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes = [(3, 2, 5, false), (4, 3, 1, true), (1, 2, 3, true), (5, 1, 4, false), (2, 0, 3, false)];
        let recurrences = shapes.into_iter().map(|(turns, n, h, reverse)| recurrence(turns, [n, h], reverse));
        recurrences
            .chain([numbers(7), products(4), recurrence_without_stacks(2), recurrence_without_stacks(0)])
            .collect()
    }
}

/// A sample of a body that is built of leaves of these types.
fn sample(
    turns: usize,
    [carries, slices]: [usize; 2],
    reverse: bool,
    arguments: &[SampleOperand],
    build: impl FnOnce(&mut Builder<'_>, &[ValueId]) -> Vec<ValueId>,
) -> Sample {
    let mut graph = Graph::new("scan");
    let leaf = |(position, argument): (usize, &SampleOperand)| {
        graph.leaf(Leaf::User { name: position.to_string() }, argument.ty.clone())
    };
    let leaves: Vec<ValueId> = arguments.iter().enumerate().map(leaf).collect();
    let results = build(&mut Builder::new(&mut graph, Origin::default()), &leaves);
    for (position, result) in results.into_iter().enumerate() {
        graph.result(Role::Output(position), result);
    }
    let count = Extent::from(turns);
    let operand = |(position, argument): (usize, &SampleOperand)| match (carries..carries + slices).contains(&position)
    {
        true => SampleOperand { ty: stacked(&argument.ty, &count), fill: argument.fill },
        false => argument.clone(),
    };
    let operands = arguments.iter().enumerate().map(operand).collect();
    let turns = Turns { body: Region::new(graph), carries, slices, count, reverse };
    Sample { attributes: turns.attributes(), operands }
}

fn floats(shape: &[usize]) -> SampleOperand {
    SampleOperand::numbers(DType::F32, shape, Fill::Between(-1.0, 1.0))
}

/// `h = tanh(x + h w)` and, beside it, the sum of what `h` was, with both of them stacked.
fn recurrence(turns: usize, [n, h]: [usize; 2], reverse: bool) -> Sample {
    let state = floats(&[n, h]);
    let arguments = [state.clone(), state.clone(), state, floats(&[h, h])];
    sample(turns, [2, 1], reverse, &arguments, |b, leaves| {
        let &[h, total, x, w] = leaves else { unreachable!("there are as many as arguments") };
        let product = contract(b, h, w, "ni,ji->nj");
        let z = add(b, x, product);
        let next = tanh(b, z);
        let total = add(b, total, h);
        vec![next, total, next, total]
    })
}

/// The next of two whole numbers is their sum, and one moves into the place of the other: nothing is stacked but what was.
fn numbers(turns: usize) -> Sample {
    let number = SampleOperand::numbers(DType::U32, &[], Fill::Below(9));
    sample(turns, [2, 0], false, &[number.clone(), number], |b, leaves| {
        let sum = add(b, leaves[0], leaves[1]);
        vec![leaves[1], sum, leaves[0]]
    })
}

/// Without carries: the product of each slice with what stays the same, and each slice as it is.
fn products(turns: usize) -> Sample {
    sample(turns, [0, 1], false, &[floats(&[3]), floats(&[3])], |b, leaves| {
        let power = exp(b, leaves[1]);
        let product = mul(b, leaves[0], power);
        vec![product, leaves[0]]
    })
}

/// What is carried grows by itself, less what stays the same.
fn recurrence_without_stacks(extent: usize) -> Sample {
    sample(3, [1, 0], false, &[floats(&[extent]), floats(&[extent])], |b, leaves| {
        let power = exp(b, leaves[0]);
        vec![sub(b, power, leaves[1])]
    })
}
