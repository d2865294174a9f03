//! Phases: what of a kernel runs at once, and what runs before it.
//!
//! A kernel enters; its phases leave in order, each a kernel of its own with the same parameters. What all phases can compute
//! for themselves, because it depends on nothing that the kernel stores or keeps in registers, stands in every phase that
//! uses it.
//!
//! On a GPU, phases that do not wait for each other run at once, in one grid. What is updated in place, and so known by two
//! parameters, is the plan's to verify: no phase loads what another one of its grid stores.

use super::{Expression, Kernel, LoopKind, Register, Statement, Usage, Var};
use crate::nest::{Atom, Index};
use std::collections::BTreeSet;

/// One phase of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// How many iterations its parallel loop has; `None` if it has none.
    pub parallel: Option<usize>,
    /// What it does. A parallel loop is its last statement and the only one that stores.
    pub kernel: Kernel,
}

/// The phases of a kernel in order.
pub fn phases(kernel: &Kernel) -> Vec<Phase> {
    let mut phases = Vec::new();
    let (mut free, mut bound): (Vec<&Statement>, Vec<&Statement>) = (Vec::new(), Vec::new());
    let mut owned = vec![false; kernel.vars.len()];
    for statement in &kernel.body {
        match statement {
            Statement::Loop { kind: LoopKind::Parallel, extent, .. } => {
                phases.extend(phase(kernel, None, &free, &std::mem::take(&mut bound)));
                phases.extend(phase(kernel, Some(*extent), &free, &[statement]));
            }
            Statement::Let(var, expression) if is_free(kernel, expression, &owned) => {
                owned[var.0] = true;
                free.push(statement);
            }
            other => bound.push(other),
        }
    }
    phases.extend(phase(kernel, None, &free, &bound));
    phases
}

/// The phases of a kernel by when they run on a GPU: those of one list at once, one list after the other. A phase waits for
/// those before it with which it shares an array that one of them stores to, unless both only store results.
pub fn grids(kernel: &Kernel) -> Vec<Vec<Phase>> {
    let mut grids: Vec<Vec<Phase>> = Vec::new();
    for phase in phases(kernel) {
        let touched = Touched::by(&phase.kernel);
        let waits = |other: &Phase| touched.meets(&Touched::by(&other.kernel), kernel);
        let behind = grids.iter().rposition(|grid| grid.iter().any(waits)).map_or(0, |last| last + 1);
        match grids.get_mut(behind) {
            Some(grid) => grid.push(phase),
            None => grids.push(vec![phase]),
        }
    }
    grids
}

/// The arrays that a phase stores to, and those that it loads from or adds to.
#[derive(Default)]
struct Touched {
    stored: BTreeSet<usize>,
    loaded: BTreeSet<usize>,
}

impl Touched {
    fn by(phase: &Kernel) -> Touched {
        let mut touched = Touched::default();
        touched.statements(&phase.body);
        touched
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Loop { body, .. } | Statement::Within { body, .. } => self.statements(body),
                Statement::Let(_, Expression::Load { parameter, .. }) => {
                    self.loaded.insert(parameter.0);
                }
                Statement::Copy(copy) => {
                    self.loaded.insert(copy.from.0);
                    self.stored.insert(copy.to.0);
                }
                Statement::Contract { left, right, .. } => {
                    self.loaded.extend([left.array.0, right.array.0]);
                }
                Statement::Unload { array: parameter, .. } | Statement::Store { parameter, .. } => {
                    self.stored.insert(parameter.0);
                }
                Statement::Accumulate { parameter, .. } => {
                    self.stored.insert(parameter.0);
                    self.loaded.insert(parameter.0);
                }
                Statement::Let(..) | Statement::Assign(..) | Statement::Clear(_) => {}
            }
        }
    }

    /// Whether what one does to an array depends on what the other did. Each element of a result is stored once, and each
    /// block has local memory of its own.
    fn meets(&self, other: &Touched, kernel: &Kernel) -> bool {
        let usage = |&array: &usize| kernel.parameters[array].usage;
        let local = |array: &usize| usage(array) == Usage::Local;
        let crosses =
            |one: &Touched, other: &Touched| one.stored.intersection(&other.loaded).any(|array| !local(array));
        let both = self.stored.intersection(&other.stored).any(|array| usage(array) == Usage::Scratch);
        both || crosses(self, other) || crosses(other, self)
    }
}

/// Whether each phase defines the variables that it uses, and no register is used in two.
pub(super) fn keep_apart(kernel: &Kernel) -> Result<(), Crossing> {
    let mut registers = BTreeSet::new();
    for phase in phases(kernel) {
        let mut used = Used::default();
        used.statements(&phase.kernel.body);
        if let Some(&var) = used.vars.difference(&used.defined).next() {
            return Err(Crossing::Var(Var(var)));
        }
        if let Some(&register) = used.registers.intersection(&registers).next() {
            return Err(Crossing::Register(Register(register)));
        }
        registers.extend(used.registers);
    }
    Ok(())
}

/// What one phase leaves to another though it cannot.
pub(super) enum Crossing {
    Var(Var),
    Register(Register),
}

/// Whether an expression is the same in every phase: `owned` says which variables are.
fn is_free(kernel: &Kernel, expression: &Expression, owned: &[bool]) -> bool {
    let index = |index: &Index| !index.any(&mut |atom| matches!(atom, Atom::Gathered { read, .. } if !owned[*read]));
    match expression {
        Expression::Constant(..) => true,
        Expression::Index(position) => index(position),
        Expression::Load { parameter, index: position } => {
            kernel.parameters[parameter.0].usage == Usage::Read && index(position)
        }
        Expression::Apply(_, operands) => operands.iter().all(|operand| owned[operand.0]),
        Expression::Register(_) | Expression::Combine(..) => false,
    }
}

/// These statements behind what of `free` they use; nothing if there are none.
fn phase(kernel: &Kernel, parallel: Option<usize>, free: &[&Statement], statements: &[&Statement]) -> Option<Phase> {
    if statements.is_empty() {
        return None;
    }
    let mut used = Used::default();
    statements.iter().for_each(|statement| used.statement(statement));
    let mut body: Vec<Statement> = Vec::new();
    for statement in free.iter().rev() {
        if let Statement::Let(var, _) = statement
            && used.vars.contains(&var.0)
        {
            used.statement(statement);
            body.push((*statement).clone());
        }
    }
    body.reverse();
    body.extend(statements.iter().map(|&statement| statement.clone()));
    Some(Phase { parallel, kernel: Kernel { body, ..without_body(kernel) } })
}

fn without_body(kernel: &Kernel) -> Kernel {
    Kernel {
        name: kernel.name.clone(),
        parameters: kernel.parameters.clone(),
        vars: kernel.vars.clone(),
        registers: kernel.registers.clone(),
        fragments: kernel.fragments.clone(),
        loops: kernel.loops,
        threads: kernel.threads,
        body: Vec::new(),
    }
}

/// Which variables and registers statements name.
#[derive(Default)]
struct Used {
    vars: BTreeSet<usize>,
    defined: BTreeSet<usize>,
    registers: BTreeSet<usize>,
}

impl Used {
    fn statements(&mut self, statements: &[Statement]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Loop { body, .. } => self.statements(body),
            Statement::Let(var, expression) => {
                self.defined.insert(var.0);
                self.expression(expression);
            }
            Statement::Assign(register, var) => {
                self.registers.insert(register.0);
                self.vars.insert(var.0);
            }
            Statement::Store { index, value, .. } | Statement::Accumulate { index, value, .. } => {
                self.vars.insert(value.0);
                self.index(index);
            }
            Statement::Within { index, body, .. } => {
                self.index(index);
                self.statements(body);
            }
            Statement::Copy(copy) => {
                self.vars.extend(copy.within.map(|within| within.0));
                self.index(&copy.source);
                self.index(&copy.index);
            }
            Statement::Clear(_) | Statement::Contract { .. } | Statement::Unload { .. } => {}
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Constant(..) => {}
            Expression::Index(index) | Expression::Load { index, .. } => self.index(index),
            Expression::Register(register) | Expression::Combine(register, _) => {
                self.registers.insert(register.0);
            }
            Expression::Apply(_, operands) => self.vars.extend(operands.iter().map(|operand| operand.0)),
        }
    }

    fn index(&mut self, index: &Index) {
        index.any(&mut |atom| {
            if let Atom::Gathered { read, .. } = atom {
                self.vars.insert(*read);
            }
            false
        });
    }
}
