//! Nests of every kind that lowering makes, for tests that run kernels.

pub mod contractions;
pub mod convolutions;
pub mod sums;

use tapeless_compiler::dtype::DType;
use tapeless_compiler::nest::{Atom, Body, Index, Nest, Read, Reducer, Scalar, ScalarId, flatten, unflatten};
use tapeless_compiler::scalar::ScalarOp;

/// A nest with its operands.
pub struct Case {
    /// What it is.
    pub name: String,
    /// The nest.
    pub nest: Nest,
    /// The shapes of the operands.
    pub shapes: Vec<Vec<usize>>,
    /// The elements of the operands.
    pub operands: Vec<Vec<f64>>,
}

/// Extents around the sizes of vectors and groups, some of which leave 4, 5 and 7 over at eight lanes, and more at sixteen.
const EXTENTS: [usize; 12] = [0, 1, 3, 5, 8, 13, 17, 20, 31, 44, 64, 65];

/// All cases.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for extent in EXTENTS {
        cases.extend([chain(extent), row_bias(extent, 7), row_bias(3, extent), transposed(extent, 6)]);
        cases.extend([gather(extent, 5), one_hot(extent, 10), casts(extent), bools(extent), integers(extent)]);
        cases.extend([shuffled(extent), transcendental(extent), doubles(extent), wide_casts(extent)]);
        for dtype in DType::ALL.into_iter().filter(|&dtype| dtype != DType::Bool) {
            cases.extend([arithmetic(dtype, extent), typed_sum(dtype, extent)]);
        }
        cases.extend([padded(extent.max(1), 6), padded(6, extent.max(1)), joined(extent, 7), joined(5, extent)]);
        for reducer in [Reducer::Sum, Reducer::Max, Reducer::Min, Reducer::ArgMax] {
            for axis in 0..3 {
                cases.push(reduce(reducer, [3, extent, 9], axis));
                cases.push(reduce(reducer, [2, 5, extent], axis));
            }
        }
        cases.push(reduce_all(extent));
        cases.extend(sums::cases(extent));
        cases.extend(contractions::cases(extent));
        for equation in ["ik,jk->ij", "ik,kj->ij", "ij,ik->jk", "ij,jk->ik", "bik,bjk->bij", "ij,ij->"] {
            cases.push(contract(equation, [6, extent, 10]));
            cases.push(contract(equation, [extent, 11, 21]));
        }
    }
    cases.extend([contract("ij,ik->jk", [7, 13, 36]), contract("ik,jk->ij", [9, 6, 70]), scalar_update(), patches()]);
    for op in [ScalarOp::Floor, ScalarOp::Round] {
        cases.push(unary(op, vec![-1.5, -0.0, 0.5, 1.5, 2.6, 1e9, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]));
    }
    cases.extend([convolution([5, 6], 1, 1), convolution([9, 21], 2, 2), convolution([1, 33], 1, 3)]);
    cases.extend(convolutions::cases());
    cases.extend([between_rows(5, 24), between_rows(1, 3), between_rows(2, 33)]);
    cases
}

/// One operation on these numbers.
pub fn unary(op: ScalarOp, numbers: Vec<f64>) -> Case {
    let mut body = reading(1);
    body.apply(op, &[ScalarId(0)]);
    let nest = elementwise(&[numbers.len()], vec![read(0, DType::F32, axes(&[0]))], body, DType::F32);
    Case { name: op.name(), nest, shapes: vec![vec![numbers.len()]], operands: vec![numbers] }
}

fn case(name: String, nest: Nest, shapes: &[&[usize]]) -> Case {
    let mut seed = 1;
    let dtype = |operand: usize| nest.reads.iter().find(|read| read.operand == operand).map(|read| read.dtype);
    let fill = |(operand, shape): (usize, &&[usize])| {
        let elements = shape.iter().product();
        (0..elements).map(|_| element(dtype(operand).unwrap_or(DType::F32), &mut seed)).collect()
    };
    let operands = shapes.iter().enumerate().map(fill).collect();
    Case { name, nest, shapes: shapes.iter().map(|shape| shape.to_vec()).collect(), operands }
}

/// A pseudo-random element that its type holds exactly.
fn element(dtype: DType, seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let bits = (*seed >> 40) as u32;
    match dtype {
        DType::Bool => f64::from(bits % 2),
        DType::U32 => f64::from(bits % 12),
        DType::U8 => f64::from(bits % 256),
        DType::I32 | DType::I64 => f64::from(bits % 23) - 11.0,
        _ => dtype.rounded(f64::from(bits) / f64::from(1 << 22) - 2.0),
    }
}

fn read(operand: usize, dtype: DType, index: Vec<Index>) -> Read {
    Read { operand, dtype, index }
}

fn axes(axes: &[usize]) -> Vec<Index> {
    axes.iter().map(|&axis| Index::axis(axis)).collect()
}

/// A body with the reads as its first scalars.
fn reading(reads: usize) -> Body {
    let mut body = Body::default();
    (0..reads).for_each(|read| {
        body.push(Scalar::Read(read));
    });
    body
}

fn elementwise(extents: &[usize], reads: Vec<Read>, body: Body, dtype: DType) -> Nest {
    Nest { extents: extents.to_vec(), outputs: extents.len(), reads, body, reducer: None, epilogue: None, dtype }
}

/// (a - b) * a / (|b| + 1), then the square root of its absolute value.
fn chain(extent: usize) -> Case {
    let mut body = reading(2);
    let (a, b) = (ScalarId(0), ScalarId(1));
    let difference = body.apply(ScalarOp::Sub, &[a, b]);
    let product = body.apply(ScalarOp::Mul, &[difference, a]);
    let size = body.apply(ScalarOp::Abs, &[b]);
    let one = body.constant(DType::F32, 1.0);
    let divisor = body.apply(ScalarOp::Add, &[size, one]);
    let quotient = body.apply(ScalarOp::Div, &[product, divisor]);
    let positive = body.apply(ScalarOp::Abs, &[quotient]);
    body.apply(ScalarOp::Sqrt, &[positive]);
    let reads = vec![read(0, DType::F32, axes(&[0, 1])), read(1, DType::F32, axes(&[0, 1]))];
    let nest = elementwise(&[3, extent], reads, body, DType::F32);
    case(format!("chain [3, {extent}]"), nest, &[&[3, extent], &[3, extent]])
}

/// The larger of 0 and a row plus a bias, times a scalar.
pub fn row_bias(rows: usize, columns: usize) -> Case {
    let mut body = reading(3);
    let sum = body.apply(ScalarOp::Add, &[ScalarId(0), ScalarId(1)]);
    let zero = body.constant(DType::F32, 0.0);
    let positive = body.apply(ScalarOp::Max, &[sum, zero]);
    body.apply(ScalarOp::Mul, &[positive, ScalarId(2)]);
    let reads =
        vec![read(0, DType::F32, axes(&[0, 1])), read(1, DType::F32, axes(&[1])), read(2, DType::F32, Vec::new())];
    let nest = elementwise(&[rows, columns], reads, body, DType::F32);
    case(format!("row_bias [{rows}, {columns}]"), nest, &[&[rows, columns], &[columns], &[]])
}

/// a + transpose(b) * a.
pub fn transposed(rows: usize, columns: usize) -> Case {
    let mut body = reading(2);
    let product = body.apply(ScalarOp::Mul, &[ScalarId(0), ScalarId(1)]);
    body.apply(ScalarOp::Add, &[ScalarId(0), product]);
    let reads = vec![read(0, DType::F32, axes(&[0, 1])), read(1, DType::F32, axes(&[1, 0]))];
    let nest = elementwise(&[rows, columns], reads, body, DType::F32);
    case(format!("transposed [{rows}, {columns}]"), nest, &[&[rows, columns], &[columns, rows]])
}

/// Rows of a table of 7 rows, with indices some of which are beyond it, and elements along the last axis.
fn gather(count: usize, columns: usize) -> Case {
    let mut body = reading(4);
    let sum = body.apply(ScalarOp::Add, &[ScalarId(1), ScalarId(3)]);
    body.apply(ScalarOp::Mul, &[sum, ScalarId(1)]);
    let at = |read, bound| Index::atom(Atom::Gathered { read, bound });
    let reads = vec![
        read(0, DType::U32, axes(&[0])),
        read(1, DType::F32, vec![at(0, 7), Index::axis(1)]),
        read(2, DType::I32, axes(&[0, 1])),
        read(1, DType::F32, vec![Index::constant(2), at(2, columns)]),
    ];
    let nest = elementwise(&[count, columns], reads, body, DType::F32);
    case(format!("gather [{count}, {columns}]"), nest, &[&[count], &[7, columns], &[count, columns]])
}

/// Whether the class of a row is this column, as a float.
fn one_hot(rows: usize, classes: usize) -> Case {
    let mut body = reading(1);
    let class = body.push(Scalar::Index(Index::axis(1)));
    let equal = body.apply(ScalarOp::Eq, &[ScalarId(0), class]);
    body.apply(ScalarOp::Cast(DType::F32), &[equal]);
    let nest = elementwise(&[rows, classes], vec![read(0, DType::U32, axes(&[0]))], body, DType::F32);
    case(format!("one_hot [{rows}, {classes}]"), nest, &[&[rows]])
}

/// Through every pair of element types, summed up.
fn casts(extent: usize) -> Case {
    casts_of(&[DType::F32, DType::I32, DType::U32, DType::Bool, DType::U8, DType::F16, DType::Bf16], extent)
}

/// The same with types of 64 bits.
fn wide_casts(extent: usize) -> Case {
    casts_of(&DType::ALL, extent)
}

fn casts_of(types: &[DType], extent: usize) -> Case {
    let mut body = reading(types.len());
    let mut sum = body.constant(DType::F32, 0.5);
    for from in 0..types.len() {
        for &to in types {
            let there = body.apply(ScalarOp::Cast(to), &[ScalarId(from)]);
            let back = body.apply(ScalarOp::Cast(DType::F32), &[there]);
            sum = body.apply(ScalarOp::Add, &[sum, back]);
        }
    }
    let floor = body.apply(ScalarOp::Floor, &[ScalarId(0)]);
    body.apply(ScalarOp::Add, &[sum, floor]);
    let reads = types.iter().enumerate().map(|(operand, &dtype)| read(operand, dtype, axes(&[0]))).collect();
    let shape = [extent];
    let shapes = vec![&shape as &[usize]; types.len()];
    case(format!("casts of {} types [{extent}]", types.len()), elementwise(&[extent], reads, body, DType::F32), &shapes)
}

/// Sums, differences, products, comparisons and choices in one type.
fn arithmetic(dtype: DType, extent: usize) -> Case {
    let mut body = reading(2);
    let (a, b) = (ScalarId(0), ScalarId(1));
    let difference = body.apply(ScalarOp::Sub, &[a, b]);
    let product = body.apply(ScalarOp::Mul, &[difference, a]);
    let three = body.constant(dtype, 3.0);
    let sum = body.apply(ScalarOp::Add, &[product, three]);
    let larger = body.apply(ScalarOp::Max, &[sum, b]);
    let smaller = body.apply(ScalarOp::Min, &[a, difference]);
    let below = body.apply(ScalarOp::Lt, &[larger, three]);
    let equal = body.apply(ScalarOp::Eq, &[smaller, a]);
    let either = body.apply(ScalarOp::Or, &[below, equal]);
    let chosen = body.apply(ScalarOp::Select, &[either, larger, smaller]);
    if dtype.is_float() {
        let tanh = body.apply(ScalarOp::Tanh, &[chosen]);
        let exp = body.apply(ScalarOp::Exp, &[tanh]);
        body.apply(ScalarOp::Log, &[exp]);
    }
    let reads = vec![read(0, dtype, axes(&[0])), read(1, dtype, axes(&[0]))];
    case(
        format!("arithmetic of {dtype} [{extent}]"),
        elementwise(&[extent], reads, body, dtype),
        &[&[extent] as &[usize]; 2],
    )
}

/// Sums of products with a transposed operand in one type.
fn typed_sum(dtype: DType, extent: usize) -> Case {
    let mut body = reading(2);
    body.apply(ScalarOp::Mul, &[ScalarId(0), ScalarId(1)]);
    let nest = Nest {
        extents: vec![5, extent],
        outputs: 1,
        reads: vec![read(0, dtype, axes(&[0, 1])), read(1, dtype, axes(&[1, 0]))],
        body,
        reducer: Some(Reducer::Sum),
        epilogue: None,
        dtype,
    };
    case(format!("sum of {dtype} [5, {extent}]"), nest, &[&[5, extent], &[extent, 5]])
}

/// Bools from comparisons, their operations, and a bool result.
fn bools(extent: usize) -> Case {
    let mut body = reading(3);
    let (a, b, c) = (ScalarId(0), ScalarId(1), ScalarId(2));
    let less = body.apply(ScalarOp::Lt, &[a, b]);
    let at_most = body.apply(ScalarOp::Le, &[b, a]);
    let either = body.apply(ScalarOp::Or, &[less, c]);
    let not = body.apply(ScalarOp::Not, &[at_most]);
    let both = body.apply(ScalarOp::And, &[either, not]);
    let equal = body.apply(ScalarOp::Eq, &[both, c]);
    let one = body.apply(ScalarOp::Xor, &[equal, at_most]);
    let chosen = body.apply(ScalarOp::Select, &[one, c, less]);
    body.apply(ScalarOp::Ne, &[chosen, both]);
    let reads =
        vec![read(0, DType::F32, axes(&[0])), read(1, DType::F32, axes(&[0])), read(2, DType::Bool, axes(&[0]))];
    case(format!("bools [{extent}]"), elementwise(&[extent], reads, body, DType::Bool), &[&[extent] as &[usize]; 3])
}

/// Integer arithmetic that wraps, comparisons of both kinds, and a choice.
fn integers(extent: usize) -> Case {
    let mut body = reading(2);
    let (a, b) = (ScalarId(0), ScalarId(1));
    let shifted = body.apply(ScalarOp::ShiftLeft(29), &[a]);
    let product = body.apply(ScalarOp::Mul, &[shifted, a]);
    let sum = body.apply(ScalarOp::Add, &[product, b]);
    let negative = body.apply(ScalarOp::Neg, &[sum]);
    let arithmetic = body.apply(ScalarOp::ShiftRight(3), &[negative]);
    let unsigned = body.apply(ScalarOp::Bits(DType::U32), &[arithmetic]);
    let logical = body.apply(ScalarOp::ShiftRight(5), &[unsigned]);
    let back = body.apply(ScalarOp::Bits(DType::I32), &[logical]);
    let larger = body.apply(ScalarOp::Max, &[back, b]);
    let smaller = body.apply(ScalarOp::Min, &[unsigned, logical]);
    let below = body.apply(ScalarOp::Lt, &[unsigned, logical]);
    let smaller = body.apply(ScalarOp::Bits(DType::I32), &[smaller]);
    let chosen = body.apply(ScalarOp::Select, &[below, larger, smaller]);
    let mixed = body.apply(ScalarOp::Xor, &[chosen, sum]);
    body.apply(ScalarOp::Sub, &[mixed, a]);
    let reads = vec![read(0, DType::I32, axes(&[0])), read(1, DType::I32, axes(&[0]))];
    case(format!("integers [{extent}]"), elementwise(&[extent], reads, body, DType::I32), &[&[extent] as &[usize]; 2])
}

/// An operand of [5, 2n] seen as [2n, 5] elements in order, with a joined axis that no loop can read straight.
fn shuffled(extent: usize) -> Case {
    let extents = [3, 2 * extent];
    let mut body = reading(1);
    let place = body.push(Scalar::Index(Index::axis(0).times(2).plus(&Index::axis(1).modulo(7, &extents))));
    let place = body.apply(ScalarOp::Cast(DType::F32), &[place]);
    body.apply(ScalarOp::Mul, &[ScalarId(0), place]);
    let flat = Index::axis(0).plus(&Index::axis(1).times(3));
    let index = unflatten(&flat, &[2 * extent, 3], &extents);
    let swapped = vec![index[1].clone(), index[0].clone()];
    let rotated = flatten(&swapped, &[3, 2 * extent]).plus(&Index::axis(1)).modulo(6 * extent.max(1) as i64, &extents);
    let nest = elementwise(&extents, vec![read(0, DType::F32, vec![rotated])], body, DType::F32);
    case(format!("shuffled [3, {}]", 2 * extent), nest, &[&[6 * extent]])
}

/// The position on an axis minus a number, clamped to an operand's axis.
fn clamped(axis: usize, before: i64, bound: usize, extents: &[usize]) -> Index {
    Index::axis(axis).plus(&Index::constant(-before)).clamped(bound as i64, extents)
}

/// Whether the position on an axis minus a number is within an operand's axis.
fn within(body: &mut Body, position: Index, before: f64, bound: usize) -> ScalarId {
    let position = body.push(Scalar::Index(position));
    let before = body.constant(DType::U32, before);
    let shifted = body.apply(ScalarOp::Sub, &[position, before]);
    let bound = body.constant(DType::U32, bound as f64);
    body.apply(ScalarOp::Lt, &[shifted, bound])
}

/// An operand with a border of two rows above, three below, and a column on each side.
fn padded(rows: usize, columns: usize) -> Case {
    let extents = [rows + 5, columns + 2];
    let index = vec![clamped(0, 2, rows, &extents), clamped(1, 1, columns, &extents)];
    let mut body = reading(1);
    let row = within(&mut body, Index::axis(0), 2.0, rows);
    let column = within(&mut body, Index::axis(1), 1.0, columns);
    let inside = body.apply(ScalarOp::And, &[row, column]);
    let border = body.constant(DType::F32, -7.0);
    body.apply(ScalarOp::Select, &[inside, ScalarId(0), border]);
    let nest = elementwise(&extents, vec![read(0, DType::F32, index)], body, DType::F32);
    case(format!("padded [{rows}, {columns}]"), nest, &[&[rows, columns]])
}

/// An operand with two rows above and one below.
pub fn between_rows(rows: usize, columns: usize) -> Case {
    let extents = [rows + 3, columns];
    let index = vec![clamped(0, 2, rows, &extents), Index::axis(1)];
    let mut body = reading(1);
    let inside = within(&mut body, Index::axis(0), 2.0, rows);
    let border = body.constant(DType::F32, 0.0);
    body.apply(ScalarOp::Select, &[inside, ScalarId(0), border]);
    let nest = elementwise(&extents, vec![read(0, DType::F32, index)], body, DType::F32);
    case(format!("between_rows [{rows}, {columns}]"), nest, &[&[rows, columns]])
}

/// Three operands side by side on the last axis, of as many columns, one column and twice as many.
fn joined(rows: usize, columns: usize) -> Case {
    let widths = [columns.max(1), 1, 2 * columns.max(1)];
    let extents = [rows, widths.iter().sum()];
    let mut body = reading(3);
    let mut reads = Vec::new();
    let mut start = 0;
    for (operand, width) in widths.into_iter().enumerate() {
        reads.push(read(operand, DType::F32, vec![Index::axis(0), clamped(1, start, width, &extents)]));
        start += width as i64;
    }
    let column = body.push(Scalar::Index(Index::axis(1)));
    let mut found = ScalarId(2);
    for operand in [1, 0] {
        let end = body.constant(DType::U32, widths[..=operand].iter().sum::<usize>() as f64);
        let before = body.apply(ScalarOp::Lt, &[column, end]);
        found = body.apply(ScalarOp::Select, &[before, ScalarId(operand), found]);
    }
    case(
        format!("joined [{rows}, {columns}]"),
        elementwise(&extents, reads, body, DType::F32),
        &widths.map(|w| [rows, w]).each_ref().map(|s| s.as_slice()),
    )
}

/// A convolution of two images with three kernels of 2 x 3, with this stride and a border of zeros.
fn convolution([height, width]: [usize; 2], stride: i64, border: usize) -> Case {
    let out = |extent: usize, window: usize| (extent + 2 * border - window) / stride as usize + 1;
    // Image, kernel, row, column; then row and column of the window.
    let extents = vec![2, 3, out(height, 2), out(width, 3), 2, 3];
    let shifted = |output: usize, offset: usize| Index::axis(output).times(stride).plus(&Index::axis(offset));
    let place = |output: usize, offset: usize, bound: usize| {
        shifted(output, offset).plus(&Index::constant(-(border as i64))).clamped(bound as i64, &extents)
    };
    let mut body = reading(2);
    let row = within(&mut body, shifted(2, 4), border as f64, height);
    let column = within(&mut body, shifted(3, 5), border as f64, width);
    let inside = body.apply(ScalarOp::And, &[row, column]);
    let zero = body.constant(DType::F32, 0.0);
    let element = body.apply(ScalarOp::Select, &[inside, ScalarId(0), zero]);
    body.apply(ScalarOp::Mul, &[element, ScalarId(1)]);
    let reads = vec![
        read(0, DType::F32, vec![Index::axis(0), place(2, 4, height), place(3, 5, width)]),
        read(1, DType::F32, axes(&[1, 4, 5])),
    ];
    let nest =
        Nest { extents, outputs: 4, reads, body, reducer: Some(Reducer::Sum), epilogue: None, dtype: DType::F32 };
    case(format!("convolution {height}x{width} by {stride}"), nest, &[&[2, height, width], &[3, 2, 3]])
}

/// exp(a) + log(|a|) * tanh(a) and all the others, one after the other.
fn transcendental(extent: usize) -> Case {
    let mut body = reading(1);
    let exp = body.apply(ScalarOp::Exp, &[ScalarId(0)]);
    let size = body.apply(ScalarOp::Abs, &[ScalarId(0)]);
    let log = body.apply(ScalarOp::Log, &[size]);
    let tanh = body.apply(ScalarOp::Tanh, &[ScalarId(0)]);
    let product = body.apply(ScalarOp::Mul, &[log, tanh]);
    let mut last = body.apply(ScalarOp::Add, &[exp, product]);
    for op in [ScalarOp::Erf, ScalarOp::Cos, ScalarOp::Sin, ScalarOp::Expm1, ScalarOp::Log1p] {
        last = body.apply(op, &[last]);
    }
    let nest = elementwise(&[extent], vec![read(0, DType::F32, axes(&[0]))], body, DType::F32);
    case(format!("transcendental [{extent}]"), nest, &[&[extent]])
}

/// Sums of squares in double precision.
fn doubles(extent: usize) -> Case {
    let mut body = reading(1);
    let wide = body.apply(ScalarOp::Cast(DType::F64), &[ScalarId(0)]);
    body.apply(ScalarOp::Mul, &[wide, wide]);
    let mut epilogue = Body::default();
    let reduced = epilogue.push(Scalar::Reduced);
    let root = epilogue.apply(ScalarOp::Sqrt, &[reduced]);
    epilogue.apply(ScalarOp::Cast(DType::F32), &[root]);
    let nest = Nest {
        extents: vec![3, extent],
        outputs: 1,
        reads: vec![read(0, DType::F32, axes(&[0, 1]))],
        body,
        reducer: Some(Reducer::Sum),
        epilogue: Some(epilogue),
        dtype: DType::F32,
    };
    case(format!("doubles [3, {extent}]"), nest, &[&[3, extent]])
}

/// A reduction over one of three axes, with an offset for each element unless it finds positions.
pub fn reduce(reducer: Reducer, shape: [usize; 3], axis: usize) -> Case {
    let mut index = axes(&[0, 1]);
    index.insert(axis, Index::axis(2));
    let mut extents = shape.to_vec();
    let reduced = extents.remove(axis);
    extents.push(reduced);
    let (dtype, reads) = match reducer {
        Reducer::ArgMax => (DType::U32, vec![read(0, DType::F32, index)]),
        _ => (DType::F32, vec![read(0, DType::F32, index), read(1, DType::F32, axes(&[1]))]),
    };
    let epilogue = (reducer != Reducer::ArgMax).then(|| {
        let mut epilogue = Body::default();
        let reduced = epilogue.push(Scalar::Reduced);
        let offset = epilogue.push(Scalar::Read(1));
        epilogue.apply(ScalarOp::Sub, &[reduced, offset]);
        epilogue
    });
    let other = extents[1];
    let nest = Nest { extents, outputs: 2, reads, body: reading(1), reducer: Some(reducer), epilogue, dtype };
    let shapes: &[&[usize]] = if reducer == Reducer::ArgMax { &[&shape] } else { &[&shape, &[other]] };
    let mut case = case(format!("{reducer:?} of {shape:?} over {axis}"), nest, shapes);
    if reducer != Reducer::Sum {
        // Some reductions meet a NaN, some two, most none.
        case.operands[0].iter_mut().skip(4).step_by(23).for_each(|element| *element = f64::NAN);
    }
    case
}

pub fn reduce_all(extent: usize) -> Case {
    let nest = Nest {
        extents: vec![3, extent],
        outputs: 0,
        reads: vec![read(0, DType::F32, axes(&[0, 1]))],
        body: reading(1),
        reducer: Some(Reducer::Sum),
        epilogue: None,
        dtype: DType::F32,
    };
    case(format!("Sum of [3, {extent}]"), nest, &[&[3, extent]])
}

/// The contraction of an equation whose labels b, i, j, k have the extents 2 and these.
pub fn contract(equation: &str, extents: [usize; 3]) -> Case {
    let (operands, result) = equation.split_once("->").expect("an equation has a result");
    let (left, right) = operands.split_once(',').expect("an equation has two operands");
    let extent = |label: char| match label {
        'b' => 2,
        'i' => extents[0],
        'j' => extents[1],
        _ => extents[2],
    };
    let mut labels: Vec<char> = result.chars().collect();
    for label in left.chars() {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let axis = |label: char| labels.iter().position(|&other| other == label).expect("each label is in the nest");
    let index = |operand: &str| operand.chars().map(|label| Index::axis(axis(label))).collect();
    let shape = |operand: &str| operand.chars().map(extent).collect::<Vec<_>>();
    let mut body = reading(2);
    body.apply(ScalarOp::Mul, &[ScalarId(0), ScalarId(1)]);
    let nest = Nest {
        extents: labels.iter().map(|&label| extent(label)).collect(),
        outputs: result.len(),
        reads: vec![read(0, DType::F32, index(left)), read(1, DType::F32, index(right))],
        body,
        reducer: Some(Reducer::Sum),
        epilogue: None,
        dtype: DType::F32,
    };
    case(format!("{equation} {extents:?}"), nest, &[&shape(left), &shape(right)])
}

/// w - 0.1 * (w + 1), of a single number.
fn scalar_update() -> Case {
    let mut body = reading(1);
    let one = body.constant(DType::F32, 1.0);
    let sum = body.apply(ScalarOp::Add, &[ScalarId(0), one]);
    let rate = body.constant(DType::F32, -0.1);
    body.apply(ScalarOp::Fma, &[rate, sum, ScalarId(0)]);
    case("scalar_update".to_string(), elementwise(&[], vec![read(0, DType::F32, Vec::new())], body, DType::F32), &[&[]])
}

/// A convolution of [2, 8, 9] with three 2 x 3 kernels, read as windows.
fn patches() -> Case {
    let mut body = reading(2);
    body.apply(ScalarOp::Mul, &[ScalarId(0), ScalarId(1)]);
    let window = |output: usize, offset: usize| Index::axis(output).plus(&Index::axis(offset));
    let nest = Nest {
        // Image, kernel, row, column; then row and column of the window.
        extents: vec![2, 3, 7, 7, 2, 3],
        outputs: 4,
        reads: vec![
            read(0, DType::F32, vec![Index::axis(0), window(2, 4), window(3, 5)]),
            read(1, DType::F32, axes(&[1, 4, 5])),
        ],
        body,
        reducer: Some(Reducer::Sum),
        epilogue: None,
        dtype: DType::F32,
    };
    case("patches".to_string(), nest, &[&[2, 8, 9], &[3, 2, 3]])
}
