//! The meaning of a nest, point by point and in f64: what schedules and kernels are judged by.

use super::{Body, Index, Nest, Reducer, Scalar, strides};
use crate::dtype::DType;

/// The elements that a verified nest computes, in row-major order, from the elements of its operands.
pub fn evaluate(nest: &Nest, operand_shapes: &[Vec<usize>], operands: &[Vec<f64>]) -> Vec<f64> {
    let evaluation = Evaluation { nest, operand_shapes, operands };
    points(&nest.extents[..nest.outputs]).iter().map(|point| evaluation.element(point)).collect()
}

struct Evaluation<'a> {
    nest: &'a Nest,
    operand_shapes: &'a [Vec<usize>],
    operands: &'a [Vec<f64>],
}

impl Evaluation<'_> {
    fn element(&self, output: &[usize]) -> f64 {
        let Some(reducer) = self.nest.reducer else {
            return self.value(&self.nest.body, output, None).1;
        };
        let mut sum = None;
        let mut position = 0.0;
        for reduction in points(&self.nest.extents[self.nest.outputs..]) {
            let (dtype, value) = self.value(&self.nest.body, &[output, &reduction].concat(), None);
            match (sum, reducer.operation()) {
                (None, _) => sum = Some(value),
                (Some(sum_so_far), Some(op)) => sum = Some(op.evaluate(dtype, &[sum_so_far, value])),
                (Some(best), None) if best < value || (value.is_nan() && !best.is_nan()) => {
                    sum = Some(value);
                    position = reduction[0] as f64;
                }
                _ => {}
            }
        }
        let reduced = match reducer {
            Reducer::ArgMax => (DType::U32, position),
            _ => {
                let dtype = self.nest.reduced_dtype();
                (dtype, sum.unwrap_or(reducer.identity(dtype)))
            }
        };
        match &self.nest.epilogue {
            Some(epilogue) => self.value(epilogue, output, Some(reduced)).1,
            None => reduced.1,
        }
    }

    fn value(&self, body: &Body, point: &[usize], reduced: Option<(DType, f64)>) -> (DType, f64) {
        let mut values: Vec<(DType, f64)> = Vec::with_capacity(body.scalars.len());
        for scalar in &body.scalars {
            values.push(match scalar {
                Scalar::Read(read) => (self.nest.reads[*read].dtype, self.read(*read, point)),
                Scalar::Constant(dtype, value) => (*dtype, *value),
                Scalar::Index(index) => (DType::U32, self.index(index, point) as f64),
                Scalar::Reduced => reduced.expect("only epilogues use the reduced value"),
                Scalar::Apply(op, operands) => {
                    let dtypes: Vec<DType> = operands.iter().map(|operand| values[operand.0].0).collect();
                    let operands: Vec<f64> = operands.iter().map(|operand| values[operand.0].1).collect();
                    let dtype = op.result(&dtypes).expect("a verified nest has operations on the types that they take");
                    (dtype, op.evaluate(dtypes[0], &operands))
                }
            });
        }
        *values.last().expect("a verified body is not empty")
    }

    fn read(&self, number: usize, point: &[usize]) -> f64 {
        let read = &self.nest.reads[number];
        let strides = strides(&self.operand_shapes[read.operand]);
        let position: i64 =
            read.index.iter().zip(strides).map(|(index, stride)| self.index(index, point) * stride).sum();
        self.operands[read.operand][usize::try_from(position).expect("a verified nest reads inside of its operands")]
    }

    fn index(&self, index: &Index, point: &[usize]) -> i64 {
        index.at(point, &|read| self.read(read, point) as i64)
    }
}

impl Nest {
    /// The type of what the body gives, before a position of a maximum or an epilogue is made of it.
    pub fn reduced_dtype(&self) -> DType {
        self.body.dtype(&|read| self.reads[read].dtype)
    }
}

impl Body {
    /// The type of the last scalar of a verified body that is no epilogue.
    pub fn dtype(&self, read: &dyn Fn(usize) -> DType) -> DType {
        let mut dtypes: Vec<DType> = Vec::with_capacity(self.scalars.len());
        for scalar in &self.scalars {
            dtypes.push(match scalar {
                Scalar::Read(number) => read(*number),
                Scalar::Constant(dtype, _) => *dtype,
                Scalar::Index(_) => DType::U32,
                Scalar::Reduced => unreachable!("the reduced value is in epilogues only"),
                Scalar::Apply(op, operands) => {
                    let operands: Vec<DType> = operands.iter().map(|operand| dtypes[operand.0]).collect();
                    op.result(&operands).expect("a verified nest has operations on the types that they take")
                }
            });
        }
        *dtypes.last().expect("a verified body is not empty")
    }
}

/// Every point of a rectangle in row-major order; one point if there are no axes.
fn points(extents: &[usize]) -> Vec<Vec<usize>> {
    let mut points = vec![Vec::new()];
    for &extent in extents {
        let longer = |point: Vec<usize>| (0..extent).map(move |at| [point.as_slice(), &[at]].concat());
        points = points.into_iter().flat_map(longer).collect();
    }
    points
}
