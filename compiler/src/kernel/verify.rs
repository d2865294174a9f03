//! The verifier of kernels: what every pass that makes a kernel is held to, and what back ends rely on.

mod block;
mod error;
mod tiles;

pub use error::VerifyError;

use super::digits::Digits;
use super::phases::{Crossing, keep_apart};
use super::scratch::Filled;
use super::writers::{Site, disjoint, runs};
use super::{Expression, Kernel, Layout, LoopId, LoopKind, ParameterId, Register, Statement, Usage, Var, layouts};
use crate::dtype::DType;
use crate::nest::{Atom, Index, Reducer};
use crate::scalar::ScalarOp;

/// Holds a kernel to its invariants.
pub fn verify(kernel: &Kernel) -> Result<(), VerifyError> {
    block::fits(kernel)?;
    for (number, register) in kernel.registers.iter().enumerate() {
        if register.groups != 0 && !register.groups.is_power_of_two() {
            return Err(VerifyError::Register(Register(number)));
        }
    }
    let registers = kernel.registers.iter().map(|register| register.dtype);
    if let Some(dtype) = kernel.vars.iter().copied().chain(registers).find(|dtype| dtype.computed() != *dtype) {
        return Err(VerifyError::Stored(dtype));
    }
    let mut walk = Walk {
        kernel,
        extents: vec![0; kernel.loops],
        entered: vec![false; kernel.loops],
        loops: Vec::new(),
        groups: None,
        lanes: None,
        parallel: None,
        live: true,
        defined: vec![false; kernel.vars.len()],
        in_scope: vec![false; kernel.vars.len()],
        set: vec![false; kernel.registers.len()],
        depths: vec![0; kernel.vars.len()],
        stores: vec![Vec::new(); kernel.parameters.len()],
        sums: vec![None; kernel.parameters.len()],
        filled: vec![Filled::default(); kernel.parameters.len()],
        digits: Digits::new(kernel),
        bounds: Vec::new(),
        cleared: vec![false; kernel.fragments.len()],
        layouts: layouts(kernel),
        staged: false,
    };
    walk.statements(&kernel.body)?;
    if kernel.parameters.windows(2).any(|pair| is_own(pair[0].usage) && !is_own(pair[1].usage)) {
        return Err(VerifyError::Order);
    }
    let own = |parameter: usize| is_own(kernel.parameters[parameter].usage);
    if let Some(parameter) = walk.stores.iter().enumerate().position(|(at, sites)| !own(at) && !disjoint(sites)) {
        return Err(VerifyError::Writers(ParameterId(parameter)));
    }
    keep_apart(kernel).map_err(|crossing| match crossing {
        Crossing::Var(var) => VerifyError::CrossingVar(var),
        Crossing::Register(register) => VerifyError::CrossingRegister(register),
    })
}

/// Whether no one else sees an array that is used so.
fn is_own(usage: Usage) -> bool {
    matches!(usage, Usage::Scratch | Usage::Local)
}

struct Walk<'a> {
    kernel: &'a Kernel,
    extents: Vec<usize>,
    entered: Vec<bool>,
    /// The loops around this place, outermost first.
    loops: Vec<(LoopId, usize)>,
    /// The groups of the lanes loop around this place.
    groups: Option<usize>,
    /// The lanes loop itself.
    lanes: Option<LoopId>,
    /// The parallel loop around this place.
    parallel: Option<LoopId>,
    /// Whether this place is ever reached: no loop around it is empty.
    live: bool,
    defined: Vec<bool>,
    in_scope: Vec<bool>,
    set: Vec<bool>,
    /// How many loops are around the definition of each variable.
    depths: Vec<usize>,
    stores: Vec<Vec<Site>>,
    /// The place of the last accumulation into each parameter, by the loops around it.
    sums: Vec<Option<Vec<(LoopId, usize)>>>,
    /// What is known to have been stored of each scratch array.
    filled: Vec<Filled>,
    /// What positions are in for proofs.
    digits: Digits,
    /// What is known to be below a bound at this place.
    bounds: Vec<(Index, usize)>,
    /// Which fragments have sums at this place.
    cleared: Vec<bool>,
    /// How many times each array is there.
    layouts: Vec<Layout>,
    /// Whether a staged loop is around this place.
    staged: bool,
}

impl<'a> Walk<'a> {
    fn statements(&mut self, statements: &[Statement]) -> Result<(), VerifyError> {
        statements.iter().try_for_each(|statement| self.statement(statement))?;
        for statement in statements {
            if let Statement::Let(var, _) = statement {
                self.in_scope[var.0] = false;
            }
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), VerifyError> {
        match statement {
            Statement::Loop { id, extent, kind, body } => self.enter(*id, *extent, *kind, body),
            Statement::Let(var, expression) => self.define(*var, expression),
            Statement::Assign(register, var) => self.assign(*register, *var),
            Statement::Store { parameter, index, value } => self.store(*parameter, index, *value),
            Statement::Accumulate { parameter, index, value } => self.accumulate(*parameter, index, *value),
            Statement::Within { index, below, body } => self.within(index, *below, body),
            Statement::Copy(copy) => self.copy(copy),
            Statement::Clear(fragment) => self.clear(*fragment),
            Statement::Contract { fragment, left, right, depth } => self.contract(*fragment, [left, right], *depth),
            Statement::Unload { fragment, array } => self.unload(*fragment, *array),
        }
    }

    fn enter(&mut self, id: LoopId, extent: usize, kind: LoopKind, body: &[Statement]) -> Result<(), VerifyError> {
        let error = |reason| Err(VerifyError::Loop { id, reason });
        match self.entered.get(id.0) {
            None => return error("is not declared"),
            Some(true) => return error("is entered in two places"),
            Some(false) => self.entered[id.0] = true,
        }
        let (outer_groups, outer_live, outer_set) = (self.groups, self.live, self.set.clone());
        let outer_cleared = self.cleared.clone();
        if let LoopKind::Staged { stages } = kind {
            self.staged(id, stages, body)?;
        }
        let seen: Vec<(usize, usize)> =
            self.stores.iter().zip(&self.filled).map(|(stores, filled)| (stores.len(), filled.loads.len())).collect();
        if kind == LoopKind::Parallel {
            if !self.loops.is_empty() {
                return error("is a parallel loop inside of another loop");
            }
            self.parallel = Some(id);
        }
        if let LoopKind::Lanes { groups, neighbours } = kind {
            if outer_groups.is_some() {
                return error("is a lanes loop inside of a lanes loop");
            }
            if !groups.is_power_of_two() {
                return error("has groups that are no power of two");
            }
            let even = neighbours.is_power_of_two() && neighbours <= groups && extent.is_multiple_of(neighbours);
            if !even || neighbours > 1 && self.kernel.threads.is_none() {
                return error("has iterations side by side that do not fit its groups, its extent or the machine");
            }
            (self.groups, self.lanes) = (Some(groups), Some(id));
        }
        self.live &= extent > 0;
        self.extents[id.0] = extent;
        self.loops.push((id, extent));
        self.statements(body)?;
        self.loops.pop();
        if self.live {
            self.leave_scratch(id, kind, &seen)?;
        }
        self.leave_tiles(extent, kind, outer_cleared);
        // What iterations of a lanes loop set for themselves is nothing that the outside knows.
        if extent == 0 || self.groups != outer_groups {
            self.set = outer_set;
        }
        (self.groups, self.live) = (outer_groups, outer_live);
        self.lanes = self.lanes.filter(|&lanes| lanes != id);
        self.parallel = self.parallel.filter(|&parallel| parallel != id);
        Ok(())
    }

    fn define(&mut self, var: Var, expression: &Expression) -> Result<(), VerifyError> {
        let Some(&declared) = self.kernel.vars.get(var.0) else { return Err(VerifyError::Undeclared(var)) };
        if std::mem::replace(&mut self.defined[var.0], true) {
            return Err(VerifyError::Redefined(var));
        }
        let found = match expression {
            Expression::Constant(dtype, _) => *dtype,
            Expression::Index(index) => {
                self.index(index)?;
                if self.live && index.range(&self.extents).0 < 0 {
                    return Err(VerifyError::Index { index: index.clone(), reason: "may be negative" });
                }
                DType::U32
            }
            Expression::Load { parameter, index } => self.load(*parameter, index)?,
            Expression::Register(register) => self.read(*register)?,
            Expression::Combine(register, reducer) => self.combine(*register, *reducer)?,
            Expression::Apply(op, operands) => {
                let operands: Vec<DType> =
                    operands.iter().map(|&operand| self.dtype(operand)).collect::<Result<_, _>>()?;
                op.result(&operands).ok_or(VerifyError::Operands { var, op: *op, operands })?
            }
        };
        self.in_scope[var.0] = true;
        self.depths[var.0] = self.loops.len();
        same(|| format!("v{}", var.0), declared, found)
    }

    fn load(&mut self, parameter: ParameterId, index: &Index) -> Result<DType, VerifyError> {
        let error = |reason| Err(VerifyError::Parameter { parameter, reason });
        let &super::Parameter { dtype, usage, .. } = self.access(parameter, index)?;
        if usage == Usage::Written {
            return error("is written and so cannot be loaded from");
        }
        if is_own(usage) && self.live {
            let (own, site) = (self.parallel.filter(|&id| self.digits.of(id).len() == 1), self.site(index));
            if !self.filled[parameter.0].holds(&site.index, own, self.digits.extents()) {
                return error("is scratch and loaded from where it is not shown to be stored to before");
            }
            if self.lanes.is_some() || self.parallel.is_some() {
                let site = self.site(index);
                self.filled[parameter.0].loads.push(site);
            }
        }
        Ok(dtype.computed())
    }

    /// At the end of a loop, what it has stored to scratch is there; `seen` says how many stores and loads there were before
    /// it. The iterations of a lanes loop or a parallel loop must have kept apart, except in local memory, which each
    /// iteration of a parallel loop has for itself and forgets.
    fn leave_scratch(&mut self, id: LoopId, kind: LoopKind, seen: &[(usize, usize)]) -> Result<(), VerifyError> {
        let parallel = self.parallel.is_some_and(|parallel| parallel != id);
        for (parameter, declared) in self.kernel.parameters.iter().enumerate().filter(|(_, own)| is_own(own.usage)) {
            let (stored, loaded) = seen[parameter];
            let (filled, stores) = (&mut self.filled[parameter], &self.stores[parameter][stored..]);
            if kind == LoopKind::Parallel && declared.usage == Usage::Local {
                *filled = Filled::default();
                continue;
            }
            let at_once = matches!(kind, LoopKind::Lanes { .. } | LoopKind::Parallel);
            if at_once && !filled.keeps_apart(self.digits.of(id), stores, loaded) {
                let reason = "is scratch and accessed at places that may be the same in two iterations at once";
                return Err(VerifyError::Parameter { parameter: ParameterId(parameter), reason });
            }
            if at_once && !parallel {
                filled.loads.truncate(loaded);
            }
            if kind == LoopKind::Parallel {
                filled.forget_parts();
            }
            let around = self.digits.of_all(&self.loops);
            let own = self.parallel.filter(|_| parallel).filter(|&id| self.digits.of(id).len() == 1);
            filled.fill(&around, stores, own, self.digits.extents());
        }
        Ok(())
    }

    fn store(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), VerifyError> {
        let declared = self.access(parameter, index)?;
        if declared.usage == Usage::Read {
            return Err(VerifyError::Parameter { parameter, reason: "is not written and so cannot be stored to" });
        }
        same(|| format!("p{}", parameter.0), declared.dtype.computed(), self.dtype(value)?)?;
        if self.sums[parameter.0].is_some() {
            return Err(VerifyError::Parameter { parameter, reason: "is stored to after it was added to" });
        }
        if self.live {
            let site = self.site(index);
            self.stores[parameter.0].push(site);
        }
        Ok(())
    }

    fn accumulate(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), VerifyError> {
        let error = |reason| Err(VerifyError::Parameter { parameter, reason });
        let &super::Parameter { dtype, elements, usage } = self.access(parameter, index)?;
        same(|| format!("p{}", parameter.0), dtype, self.dtype(value)?)?;
        if usage != Usage::Written {
            return error("is not written and so cannot be added to");
        }
        if self.parallel.is_some() {
            return error("is added to in a parallel loop");
        }
        if ScalarOp::Add.result(&[dtype; 2]) != Some(dtype) {
            return error("is added to but holds no numbers");
        }
        // That no element is stored twice is shown at the end, so that as many stores as elements are one for each.
        let stores = &self.stores[parameter.0];
        let around = self.digits.of_all(&self.loops);
        let repeated = stores.iter().flat_map(|site| &site.loops).any(|stored| around.contains(stored));
        if self.live && (repeated || stores.iter().map(runs).sum::<usize>() != elements) {
            return error("is added to before all its elements are stored");
        }
        self.keeps_apart(parameter, index)?;
        self.sums[parameter.0] = Some(self.loops.clone());
        Ok(())
    }

    /// Inside of a lanes loop, an accumulation stands directly in it, alone with its array, and from one iteration to the
    /// next its position moves by a fixed distance.
    fn keeps_apart(&self, parameter: ParameterId, index: &Index) -> Result<(), VerifyError> {
        let error = |reason| Err(VerifyError::Parameter { parameter, reason });
        let Some(lanes) = self.lanes else { return Ok(()) };
        if self.loops.last().map(|&(id, _)| id) != Some(lanes) {
            return error("is added to in a loop inside of a lanes loop");
        }
        if self.sums[parameter.0].as_ref() == Some(&self.loops) {
            return error("is added to twice in a lanes loop");
        }
        let depth = self.loops.len();
        let moves = index.stride(lanes.0).is_some_and(|stride| stride != 0);
        let varies = |atom: &Atom| matches!(atom, Atom::Gathered { read, .. } if self.depths[*read] >= depth);
        match moves && !index.any(&mut |atom| varies(atom)) {
            true => Ok(()),
            false => error("is added to at positions that may be the same in two lanes"),
        }
    }

    /// An access here, as proofs see it.
    fn site(&mut self, index: &Index) -> Site {
        self.digits.within(index, &self.loops, &self.bounds)
    }

    fn access(&mut self, parameter: ParameterId, index: &Index) -> Result<&'a super::Parameter, VerifyError> {
        let kernel: &'a Kernel = self.kernel;
        let Some(declared) = kernel.parameters.get(parameter.0) else {
            return Err(VerifyError::Parameter { parameter, reason: "is not declared" });
        };
        if declared.usage == Usage::Local && self.parallel.is_none() {
            return Err(VerifyError::Parameter {
                parameter,
                reason: "is local and accessed outside of parallel loops",
            });
        }
        if self.layouts[parameter.0].stages > 1 && !self.staged {
            return Err(VerifyError::Parameter { parameter, reason: "is filled ahead and used outside of that loop" });
        }
        self.index(index)?;
        let (low, high) = match self.bounds.is_empty() {
            true => index.range(&self.extents),
            false => self.site(index).index.range(self.digits.extents()),
        };
        if self.live && (low < 0 || high >= declared.elements as i64) {
            return Err(VerifyError::Bounds { parameter, low, high, elements: declared.elements });
        }
        Ok(declared)
    }

    /// An index may use loops around it, divide only what is never negative, and gather variables that are integers.
    fn index(&self, index: &Index) -> Result<(), VerifyError> {
        let error = |reason| Err(VerifyError::Index { index: index.clone(), reason });
        for term in &index.terms {
            match &term.atom {
                Atom::Axis(axis) if !self.loops.iter().any(|(id, _)| id.0 == *axis) => {
                    return error("uses a loop that is not around it");
                }
                Atom::Axis(_) => {}
                Atom::Quotient(inner, by) | Atom::Remainder(inner, by) => {
                    self.index(inner)?;
                    if *by <= 0 || inner.range(&self.extents).0 < 0 {
                        return error("divides by less than one or what may be negative");
                    }
                }
                Atom::Clamped(inner, bound) => {
                    self.index(inner)?;
                    if *bound <= 0 {
                        return error("clamps to nothing");
                    }
                }
                Atom::Gathered { read, .. } if !self.dtype(Var(*read))?.is_integer() => {
                    return error("gathers what is no integer");
                }
                Atom::Gathered { .. } => {}
            }
        }
        Ok(())
    }

    fn dtype(&self, var: Var) -> Result<DType, VerifyError> {
        match self.in_scope.get(var.0) {
            Some(true) => Ok(self.kernel.vars[var.0]),
            _ => Err(VerifyError::Undefined(var)),
        }
    }

    fn assign(&mut self, register: Register, var: Var) -> Result<(), VerifyError> {
        let declared = self.register(register)?;
        let found = self.dtype(var)?;
        self.fits(register, true)?;
        self.set[register.0] = true;
        same(|| format!("s{}", register.0), declared, found)
    }

    fn read(&self, register: Register) -> Result<DType, VerifyError> {
        let declared = self.register(register)?;
        self.fits(register, false)?;
        if self.groups.is_none() && self.kernel.registers[register.0].groups != 0 {
            return Err(VerifyError::Lanes { register, reason: "has groups and is read outside of lanes loops" });
        }
        if self.set[register.0] { Ok(declared) } else { Err(VerifyError::Unset(register)) }
    }

    fn combine(&self, register: Register, reducer: Reducer) -> Result<DType, VerifyError> {
        let declared = self.register(register)?;
        let error = |reason| Err(VerifyError::Lanes { register, reason });
        match (self.kernel.registers[register.0].groups, self.groups, reducer.operation()) {
            (0, _, _) => error("has no groups to combine"),
            (_, Some(_), _) => error("is combined inside of a lanes loop"),
            (_, _, None) => error("is combined by what is no operation"),
            (_, _, Some(op)) if op.result(&[declared; 2]) != Some(declared) => {
                error("is combined by what it does not take")
            }
            _ if !self.set[register.0] => Err(VerifyError::Unset(register)),
            _ => Ok(declared),
        }
    }

    fn register(&self, register: Register) -> Result<DType, VerifyError> {
        self.kernel.registers.get(register.0).map(|declared| declared.dtype).ok_or(VerifyError::Register(register))
    }

    /// Inside of a lanes loop a register has the groups of the loop, or is one value and only read.
    fn fits(&self, register: Register, assigned: bool) -> Result<(), VerifyError> {
        match (self.groups, self.kernel.registers[register.0].groups) {
            (Some(_), 0) if assigned => {
                Err(VerifyError::Lanes { register, reason: "is one value and set inside of a lanes loop" })
            }
            (Some(groups), own) if own != 0 && own != groups => {
                Err(VerifyError::Lanes { register, reason: "has other groups than the lanes loop" })
            }
            _ => Ok(()),
        }
    }
}

fn same(place: impl Fn() -> String, expected: DType, found: DType) -> Result<(), VerifyError> {
    match expected == found {
        true => Ok(()),
        false => Err(VerifyError::Type { place: place(), expected, found }),
    }
}

#[cfg(test)]
mod tests;
