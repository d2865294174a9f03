//! Writing the kernel of parts.

use super::Laid;
use super::stages::Stage;
use crate::dtype::DType;
use crate::kernel::{Expression, Kernel, LoopKind, Parameter, ParameterId, Register, Usage, Var};
use crate::nest::{Atom, Body, Index, Reducer, Scalar, ScalarId, flatten};
use crate::scalar::ScalarOp;
use crate::schedule::choose::{ACCUMULATORS, is_heavy, is_lane_type};
use crate::schedule::scope::Scope;
use crate::target::Target;

/// The most scalars of a loop body for which two groups of lanes at once still fit the registers.
const LIGHT: usize = 24;

pub(super) struct PartsWriter<'a> {
    shared: &'a [usize],
    parts: &'a [Laid<'a>],
    stages: &'a [Stage],
    operand_shapes: &'a [Vec<usize>],
    target: &'a Target,
    scope: Scope,
    /// The position on each shared axis.
    turn: Vec<Index>,
    /// The array of each part that is kept.
    results: Vec<Option<ParameterId>>,
    /// The array of each part that a later stage reads.
    scratch: Vec<Option<ParameterId>>,
    /// What each part is at this point: a single value as long as the turn lasts, others as long as the point does.
    values: Vec<Option<Var>>,
}

/// A sum, maximum or minimum that grows in a loop.
struct Accumulator {
    part: usize,
    register: Register,
}

impl<'a> PartsWriter<'a> {
    pub(super) fn new(
        shared: &'a [usize],
        parts: &'a [Laid<'a>],
        stages: &'a [Stage],
        mut parameters: Vec<Parameter>,
        operand_shapes: &'a [Vec<usize>],
        name: &str,
        target: &'a Target,
    ) -> PartsWriter<'a> {
        let mut add = |dtype: DType, elements: usize, usage: Usage| {
            parameters.push(Parameter { dtype, elements, usage });
            ParameterId(parameters.len() - 1)
        };
        let elements = |part: &Laid<'_>| part.nest.extents[..part.nest.outputs].iter().product();
        let results =
            parts.iter().map(|part| part.kept.then(|| add(part.nest.dtype, elements(part), Usage::Written))).collect();
        let stage = |part: usize| stages.iter().position(|stage| stage.parts.contains(&part));
        let later = |part: usize| {
            let reads = |other: usize| {
                let reads = &parts[other].nest.reads;
                reads.iter().any(|read| read.operand == operand_shapes.len() + part) && stage(other) != stage(part)
            };
            !parts[part].outputs.is_empty() && (0..parts.len()).any(reads)
        };
        let scratch = (0..parts.len())
            .map(|at| later(at).then(|| add(parts[at].nest.dtype.computed(), parts[at].elements(), Usage::Scratch)))
            .collect();
        PartsWriter {
            shared,
            parts,
            stages,
            operand_shapes,
            target,
            scope: Scope::new(name, parameters),
            turn: Vec::new(),
            results,
            scratch,
            values: vec![None; parts.len()],
        }
    }

    pub(super) fn kernel(mut self) -> Kernel {
        for part in 0..self.parts.len() {
            if self.parts[part].sums {
                self.zeros(part);
            }
        }
        for &extent in self.shared {
            let position = self.serial(extent);
            self.turn.push(position);
        }
        let turn = self.scope.depth();
        for stage in self.stages {
            self.stage(stage, turn);
        }
        (0..self.shared.iter().filter(|&&extent| extent > 1).count()).for_each(|_| self.scope.close());
        self.scope.finish()
    }

    /// Opens a loop, unless it would have one iteration only; the position on its axis.
    fn serial(&mut self, extent: usize) -> Index {
        match extent {
            1 => Index::default(),
            _ => Index::axis(self.scope.open(extent, LoopKind::Serial).0),
        }
    }

    /// Stores zero everywhere in a result.
    fn zeros(&mut self, part: usize) {
        let result = self.result(part);
        let nest = self.parts[part].nest;
        let elements = nest.extents[..nest.outputs].iter().product();
        let kind = if is_lane_type(nest.dtype) { LoopKind::Lanes { groups: 4 } } else { LoopKind::Serial };
        let zero = self.scope.constant(nest.dtype, 0.0);
        let id = self.scope.open(elements, kind);
        self.scope.store(result, Index::axis(id.0), zero);
        self.scope.close();
    }

    fn result(&self, part: usize) -> ParameterId {
        self.results[part].expect("a sum along the shared axes is read by others, who find it in memory")
    }

    fn stage(&mut self, stage: &Stage, turn: usize) {
        let around = stage.around.unwrap_or(stage.extents.len());
        let groups = self.groups(stage);
        let mut left = Vec::new();
        let mut opened = 0;
        let open = |writer: &mut Self, left: &mut Vec<Index>, at: usize| {
            let last = at + 1 == stage.extents.len();
            let kind = if last && groups > 0 { LoopKind::Lanes { groups } } else { LoopKind::Serial };
            left.push(Index::axis(writer.scope.open(stage.extents[at], kind).0));
        };
        for at in 0..around {
            open(self, &mut left, at);
            opened += 1;
        }
        let reduced = if stage.around.is_some() { groups } else { 0 };
        let accumulators = self.accumulators(stage, reduced);
        for at in around..stage.extents.len() {
            open(self, &mut left, at);
        }
        self.point(stage, &left, &accumulators, turn);
        for _ in around..stage.extents.len() {
            self.scope.close();
        }
        left.truncate(around);
        self.combined(&accumulators, &left, reduced > 0, turn);
        (0..opened).for_each(|_| self.scope.close());
    }

    /// How many groups of lanes the innermost loop of a stage handles at once; 0 if it has no lanes.
    fn groups(&self, stage: &Stage) -> usize {
        let Some(&last) = stage.extents.last() else { return 0 };
        let parts = || stage.parts.iter().map(|&part| &self.parts[part]);
        if last < self.target.lanes || !parts().all(|part| has_lane_types(part)) {
            return 0;
        }
        let scalars: usize = parts().map(|part| part.nest.body.scalars.len()).sum();
        let heavy = parts().any(|part| is_heavy(&part.nest.body));
        let reductions = parts().filter(|part| part.reduces()).count();
        let wanted = match (heavy || scalars > LIGHT, reductions) {
            (true, _) => 1,
            (false, 0) => 4,
            (false, reductions) => (ACCUMULATORS / reductions).clamp(1, 4),
        };
        let filled = (last / self.target.lanes).max(1);
        1 << wanted.min(filled).ilog2()
    }

    fn accumulators(&mut self, stage: &Stage, groups: usize) -> Vec<Accumulator> {
        let reducing = stage.parts.iter().copied().filter(|&part| self.parts[part].reduces());
        reducing
            .collect::<Vec<_>>()
            .into_iter()
            .map(|part| {
                let dtype = self.parts[part].nest.reduced_dtype();
                let identity = self.scope.constant(dtype, self.parts[part].reducer().identity(dtype));
                let register = self.scope.register(dtype, groups);
                self.scope.assign(register, identity);
                Accumulator { part, register }
            })
            .collect()
    }

    /// Computes all parts of a stage at one point, then stores what is kept: so what is updated in place is read before.
    fn point(&mut self, stage: &Stage, left: &[Index], accumulators: &[Accumulator], turn: usize) {
        for &part in &stage.parts {
            let axes = self.axes(part, left);
            match accumulators.iter().find(|accumulator| accumulator.part == part) {
                Some(accumulator) => self.accumulate(accumulator, &axes, turn),
                None => {
                    let body = &self.parts[part].nest.body;
                    let mut value = self.last(part, body, &axes, None, turn);
                    if let Some(epilogue) = &self.parts[part].nest.epilogue {
                        value = self.last(part, epilogue, &axes, Some(value), turn);
                    }
                    self.values[part] = Some(value);
                }
            }
        }
        for &part in stage.parts.iter().filter(|&&part| !self.parts[part].reduces()) {
            let value = self.values[part].expect("each part was computed above");
            self.write(part, &self.axes(part, left), value);
        }
    }

    /// Makes one value of what each reduction has collected.
    fn combined(&mut self, accumulators: &[Accumulator], left: &[Index], lanes: bool, turn: usize) {
        for &Accumulator { part, register } in accumulators {
            let reducer = self.parts[part].reducer();
            let mut value = self.scope.read(match lanes {
                true => Expression::Combine(register, reducer),
                false => Expression::Register(register),
            });
            let axes = self.axes(part, left);
            if let Some(epilogue) = &self.parts[part].nest.epilogue {
                value = self.last(part, epilogue, &axes, Some(value), turn);
            }
            self.values[part] = Some(value);
            self.write(part, &axes, value);
        }
    }

    /// Brings a value to where others find it.
    fn write(&mut self, part: usize, axes: &[Index], value: Var) {
        let laid = &self.parts[part];
        if let Some(result) = self.results[part] {
            let index = laid.write().substitute(axes, self.scope.extents(), 0);
            match laid.sums {
                true => self.scope.accumulate(result, index, value),
                false => self.scope.store(result, index, value),
            }
        }
        if let Some(scratch) = self.scratch[part] {
            let index = laid.place().substitute(axes, self.scope.extents(), 0);
            self.scope.store(scratch, index, value);
        }
    }

    /// Takes in the value of a point.
    fn accumulate(&mut self, accumulator: &Accumulator, axes: &[Index], turn: usize) {
        let nest = self.parts[accumulator.part].nest;
        let op =
            self.parts[accumulator.part].reducer().operation().expect("positions of maxima are kernels of their own");
        let product = match nest.body.scalars.split_last() {
            Some((Scalar::Apply(ScalarOp::Mul, factors), rest))
                if op == ScalarOp::Add && nest.reduced_dtype().is_float() =>
            {
                Some((factors, rest))
            }
            _ => None,
        };
        let new = match product {
            Some((factors, rest)) => {
                let values = self.scalars(accumulator.part, rest, axes, None, turn);
                let old = self.scope.read(Expression::Register(accumulator.register));
                self.scope.apply(ScalarOp::Fma, &[values[factors[0].0], values[factors[1].0], old])
            }
            None => {
                let value = self.last(accumulator.part, &nest.body, axes, None, turn);
                let old = self.scope.read(Expression::Register(accumulator.register));
                self.scope.apply(op, &[old, value])
            }
        };
        self.scope.assign(accumulator.register, new);
    }

    /// The index on each axis of a part's nest: of the turn, of the loops that are open, or 0.
    fn axes(&self, part: usize, left: &[Index]) -> Vec<Index> {
        let laid = &self.parts[part];
        let mut axes = vec![Index::default(); laid.nest.extents.len()];
        for (&axis, position) in laid.shared.iter().zip(&self.turn) {
            axes[axis] = position.clone();
        }
        for (&axis, position) in laid.outputs.iter().chain(&laid.reductions).zip(left) {
            axes[axis] = position.clone();
        }
        axes
    }

    fn last(&mut self, part: usize, body: &Body, axes: &[Index], reduced: Option<Var>, turn: usize) -> Var {
        *self.scalars(part, &body.scalars, axes, reduced, turn).last().expect("a verified body is not empty")
    }

    /// All scalars of a body at a point.
    fn scalars(
        &mut self,
        part: usize,
        scalars: &[Scalar],
        axes: &[Index],
        reduced: Option<Var>,
        turn: usize,
    ) -> Vec<Var> {
        let mut values: Vec<Var> = Vec::with_capacity(scalars.len());
        for scalar in scalars {
            let var = match scalar {
                Scalar::Read(read) => self.read(part, *read, axes, turn),
                Scalar::Constant(dtype, value) => self.scope.constant(*dtype, *value),
                Scalar::Index(index) => {
                    let index = self.position(part, index, axes, turn);
                    self.scope.define(Expression::Index(index), DType::U32)
                }
                Scalar::Reduced => reduced.expect("only epilogues use the reduced value"),
                Scalar::Apply(op, operands) => {
                    let operands: Vec<Var> = operands.iter().map(|ScalarId(operand)| values[*operand]).collect();
                    self.scope.apply(*op, &operands)
                }
            };
            values.push(var);
        }
        values
    }

    /// What a read of a part finds: in memory, in a variable, or in scratch.
    fn read(&mut self, part: usize, number: usize, axes: &[Index], turn: usize) -> Var {
        let read = &self.parts[part].nest.reads[number];
        let Some(producer) = read.operand.checked_sub(self.operand_shapes.len()) else {
            let index = flatten(&read.index, &self.operand_shapes[read.operand]);
            let index = self.position(part, &index, axes, turn);
            let load = Expression::Load { parameter: ParameterId(read.operand), index };
            return self.scope.define(load, read.dtype.computed());
        };
        let together = self.stage_of(producer) == self.stage_of(part) || self.parts[producer].outputs.is_empty();
        match (together, self.scratch[producer]) {
            (false, Some(scratch)) => {
                let index = self.parts[producer].found(&read.index);
                let index = self.position(part, &index, axes, turn);
                let load = Expression::Load { parameter: scratch, index };
                self.scope.define_inside(load, read.dtype.computed(), turn)
            }
            _ => self.values[producer].expect("a part comes after what it reads"),
        }
    }

    fn stage_of(&self, part: usize) -> Option<usize> {
        self.stages.iter().position(|stage| stage.parts.contains(&part))
    }

    /// The index over loops and variables that an index over axes and reads is at a point.
    fn position(&mut self, part: usize, index: &Index, axes: &[Index], turn: usize) -> Index {
        let index = index.substitute(axes, self.scope.extents(), 0);
        let mut gathered = Vec::new();
        index.any(&mut |atom| {
            if let Atom::Gathered { read, .. } = atom {
                gathered.push(*read);
            }
            false
        });
        let vars: Vec<(usize, Var)> =
            gathered.into_iter().map(|number| (number, self.read(part, number, axes, turn))).collect();
        index.renumbered(&|read| vars.iter().find(|(number, _)| *number == read).expect("each is read above").1.0)
    }
}

/// Whether all elements and numbers of a part fill a lane each.
fn has_lane_types(part: &Laid<'_>) -> bool {
    let reads = part.nest.reads.iter().map(|read| read.dtype);
    let bodies = [Some(&part.nest.body), part.nest.epilogue.as_ref()];
    let numbers = bodies.into_iter().flatten().flat_map(|body| &body.scalars).filter_map(|scalar| match scalar {
        Scalar::Constant(dtype, _) | Scalar::Apply(ScalarOp::Cast(dtype), _) => Some(*dtype),
        _ => None,
    });
    let positions = part.nest.reducer == Some(Reducer::ArgMax);
    !positions && reads.chain(numbers).chain([part.nest.dtype]).all(is_lane_type)
}
