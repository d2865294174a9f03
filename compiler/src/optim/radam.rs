//! RAdam, Adam that trusts its mean square only as far as enough gradients are in it, by PyTorch's rule.
//!
//! With m and v as Adam keeps them, rho_inf = 2 / (1 - beta2) - 1 and rho = rho_inf - 2 * t * beta2^t / (1 - beta2^t):
//! p = p - lr / (1 - beta1^t) * m * c * sqrt(1 - beta2^t) / (sqrt(v) + eps) where rho > 5, with
//! c = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)); else p = p - lr / (1 - beta1^t) * m.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::{Optimizer, Scalar, Slots, Update, moments};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Radam",
    arguments: &[
        Argument::scalar("lr", 1e-3),
        Argument::fractions("betas", 0.9, 0.999),
        Argument::number("eps", 1e-8),
        Argument::scalar("weight_decay", 0.0),
        Argument::switch("decoupled_weight_decay"),
        Argument::switch("maximize"),
    ],
    build,
};

/// From this rho on the mean square is trusted.
const TRUSTED: f64 = 5.0;

struct Radam {
    descent: Descent,
    betas: (f64, f64),
    eps: f64,
}

/// How a step uses the mean square.
struct Trust {
    /// Whether it does.
    any: ValueId,
    /// c * sqrt(1 - beta2^t)
    factor: ValueId,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    let (descent, betas) = (Descent::either(arguments), arguments.fractions("betas"));
    Ok(Box::new(Radam { descent, betas, eps: arguments.number("eps") }))
}

impl Optimizer for Radam {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let t = slots.number(b);
        let correction = Scalar::Graph(moments::bias_correction(b, t, self.betas.0));
        let rate = self.descent.lr.over(b, correction);
        let trust = self.trust(b, t);
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let mean = moments::mean(b, slots, update, gradient, Scalar::Constant(self.betas.0));
            let square = moments::square(b, slots, update, gradient, Scalar::Constant(self.betas.1));
            let root = moments::root(b, square, Scalar::Constant(1.0), self.eps);
            let direction = trust.as_ref().map_or(mean, |trust| trust.direction(b, mean, root));
            self.descent.step(b, update, rate, direction)
        };
        updates.iter().map(next).collect()
    }
}

impl Radam {
    /// `None` where no number of updates is enough.
    fn trust(&self, b: &mut Builder<'_>, t: ValueId) -> Option<Trust> {
        let last = 2.0 / (1.0 - self.betas.1) - 1.0;
        if last <= TRUSTED {
            return None;
        }
        let rho = averaged_length(b, t, self.betas.1);
        let trusted = ops::constant(b, TRUSTED, DType::F32);
        let any = ops::lt(b, trusted, rho);
        // Where it is not used, the root is of something that is no number without this.
        let rho = ops::maximum(b, rho, trusted);
        let scale = ops::constant(b, last / ((last - 4.0) * (last - 2.0)), DType::F32);
        let four = ops::constant(b, 4.0, DType::F32);
        let two = ops::constant(b, 2.0, DType::F32);
        let (first, second) = (ops::sub(b, rho, four), ops::sub(b, rho, two));
        let second = ops::div(b, second, rho);
        let product = ops::mul(b, first, second);
        let product = ops::mul(b, scale, product);
        let correction = moments::bias_correction(b, t, self.betas.1);
        let product = ops::mul(b, product, correction);
        Some(Trust { any, factor: ops::sqrt(b, product) })
    }
}

impl Trust {
    fn direction(&self, b: &mut Builder<'_>, mean: ValueId, root: ValueId) -> ValueId {
        let scaled = Scalar::Graph(self.factor).times(b, mean);
        let adapted = ops::div(b, scaled, root);
        let shape = b.shape(mean);
        let any = ops::broadcast(b, self.any, &shape);
        ops::select(b, any, adapted, mean)
    }
}

/// rho = rho_inf - 2 * t * beta^t / (1 - beta^t), the number of gradients that a plain mean of equal spread would be of, for a
/// beta above 0.
///
/// For small t the difference of two large numbers would lose every digit that matters. With h = -ln(beta) and y = t * h / 2
/// it is (rho_inf - 2 / h) + t * (1 - L(y)), where L(y) = coth(y) - 1 / y is the continued fraction
/// y / (3 + y^2 / (5 + y^2 / (7 + …))): nothing cancels, and up to y = 1 five terms are exact in f32.
pub fn averaged_length(b: &mut Builder<'_>, t: ValueId, beta: f64) -> ValueId {
    let h = -beta.ln();
    let last = 2.0 / (1.0 - beta) - 1.0;
    let y = Scalar::Constant(0.5 * h).times(b, t);
    let one = ops::constant_like(b, 1.0, t);
    let early = {
        let langevin = langevin(b, y);
        let rest = ops::sub(b, one, langevin);
        let grown = ops::mul(b, t, rest);
        let start = ops::constant_like(b, last - 2.0 / h, t);
        ops::add(b, start, grown)
    };
    let late = {
        let power = Scalar::Constant(-2.0).times(b, y);
        let power = ops::exp(b, power);
        let rest = ops::sub(b, one, power);
        let ratio = ops::div(b, power, rest);
        let missing = ops::mul(b, t, ratio);
        let missing = Scalar::Constant(2.0).times(b, missing);
        let last = ops::constant_like(b, last, t);
        ops::sub(b, last, missing)
    };
    let is_early = ops::lt(b, y, one);
    ops::select(b, is_early, early, late)
}

/// coth(y) - 1 / y for y up to 1.
fn langevin(b: &mut Builder<'_>, y: ValueId) -> ValueId {
    let square = ops::mul(b, y, y);
    let mut under = ops::constant_like(b, 11.0, y);
    for odd in [9.0, 7.0, 5.0, 3.0] {
        let fraction = ops::div(b, square, under);
        let odd = ops::constant_like(b, odd, y);
        under = ops::add(b, odd, fraction);
    }
    ops::div(b, y, under)
}
