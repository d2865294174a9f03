//! What the recurrent layers share: one layer in one direction, all turns of it.
//!
//! What the inputs of all turns are multiplied with stands outside of the turns, and comes in as one array. A turn multiplies
//! what it carries with the recurrent weight, and its cell makes the next carries of both.

use super::{Turns, add, broadcast, contract, scan};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::shape::{Extent, Shape, Type};

/// A cell over all turns: the op of x, the recurrent weight, the initial states and what may be left out.
pub struct Recurrent {
    /// The name.
    pub name: &'static str,
    /// The formula.
    pub doc: &'static str,
    /// How many numbers a turn takes per hidden one.
    pub gates: usize,
    /// How many values are carried.
    pub states: usize,
    /// What may stand behind the states.
    pub extra: Option<Extra>,
    /// What a turn makes: the next states, and what is kept so that the gradient does not multiply again.
    pub turn: fn(&mut Builder<'_>, &Turn<'_>) -> Vec<ValueId>,
    /// The same of one row, naively: the next states of inputs, products and states.
    pub row: RowRule,
    /// The attributes beside the direction that samples have, in turns.
    pub attributes: fn() -> Vec<Attributes>,
}

/// The next states of one row of attributes, inputs, products and states.
pub type RowRule = fn(&Attributes, &[f64], &[f64], &[Vec<f64>]) -> Vec<Vec<f64>>;

/// An operand that may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// What is added to the products.
    Bias,
    /// A matrix that makes the next hidden numbers of those of the cell.
    Projection,
}

/// What a turn begins with.
pub struct Turn<'a> {
    /// The attributes.
    pub attributes: &'a Attributes,
    /// What comes from the input: a row of all gates each.
    pub x: ValueId,
    /// The product of the hidden numbers and the recurrent weight, with its bias.
    pub product: ValueId,
    /// What is carried.
    pub states: &'a [ValueId],
    /// The projection, if there is one.
    pub projection: Option<ValueId>,
    /// How many hidden numbers a gate has.
    pub hidden: Extent,
}

impl Turn<'_> {
    /// A gate of a row of all gates.
    pub fn gate(&self, b: &mut Builder<'_>, rows: ValueId, gate: usize) -> ValueId {
        let at = |gate: usize| Extent::from(gate) * self.hidden.clone();
        super::slice(b, rows, 1, at(gate), at(gate + 1))
    }
}

/// Every turn of a cell: what is hidden after each of them, then the states after the last.
pub fn recurrent(
    b: &mut Builder<'_>,
    cell: &'static Recurrent,
    attributes: Attributes,
    operands: &[ValueId],
) -> Vec<ValueId> {
    b.apply_all(cell, attributes, operands)
}

/// The attributes of a cell that goes this way.
pub fn direction(reverse: bool) -> Attributes {
    Attributes::none().with("reverse", Attribute::Bool(reverse))
}

impl Recurrent {
    /// The types of x, weight, states and what may follow: for so many turns and rows, hidden numbers of a cell and carried.
    fn expected(&self, dtype: DType, [turns, rows, hidden, carried]: [&Extent; 4]) -> Vec<Type> {
        let ty =
            |extents: &[&Extent]| Type::new(dtype, Shape::new(extents.iter().map(|&extent| extent.clone()).collect()));
        let all = Extent::from(self.gates) * hidden.clone();
        let mut types = vec![ty(&[turns, rows, &all]), ty(&[&all, carried]), ty(&[rows, carried])];
        types.extend((1..self.states).map(|_| ty(&[rows, hidden])));
        types.extend(self.extra.map(|extra| match extra {
            Extra::Bias => ty(&[&all]),
            Extra::Projection => ty(&[carried, hidden]),
        }));
        types
    }

    /// Turns, rows, hidden and carried numbers.
    fn extents(&self, operands: &[Type]) -> [Extent; 4] {
        let extent = |operand: usize, axis: usize| operands[operand].shape.extents()[axis].clone();
        [extent(0, 0), extent(0, 1), extent(1 + self.states, 1), extent(2, 1)]
    }

    fn projects(&self, operands: usize) -> bool {
        self.extra == Some(Extra::Projection) && operands > 2 + self.states
    }
}

impl Op for Recurrent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let types = infer.all();
        let least = 2 + self.states;
        if types.len() < least || types.len() > least + usize::from(self.extra.is_some()) {
            return infer.error(format!("takes {least} operands or one more, not {}", types.len()));
        }
        infer.float(types[0])?;
        if types[0].rank() != 3 || types[2..least].iter().any(|state| state.rank() != 2) {
            return infer.error("takes f32<turns, rows, gates> and states f32<rows, hidden>");
        }
        let all: Vec<Type> = types.iter().map(|&ty| ty.clone()).collect();
        let [turns, rows, hidden, carried] = self.extents(&all);
        if !self.projects(types.len()) {
            infer.same_extent(&carried, &hidden, "the states differ in extents")?;
        }
        let expected = self.expected(types[0].dtype, [&turns, &rows, &hidden, &carried]);
        for (position, (ty, expected)) in types.iter().zip(&expected).enumerate() {
            if ty.dtype != expected.dtype || ty.rank() != expected.rank() {
                return infer.error(format!("operand {position} is {expected}, not {ty}"));
            }
            for (a, b) in ty.shape.extents().iter().zip(expected.shape.extents()) {
                infer.same_extent(a, b, format_args!("operand {position} is {expected}, not {ty}"))?;
            }
        }
        infer.at_most(&Extent::from(1), &turns, "there are no turns")?;
        let y = Type::new(types[0].dtype, Shape::new(vec![turns, rows, carried]));
        Ok([y].into_iter().chain(all[2..least].iter().cloned()).collect())
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::Expand
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (types, states) = (&call.operand_types, self.states);
        let [count, _, hidden, _] = self.extents(types);
        let slice = Type::new(types[0].dtype, Shape::new(types[0].shape.extents()[1..].to_vec()));
        let mut arguments = types[2..2 + states].to_vec();
        arguments.extend([slice, types[1].clone()]);
        arguments.extend_from_slice(&types[2 + states..]);
        let body = b.region(&arguments, |b, leaves| {
            let (carried, others) = leaves.split_at(states);
            let mut product = contract(b, carried[0], others[1], "nk,gk->ng");
            let extra = others.get(2).copied();
            if let (Some(Extra::Bias), Some(bias)) = (self.extra, extra) {
                let shape = b.shape(product);
                let bias = broadcast(b, bias, &shape);
                product = add(b, product, bias);
            }
            let projection = extra.filter(|_| self.extra == Some(Extra::Projection));
            let attributes = &call.attributes;
            let turn = Turn { attributes, x: others[0], product, states: carried, projection, hidden };
            let made = (self.turn)(b, &turn);
            // What is hidden after each turn is a result; that the rest is stacked is for the gradient.
            made[..states].iter().chain(&made).copied().collect()
        });
        let reverse = call.attributes.bool("reverse");
        let turns = Turns { body, carries: states, slices: 1, count, reverse };
        let mut operands = call.operands[2..2 + states].to_vec();
        operands.extend(&call.operands[..2]);
        operands.extend(&call.operands[2 + states..]);
        let results = scan(b, &turns, &operands);
        [results[states]].into_iter().chain(results[..states].iter().copied()).collect()
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let [turns, rows] = [operands[0].shape[0], operands[0].shape[1]];
        let [gates, carried] = [operands[1].shape[0], operands[1].shape[1]];
        let (mut y, mut states) = (Array::filled(operands[0].dtype, &call.shape(), 0.0), Vec::new());
        states.extend(operands[2..2 + self.states].iter().map(|&array| array.clone()));
        let extra = operands.get(2 + self.states);
        let projects = self.projects(operands.len());
        for turn in 0..turns {
            let at = if call.attributes.bool("reverse") { turns - 1 - turn } else { turn };
            for row in 0..rows {
                let x: Vec<f64> = (0..gates).map(|gate| operands[0].at(&[at, row, gate])).collect();
                let bias = |gate: usize| extra.filter(|_| !projects).map_or(0.0, |bias| bias.at(&[gate]));
                let product = |gate: usize| {
                    bias(gate) + (0..carried).map(|k| states[0].at(&[row, k]) * operands[1].at(&[gate, k])).sum::<f64>()
                };
                let products: Vec<f64> = (0..gates).map(product).collect();
                let of_row = |state: &Array| (0..state.shape[1]).map(|k| state.at(&[row, k])).collect::<Vec<f64>>();
                let before: Vec<Vec<f64>> = states.iter().map(of_row).collect();
                let mut next = (self.row)(&call.attributes, &x, &products, &before);
                if let (true, Some(matrix)) = (projects, extra) {
                    let of = |p: usize| next[0].iter().enumerate().map(|(k, h)| h * matrix.at(&[p, k])).sum::<f64>();
                    next[0] = (0..carried).map(of).collect();
                }
                for (state, numbers) in states.iter_mut().zip(&next) {
                    numbers.iter().enumerate().for_each(|(k, &number)| state.set(&[row, k], number));
                }
                next[0].iter().enumerate().for_each(|(k, &number)| y.set(&[at, row, k], number));
            }
        }
        [y].into_iter().chain(states).collect()
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes = [[3, 2, 5], [1, 1, 1], [4, 3, 2], [2, 0, 3], [3, 2, 4]];
        let attributes = (self.attributes)();
        let sample = |(number, [turns, rows, hidden]): (usize, [usize; 3])| {
            let (reverse, with_extra) = (number % 2 == 1, number % 3 != 1);
            let mut all = direction(reverse);
            for (name, value) in attributes[number % attributes.len()].iter() {
                all = all.with(name.to_string(), value.clone());
            }
            let projects = with_extra && self.extra == Some(Extra::Projection);
            let carried = if projects { hidden - hidden / 2 } else { hidden };
            let extents = [turns, rows, hidden, carried].map(Extent::from);
            let [turns, rows, hidden, carried] = &extents;
            let mut types = self.expected(DType::F32, [turns, rows, hidden, carried]);
            if !with_extra {
                types.truncate(2 + self.states);
            }
            let fill = Fill::Between(-1.0, 1.0);
            let operands = types.into_iter().map(|ty| SampleOperand { ty, fill }).collect();
            Sample { attributes: all, operands }
        };
        shapes.into_iter().enumerate().map(sample).collect()
    }
}

/// The logistic function of one number.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
