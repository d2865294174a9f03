//! Samples of ops that work row by row, over as many rows and columns as a test wants.

use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Attribute, Attributes, Fill, Op, Sample, SampleOperand};
use tapeless_compiler::ops::OPS;

/// The ops that work row by row.
pub const OVER_ROWS: [&str; 5] = ["softmax", "log_softmax", "cross_entropy", "layer_norm", "argmax"];

/// An op by name, and a sample of it over so many rows and columns.
pub fn row_sample(name: &str, [rows, columns]: [usize; 2]) -> (&'static dyn Op, Sample) {
    let op = *OPS.iter().find(|op| op.name() == name).expect("it is an op");
    let numbers = |shape: &[usize]| SampleOperand::numbers(DType::F32, shape, Fill::Between(-2.0, 2.0));
    let axis = Attributes::none().with("axis", Attribute::Int(1));
    let x = numbers(&[rows, columns]);
    let sample = match name {
        "layer_norm" => Sample {
            attributes: Attributes::none().with("axes", Attribute::Ints(vec![1])).with("eps", Attribute::Float(1e-5)),
            operands: vec![x, numbers(&[columns]), numbers(&[columns])],
        },
        "cross_entropy" => {
            let labels = SampleOperand::numbers(DType::U32, &[rows], Fill::Below(columns as u32));
            Sample { attributes: op.samples()[0].attributes.clone(), operands: vec![x, labels] }
        }
        _ => Sample { attributes: axis, operands: vec![x] },
    };
    (op, sample)
}
