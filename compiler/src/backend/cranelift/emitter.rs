//! Statements as instructions.
//!
//! A lanes loop is emitted up to four times: for whole groups of lanes, for single groups, and for what is left over, in parts
//! and one by one. A loop with one iteration is no loop: its position becomes part of displacements.

use super::EmitError;
use super::address::{Counter, Frame};
use super::memory::flags;
use super::operation::{Operations, Width, value_type};
use super::parts::PART;
use crate::dtype::DType;
use crate::kernel::{Expression, Kernel, LoopId, LoopKind, Register, Statement, Var, extents, mark_varying};
use crate::nest::Reducer;
use crate::scalar::ScalarOp;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, types};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, Variable};
use std::ops::Range;

/// The most statements, counted once per group of lanes, that unrolling may make of a loop body.
const UNROLLED_STATEMENTS: usize = 256;

/// What a variable of the kernel is here.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// A number, made where it is used: it costs no more than to keep it.
    Constant(DType, f64),
    /// One value for all lanes.
    Single(Value),
    /// One vector per group of lanes.
    Lanes(Vec<Value>),
}

/// Which iterations of a lanes loop run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// None: no lanes loop is around.
    Outside,
    /// Groups of lanes at once.
    Lanes {
        /// The loop.
        id: usize,
        /// How many groups.
        groups: usize,
    },
    /// One.
    Single,
}

/// A register: variables for its groups of lanes, and one for the further value or the only one.
pub(super) struct Slots {
    pub(super) lanes: Vec<Variable>,
    single: Variable,
}

/// Translates one kernel.
pub(super) struct Emitter<'a, 'f> {
    pub(super) kernel: &'a Kernel,
    pub(super) builder: FunctionBuilder<'f>,
    /// How many lanes a vector stands for where it is emitted: in a part fewer than elsewhere.
    pub(super) lanes: usize,
    /// The pointer to the first element of each parameter.
    pub(super) parameters: Vec<Value>,
    /// The first iteration of the parallel loop that runs, and the one after the last.
    pieces: [Value; 2],
    /// The variables that are defined so far.
    pub(super) held: Vec<Option<Held>>,
    pub(super) registers: Vec<Slots>,
    pub(super) frames: Vec<Frame>,
    pub(super) phase: Phase,
    /// Which variables differ between lanes.
    pub(super) varying: Vec<bool>,
    /// The extents of all loops.
    pub(super) extents: Vec<usize>,
}

impl<'a, 'f> Emitter<'a, 'f> {
    /// Starts the function.
    pub(super) fn new(kernel: &'a Kernel, lanes: usize, mut builder: FunctionBuilder<'f>) -> Result<Self, EmitError> {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let [arguments, local, first, end] = *builder.block_params(entry) else {
            unreachable!("the signature of a kernel has four parameters")
        };
        let parameters = pointers(kernel, &mut builder, arguments, local);
        let mut registers = Vec::with_capacity(kernel.registers.len());
        for register in &kernel.registers {
            let single = builder.declare_var(value_type(register.dtype, Width::Single)?);
            let mut groups = Vec::with_capacity(register.groups);
            for _ in 0..register.groups {
                groups.push(builder.declare_var(value_type(register.dtype, Width::Lanes)?));
            }
            registers.push(Slots { lanes: groups, single });
        }
        Ok(Emitter {
            kernel,
            builder,
            lanes,
            parameters,
            pieces: [first, end],
            held: vec![None; kernel.vars.len()],
            registers,
            frames: vec![Frame::default()],
            phase: Phase::Outside,
            varying: vec![false; kernel.vars.len()],
            extents: extents(kernel),
        })
    }

    /// Emits the whole kernel.
    pub(super) fn emit(mut self, config: TargetFrontendConfig) -> Result<(), EmitError> {
        self.statements(&self.kernel.body)?;
        self.builder.ins().return_(&[]);
        self.builder.finalize(config);
        Ok(())
    }

    fn statements(&mut self, statements: &[Statement]) -> Result<(), EmitError> {
        statements.iter().try_for_each(|statement| self.statement(statement))?;
        // The next phase of a loop defines its variables anew; what it prepares must not see those of this one.
        for statement in statements {
            if let Statement::Let(var, _) = statement {
                self.held[var.0] = None;
            }
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), EmitError> {
        match statement {
            Statement::Loop { id, extent, kind: LoopKind::Serial, body } => self.run(*id, 0..*extent, 1, body),
            Statement::Loop { id, extent: 1, kind: LoopKind::Parallel, body } => {
                self.iteration(*id, Counter::Fixed(0), body)
            }
            Statement::Loop { id, kind: LoopKind::Parallel, body, .. } => self.parallel(*id, body),
            Statement::Loop { id, extent, kind: LoopKind::Lanes { groups, .. }, body } => {
                self.lanes(*id, *extent, *groups, body)
            }
            Statement::Let(var, expression) => {
                let held = self.value(*var, expression)?;
                self.held[var.0] = Some(held);
                Ok(())
            }
            Statement::Assign(register, var) => self.assign(*register, *var),
            Statement::Store { parameter, index, value } => self.store(*parameter, index, *value),
            Statement::Accumulate { parameter, index, value } => self.accumulate(*parameter, index, *value),
            Statement::Loop { kind: LoopKind::Staged { .. }, .. }
            | Statement::Within { .. }
            | Statement::Copy(_)
            | Statement::Clear(_)
            | Statement::Contract { .. }
            | Statement::Unload { .. } => Err(EmitError::Threads(self.kernel.name.clone())),
        }
    }

    fn lanes(&mut self, id: LoopId, extent: usize, groups: usize, body: &[Statement]) -> Result<(), EmitError> {
        let lanes = self.lanes;
        let (whole, filled) = (extent - extent % (groups * lanes), extent - extent % lanes);
        let parted = extent - extent % lanes % PART;
        self.phase = Phase::Lanes { id: id.0, groups };
        mark_varying(self.kernel, id, body, &mut self.varying);
        self.run(id, 0..whole, groups * lanes, body)?;
        self.phase = Phase::Lanes { id: id.0, groups: 1 };
        self.run(id, whole..filled, lanes, body)?;
        self.run_in_parts(id, filled..parted, body)?;
        self.phase = Phase::Single;
        self.run(id, parted..extent, 1, body)?;
        self.phase = Phase::Outside;
        Ok(())
    }

    /// Runs a body at some positions of a loop, several at a time where that pays.
    pub(super) fn run(
        &mut self,
        id: LoopId,
        at: Range<usize>,
        step: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let unroll = self.unroll(body, at.len() / step);
        let rest = at.end - at.len() % (step * unroll);
        self.run_by(id, at.start..rest, step, unroll, body)?;
        self.run_by(id, rest..at.end, step, 1, body)
    }

    /// How many iterations to run together: the values of registers move less where an iteration follows another in a row.
    fn unroll(&self, body: &[Statement], iterations: usize) -> usize {
        let groups = if let Phase::Lanes { groups, .. } = self.phase { groups } else { 1 };
        let innermost = !body.iter().any(|statement| matches!(statement, Statement::Loop { .. }));
        let sums = body.iter().any(|statement| matches!(statement, Statement::Assign(..)));
        let fits = |unroll: &usize| iterations >= 2 * unroll && body.len() * groups * unroll <= UNROLLED_STATEMENTS;
        if innermost && sums { [4, 2].into_iter().find(fits).unwrap_or(1) } else { 1 }
    }

    fn run_by(
        &mut self,
        id: LoopId,
        at: Range<usize>,
        step: usize,
        unroll: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        match at.len() / (step * unroll) {
            0 => Ok(()),
            1 => at.step_by(step).try_for_each(|position| self.iteration(id, Counter::Fixed(position as i64), body)),
            _ => self.repeat(id, at, step, unroll, body),
        }
    }

    fn iteration(&mut self, id: LoopId, counter: Counter, body: &[Statement]) -> Result<(), EmitError> {
        self.frames.push(Frame::new(id.0, counter));
        self.statements(body)?;
        self.frames.pop();
        Ok(())
    }

    fn repeat(
        &mut self,
        id: LoopId,
        at: Range<usize>,
        step: usize,
        unroll: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let strides = self.enter(id, body)?;
        let start = |stride: &i64| self.builder.ins().iconst(types::I64, stride * at.start as i64);
        let start = strides.iter().map(start).collect();
        let end = self.builder.ins().iconst(types::I64, strides[0] * at.end as i64);
        self.turns(id, (strides, start, end), step, unroll, body)
    }

    /// Runs the iterations that the caller asks for, of which there is at least one.
    fn parallel(&mut self, id: LoopId, body: &[Statement]) -> Result<(), EmitError> {
        let strides = self.enter(id, body)?;
        let [first, end] = self.pieces;
        let start = strides.iter().map(|&stride| self.builder.ins().imul_imm_s(first, stride)).collect();
        let end = self.builder.ins().imul_imm_s(end, strides[0]);
        self.turns(id, (strides, start, end), 1, 1, body)
    }

    /// Computes what does not change in a loop. The distances that positions in its body move by: at least one.
    fn enter(&mut self, id: LoopId, body: &[Statement]) -> Result<Vec<i64>, EmitError> {
        self.prepare(body);
        self.prepare_splats(body)?;
        let mut strides = self.strides(id.0, body);
        if strides.is_empty() {
            strides.push(1);
        }
        Ok(strides)
    }

    /// A loop with a counter for each of these distances, from these starts until the first counter is at the end.
    fn turns(
        &mut self,
        id: LoopId,
        (strides, start, end): (Vec<i64>, Vec<Value>, Value),
        step: usize,
        unroll: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let start: Vec<BlockArg> = start.into_iter().map(BlockArg::from).collect();
        let (header, exit) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().jump(header, &start);
        let counters: Vec<(i64, Value)> =
            strides.iter().map(|&stride| (stride, self.builder.append_block_param(header, types::I64))).collect();
        self.builder.switch_to_block(header);
        for copy in 0..unroll {
            let offset = (copy * step) as i64;
            self.iteration(id, Counter::Running { counters: counters.clone(), offset }, body)?;
        }
        let whole = (step * unroll) as i64;
        let next: Vec<Value> =
            counters.iter().map(|&(stride, counter)| self.builder.ins().iadd_imm_s(counter, stride * whole)).collect();
        let more = self.builder.ins().icmp(IntCC::NotEqual, next[0], end);
        let next: Vec<BlockArg> = next.into_iter().map(BlockArg::from).collect();
        self.builder.ins().brif(more, header, &next, exit, &[]);
        self.builder.seal_block(header);
        self.builder.seal_block(exit);
        self.builder.switch_to_block(exit);
        Ok(())
    }

    fn value(&mut self, var: Var, expression: &Expression) -> Result<Held, EmitError> {
        let lanes = match self.phase {
            Phase::Lanes { groups, .. } if self.varying[var.0] => Some(groups),
            _ => None,
        };
        match (expression, lanes) {
            (Expression::Constant(dtype, value), _) => Ok(Held::Constant(*dtype, *value)),
            (Expression::Index(index), None) => {
                let number = self.number(index, 0);
                Ok(Held::Single(self.builder.ins().ireduce(types::I32, number)))
            }
            (Expression::Index(index), Some(groups)) => self.index_lanes(index, groups).map(Held::Lanes),
            (Expression::Load { parameter, index }, None) => {
                let value = self.load(*parameter, index)?;
                if self.width() == Width::Lanes {
                    // Right after it, a load into all lanes is one instruction; unused, it is none.
                    self.splat(var, value)?;
                }
                Ok(Held::Single(value))
            }
            (Expression::Load { parameter, index }, Some(groups)) => (0..groups)
                .map(|group| self.load_lanes(*parameter, index, group))
                .collect::<Result<_, _>>()
                .map(Held::Lanes),
            (Expression::Register(register), None) => {
                Ok(Held::Single(self.builder.use_var(self.registers[register.0].single)))
            }
            (Expression::Register(register), Some(groups)) => {
                let variables = &self.registers[register.0].lanes[..groups];
                Ok(Held::Lanes(variables.iter().map(|&variable| self.builder.use_var(variable)).collect()))
            }
            (Expression::Combine(register, reducer), _) => self.combine(*register, *reducer).map(Held::Single),
            (Expression::Apply(op, operands), _) => self.apply(*op, operands, lanes),
        }
    }

    fn apply(&mut self, op: ScalarOp, operands: &[Var], lanes: Option<usize>) -> Result<Held, EmitError> {
        // The operands of a select have the type of its second one; its condition is a bool always.
        let dtype = self.kernel.vars[operands[operands.len().min(2) - 1].0];
        let Some(groups) = lanes else {
            let operands = operands.iter().map(|&operand| self.single(operand)).collect::<Result<Vec<_>, _>>()?;
            return self.operations(Width::Single).apply(op, dtype, &operands).map(Held::Single);
        };
        let operands = operands.iter().map(|&operand| self.vectors(operand)).collect::<Result<Vec<_>, _>>()?;
        let mut results = Vec::with_capacity(groups);
        for group in 0..groups {
            let operands: Vec<Value> = operands.iter().map(|vectors| vectors[group]).collect();
            results.push(self.operations(Width::Lanes).apply(op, dtype, &operands)?);
        }
        Ok(Held::Lanes(results))
    }

    /// The one value that a variable has.
    pub(super) fn single(&mut self, var: Var) -> Result<Value, EmitError> {
        match self.held[var.0].clone() {
            Some(Held::Single(value)) => Ok(value),
            Some(Held::Constant(dtype, value)) => self.operations(Width::Single).constant(dtype, value),
            other => panic!("v{} is one value and not {other:?}", var.0),
        }
    }

    /// One vector per group of the lanes that run.
    pub(super) fn vectors(&mut self, var: Var) -> Result<Vec<Value>, EmitError> {
        let Phase::Lanes { groups, .. } = self.phase else { unreachable!("only lanes loops have vectors") };
        match self.held[var.0].clone() {
            Some(Held::Lanes(vectors)) => Ok(vectors),
            Some(Held::Constant(dtype, value)) => Ok(vec![self.constant_lanes(var, dtype, value)?; groups]),
            Some(Held::Single(value)) => Ok(vec![self.splat(var, value)?; groups]),
            None => panic!("v{} is defined before it is used", var.0),
        }
    }

    fn constant_lanes(&mut self, var: Var, dtype: DType, number: f64) -> Result<Value, EmitError> {
        if let Some((last, vector)) = self.frame().last_constant
            && last == var
        {
            return Ok(vector);
        }
        let vector = self.operations(Width::Lanes).constant(dtype, number)?;
        self.frame().last_constant = Some((var, vector));
        Ok(vector)
    }

    fn splat(&mut self, var: Var, value: Value) -> Result<Value, EmitError> {
        if let Some(vector) = self.frames.iter().find_map(|frame| frame.splats.get(&var)) {
            return Ok(*vector);
        }
        let dtype = self.kernel.vars[var.0];
        let vector = self.operations(Width::Lanes).splat(dtype, value)?;
        self.frame().splats.insert(var, vector);
        Ok(vector)
    }

    /// Puts single values that the body of a loop uses in lanes into all lanes before the loop.
    fn prepare_splats(&mut self, body: &[Statement]) -> Result<(), EmitError> {
        if self.width() == Width::Single {
            return Ok(());
        }
        let mut used = Vec::new();
        self.collect_lane_operands(body, &mut used);
        for var in used {
            if let Some(Held::Single(value)) = self.held[var.0]
                && !self.varying[var.0]
            {
                self.splat(var, value)?;
            }
        }
        Ok(())
    }

    fn collect_lane_operands(&self, statements: &[Statement], used: &mut Vec<Var>) {
        for statement in statements {
            match statement {
                Statement::Loop { body, .. } => self.collect_lane_operands(body, used),
                Statement::Let(var, Expression::Apply(_, operands)) if self.varying[var.0] => used.extend(operands),
                Statement::Let(..) => {}
                Statement::Within { .. }
                | Statement::Copy(_)
                | Statement::Clear(_)
                | Statement::Contract { .. }
                | Statement::Unload { .. } => {}
                Statement::Assign(_, value) | Statement::Store { value, .. } | Statement::Accumulate { value, .. } => {
                    used.push(*value)
                }
            }
        }
    }

    fn assign(&mut self, register: Register, var: Var) -> Result<(), EmitError> {
        let groups = self.registers[register.0].lanes.len();
        if let (Phase::Lanes { .. }, 1..) = (self.phase, groups) {
            for (group, vector) in self.vectors(var)?.into_iter().enumerate() {
                self.builder.def_var(self.registers[register.0].lanes[group], vector);
            }
            return Ok(());
        }
        let value = self.single(var)?;
        self.builder.def_var(self.registers[register.0].single, value);
        if self.phase == Phase::Outside && groups > 0 {
            let vector = match self.held[var.0] {
                Some(Held::Constant(dtype, value)) => self.operations(Width::Lanes).constant(dtype, value)?,
                _ => self.splat(var, value)?,
            };
            for group in 0..groups {
                self.builder.def_var(self.registers[register.0].lanes[group], vector);
            }
        }
        Ok(())
    }

    /// All values of a register in one: groups, then halves of the last group, then the further value.
    fn combine(&mut self, register: Register, reducer: Reducer) -> Result<Value, EmitError> {
        let op = reducer.operation().expect("verified registers are combined by sum, maximum or minimum");
        let dtype = self.kernel.registers[register.0].dtype;
        let variables = self.registers[register.0].lanes.clone();
        let mut groups: Vec<Value> = variables.into_iter().map(|variable| self.builder.use_var(variable)).collect();
        while groups.len() > 1 {
            let upper = groups.split_off(groups.len() / 2);
            for (group, other) in groups.iter_mut().zip(upper) {
                *group = self.operations(Width::Lanes).apply(op, dtype, &[*group, other])?;
            }
        }
        let value = self.folded(op, dtype, groups[0])?;
        let further = self.builder.use_var(self.registers[register.0].single);
        self.operations(Width::Single).apply(op, dtype, &[value, further])
    }

    pub(super) fn operations(&mut self, width: Width) -> Operations<'_, 'f> {
        Operations { builder: &mut self.builder, width }
    }
}

/// The pointer to each array: to local ones from where local memory is, to all others from the list of arguments.
fn pointers(kernel: &Kernel, builder: &mut FunctionBuilder<'_>, arguments: Value, local: Value) -> Vec<Value> {
    let mut position: i32 = 0;
    let (offsets, _) = kernel.local_offsets();
    let pointer = |offset: Option<usize>| match offset {
        Some(offset) => builder.ins().iadd_imm_s(local, offset as i64),
        None => {
            position += 1;
            let at = (position - 1) * 8;
            builder.ins().load(types::I64, flags(), arguments, at)
        }
    };
    offsets.into_iter().map(pointer).collect()
}
