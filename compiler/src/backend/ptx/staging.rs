//! What is filled ahead: staged loops, and copies from the memory of the GPU to that of a block.
//!
//! A staged loop with n stages fills those of the first n - 1 iterations before it begins. Each turn waits for what it
//! contracts, and for all threads, which have then contracted what the turn before was about; so its memory is free for what
//! comes n - 1 turns later, which is begun before the turn contracts. Copies that need no conversion are asynchronous; of others
//! the loads come before the contraction, and the stores behind it.

use super::EmitError;
use super::address::Counter;
use super::emitter::{Emitter, Together};
use super::fragments::{Late, Stage, vector};
use super::text::{Class, Reg};
use crate::dtype::DType;
use crate::kernel::{Kernel, LoopId, LoopKind, Statement, Transfer};
use crate::nest::Index;

impl Emitter<'_> {
    /// Runs a staged loop.
    pub(super) fn staged(
        &mut self,
        id: LoopId,
        extent: usize,
        stages: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let is_filling = |statement: &&Statement| matches!(statement, Statement::Loop { .. });
        let (fill, work) = body.split_at(body.iter().take_while(is_filling).count());
        if extent == 0 {
            return Ok(());
        }
        self.prepare(fill)?;
        for statement in work {
            if let Statement::Contract { fragment, left, right, .. } = statement {
                self.prepare_contraction(*fragment, left, right);
            }
        }
        let ahead = stages - 1;
        for turn in 0..ahead {
            if turn < extent {
                self.tiles.stage = Some(Stage::Fixed(turn));
                self.iteration(id, Counter::Fixed(turn as i64), fill)?;
            }
            self.text.line(format_args!("cp.async.commit_group"));
        }
        let [counter, reading] = [0, 0].map(|start| self.text.constant(DType::U32, f64::from(start)));
        let writing = self.text.constant(DType::U32, ahead as f64);
        let head = self.text.label();
        self.text.place(head);
        self.text.line(format_args!("cp.async.wait_group {}", ahead - 1));
        self.barrier();
        let more = (extent > ahead)
            .then(|| self.text.set(Class::Predicate, "setp.lt.u32", format_args!("{counter}, {}", extent - ahead)));
        self.tiles.stage = Some(Stage::Running(writing));
        self.tiles.late = Some(Vec::new());
        self.only_if(more, |emitter| emitter.iteration(id, Counter::Running { counter, offset: ahead as i64 }, fill))?;
        self.text.line(format_args!("cp.async.commit_group"));
        let late = self.tiles.late.take().unwrap_or_default();
        self.tiles.stage = Some(Stage::Running(reading));
        self.iteration(id, Counter::Running { counter, offset: 0 }, work)?;
        if !late.is_empty() {
            self.only_if(more, |emitter| {
                late.into_iter().for_each(|late| emitter.store_late(late));
                Ok(())
            })?;
        }
        self.tiles.stage = None;
        self.forget_origins();
        [reading, writing].into_iter().for_each(|stage| self.rotate(stage, stages));
        self.text.line(format_args!("add.u32 {counter}, {counter}, 1"));
        let again = self.text.set(Class::Predicate, "setp.lt.u32", format_args!("{counter}, {extent}"));
        self.text.line(format_args!("@{again} bra {head}"));
        Ok(())
    }

    /// Emits something that runs where a condition holds, or nothing if there is none.
    fn only_if(
        &mut self,
        condition: Option<Reg>,
        inner: impl FnOnce(&mut Self) -> Result<(), EmitError>,
    ) -> Result<(), EmitError> {
        let Some(condition) = condition else { return Ok(()) };
        let outside = self.text.label();
        self.text.line(format_args!("@!{condition} bra {outside}"));
        inner(self)?;
        self.text.place(outside);
        Ok(())
    }

    /// The next stage.
    fn rotate(&mut self, stage: Reg, stages: usize) {
        self.text.line(format_args!("add.u32 {stage}, {stage}, 1"));
        let over = self.text.set(Class::Predicate, "setp.eq.u32", format_args!("{stage}, {stages}"));
        self.text.line(format_args!("selp.u32 {stage}, 0, {stage}, {over}"));
    }

    /// A lanes loop that may copy. What it loads is stored later only if each thread runs its body just once, and what it
    /// copies outside of staged loops has arrived at its end.
    pub(super) fn lanes_with_copies(
        &mut self,
        together: Together,
        extent: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let late = if extent == together.groups * self.threads { None } else { self.tiles.late.take() };
        self.lanes(together, extent, body)?;
        self.tiles.late = late.or_else(|| self.tiles.late.take());
        if self.tiles.stage.is_none() && body.iter().any(|statement| matches!(statement, Statement::Copy(_))) {
            self.text.line(format_args!("cp.async.wait_all"));
        }
        Ok(())
    }

    /// Runs statements where an index is below a bound.
    pub(super) fn bounded_statements(
        &mut self,
        index: &Index,
        below: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let outer = self.tiles.within.clone();
        let mut within = Vec::new();
        for group in 0..self.groups() {
            let number = self.number(index, group)?;
            let mut holds = self.text.set(Class::Predicate, "setp.lt.u32", format_args!("{number}, {below}"));
            if let Some(outer) = outer.get(group) {
                holds = self.text.set(Class::Predicate, "and.pred", format_args!("{holds}, {outer}"));
            }
            within.push(holds);
        }
        self.tiles.within = within;
        self.statements(body)?;
        self.tiles.within = outer;
        Ok(())
    }

    /// Copies neighbouring elements, one group of them per iteration.
    pub(super) fn copy(&mut self, copy: &Transfer) -> Result<(), EmitError> {
        let [from, to] = [copy.from, copy.to].map(|parameter| self.kernel.parameters[parameter.0].dtype);
        let bytes = copy.count * from.size();
        for group in 0..self.groups() {
            let source = self.address((copy.from, &copy.source), group)?;
            let target = self.address((copy.to, &copy.index), group)?;
            let within = copy.within.map(|within| self.register(within, group));
            if from == to && bytes >= 4 {
                self.copy_ahead(&target, &source, bytes, within);
                continue;
            }
            let values = self.load_together(copy, &source, within);
            let late = Late { address: target, dtype: to, values };
            match &mut self.tiles.late {
                Some(later) => later.push(late),
                None => self.store_late(late),
            }
        }
        Ok(())
    }

    /// An asynchronous copy; zeros where the condition does not hold.
    fn copy_ahead(&mut self, target: &str, source: &str, bytes: usize, within: Option<Reg>) {
        let cache = if bytes == 16 { "cg" } else { "ca" };
        let size = match within {
            Some(within) => {
                let size = self.text.set(Class::Word, "selp.u32", format_args!("{bytes}, 0, {within}"));
                format!(", {size}")
            }
            None => String::new(),
        };
        self.text.line(format_args!("cp.async.{cache}.shared.global [{target}], [{source}], {bytes}{size}"));
    }

    /// Loads neighbouring elements; zeros where the condition does not hold.
    fn load_together(&mut self, copy: &Transfer, source: &str, within: Option<Reg>) -> Vec<Reg> {
        let dtype = self.kernel.parameters[copy.from.0].dtype;
        let (class, ty, zero) =
            if dtype == DType::F32 { (Class::F32, "f32", "0f00000000") } else { (Class::Half, "b16", "0") };
        let values: Vec<Reg> = (0..copy.count).map(|_| self.text.reg(class)).collect();
        let space = self.load_space(copy.from);
        let (many, operand) = match values.as_slice() {
            [value] => (String::new(), value.to_string()),
            values => (format!(".v{}", values.len()), vector(values)),
        };
        let condition = match within {
            Some(within) => {
                values.iter().for_each(|value| self.text.line(format_args!("mov.{ty} {value}, {zero}")));
                format!("@{within} ")
            }
            None => String::new(),
        };
        self.text.line(format_args!("{condition}ld.{space}{many}.{ty} {operand}, [{source}]"));
        values
    }

    /// Stores what was loaded together, in the type of the array.
    fn store_late(&mut self, Late { address, dtype, values }: Late) {
        let converts = dtype == DType::Bf16 && values[0].class == Class::F32;
        if let ([value], true) = (values.as_slice(), converts) {
            let half = self.text.half(dtype, &value.to_string());
            return self.text.line(format_args!("st.shared.b16 [{address}], {half}"));
        }
        let (words, ty): (Vec<Reg>, &str) = match converts {
            true => {
                let mut pair = |pair: &[Reg]| {
                    self.text.set(Class::Word, "cvt.rn.bf16x2.f32", format_args!("{}, {}", pair[1], pair[0]))
                };
                (values.chunks(2).map(&mut pair).collect(), "b32")
            }
            false => (values, "b16"),
        };
        match words.as_slice() {
            [word] => self.text.line(format_args!("st.shared.{ty} [{address}], {word}")),
            words => {
                self.text.line(format_args!("st.shared.v{}.{ty} [{address}], {}", words.len(), vector(words)));
            }
        }
    }
}

/// Whether what is filled ahead, if anything is, is copied and not computed, and nothing has bounds.
pub(super) fn copies_whole_tiles(kernel: &Kernel) -> bool {
    let (mut copied, mut other) = (false, false);
    visit(&kernel.body, false, &mut |statement, staged| match statement {
        Statement::Copy(copy) => {
            copied |= staged;
            other |= copy.within.is_some();
        }
        Statement::Store { .. } => other |= staged,
        Statement::Within { .. } => other = true,
        _ => {}
    });
    copied && !other
}

/// Visits statements, with whether a staged loop is around them.
fn visit(statements: &[Statement], staged: bool, see: &mut dyn FnMut(&Statement, bool)) {
    for statement in statements {
        see(statement, staged);
        if let Statement::Loop { kind, body, .. } = statement {
            visit(body, staged || matches!(kind, LoopKind::Staged { .. }), see);
        }
    }
}
