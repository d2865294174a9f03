//! What all normalisations share: values less their mean, over their standard deviation, along axes; then weight and bias.

use super::{add, broadcast, broadcast_over, constant_like, div, mean, mul, reciprocal, reduction, sqrt, sub, sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Sample, SampleOperand, TypeError, ValueId, for_each_point,
};
use crate::shape::{Extent, Shape, Type};

/// Shapes and axes to try normalisations on.
pub const CASES: &[(&[usize], &[usize])] = &[
    (&[4, 3], &[1]),
    (&[2, 3, 5], &[1, 2]),
    (&[2, 3, 5], &[2]),
    (&[3, 33], &[1]),
    (&[5, 1], &[1]),
    (&[4, 7], &[0]),
    (&[5], &[0]),
    (&[0, 3], &[1]),
];

/// The attributes of a normalisation.
fn attributes(axes: &[usize], eps: f64) -> Attributes {
    let axes = Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect());
    Attributes::none().with("axes", axes).with("eps", Attribute::Float(eps))
}

/// The axes to normalise along and the operand's type. `affine` says which axes weight and bias have.
pub fn infer<'a>(
    infer: &mut Infer<'a>,
    operands: usize,
    affine: impl Fn(&[usize], usize) -> Vec<usize>,
) -> Result<(Vec<usize>, &'a Type), TypeError> {
    let types = infer.all();
    let Some((x, rest)) = types.split_first().filter(|_| types.len() <= operands) else {
        return infer.error(format!("takes 1 to {operands} operands, not {}", types.len()));
    };
    infer.float(x)?;
    let axes = reduction::distinct_axes(infer, x)?;
    let eps = infer.attributes.float("eps");
    if eps.is_nan() || eps < 0.0 {
        return infer.error(format!("eps is at least 0, not {eps}"));
    }
    let extents: Vec<Extent> = affine(&axes, x.rank()).iter().map(|&axis| x.shape.extents()[axis].clone()).collect();
    let expected = Type::new(x.dtype, Shape::new(extents));
    for other in rest {
        infer.same_dtype(x, other)?;
        if other.rank() != expected.rank() {
            return infer.error(format!("weight and bias of {x} are {expected}, not {other}"));
        }
        infer.same_shape(other, &expected)?;
    }
    Ok((axes, x))
}

/// The axes that are not among these, in order.
pub fn others(axes: &[usize], rank: usize) -> Vec<usize> {
    (0..rank).filter(|axis| !axes.contains(axis)).collect()
}

/// A value normalised along axes.
pub struct Normal {
    axes: Vec<usize>,
    shape: Shape,
    /// The mean along the axes; `None` if it is taken for 0.
    pub mean: Option<ValueId>,
    /// The mean square of what is left after the mean is taken away.
    pub variance: ValueId,
    /// The value less its mean.
    centered: ValueId,
    /// One over the root of variance and eps, with the shape of the value.
    inverse: ValueId,
    /// The normalised value.
    pub value: ValueId,
}

impl Normal {
    /// Normalises in two passes: first the mean, then the squares of what differs from it. The same nodes come out for the
    /// same operand, so that gradient rules share them with the expansion.
    pub fn new(b: &mut Builder<'_>, x: ValueId, axes: &[usize], eps: f64, centers: bool) -> Normal {
        let shape = b.shape(x);
        let average = centers.then(|| mean(b, x, axes));
        let centered = match average {
            Some(average) => {
                let average = broadcast_over(b, average, axes, &shape);
                sub(b, x, average)
            }
            None => x,
        };
        let squares = mul(b, centered, centered);
        let variance = mean(b, squares, axes);
        let (eps, one) = (constant_like(b, eps, variance), constant_like(b, 1.0, variance));
        let deviation = add(b, variance, eps);
        let deviation = sqrt(b, deviation);
        let inverse = div(b, one, deviation);
        let inverse = broadcast_over(b, inverse, axes, &shape);
        let value = mul(b, centered, inverse);
        Normal { axes: axes.to_vec(), shape, mean: average, variance, centered, inverse, value }
    }

    /// The normalised value times a weight, plus a bias, which have these axes; the operands behind the first.
    pub fn affine(&self, b: &mut Builder<'_>, operands: &[ValueId], axes: &[usize]) -> ValueId {
        let repeated = others(axes, self.shape.rank());
        let mut y = self.value;
        for (position, &operand) in operands[1..].iter().enumerate() {
            let operand = broadcast_over(b, operand, &repeated, &self.shape);
            y = if position == 0 { mul(b, y, operand) } else { add(b, y, operand) };
        }
        y
    }

    /// The cotangents of value, weight and bias from that of the result.
    pub fn cotangents(
        &self,
        b: &mut Builder<'_>,
        g: ValueId,
        operands: &[ValueId],
        axes: &[usize],
    ) -> Vec<Option<ValueId>> {
        let repeated = others(axes, self.shape.rank());
        let (mut of_value, mut flows) = (g, Vec::new());
        if let Some(&weight) = operands.get(1) {
            let weight = broadcast_over(b, weight, &repeated, &self.shape);
            of_value = mul(b, g, weight);
            let products = mul(b, g, self.value);
            flows.push(Some(sum(b, products, &repeated)));
        }
        if operands.len() > 2 {
            flows.push(Some(sum(b, g, &repeated)));
        }
        flows.insert(0, Some(self.cotangent(b, of_value)));
        flows
    }

    /// With y the normalised value: (g - mean(g) - y * mean(g * y)) / deviation, without mean(g) if nothing was taken away.
    fn cotangent(&self, b: &mut Builder<'_>, g: ValueId) -> ValueId {
        let products = mul(b, g, self.value);
        let along = self.average(b, products);
        let along = mul(b, self.value, along);
        let mut rest = g;
        if self.mean.is_some() {
            let average = self.average(b, g);
            rest = sub(b, g, average);
        }
        let rest = sub(b, rest, along);
        mul(b, rest, self.inverse)
    }

    /// What comes back to the value from cotangents of its mean and its variance.
    pub fn cotangent_of_moments(&self, b: &mut Builder<'_>, moments: [Option<ValueId>; 2]) -> Option<ValueId> {
        let [of_mean, of_variance] = moments.map(|g| g.map(|g| self.shared(b, g)));
        let of_variance = of_variance.map(|share| {
            let product = mul(b, self.centered, share);
            add(b, product, product)
        });
        match (of_mean, of_variance) {
            (Some(left), Some(right)) => Some(add(b, left, right)),
            (left, right) => left.or(right),
        }
    }

    fn average(&self, b: &mut Builder<'_>, x: ValueId) -> ValueId {
        let average = mean(b, x, &self.axes);
        broadcast_over(b, average, &self.axes, &self.shape)
    }

    /// A cotangent of a mean, divided among what the mean is over.
    fn shared(&self, b: &mut Builder<'_>, g: ValueId) -> ValueId {
        let extents = self.shape.extents();
        let count = self.axes.iter().fold(Extent::from(1), |n, &axis| n * extents[axis].clone());
        let dtype = b.dtype(g);
        let (share, shape) = (reciprocal(b, count, dtype), b.shape(g));
        let share = broadcast(b, share, &shape);
        let share = mul(b, g, share);
        broadcast_over(b, share, &self.axes, &self.shape)
    }
}

/// The naive meaning of a normalisation: the result, the means and the variances.
pub fn reference(call: &Call, operands: &[&Array], affine: &[usize], centers: bool) -> [Array; 3] {
    let (x, axes) = (operands[0], call.attributes.axes("axes"));
    let kept = others(&axes, x.shape.len());
    let pick = |point: &[usize], axes: &[usize]| axes.iter().map(|&axis| point[axis]).collect::<Vec<_>>();
    let shape = pick(&x.shape, &kept);
    let count: usize = axes.iter().map(|&axis| x.shape[axis]).product();
    let average = |of: &dyn Fn(&[usize]) -> f64| {
        let mut total = Array::filled(x.dtype, &shape, 0.0);
        for_each_point(&x.shape, |point| total.set(&pick(point, &kept), total.at(&pick(point, &kept)) + of(point)));
        total.elements.iter_mut().for_each(|element| *element /= count as f64);
        total
    };
    let means = if centers { average(&|point| x.at(point)) } else { Array::filled(x.dtype, &shape, 0.0) };
    let variances = average(&|point| (x.at(point) - means.at(&pick(point, &kept))).powi(2));
    let y = Array::build(x.dtype, &x.shape, |point| {
        let place = pick(point, &kept);
        let value = (x.at(point) - means.at(&place)) / (variances.at(&place) + call.attributes.float("eps")).sqrt();
        let of = |operand: usize, none: f64| operands.get(operand).map_or(none, |array| array.at(&pick(point, affine)));
        value * of(1, 1.0) + of(2, 0.0)
    });
    [y, means, variances]
}

/// Samples along these axes, with one to so many operands, whose weights and biases have the axes that `affine` says.
pub fn samples(
    cases: &[(&[usize], &[usize])],
    operands: usize,
    affine: impl Fn(&[usize], usize) -> Vec<usize>,
) -> Vec<Sample> {
    let sample = |&(shape, axes): &(&[usize], &[usize]), count: usize, eps: f64| {
        let extents: Vec<usize> = affine(axes, shape.len()).iter().map(|&axis| shape[axis]).collect();
        let operand = |position: usize| {
            let shape = if position == 0 { shape } else { &extents };
            SampleOperand::numbers(DType::F32, shape, Fill::Between(-2.0, 2.0))
        };
        Sample { attributes: attributes(axes, eps), operands: (0..count).map(operand).collect() }
    };
    let all = cases.iter().flat_map(|case| [(case, 1, 1e-5), (case, operands, 0.1)]);
    let mut samples: Vec<Sample> = all.map(|(case, count, eps)| sample(case, count, eps)).collect();
    samples.extend((2..operands).map(|count| sample(&cases[0], count, 1e-5)));
    samples
}
