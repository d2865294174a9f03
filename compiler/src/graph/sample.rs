//! Samples made concrete: a graph of one node, and arrays to evaluate it on.

use super::{Array, Fill, Graph, Leaf, Op, Origin, Role, Sample, SampleOperand, TypeError};
use crate::dtype::DType;
use crate::shape::{Shape, Type};

impl SampleOperand {
    /// An operand of this type that holds what `fill` says if the type is a float, and a few small whole numbers or both
    /// bools otherwise.
    pub fn numbers(dtype: DType, shape: &[usize], fill: Fill) -> SampleOperand {
        let fill = match dtype {
            DType::Bool => Fill::Below(2),
            _ if dtype.is_integer() => Fill::Below(7),
            _ => fill,
        };
        SampleOperand { ty: Type::new(dtype, Shape::from_known(shape)), fill }
    }
}

impl Sample {
    /// The graph that applies the op to leaves of the operand types, each called by its position, with every result as an
    /// output.
    pub fn graph(&self, op: &'static dyn Op) -> Result<Graph, TypeError> {
        let mut graph = Graph::new(op.name());
        let leaf = |(position, operand): (usize, &SampleOperand)| {
            graph.leaf(Leaf::User { name: format!("x{position}") }, operand.ty.clone())
        };
        let operands: Vec<_> = self.operands.iter().enumerate().map(leaf).collect();
        let results = graph.insert(op, self.attributes.clone(), &operands, Origin::default())?;
        for (position, value) in results.into_iter().enumerate() {
            graph.result(Role::Output(position), value);
        }
        Ok(graph)
    }

    /// What the operands hold; the same for the same seed.
    pub fn arrays(&self, seed: u64) -> Vec<Array> {
        let extents: Vec<Vec<usize>> = self.operands.iter().map(|operand| operand.ty.known_shape()).collect();
        let count = |position: usize| extents[position].iter().product::<usize>();
        let mut random = SplitMix(seed);
        let distinct = (0..extents.len()).filter(|&position| self.operands[position].fill == Fill::Distinct);
        let mut distinct = random.distinct(distinct.map(count).sum()).into_iter();
        let array = |(position, operand): (usize, &SampleOperand)| {
            let element = |_| match operand.fill {
                Fill::Between(low, high) => low + (high - low) * random.unit(),
                Fill::Below(bound) => random.below(u64::from(bound)) as f64,
                Fill::Distinct => distinct.next().expect("there are as many as all operands hold"),
            };
            let elements = (0..count(position)).map(element).collect();
            Array::new(operand.ty.dtype, &extents[position], elements)
        };
        self.operands.iter().enumerate().map(array).collect()
    }
}

/// The generator splitmix64.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// So many numbers around 0 in random order, all at least a hundredth apart and off 0.
    fn distinct(&mut self, count: usize) -> Vec<f64> {
        let step = (4.0 / count.max(1) as f64).max(0.01);
        let mut numbers: Vec<f64> = (0..count).map(|i| (i as f64 - count as f64 / 2.0 + 0.25) * step).collect();
        for i in (1..count).rev() {
            numbers.swap(i, self.below(i as u64 + 1) as usize);
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Attributes;

    fn sample(fill: Fill) -> Sample {
        Sample { attributes: Attributes::none(), operands: vec![SampleOperand::numbers(DType::F32, &[5, 7], fill); 2] }
    }

    #[test]
    fn fills_depend_on_the_seed_only() {
        let sample = sample(Fill::Between(-1.0, 2.0));
        assert_eq!(sample.arrays(3), sample.arrays(3));
        assert_ne!(sample.arrays(3), sample.arrays(4));
        assert!(sample.arrays(3)[0].elements.iter().all(|&x| (-1.0..2.0).contains(&x)));
        assert_ne!(sample.arrays(3)[0], sample.arrays(3)[1]);
    }

    #[test]
    fn distinct_numbers_keep_apart_across_operands_and_from_zero() {
        let arrays = sample(Fill::Distinct).arrays(1);
        let mut numbers = [vec![0.0], arrays[0].elements.clone(), arrays[1].elements.clone()].concat();
        numbers.sort_by(f64::total_cmp);
        assert_eq!(numbers.len(), 71);
        assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] > 0.002));
    }
}
