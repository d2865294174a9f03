//! Products of matrices that are large enough for tensor cores.

use crate::nests::Case;
use crate::nests::contractions::Product;
use tapeless_compiler::dtype::DType;

/// Products of matrices, alone and in batches, in all the ways in which they lie: whole
/// tiles and parts of them, what is read straight, sixteen bytes at a time and less, and what is computed.
pub fn matrices() -> Vec<Case> {
    let mut cases = Vec::new();
    let equations =
        ["ik,jk->ij", "ik,kj->ij", "ki,kj->ij", "ki,jk->ij", "ik,kj->ji", "bik,bjk->bij", "bhik,bhkj->bihj"];
    for (number, equation) in equations.into_iter().chain(["ibk,jkb->ij", "bki,bkj->bij"]).enumerate() {
        for (at, [i, j, k]) in [[32, 64, 32], [33, 20, 17], [47, 34, 68], [16, 36, 40]].into_iter().enumerate() {
            let extents = |label| match label {
                'i' => i,
                'j' => j,
                'k' => k,
                _ => 2,
            };
            let plain = Product::new(equation);
            let prologues = [(number + at) % 3 == 0, (number + at) % 4 == 3];
            cases.push(Product { prologues, epilogue: at % 2 == 1, ..plain }.case(&extents));
        }
    }
    cases
}

/// The same with everything in bf16.
pub fn in_halves(mut case: Case) -> Case {
    case.nest.reads.iter_mut().for_each(|read| read.dtype = DType::Bf16);
    case.nest.dtype = DType::Bf16;
    case.operands.iter_mut().flatten().for_each(|number| *number = DType::Bf16.rounded(*number));
    case.name += " in bf16";
    case
}

/// Products of matrices of bf16 that are read straight.
pub fn halves() -> Vec<Case> {
    let equations = ["ik,jk->ij", "ik,kj->ij", "ki,kj->ij", "bki,bjk->bij"];
    let sizes = [[48, 64, 40], [33, 21, 17], [40, 36, 96]];
    let cases = equations.into_iter().flat_map(|equation| sizes.map(|sizes| (equation, sizes)));
    let case = |(equation, [i, j, k]): (&str, [usize; 3])| {
        Product::new(equation).case(&|label| match label {
            'i' => i,
            'j' => j,
            'k' => k,
            _ => 2,
        })
    };
    cases.map(case).map(in_halves).collect()
}
