//! Functions with `f(-x) = -f(x)` that become 1 in f32: x times a quotient of polynomials in x^2.

use super::{Expansion, Last};
use crate::kernel::Var;
use crate::scalar::ScalarOp;

/// An odd function up to where it is 1 in f32: `x * over(x^2) / under(x^2)`, coefficients highest power first.
struct Odd {
    over: &'static [f64],
    under: &'static [f64],
    end: f64,
}

const TANH: Odd = Odd {
    over: &[
        -8.434_985_664_98e-14,
        5.257_402_611_71e-11,
        -2.018_328_205_48e-8,
        1.114_411_273_03e-5,
        3.102_989_618_45e-3,
        1.308_314_713_41e-1,
        1.0,
    ],
    under: &[2.544_732_828_63e-4, 2.449_133_660_52e-2, 4.641_647_413_92e-1, 1.0],
    end: 9.02,
};

const ERF: Odd = Odd {
    over: &[
        2.050_367_001_21e-6,
        2.848_113_592_99e-4,
        3.763_040_556_58e-3,
        5.274_078_468_32e-2,
        1.903_483_135_38e-1,
        1.128_379_146_76,
    ],
    under: &[
        3.809_086_203_51e-5,
        1.161_884_549_92e-3,
        1.496_408_847_18e-2,
        1.140_848_435_69e-1,
        5.020_245_559_85e-1,
        1.0,
    ],
    end: 3.92,
};

impl Expansion<'_> {
    pub(super) fn tanh(&mut self, x: Var) -> Last {
        self.odd(&TANH, x)
    }

    pub(super) fn erf(&mut self, x: Var) -> Last {
        self.odd(&ERF, x)
    }

    fn odd(&mut self, function: &Odd, x: Var) -> Last {
        use ScalarOp::*;
        let (end, minus_end) = (self.float(function.end), self.float(-function.end));
        let (above, below) = (self.apply(Lt, &[end, x]), self.apply(Lt, &[x, minus_end]));
        let x = self.apply(Select, &[above, end, x]);
        let x = self.apply(Select, &[below, minus_end, x]);
        let square = self.apply(Mul, &[x, x]);
        let over = self.polynomial(function.over, square);
        let over = self.apply(Mul, &[over, x]);
        let under = self.polynomial(function.under, square);
        let quotient = self.apply(Div, &[over, under]);
        // Rounding must not lead beyond 1, and what is far out is 1 exactly: differences from it are taken of large numbers.
        let quotient = self.at_most(quotient, 1.0);
        let quotient = self.at_least(quotient, -1.0);
        let (one, minus_one) = (self.float(1.0), self.float(-1.0));
        let quotient = self.apply(Select, &[above, one, quotient]);
        (Select, vec![below, minus_one, quotient])
    }
}
