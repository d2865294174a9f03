//! Exponential, logarithm and hyperbolic tangent made of basic operations, of f32 here and of f64 in [`super::double`].
//!
//! A kernel enters that may use [`ScalarOp::Exp`], [`ScalarOp::Log`] and [`ScalarOp::Tanh`]; one leaves that does not, and whose results are within [`ScalarOp::ulps`] of the exact ones over the whole range: overflow, results below the smallest
//! normal number, infinities and NaN included. So no back end has to call a library, and all of them round alike.

use super::{Expression, Kernel, Statement, Var};
use crate::dtype::DType;
use crate::scalar::ScalarOp;

/// The kernel with the transcendental operations written out.
pub fn approximate(kernel: &Kernel) -> Kernel {
    let mut writer = Writer { kernel: kernel.clone(), constants: Vec::new() };
    let body = std::mem::take(&mut writer.kernel.body);
    let body = writer.statements(body);
    // A constant is in scope everywhere if the kernel starts with it.
    let constants =
        writer.constants.into_iter().map(|(dtype, value, var)| Statement::Let(var, Expression::Constant(dtype, value)));
    writer.kernel.body = constants.chain(body).collect();
    writer.kernel
}

/// 1.5 * 2^23: a number of moderate size that is added to it is rounded to a whole number, found in the low bits.
const ROUNDER: f64 = 12_582_912.0;
/// The bits of [`ROUNDER`].
const ROUNDER_BITS: f64 = 1_262_485_504.0;
/// The upper bits of the natural logarithm of 2: its products with exponents are exact.
const LN_2_UPPER: f64 = 0.693_359_375;
/// The rest of the natural logarithm of 2.
const LN_2_LOWER: f64 = -2.121_944_4e-4;

/// `(exp(r) - 1 - r) / r^2` for r up to half of ln 2, highest power first.
const EXP: [f64; 6] = [
    1.987_569_15e-4,
    1.398_199_950_7e-3,
    8.333_451_907_3e-3,
    4.166_579_589_4e-2,
    1.666_666_545_9e-1,
    5.000_000_120_1e-1,
];

/// `(log(1 + r) - r + r^2 / 2) / r^3` for 1 + r between the roots of a half and of two, highest power first.
const LOG: [f64; 9] = [
    7.037_683_629_2e-2,
    -1.151_461_031e-1,
    1.167_699_874e-1,
    -1.242_014_084_6e-1,
    1.424_932_278_7e-1,
    -1.666_805_766_5e-1,
    2.000_071_476_5e-1,
    -2.499_999_399_3e-1,
    3.333_333_117_4e-1,
];

/// `tanh(x) = x * TANH_OVER(x^2) / TANH_UNDER(x^2)` up to [`TANH_END`], highest power first.
const TANH_OVER: [f64; 7] = [
    -8.434_985_664_98e-14,
    5.257_402_611_71e-11,
    -2.018_328_205_48e-8,
    1.114_411_273_03e-5,
    3.102_989_618_45e-3,
    1.308_314_713_41e-1,
    1.0,
];
const TANH_UNDER: [f64; 4] = [2.544_732_828_63e-4, 2.449_133_660_52e-2, 4.641_647_413_92e-1, 1.0];
/// From here on the hyperbolic tangent is 1 in f32.
const TANH_END: f64 = 9.02;

pub(super) struct Writer {
    kernel: Kernel,
    constants: Vec<(DType, f64, Var)>,
}

/// The variables and statements that take the place of one operation.
pub(super) struct Expansion<'a> {
    /// The type that is computed in.
    dtype: DType,
    writer: &'a mut Writer,
    statements: &'a mut Vec<Statement>,
}

impl Writer {
    fn statements(&mut self, statements: Vec<Statement>) -> Vec<Statement> {
        let mut result = Vec::with_capacity(statements.len());
        for statement in statements {
            match statement {
                Statement::Loop { id, extent, kind, body } => {
                    let body = self.statements(body);
                    result.push(Statement::Loop { id, extent, kind, body });
                }
                Statement::Let(var, Expression::Apply(op, operands)) => {
                    let dtype = self.kernel.vars[var.0];
                    let mut expansion = Expansion { dtype, writer: self, statements: &mut result };
                    let last = match (op, dtype) {
                        (ScalarOp::Exp, DType::F32) => expansion.exp(operands[0]),
                        (ScalarOp::Log, DType::F32) => expansion.log(operands[0]),
                        (ScalarOp::Tanh, DType::F32) => expansion.tanh(operands[0]),
                        (ScalarOp::Exp, DType::F64) => expansion.exp_double(operands[0]),
                        (ScalarOp::Log, DType::F64) => expansion.log_double(operands[0]),
                        (ScalarOp::Tanh, DType::F64) => expansion.tanh_double(operands[0]),
                        _ => (op, operands),
                    };
                    result.push(Statement::Let(var, Expression::Apply(last.0, last.1)));
                }
                other => result.push(other),
            }
        }
        result
    }
}

/// The operation that gives the result.
pub(super) type Last = (ScalarOp, Vec<Var>);

impl Expansion<'_> {
    /// With x = n ln 2 + r, `exp(x)` is `exp(r) * 2^n`. The power comes in two factors, so that neither leaves the normal
    /// numbers before the product does.
    fn exp(&mut self, x: Var) -> Last {
        use ScalarOp::*;
        // Below, the result is 0, and above, infinite; a NaN passes.
        let x = self.at_most(x, 89.0);
        let x = self.at_least(x, -104.0);
        let per_ln_2 = self.float(std::f64::consts::LOG2_E);
        let rounder = self.float(ROUNDER);
        let rounded = self.apply(Fma, &[x, per_ln_2, rounder]);
        let n = self.apply(Sub, &[rounded, rounder]);
        let (upper, lower) = (self.float(-LN_2_UPPER), self.float(-LN_2_LOWER));
        let r = self.apply(Fma, &[n, upper, x]);
        let r = self.apply(Fma, &[n, lower, r]);
        let tail = self.polynomial(&EXP, r);
        let square = self.apply(Mul, &[r, r]);
        let one = self.float(1.0);
        let head = self.apply(Add, &[r, one]);
        let exp = self.apply(Fma, &[tail, square, head]);
        let bits = self.apply(Bits(DType::I32), &[rounded]);
        let rounder_bits = self.integer(ROUNDER_BITS);
        let n = self.apply(Sub, &[bits, rounder_bits]);
        let half = self.apply(ShiftRight(1), &[n]);
        let rest = self.apply(Sub, &[n, half]);
        let (half, rest) = (self.power_of_two(half), self.power_of_two(rest));
        let scaled = self.apply(Mul, &[exp, half]);
        (Mul, vec![scaled, rest])
    }

    /// With x = 2^k m, `log(x)` is `k ln 2 + log(m)`.
    fn log(&mut self, x: Var) -> Last {
        use ScalarOp::*;
        let (m, k) = self.fraction_and_exponent(x);
        let one = self.float(1.0);
        let r = self.apply(Sub, &[m, one]);
        let tail = self.polynomial(&LOG, r);
        let square = self.apply(Mul, &[r, r]);
        let cube = self.apply(Mul, &[square, r]);
        let tail = self.apply(Mul, &[tail, cube]);
        let (upper, lower, half) = (self.float(LN_2_UPPER), self.float(LN_2_LOWER), self.float(-0.5));
        let tail = self.apply(Fma, &[k, lower, tail]);
        let tail = self.apply(Fma, &[square, half, tail]);
        let log = self.apply(Add, &[r, tail]);
        let log = self.apply(Fma, &[k, upper, log]);
        // Infinity and NaN stay what they are; 0 gives minus infinity, and what is below 0 NaN.
        let (infinity, zero, lowest, nan) =
            (self.float(f64::INFINITY), self.float(0.0), self.float(f64::NEG_INFINITY), self.float(f64::NAN));
        let finite = self.apply(Lt, &[x, infinity]);
        let log = self.apply(Select, &[finite, log, x]);
        let is_zero = self.apply(Eq, &[x, zero]);
        let special = self.apply(Select, &[is_zero, lowest, nan]);
        let not_above = self.apply(Le, &[x, zero]);
        (Select, vec![not_above, special, log])
    }

    /// m between the roots of a half and of two, and the whole number k as f32, so that x = 2^k m.
    fn fraction_and_exponent(&mut self, x: Var) -> (Var, Var) {
        use ScalarOp::*;
        // Numbers below the normal ones are scaled up first.
        let least = self.float(f64::from(f32::MIN_POSITIVE));
        let (scale, shift) = (self.float(8_388_608.0), self.float(23.0));
        let small = self.apply(Lt, &[x, least]);
        let scaled = self.apply(Mul, &[x, scale]);
        let x = self.apply(Select, &[small, scaled, x]);
        let bits = self.apply(Bits(DType::I32), &[x]);
        // The bits of the root of a half.
        let root = self.integer(f64::from(0x3f35_04f3));
        let above = self.apply(Sub, &[bits, root]);
        let k = self.apply(ShiftRight(23), &[above]);
        let exponent = self.apply(ShiftLeft(23), &[k]);
        let fraction = self.apply(Sub, &[bits, exponent]);
        let m = self.apply(Bits(DType::F32), &[fraction]);
        let k = self.apply(Cast(DType::F32), &[k]);
        let shifted = self.apply(Sub, &[k, shift]);
        (m, self.apply(Select, &[small, shifted, k]))
    }

    fn tanh(&mut self, x: Var) -> Last {
        use ScalarOp::*;
        let x = self.at_most(x, TANH_END);
        let x = self.at_least(x, -TANH_END);
        let square = self.apply(Mul, &[x, x]);
        let over = self.polynomial(&TANH_OVER, square);
        let over = self.apply(Mul, &[over, x]);
        let under = self.polynomial(&TANH_UNDER, square);
        let tanh = self.apply(Div, &[over, under]);
        // Rounding must not lead beyond 1.
        let tanh = self.at_most(tanh, 1.0);
        let (end, below) = self.compare_least(tanh, -1.0);
        (Select, vec![below, end, tanh])
    }

    /// The polynomial with these coefficients, highest power first.
    pub(super) fn polynomial(&mut self, coefficients: &[f64], x: Var) -> Var {
        let mut sum = self.float(coefficients[0]);
        for &coefficient in &coefficients[1..] {
            let coefficient = self.float(coefficient);
            sum = self.apply(ScalarOp::Fma, &[sum, x, coefficient]);
        }
        sum
    }

    /// 2 to the power of an integer within the normal numbers.
    fn power_of_two(&mut self, n: Var) -> Var {
        let bias = self.integer(127.0);
        let biased = self.apply(ScalarOp::Add, &[n, bias]);
        let bits = self.apply(ScalarOp::ShiftLeft(23), &[biased]);
        self.apply(ScalarOp::Bits(DType::F32), &[bits])
    }

    /// The smaller of x and a number; a NaN passes.
    pub(super) fn at_most(&mut self, x: Var, end: f64) -> Var {
        let end = self.float(end);
        let above = self.apply(ScalarOp::Lt, &[end, x]);
        self.apply(ScalarOp::Select, &[above, end, x])
    }

    /// The larger of x and a number; a NaN passes.
    pub(super) fn at_least(&mut self, x: Var, end: f64) -> Var {
        let (end, below) = self.compare_least(x, end);
        self.apply(ScalarOp::Select, &[below, end, x])
    }

    fn compare_least(&mut self, x: Var, end: f64) -> (Var, Var) {
        let end = self.float(end);
        (end, self.apply(ScalarOp::Lt, &[x, end]))
    }

    pub(super) fn float(&mut self, value: f64) -> Var {
        self.constant(self.dtype, self.dtype.rounded(value))
    }

    pub(super) fn integer(&mut self, value: f64) -> Var {
        self.constant(DType::I32, value)
    }

    fn constant(&mut self, dtype: DType, value: f64) -> Var {
        let same = |(other, number, _): &&(DType, f64, Var)| *other == dtype && number.to_bits() == value.to_bits();
        if let Some((_, _, var)) = self.writer.constants.iter().find(same) {
            return *var;
        }
        let var = self.var(dtype);
        self.writer.constants.push((dtype, value, var));
        var
    }

    pub(super) fn apply(&mut self, op: ScalarOp, operands: &[Var]) -> Var {
        let dtypes: Vec<DType> = operands.iter().map(|operand| self.writer.kernel.vars[operand.0]).collect();
        let var = self.var(op.result(&dtypes).expect("each operation gets the types that it takes"));
        self.statements.push(Statement::Let(var, Expression::Apply(op, operands.to_vec())));
        var
    }

    fn var(&mut self, dtype: DType) -> Var {
        self.writer.kernel.vars.push(dtype);
        Var(self.writer.kernel.vars.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LoopId, LoopKind, Parameter, ParameterId, interpret, split_fma, verify};
    use super::*;
    use crate::nest::Index;

    fn elementwise(op: ScalarOp, dtype: DType, elements: usize) -> Kernel {
        let parameter = |written| Parameter { dtype, elements, written };
        let load = Expression::Load { parameter: ParameterId(0), index: Index::axis(0) };
        let body = vec![
            Statement::Let(Var(0), load),
            Statement::Let(Var(1), Expression::Apply(op, vec![Var(0)])),
            Statement::Store { parameter: ParameterId(1), index: Index::axis(0), value: Var(1) },
        ];
        let kind = LoopKind::Lanes { groups: 1 };
        Kernel {
            name: op.name(),
            parameters: vec![parameter(false), parameter(true)],
            vars: vec![dtype; 2],
            registers: Vec::new(),
            loops: 1,
            body: vec![Statement::Loop { id: LoopId(0), extent: elements, kind, body }],
        }
    }

    /// What the approximations give for these numbers.
    fn approximated(op: ScalarOp, dtype: DType, numbers: &[f64], pass: fn(&Kernel) -> Kernel) -> Vec<f64> {
        let kernel = pass(&elementwise(op, dtype, numbers.len()));
        assert_eq!(verify(&kernel), Ok(()));
        let mut arguments = [numbers.to_vec(), vec![0.0; numbers.len()]];
        interpret(&kernel, &mut arguments, 4);
        let [_, results] = arguments;
        results
    }

    /// Numbers of every sign and size, the special ones, and many from -110 to 110.
    fn numbers() -> Vec<f64> {
        let every = (0..=u32::MAX).step_by(400_009).map(f32::from_bits);
        let near = (0..20_000).map(|i| (i - 10_000) as f32 / 90.9);
        let special = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, 1e-45];
        every.chain(near).chain(special).map(f64::from).collect()
    }

    /// The distance of an f32 from an exact value in units in the last place of the f32 next to that value.
    fn ulps(value: f64, exact: f64) -> f64 {
        let nearest = f64::from(exact as f32);
        if value == nearest || (value.is_nan() && nearest.is_nan()) {
            return 0.0;
        }
        if !value.is_finite() || !nearest.is_finite() {
            return f64::INFINITY;
        }
        let binade = exact.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32;
        (value - exact).abs() / 2f64.powi(binade - 23)
    }

    fn worst(op: ScalarOp, pass: fn(&Kernel) -> Kernel) -> (f64, f64) {
        let numbers = numbers();
        let results = approximated(op, DType::F32, &numbers, pass);
        let distances = numbers.iter().zip(&results).map(|(&x, &y)| (ulps(y, op.evaluate(DType::F32, &[x])), x));
        distances.max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are numbers")
    }

    #[test]
    fn results_are_within_their_ulps() {
        for op in [ScalarOp::Exp, ScalarOp::Log, ScalarOp::Tanh] {
            let fused = worst(op, approximate);
            assert!(fused.0 <= op.ulps(), "{op}: {} ulps at {}", fused.0, fused.1);
            let split = worst(op, |kernel| split_fma(&approximate(kernel)));
            assert!(split.0 <= op.ulps(), "{op} without fma: {} ulps at {}", split.0, split.1);
        }
    }

    /// The distance of a double from another one in units in the last place of that one. The library that gives the other
    /// one is off by up to one itself.
    fn double_ulps(value: f64, exact: f64) -> f64 {
        if value == exact || (value.is_nan() && exact.is_nan()) {
            return 0.0;
        }
        if !value.is_finite() || !exact.is_finite() {
            return f64::INFINITY;
        }
        let unit = f64::from_bits(exact.abs().to_bits() + 1) - exact.abs();
        (value - exact).abs() / unit
    }

    #[test]
    fn doubles_are_within_their_ulps() {
        let every = (0..4000u64).map(|i| f64::from_bits(i.wrapping_mul(0x0010_6f3d_9a2b_7c51)));
        let near = (0..20_000).map(|i| f64::from(i - 10_000) / 12.7);
        let close = (0..4000).map(|i| f64::from(i - 2000) / 777.7);
        let special = [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, f64::MIN_POSITIVE, 5e-324];
        let numbers: Vec<f64> = every.chain(near).chain(close).chain(special).chain([709.78, -745.1]).collect();
        for op in [ScalarOp::Exp, ScalarOp::Log, ScalarOp::Tanh] {
            for pass in [approximate, |kernel: &Kernel| split_fma(&approximate(kernel))] {
                let results = approximated(op, DType::F64, &numbers, pass);
                for (&x, &y) in numbers.iter().zip(&results) {
                    let distance = double_ulps(y, op.evaluate(DType::F64, &[x]));
                    assert!(distance <= op.ulps() + 1.0, "{op} of {x:e}: {y:e} is {distance} ulps off");
                }
            }
        }
    }

    #[test]
    fn nothing_transcendental_is_left() {
        let text = approximate(&elementwise(ScalarOp::Exp, DType::F32, 8)).to_string();
        assert!(text.contains("fma("), "{text}");
        assert!(!text.contains("exp("), "{text}");
    }
}
