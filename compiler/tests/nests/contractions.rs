//! Contractions of every kind, with something elementwise around them.

use super::{Case, case, read};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::nest::{Body, Index, Nest, Reducer, Scalar, ScalarId};
use tapeless_compiler::scalar::ScalarOp;

/// A sum of products of two operands whose axes have labels.
#[derive(Clone, Debug)]
pub struct Product {
    /// The labels of each operand's axes.
    pub operands: [String; 2],
    /// The labels of the result's axes.
    pub result: String,
    /// Whether a factor is more than what is read: the larger of 0 and the left element, the square of the right one.
    pub prologues: [bool; 2],
    /// Whether a bias along the last axis is added to the result, which is then cut at 0.
    pub epilogue: bool,
}

impl Product {
    /// A product of an equation such as `ik,jk->ij`, and nothing else.
    pub fn new(equation: &str) -> Product {
        let (operands, result) = equation.split_once("->").expect("an equation has a result");
        let (left, right) = operands.split_once(',').expect("an equation has two operands");
        let operands = [left.to_string(), right.to_string()];
        Product { operands, result: result.to_string(), prologues: [false; 2], epilogue: false }
    }

    /// The product on axes of these extents.
    pub fn case(&self, extent: &dyn Fn(char) -> usize) -> Case {
        let mut labels: Vec<char> = self.result.chars().collect();
        let summed = self.operands[0].chars().filter(|label| !self.result.contains(*label));
        labels.extend(summed);
        let axis = |label: char| labels.iter().position(|&other| other == label).expect("each label is in the nest");
        let index = |labels: &str| labels.chars().map(|label| Index::axis(axis(label))).collect();
        let shape = |labels: &str| labels.chars().map(extent).collect::<Vec<_>>();
        let mut reads: Vec<_> =
            (0..2).map(|operand| read(operand, DType::F32, index(&self.operands[operand]))).collect();
        let mut shapes = vec![shape(&self.operands[0]), shape(&self.operands[1])];
        let epilogue = self.epilogue.then(|| {
            let last = self.result.get(self.result.len() - 1..).expect("a bias has an axis");
            reads.push(read(2, DType::F32, index(last)));
            shapes.push(shape(last));
            epilogue()
        });
        let nest = Nest {
            extents: labels.iter().map(|&label| extent(label)).collect(),
            outputs: self.result.len(),
            reads,
            body: self.body(),
            reducer: Some(Reducer::Sum),
            epilogue,
            dtype: DType::F32,
        };
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        case(format!("{self:?} {:?}", nest.extents), nest, &shapes)
    }

    fn body(&self) -> Body {
        let mut body = Body::default();
        let mut left = body.push(Scalar::Read(0));
        if self.prologues[0] {
            let zero = body.constant(DType::F32, 0.0);
            left = body.apply(ScalarOp::Max, &[left, zero]);
        }
        let mut right = body.push(Scalar::Read(1));
        if self.prologues[1] {
            right = body.apply(ScalarOp::Mul, &[right, right]);
        }
        body.apply(ScalarOp::Mul, &[left, right]);
        body
    }
}

fn epilogue() -> Body {
    let mut body = Body::default();
    body.push(Scalar::Reduced);
    body.push(Scalar::Read(2));
    let sum = body.apply(ScalarOp::Add, &[ScalarId(0), ScalarId(1)]);
    let zero = body.constant(DType::F32, 0.0);
    body.apply(ScalarOp::Max, &[sum, zero]);
    body
}

/// The three products of a linear layer, batched ones, and some with everything around them, around the size of tiles.
pub fn cases(extent: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for equation in ["ik,jk->ij", "ij,jk->ik", "ij,ik->jk", "bik,bkj->bij", "bhik,bhjk->bihj", "ibk,jkb->ij"] {
        let plain = Product::new(equation);
        let sizes = [[extent, 36, 7], [18, extent, 40], [33, 17, extent]];
        for (at, [i, j, k]) in sizes.into_iter().enumerate() {
            let around = Product { prologues: [at > 0, at > 1], epilogue: at > 0, ..plain.clone() };
            let extents = |label: char| match label {
                'i' => i,
                'j' => j,
                'k' => k,
                _ => 2,
            };
            cases.push(if at == 0 { plain.case(&extents) } else { around.case(&extents) });
        }
    }
    cases
}
