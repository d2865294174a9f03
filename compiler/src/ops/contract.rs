//! Contractions: products of two operands, summed over what the result lacks. Matrix products of every kind.

use super::elementwise::wrapping;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, for_each_point,
};
use crate::nest::{Body, Index, Nest, Read, Reducer, Scalar};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Contract;

/// The contraction that an equation like `ik,kj->ij` names.
pub fn contract(b: &mut Builder<'_>, left: ValueId, right: ValueId, equation: &str) -> ValueId {
    b.apply(&Contract, attributes(equation), &[left, right])
}

fn attributes(equation: &str) -> Attributes {
    Attributes::none().with("equation", Attribute::Word(equation.to_string()))
}

/// A label per axis of both operands and of the result: ASCII letters, as they stand in the text.
struct Equation<'t> {
    operands: [&'t [u8]; 2],
    result: &'t [u8],
}

impl<'t> Equation<'t> {
    /// Reads an equation; the error says what is wrong with it.
    fn parse(text: &'t str) -> Result<Equation<'t>, String> {
        let Some(parts) = parts(text) else {
            return Err(format!("equation `{text}` is not of the form ik,kj->ij"));
        };
        for part in parts {
            if let Some(at) = part.bytes().position(|label| !label.is_ascii_alphabetic()) {
                let sign = part[at..].chars().next().expect("a byte stands there");
                return Err(format!("equation `{text}`: `{sign}` is no label"));
            }
        }
        let [left, right, result] = parts.map(str::as_bytes);
        let mut sets = [0; 3];
        for (set, part) in sets.iter_mut().zip([left, right, result]) {
            for &label in part {
                if *set & bit(label) != 0 {
                    return Err(format!("equation `{text}` names {} twice in one place", char::from(label)));
                }
                *set |= bit(label);
            }
        }
        let equation = Equation { operands: [left, right], result };
        equation.check(sets).map(|()| equation).map_err(|problem| format!("equation `{text}`: {problem}"))
    }

    /// Looks for labels out of place, given the sets of labels.
    fn check(&self, [left, right, result]: [u64; 3]) -> Result<(), String> {
        let first =
            |labels: &[u8], set: u64| labels.iter().copied().find(|&label| set & bit(label) != 0).map(char::from);
        if let Some(label) = first(self.result, result & !(left | right)) {
            return Err(format!("{label} is in no operand"));
        }
        let alone = (left ^ right) & !result;
        match self.operands.into_iter().find_map(|labels| first(labels, alone)) {
            Some(label) => Err(format!("{label} is in one operand only")),
            None => Ok(()),
        }
    }

    fn of(call: &'t Call) -> Equation<'t> {
        Equation::parse(call.attributes.word("equation")).expect("the equation was read when the types were inferred")
    }

    /// The labels that are summed.
    fn summed(&self) -> Vec<u8> {
        self.operands[0].iter().copied().filter(|label| !self.result.contains(label)).collect()
    }

    /// The labels of the result, then those that are summed.
    fn labels(&self) -> Vec<u8> {
        self.result.iter().copied().chain(self.summed()).collect()
    }

    /// The extent of a label, from the operands' shapes.
    fn extent(&self, label: u8, shapes: [&Shape; 2]) -> Extent {
        let found = |(labels, shape): (&&[u8], &Shape)| Some(shape.extents()[place(labels, label)?].clone());
        self.operands.iter().zip(shapes).find_map(found).expect("every label is in an operand")
    }
}

/// The set that holds one label: no two letters agree in their last six bits.
fn bit(label: u8) -> u64 {
    1 << (label & 63)
}

/// The labels of both operands and of the result, unread.
fn parts(text: &str) -> Option<[&str; 3]> {
    let arrow = text.as_bytes().windows(2).position(|signs| signs == b"->")?;
    let (operands, result) = (&text[..arrow], &text[arrow + 2..]);
    let comma = operands.bytes().position(|sign| sign == b',')?;
    Some([&operands[..comma], &operands[comma + 1..], result])
}

fn place(labels: &[u8], label: u8) -> Option<usize> {
    labels.iter().position(|&l| l == label)
}

/// Labels as text.
fn word(labels: &[u8]) -> &str {
    str::from_utf8(labels).expect("labels are ASCII letters")
}

/// The contraction of the cotangent of the result with the other operand that gives the cotangent of `operand`.
fn operand_cotangent(b: &mut Builder<'_>, call: &Call, g: ValueId, operand: usize) -> ValueId {
    let equation = Equation::of(call);
    let (own, other, result) = (equation.operands[operand], equation.operands[1 - operand], equation.result);
    // The side that brings the first label of its own goes left, so that the rows of the product come from there.
    let first = own.iter().find(|label| !(other.contains(label) && result.contains(label)));
    match first.is_some_and(|label| other.contains(label)) {
        true => {
            let equation = format!("{},{}->{}", word(other), word(result), word(own));
            contract(b, call.operands[1 - operand], g, &equation)
        }
        false => {
            let equation = format!("{},{}->{}", word(result), word(other), word(own));
            contract(b, g, call.operands[1 - operand], &equation)
        }
    }
}

impl Op for Contract {
    fn name(&self) -> &'static str {
        "contract"
    }

    fn doc(&self) -> &'static str {
        "contract {equation} (a: T<S>, b: T<R>) -> T<Q>: the sum of a * b over the labels that the result lacks, as in einsum; a label in one operand only is in the result. The gradients are contractions of g with the other operand"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [left, right] = infer.operands()?;
        let dtype = infer.same_dtype(left, right)?;
        if dtype == DType::Bool {
            return infer.error("takes numbers, not bool");
        }
        let equation = match Equation::parse(infer.attributes.word("equation")) {
            Ok(equation) => equation,
            Err(problem) => return infer.error(problem),
        };
        for (labels, ty) in equation.operands.iter().zip([left, right]) {
            if labels.len() != ty.rank() {
                return infer.error(format!("{ty} has not the axes {}", word(labels)));
            }
        }
        for (i, &label) in equation.operands[0].iter().enumerate() {
            if let Some(j) = place(equation.operands[1], label)
                && left.shape.extents()[i] != right.shape.extents()[j]
            {
                let headline = format!("extents differ on axis {i} of {left} and axis {j} of {right}");
                infer.same_extent(&left.shape.extents()[i], &right.shape.extents()[j], &headline)?;
            }
        }
        let shapes = [&left.shape, &right.shape];
        let extents = equation.result.iter().map(|&label| equation.extent(label, shapes)).collect();
        Ok(vec![Type::new(dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        Vjp::Operands(vec![Some(operand_cotangent(b, call, g, 0)), Some(operand_cotangent(b, call, g, 1))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (equation, dtype) = (Equation::of(call), call.result_types[0].dtype);
        let (labels, shapes) = (equation.labels(), [&call.operand_types[0].shape, &call.operand_types[1].shape]);
        let known =
            |&label: &u8| equation.extent(label, shapes).known().expect("extents are known once bound") as usize;
        let axis = |&label: &u8| Index::axis(place(&labels, label).expect("every label is an axis"));
        let read =
            |operand: usize| Read { operand, dtype, index: equation.operands[operand].iter().map(axis).collect() };
        let mut body = Body::default();
        let operands = [body.push(Scalar::Read(0)), body.push(Scalar::Read(1))];
        body.apply(ScalarOp::Mul, &operands);
        Lowering::Nest(Nest {
            extents: labels.iter().map(known).collect(),
            outputs: equation.result.len(),
            reads: vec![read(0), read(1)],
            body,
            reducer: (labels.len() > equation.result.len()).then_some(Reducer::Sum),
            epilogue: None,
            dtype,
        })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (equation, dtype) = (Equation::of(call), call.result_types[0].dtype);
        let (labels, shape) = (equation.labels(), call.shape());
        let summed = equation.summed();
        let along = |label: &u8| operands[0].shape[place(equation.operands[0], *label).expect("the left has it")];
        let extents: Vec<usize> = shape.iter().copied().chain(summed.iter().map(along)).collect();
        let mut result = Array::filled(dtype, &shape, 0.0);
        for_each_point(&extents, |point| {
            let [left, right] = [0, 1].map(|operand| {
                let index = |&label: &u8| point[place(&labels, label).expect("every label is an axis")];
                operands[operand].at(&equation.operands[operand].iter().map(index).collect::<Vec<_>>())
            });
            let product = wrapping(dtype, left, right, |a, b| a * b, i64::wrapping_mul);
            let sum = result.at(&point[..shape.len()]);
            result.set(&point[..shape.len()], wrapping(dtype, sum, product, |a, b| a + b, i64::wrapping_add));
        });
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&str, &[usize], &[usize], DType); 16] = [
            ("ik,kj->ij", &[3, 5], &[5, 4], DType::F32),
            ("ik,jk->ij", &[3, 5], &[7, 5], DType::F32),
            ("ki,kj->ij", &[5, 3], &[5, 2], DType::F32),
            ("ki,jk->ji", &[5, 3], &[2, 5], DType::F32),
            ("bik,bkj->bij", &[2, 3, 5], &[2, 5, 4], DType::F32),
            ("bik,kj->bij", &[2, 1, 3], &[3, 5], DType::F32),
            ("k,kj->j", &[5], &[5, 3], DType::F32),
            ("ik,k->i", &[3, 5], &[5], DType::F32),
            ("i,j->ij", &[3], &[5], DType::F32),
            ("k,k->", &[33], &[33], DType::F32),
            ("ikl,lkj->ij", &[2, 3, 5], &[5, 3, 2], DType::F32),
            ("ij,ij->ij", &[2, 3], &[2, 3], DType::F32),
            ("ik,kj->ij", &[1, 1], &[1, 1], DType::F32),
            ("ik,kj->ij", &[3, 0], &[0, 2], DType::F32),
            (",j->j", &[], &[3], DType::F32),
            ("ik,kj->ij", &[3, 5], &[5, 2], DType::U32),
        ];
        let sample = |(equation, left, right, dtype): (&str, &[usize], &[usize], DType)| Sample {
            attributes: attributes(equation),
            operands: [left, right]
                .map(|shape| SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0)))
                .to_vec(),
        };
        cases.map(sample).to_vec()
    }
}
