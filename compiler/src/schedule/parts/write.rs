//! Writing the kernel of parts.

use super::stages::Stage;
use super::{Laid, spread};
use crate::dtype::DType;
use crate::kernel::{Expression, Kernel, LoopKind, Parameter, ParameterId, Register, Usage, Var};
use crate::nest::{Body, Index, Reducer, Scalar, flatten};
use crate::scalar::ScalarOp;
use crate::schedule::choose::{ACCUMULATORS, is_heavy, is_lane_type};
use crate::schedule::evaluate::Evaluate;
use crate::schedule::scope::Scope;
use crate::schedule::spread::fills;
use crate::target::Target;

/// The most scalars of a loop body for which two groups of lanes at once still fit the registers.
const LIGHT: usize = 24;

pub(super) struct PartsWriter<'a> {
    pub(super) shared: &'a [usize],
    pub(super) parts: &'a [Laid<'a>],
    stages: &'a [Stage],
    operand_shapes: &'a [Vec<usize>],
    pub(super) target: &'a Target,
    pub(super) scope: Scope,
    /// The position on each shared axis.
    turn: Vec<Index>,
    /// How many loops are open around a turn.
    pub(super) depth: usize,
    /// The array of each part that is kept.
    results: Vec<Option<ParameterId>>,
    /// The array of each part that a later stage reads.
    scratch: Vec<Option<ParameterId>>,
    /// The sums of each part along the shared axes, as far as a piece of work has come, if pieces run in parallel.
    pub(super) growing: Vec<Option<ParameterId>>,
    /// How many positions of the first shared axis are one piece of work, if pieces run in parallel.
    piece: Option<usize>,
    /// What each part is at this point: a single value as long as the turn lasts, others as long as the point does.
    values: Vec<Option<Var>>,
}

/// A point of a part.
pub(super) struct Place {
    part: usize,
    /// The index on each axis of its nest.
    axes: Vec<Index>,
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
        let piece = spread::piece(shared, parts, stages, target);
        let usage = if piece.is_some() { Usage::Local } else { Usage::Scratch };
        let scratch = (0..parts.len())
            .map(|at| later(at).then(|| add(parts[at].nest.dtype.computed(), parts[at].elements(), usage)))
            .collect();
        PartsWriter {
            shared,
            parts,
            stages,
            operand_shapes,
            target,
            scope: Scope::new(name, parameters),
            turn: Vec::new(),
            depth: 0,
            results,
            scratch,
            growing: vec![None; parts.len()],
            piece,
            values: vec![None; parts.len()],
        }
    }

    pub(super) fn kernel(mut self) -> Kernel {
        match (self.shared.first(), self.piece) {
            (None, _) => self.stages.iter().for_each(|stage| self.points(stage)),
            (Some(&extent), Some(piece)) => self.turns_in_pieces(extent, piece),
            (Some(_), None) => {
                (0..self.parts.len()).filter(|&part| self.parts[part].sums).for_each(|part| self.zeros(part));
                self.turns(self.shared, Index::default());
            }
        }
        self.scope.finish()
    }

    /// Runs the stages at every position of the shared axes; `extents` are those of the axes, of which the first one begins
    /// at a position.
    pub(super) fn turns(&mut self, extents: &[usize], first: Index) {
        self.turn.clear();
        for &extent in extents {
            let position = self.serial(extent);
            self.turn.push(position);
        }
        if let Some(position) = self.turn.first_mut() {
            *position = first.plus(position);
        }
        self.depth = self.scope.depth();
        for stage in self.stages {
            self.stage(stage, None);
        }
        (0..extents.iter().filter(|&&extent| extent > 1).count()).for_each(|_| self.scope.close());
    }

    /// Opens a loop, unless it would have one iteration only; the position on its axis.
    pub(super) fn serial(&mut self, extent: usize) -> Index {
        match extent {
            1 => Index::default(),
            _ => Index::axis(self.scope.open(extent, LoopKind::Serial).0),
        }
    }

    /// Stores zero everywhere where a part sums up.
    pub(super) fn zeros(&mut self, part: usize) {
        let array = self.growing[part].unwrap_or_else(|| self.result(part));
        let zero = self.scope.constant(self.parts[part].nest.dtype, 0.0);
        let at = self.elementwise(part, self.parts[part].result_elements());
        self.scope.store(array, at, zero);
        self.scope.close();
    }

    pub(super) fn result(&self, part: usize) -> ParameterId {
        self.results[part].expect("a sum along the shared axes is read by others, who find it in memory")
    }

    /// All parts of a stage; of its first axis only some positions, if there is a span: the first one and how many.
    pub(super) fn stage(&mut self, stage: &Stage, span: Option<(Index, usize)>) {
        let around = stage.around.unwrap_or(stage.extents.len());
        let groups = self.groups(stage);
        let mut left = Vec::new();
        let mut opened = 0;
        let open = |writer: &mut Self, left: &mut Vec<Index>, at: usize| {
            let last = at + 1 == stage.extents.len();
            let kind = if last && groups > 0 { LoopKind::lanes(groups) } else { LoopKind::Serial };
            left.push(match &span {
                Some((first, count)) if at == 0 => first.clone().plus(&Index::axis(writer.scope.open(*count, kind).0)),
                _ => Index::axis(writer.scope.open(stage.extents[at], kind).0),
            });
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
        self.point(stage, &left, &accumulators);
        for _ in around..stage.extents.len() {
            self.scope.close();
        }
        left.truncate(around);
        self.combined(&accumulators, &left, reduced > 0);
        (0..opened).for_each(|_| self.scope.close());
    }

    /// How many groups of lanes the innermost loop of a stage handles at once; 0 if it has no lanes.
    fn groups(&self, stage: &Stage) -> usize {
        let Some(&last) = stage.extents.last() else { return 0 };
        let parts = || stage.parts.iter().map(|&part| &self.parts[part]);
        if !fills(last, self.target) || !parts().all(|part| has_lane_types(part)) {
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
    fn point(&mut self, stage: &Stage, left: &[Index], accumulators: &[Accumulator]) {
        for &part in &stage.parts {
            let place = self.place(part, left);
            match accumulators.iter().find(|accumulator| accumulator.part == part) {
                Some(accumulator) => self.accumulate(accumulator, &place),
                None => {
                    let body = &self.parts[part].nest.body;
                    let mut value = self.last(body, &place, None);
                    if let Some(epilogue) = &self.parts[part].nest.epilogue {
                        value = self.last(epilogue, &place, Some(value));
                    }
                    self.values[part] = Some(value);
                }
            }
        }
        for &part in stage.parts.iter().filter(|&&part| !self.parts[part].reduces()) {
            let value = self.values[part].expect("each part was computed above");
            self.write(&self.place(part, left), value);
        }
    }

    /// Makes one value of what each reduction has collected.
    fn combined(&mut self, accumulators: &[Accumulator], left: &[Index], lanes: bool) {
        for &Accumulator { part, register } in accumulators {
            let reducer = self.parts[part].reducer();
            let mut value = self.scope.read(match lanes {
                true => Expression::Combine(register, reducer),
                false => Expression::Register(register),
            });
            let place = self.place(part, left);
            if let Some(epilogue) = &self.parts[part].nest.epilogue {
                value = self.last(epilogue, &place, Some(value));
            }
            self.values[part] = Some(value);
            self.write(&place, value);
        }
    }

    /// Brings a value to where others find it.
    fn write(&mut self, place: &Place, value: Var) {
        let Place { part, axes } = place;
        let part = *part;
        let laid = &self.parts[part];
        if let Some(result) = self.results[part] {
            let index = laid.write().substitute(axes, self.scope.extents(), 0);
            match (laid.sums, self.growing[part]) {
                (true, Some(growing)) => {
                    let old = self.scope.load_scratch(growing, index.clone());
                    let new = self.scope.apply(ScalarOp::Add, &[old, value]);
                    self.scope.store(growing, index, new);
                }
                (true, None) => self.scope.accumulate(result, index, value),
                (false, _) => self.scope.store(result, index, value),
            }
        }
        if let Some(scratch) = self.scratch[part] {
            let index = laid.place().substitute(axes, self.scope.extents(), 0);
            self.scope.store(scratch, index, value);
        }
    }

    /// Takes in the value of a point.
    fn accumulate(&mut self, accumulator: &Accumulator, place: &Place) {
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
                let values = self.scalars(rest, place, None);
                let old = self.scope.read(Expression::Register(accumulator.register));
                self.scope.apply(ScalarOp::Fma, &[values[factors[0].0], values[factors[1].0], old])
            }
            None => {
                let value = self.last(&nest.body, place, None);
                let old = self.scope.read(Expression::Register(accumulator.register));
                self.scope.apply(op, &[old, value])
            }
        };
        self.scope.assign(accumulator.register, new);
    }

    /// The point of a part: its index on each axis is one of the turn, of the loops that are open, or 0.
    fn place(&self, part: usize, left: &[Index]) -> Place {
        let laid = &self.parts[part];
        let mut axes = vec![Index::default(); laid.nest.extents.len()];
        for (&axis, position) in laid.shared.iter().zip(&self.turn) {
            axes[axis] = position.clone();
        }
        for (&axis, position) in laid.outputs.iter().chain(&laid.reductions).zip(left) {
            axes[axis] = position.clone();
        }
        Place { part, axes }
    }

    /// The last scalar of a body at a point.
    fn last(&mut self, body: &Body, place: &Place, reduced: Option<Var>) -> Var {
        *self.scalars(&body.scalars, place, reduced).last().expect("a verified body is not empty")
    }

    /// All scalars of a body at a point.
    fn scalars(&mut self, scalars: &[Scalar], place: &Place, reduced: Option<Var>) -> Vec<Var> {
        let mut values: Vec<Var> = Vec::with_capacity(scalars.len());
        for scalar in scalars {
            let value = self.scalar(scalar, place, &values, reduced);
            values.push(value);
        }
        values
    }

    fn stage_of(&self, part: usize) -> Option<usize> {
        self.stages.iter().position(|stage| stage.parts.contains(&part))
    }
}

impl Evaluate for PartsWriter<'_> {
    type Place = Place;

    fn scope(&mut self) -> &mut Scope {
        &mut self.scope
    }

    fn axes<'p>(&self, place: &'p Place) -> &'p [Index] {
        &place.axes
    }

    /// In memory, in a variable, or in scratch.
    fn read(&mut self, number: usize, place: &Place) -> Var {
        let part = place.part;
        let read = &self.parts[part].nest.reads[number];
        let Some(producer) = read.operand.checked_sub(self.operand_shapes.len()) else {
            let index = flatten(&read.index, &self.operand_shapes[read.operand]);
            let index = self.position(&index, place);
            let load = Expression::Load { parameter: ParameterId(read.operand), index };
            return self.scope.define(load, read.dtype.computed());
        };
        let together = self.stage_of(producer) == self.stage_of(part) || self.parts[producer].outputs.is_empty();
        match (together, self.scratch[producer]) {
            (false, Some(scratch)) => {
                let index = self.parts[producer].found(&read.index);
                let index = self.position(&index, place);
                let load = Expression::Load { parameter: scratch, index };
                self.scope.define_inside(load, read.dtype.computed(), self.depth)
            }
            _ => self.values[producer].expect("a part comes after what it reads"),
        }
    }
}

/// Whether all elements and numbers of a part fill a lane each.
pub(super) fn has_lane_types(part: &Laid<'_>) -> bool {
    let reads = part.nest.reads.iter().map(|read| read.dtype);
    let bodies = [Some(&part.nest.body), part.nest.epilogue.as_ref()];
    let numbers = bodies.into_iter().flatten().flat_map(|body| &body.scalars).filter_map(|scalar| match scalar {
        Scalar::Constant(dtype, _) | Scalar::Apply(ScalarOp::Cast(dtype), _) => Some(*dtype),
        _ => None,
    });
    let positions = part.nest.reducer == Some(Reducer::ArgMax);
    !positions && reads.chain(numbers).chain([part.nest.dtype]).all(is_lane_type)
}
