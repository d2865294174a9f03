//! Writing kernels: statements into nested loops, each expression as far outside as it can stand, and each once.

use crate::dtype::DType;
use crate::kernel::{
    Expression, Fragment, FragmentDecl, Kernel, LoopId, LoopKind, Parameter, ParameterId, Register, RegisterDecl,
    Statement, Usage, Var,
};
use crate::nest::{Atom, Index};
use crate::scalar::ScalarOp;

/// A kernel while it is written: a stack of open loops over one statement list each.
pub(super) struct Scope {
    kernel: Kernel,
    frames: Vec<Frame>,
    /// The frame that defines each variable.
    var_frames: Vec<usize>,
    /// The frame that each loop opens.
    loop_frames: Vec<usize>,
    /// The extent of each loop.
    extents: Vec<usize>,
}

#[derive(Default)]
struct Frame {
    /// The loop; `None` for the kernel itself.
    head: Option<Head>,
    statements: Vec<Statement>,
    /// What variables of this frame are defined as.
    known: Vec<(Expression, Var)>,
}

/// What a frame is the body of.
enum Head {
    Loop(LoopId, usize, LoopKind),
    Within(Index, usize),
}

impl Scope {
    /// An empty kernel.
    pub(super) fn new(name: &str, parameters: Vec<Parameter>) -> Scope {
        let name = name.to_string();
        let (vars, registers, fragments, body) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let kernel = Kernel { name, parameters, vars, registers, fragments, loops: 0, threads: None, body };
        Scope {
            kernel,
            frames: vec![Frame::default()],
            var_frames: Vec::new(),
            loop_frames: Vec::new(),
            extents: Vec::new(),
        }
    }

    /// The kernel; every loop must be closed.
    pub(super) fn finish(mut self) -> Kernel {
        let frame = self.frames.pop().expect("the frame of the kernel is never closed");
        assert!(frame.head.is_none(), "every loop is closed before the kernel is");
        self.kernel.body = frame.statements;
        self.kernel
    }

    /// How many loops are open.
    pub(super) fn depth(&self) -> usize {
        self.frames.len() - 1
    }

    /// The extents of all loops so far.
    pub(super) fn extents(&self) -> &[usize] {
        &self.extents
    }

    /// Opens a loop; what follows is its body.
    pub(super) fn open(&mut self, extent: usize, kind: LoopKind) -> LoopId {
        let id = LoopId(self.kernel.loops);
        self.kernel.loops += 1;
        self.extents.push(extent);
        self.loop_frames.push(self.frames.len());
        self.frames.push(Frame { head: Some(Head::Loop(id, extent, kind)), ..Frame::default() });
        id
    }

    /// Opens a bound: what follows runs where the index is below it.
    pub(super) fn open_within(&mut self, index: Index, below: usize) {
        self.frames.push(Frame { head: Some(Head::Within(index, below)), ..Frame::default() });
    }

    /// Closes the innermost loop or bound.
    pub(super) fn close(&mut self) {
        let frame = self.frames.pop().expect("a loop is open");
        let body = frame.statements;
        self.emit(match frame.head.expect("the innermost frame is a loop") {
            Head::Loop(id, extent, kind) => Statement::Loop { id, extent, kind, body },
            Head::Within(index, below) => Statement::Within { index, below, body },
        });
    }

    /// A tile of sums that a block keeps.
    pub(super) fn fragment(&mut self, rows: usize, columns: usize) -> Fragment {
        self.kernel.fragments.push(FragmentDecl { rows, columns });
        Fragment(self.kernel.fragments.len() - 1)
    }

    /// A statement that defines nothing.
    pub(super) fn run(&mut self, statement: Statement) {
        self.emit(statement);
    }

    /// How many threads blocks have, whatever is usual.
    pub(super) fn on_threads(&mut self, threads: usize) {
        self.kernel.threads = Some(threads);
    }

    /// A new register for values of this type.
    pub(super) fn register(&mut self, dtype: DType, groups: usize) -> Register {
        let dtype = dtype.computed();
        self.kernel.registers.push(RegisterDecl { dtype, groups });
        Register(self.kernel.registers.len() - 1)
    }

    /// The type of a register.
    pub(super) fn register_dtype(&self, register: Register) -> DType {
        self.kernel.registers[register.0].dtype
    }

    /// The groups of a register.
    pub(super) fn register_groups(&self, register: Register) -> usize {
        self.kernel.registers[register.0].groups
    }

    /// The type of a variable.
    pub(super) fn dtype(&self, var: Var) -> DType {
        self.kernel.vars[var.0]
    }

    /// A number.
    pub(super) fn constant(&mut self, dtype: DType, value: f64) -> Var {
        let dtype = dtype.computed();
        self.define(Expression::Constant(dtype, value), dtype)
    }

    /// An operation; its types must fit. Casts to half precision round, casts from it change nothing: variables are f32.
    pub(super) fn apply(&mut self, op: ScalarOp, operands: &[Var]) -> Var {
        match op {
            ScalarOp::Cast(to) if to.computed() != to => {
                let wide = self.apply(ScalarOp::Cast(to.computed()), operands);
                return self.apply(ScalarOp::Narrow(to), &[wide]);
            }
            ScalarOp::Cast(to) if self.dtype(operands[0]) == to => return operands[0],
            _ => {}
        }
        let dtypes: Vec<DType> = operands.iter().map(|&operand| self.dtype(operand)).collect();
        let dtype = op.result(&dtypes).expect("a verified nest has operations on the types that they take");
        self.define(Expression::Apply(op, operands.to_vec()), dtype)
    }

    /// The variable that is this expression: the one that is there, or a new one in the outermost loop that has all it needs.
    ///
    /// What a kernel loads from is not written by it, so a load may stand anywhere.
    pub(super) fn define(&mut self, expression: Expression, dtype: DType) -> Var {
        self.define_inside(expression, dtype, 0)
    }

    /// The same, but not outside of the loops that were open at a depth: what is loaded from scratch was stored there.
    pub(super) fn define_inside(&mut self, expression: Expression, dtype: DType, depth: usize) -> Var {
        let at = match &expression {
            Expression::Constant(..) => 0,
            Expression::Index(index) | Expression::Load { index, .. } => self.frame_of(index),
            Expression::Apply(_, operands) => operands.iter().map(|var| self.var_frames[var.0]).max().unwrap_or(0),
            Expression::Register(_) | Expression::Combine(..) => {
                unreachable!("what registers hold changes, so reading them is no definition to share")
            }
        };
        let at = self.inside_bounds(at.max(depth), &expression);
        if let Some((_, var)) = self.frames[at].known.iter().find(|(other, _)| same(other, &expression)) {
            return *var;
        }
        let var = self.push(at, expression.clone(), dtype);
        self.frames[at].known.push((expression, var));
        var
    }

    /// What a register holds now.
    pub(super) fn read(&mut self, expression: Expression) -> Var {
        let dtype = match &expression {
            Expression::Register(register) | Expression::Combine(register, _) => {
                self.kernel.registers[register.0].dtype
            }
            _ => unreachable!("only registers are read"),
        };
        self.push(self.frames.len() - 1, expression, dtype)
    }

    /// An array that the kernel has for itself.
    pub(super) fn scratch(&mut self, dtype: DType, elements: usize) -> ParameterId {
        self.kernel.parameters.push(Parameter { dtype, elements, usage: Usage::Scratch });
        ParameterId(self.kernel.parameters.len() - 1)
    }

    /// An array that an iteration of a parallel loop has for itself.
    pub(super) fn local(&mut self, dtype: DType, elements: usize) -> ParameterId {
        self.kernel.parameters.push(Parameter { dtype, elements, usage: Usage::Local });
        ParameterId(self.kernel.parameters.len() - 1)
    }

    /// Whether a parallel loop is open.
    pub(super) fn is_parallel(&self) -> bool {
        self.frames.iter().any(|frame| matches!(frame.head, Some(Head::Loop(_, _, LoopKind::Parallel))))
    }

    /// An element of scratch, as it is here and now.
    pub(super) fn load_scratch(&mut self, parameter: ParameterId, index: Index) -> Var {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        self.push(self.frames.len() - 1, Expression::Load { parameter, index }, dtype)
    }

    /// Sets a register here.
    pub(super) fn assign(&mut self, register: Register, var: Var) {
        self.emit(Statement::Assign(register, var));
    }

    /// Stores an element here.
    pub(super) fn store(&mut self, parameter: ParameterId, index: Index, value: Var) {
        self.emit(Statement::Store { parameter, index, value });
    }

    /// Adds to an element here.
    pub(super) fn accumulate(&mut self, parameter: ParameterId, index: Index, value: Var) {
        self.emit(Statement::Accumulate { parameter, index, value });
    }

    /// A load from where a bound holds stands inside of the bound, unless it stands where the bound is not yet known.
    fn inside_bounds(&self, at: usize, expression: &Expression) -> usize {
        let Expression::Load { .. } = expression else { return at };
        let bounds = self.frames.iter().enumerate().filter_map(|(frame, Frame { head, .. })| match head {
            Some(Head::Within(index, _)) if at >= self.frame_of(index) => Some(frame),
            _ => None,
        });
        bounds.max().unwrap_or(at).max(at)
    }

    fn emit(&mut self, statement: Statement) {
        self.frames.last_mut().expect("the frame of the kernel is never closed").statements.push(statement);
    }

    fn push(&mut self, frame: usize, expression: Expression, dtype: DType) -> Var {
        let var = Var(self.kernel.vars.len());
        self.kernel.vars.push(dtype);
        self.var_frames.push(frame);
        self.frames[frame].statements.push(Statement::Let(var, expression));
        var
    }

    /// The innermost frame that an index needs.
    fn frame_of(&self, index: &Index) -> usize {
        let mut innermost = 0;
        index.any(&mut |atom| {
            innermost = innermost.max(match atom {
                Atom::Axis(id) => self.loop_frames[*id],
                Atom::Gathered { read, .. } => self.var_frames[*read],
                Atom::Quotient(..) | Atom::Remainder(..) | Atom::Clamped(..) => 0,
            });
            false
        });
        innermost
    }
}

/// Whether two expressions are the same; 0.0 and -0.0 are not.
fn same(one: &Expression, other: &Expression) -> bool {
    match (one, other) {
        (Expression::Constant(a, x), Expression::Constant(b, y)) => a == b && x.to_bits() == y.to_bits(),
        _ => one == other,
    }
}
