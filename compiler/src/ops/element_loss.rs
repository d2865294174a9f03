//! What the losses share whose value at a position depends on the elements of their operands at that position only.

use super::losses::Reduction;
use super::{elementwise, mul};
use crate::dtype::DType;
use crate::graph::{
    Array, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp,
};
use crate::shape::Type;

/// A loss of elements: prediction, target, and perhaps weights, all of one shape.
pub struct ElementLoss {
    /// The name.
    pub name: &'static str,
    /// The formula.
    pub doc: &'static str,
    /// What each operand of a sample holds.
    pub fills: &'static [Fill],
    /// How many operands there are at least; those behind may be left out from the end.
    pub required: usize,
    /// Whether the target may be of i32 too: for targets that are 1 or -1.
    pub whole_target: bool,
    /// What `reduction` may be.
    pub reductions: &'static [&'static str],
    /// The attributes beside `reduction`, in every kind that the samples should hold.
    pub attributes: fn() -> Vec<Attributes>,
    /// What is wrong with the attributes, if anything is.
    pub refused: fn(&Attributes) -> Option<String>,
    /// The loss of one element, naive and in f64.
    pub scalar: fn(&Attributes, &[f64]) -> f64,
    /// The losses as nodes.
    pub losses: fn(&mut Builder<'_>, &Attributes, &[ValueId]) -> ValueId,
    /// The derivatives of each loss by the operands' elements, as nodes.
    pub slopes: fn(&mut Builder<'_>, &Attributes, &[ValueId]) -> Vec<Option<ValueId>>,
}

impl ElementLoss {
    fn sample(&self, attributes: &Attributes, reduction: &str, count: usize, shape: &[usize], target: DType) -> Sample {
        let mut sample = attributes.clone();
        for (name, attribute) in Reduction::attribute(reduction).iter() {
            sample = sample.with(name.to_string(), attribute.clone());
        }
        let operand = |(position, fill): (usize, &Fill)| {
            let dtype = if position == 1 { target } else { DType::F32 };
            SampleOperand::numbers(dtype, shape, *fill)
        };
        Sample { attributes: sample, operands: self.fills[..count].iter().enumerate().map(operand).collect() }
    }
}

impl Op for ElementLoss {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let types = infer.all();
        if !(self.required..=self.fills.len()).contains(&types.len()) {
            return infer.error(format!(
                "takes {} to {} operands, not {}",
                self.required,
                self.fills.len(),
                types.len()
            ));
        }
        infer.float(types[0])?;
        for (position, other) in types.iter().enumerate().skip(1) {
            if !(self.whole_target && position == 1 && other.dtype == DType::I32) {
                infer.same_dtype(types[0], other)?;
            }
            infer.same_shape(types[0], other)?;
        }
        if let Some(reason) = (self.refused)(infer.attributes) {
            return infer.error(reason);
        }
        let reduction = Reduction::infer(infer, self.reductions)?;
        if reduction == Reduction::BatchMean && types[0].rank() == 0 {
            return infer.error("a scalar has no axis 0 for batchmean");
        }
        Ok(vec![Type::new(types[0].dtype, reduction.shape(types[0].shape.clone()))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let each = Reduction::of(&call.attributes).cotangent(b, g, &call.operand_types[0].shape);
        let slopes = (self.slopes)(b, &call.attributes, &call.operands);
        let flow = |(slope, ty): (Option<ValueId>, &Type)| Some(mul(b, each, slope.filter(|_| ty.dtype.is_float())?));
        Vjp::Operands(slopes.into_iter().zip(&call.operand_types).map(flow).collect())
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let losses = (self.losses)(b, &call.attributes, &call.operands);
        vec![Reduction::of(&call.attributes).apply(b, losses)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let loss = |i: usize| {
            let elements: Vec<f64> = operands.iter().map(|array| array.elements[i]).collect();
            (self.scalar)(&call.attributes, &elements)
        };
        let losses = (0..operands[0].elements.len()).map(loss).collect();
        let losses = Array::new(operands[0].dtype, &operands[0].shape, losses);
        vec![Reduction::of(&call.attributes).reference(losses)]
    }

    /// Every reduction and shape with the first attributes and all operands; a few of all else.
    fn samples(&self) -> Vec<Sample> {
        let (attributes, all) = ((self.attributes)(), self.fills.len());
        let mut samples = Vec::new();
        for &reduction in self.reductions {
            let shapes = elementwise::SHAPES.iter().filter(|shape| reduction != "batchmean" || !shape.is_empty());
            samples.extend(shapes.map(|shape| self.sample(&attributes[0], reduction, all, shape, DType::F32)));
        }
        for attributes in &attributes {
            for count in self.required..=all {
                samples.push(self.sample(attributes, "none", count, &[33], DType::F32));
                if self.whole_target {
                    samples.push(self.sample(attributes, "mean", count, &[3, 5], DType::I32));
                }
            }
        }
        samples
    }
}
