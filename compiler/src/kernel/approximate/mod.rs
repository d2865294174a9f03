//! Transcendental operations made of basic ones, on f32 and on f64.
//!
//! A kernel enters that may use the operations with [`ScalarOp::is_transcendental`]; one leaves that does not, and whose
//! results are within [`ScalarOp::ulps`] of the exact ones over the whole range: overflow, results below the smallest normal
//! number, infinities and NaN included. So no back end has to call a library, and all of them round alike.

mod circular;
mod double;
mod exponential;
mod odd;

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

struct Writer {
    kernel: Kernel,
    constants: Vec<(DType, f64, Var)>,
}

/// The variables and statements that take the place of one operation.
struct Expansion<'a> {
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
                Statement::Within { index, below, body } => {
                    let body = self.statements(body);
                    result.push(Statement::Within { index, below, body });
                }
                Statement::Let(var, Expression::Apply(op, operands)) if op.is_transcendental() => {
                    let dtype = self.kernel.vars[var.0];
                    let mut expansion = Expansion { dtype, writer: self, statements: &mut result };
                    let last = match dtype {
                        DType::F64 => expansion.in_double(op, operands[0]),
                        _ => expansion.in_single(op, operands[0]),
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
type Last = (ScalarOp, Vec<Var>);

impl Expansion<'_> {
    fn in_single(&mut self, op: ScalarOp, x: Var) -> Last {
        match op {
            ScalarOp::Exp => self.exp(x),
            ScalarOp::Expm1 => self.expm1(x),
            ScalarOp::Log => self.log(x),
            ScalarOp::Log1p => self.log1p(x),
            ScalarOp::Sin => self.sin(x),
            ScalarOp::Cos => self.cos(x),
            ScalarOp::Tanh => self.tanh(x),
            ScalarOp::Erf => self.erf(x),
            other => unreachable!("{other} is made of nothing else"),
        }
    }

    /// The polynomial with these coefficients, highest power first.
    fn polynomial(&mut self, coefficients: &[f64], x: Var) -> Var {
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
    fn at_most(&mut self, x: Var, end: f64) -> Var {
        let end = self.float(end);
        let above = self.apply(ScalarOp::Lt, &[end, x]);
        self.apply(ScalarOp::Select, &[above, end, x])
    }

    /// The larger of x and a number; a NaN passes.
    fn at_least(&mut self, x: Var, end: f64) -> Var {
        let end = self.float(end);
        let below = self.apply(ScalarOp::Lt, &[x, end]);
        self.apply(ScalarOp::Select, &[below, end, x])
    }

    fn float(&mut self, value: f64) -> Var {
        self.constant(self.dtype, self.dtype.rounded(value))
    }

    fn integer(&mut self, value: f64) -> Var {
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

    fn apply(&mut self, op: ScalarOp, operands: &[Var]) -> Var {
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
    use super::super::{LoopId, LoopKind, Parameter, ParameterId, Usage, interpret, split_fma, verify};
    use super::*;
    use crate::nest::Index;

    fn elementwise(op: ScalarOp, dtype: DType, elements: usize) -> Kernel {
        let parameter = |usage| Parameter { dtype, elements, usage };
        let load = Expression::Load { parameter: ParameterId(0), index: Index::axis(0) };
        let body = vec![
            Statement::Let(Var(0), load),
            Statement::Let(Var(1), Expression::Apply(op, vec![Var(0)])),
            Statement::Store { parameter: ParameterId(1), index: Index::axis(0), value: Var(1) },
        ];
        let kind = LoopKind::lanes(1);
        Kernel {
            name: op.name(),
            parameters: vec![parameter(Usage::Read), parameter(Usage::Written)],
            vars: vec![dtype; 2],
            registers: Vec::new(),
            fragments: Vec::new(),
            loops: 1,
            threads: None,
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
        let mut numbers = numbers();
        numbers.retain(|&x| x.abs() <= op.end() || !x.is_finite());
        let results = approximated(op, DType::F32, &numbers, pass);
        let distances = numbers.iter().zip(&results).map(|(&x, &y)| (ulps(y, op.evaluate(DType::F32, &[x])), x));
        distances.max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are numbers")
    }

    #[test]
    fn results_are_within_their_ulps() {
        for op in ScalarOp::TRANSCENDENTAL {
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
        let all: Vec<f64> = every.chain(near).chain(close).chain(special).chain([709.78, -745.1]).collect();
        for op in ScalarOp::TRANSCENDENTAL {
            // The meaning of the error function is a series, summed up in f64.
            let reference = if op == ScalarOp::Erf { 12.0 } else { 1.0 };
            let promised = |x: &f64| x.abs() <= op.end() || !x.is_finite();
            let numbers: Vec<f64> = all.iter().copied().filter(promised).collect();
            for pass in [approximate, |kernel: &Kernel| split_fma(&approximate(kernel))] {
                let results = approximated(op, DType::F64, &numbers, pass);
                for (&x, &y) in numbers.iter().zip(&results) {
                    let distance = double_ulps(y, op.evaluate(DType::F64, &[x]));
                    assert!(distance <= op.ulps() + reference, "{op} of {x:e}: {y:e} is {distance} ulps off");
                }
            }
        }
    }

    #[test]
    fn the_error_function_of_doubles_is_the_one_of_tables() {
        let exact = [0.520_499_877_813_046_5, 0.966_105_146_475_310_8, 0.999_593_047_982_555, 0.999_999_999_997_707];
        let found = approximated(ScalarOp::Erf, DType::F64, &[0.5, 1.5, 2.5, 630.0 / 127.0], approximate);
        for (found, exact) in found.iter().zip(exact) {
            assert!(double_ulps(*found, exact) <= 2.0, "{found} and not {exact}");
        }
    }

    #[test]
    fn sines_of_the_largest_numbers_are_between_minus_one_and_one() {
        let numbers: Vec<f64> = numbers().into_iter().filter(|x| x.is_finite()).collect();
        for op in [ScalarOp::Sin, ScalarOp::Cos] {
            assert!(approximated(op, DType::F32, &numbers, approximate).iter().all(|y| y.abs() <= 1.0), "{op}");
        }
    }

    #[test]
    fn differences_keep_their_bits_where_they_are_small() {
        for x in [1e-10, -1e-10, 3e-5, -2e-3] {
            for (op, exact) in [(ScalarOp::Expm1, f64::exp_m1(x)), (ScalarOp::Log1p, f64::ln_1p(x))] {
                let found = approximated(op, DType::F32, &[f64::from(x as f32)], approximate)[0];
                assert!((found / exact - 1.0).abs() < 3e-7, "{op} of {x}: {found}, not {exact}");
            }
        }
    }

    #[test]
    fn odd_functions_end_at_one() {
        for (op, dtype) in
            [ScalarOp::Tanh, ScalarOp::Erf].into_iter().flat_map(|op| [(op, DType::F32), (op, DType::F64)])
        {
            let found = approximated(op, dtype, &[30.0, 1e30, -30.0, f64::NEG_INFINITY], approximate);
            assert_eq!(found, [1.0, 1.0, -1.0, -1.0], "{op} of {dtype}");
        }
    }

    #[test]
    fn nothing_transcendental_is_left() {
        let text = approximate(&elementwise(ScalarOp::Exp, DType::F32, 8)).to_string();
        assert!(text.contains("fma("), "{text}");
        assert!(!text.contains("exp("), "{text}");
    }
}
