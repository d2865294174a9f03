//! What holds of fragments, of copies on their way, and of what is filled ahead.

use super::{VerifyError, Walk, is_own};
use crate::dtype::DType;
use crate::kernel::scratch::Filled;
use crate::kernel::writers::Site;
use crate::kernel::{
    Expression, Factor, Fragment, FragmentDecl, LoopId, LoopKind, Parameter, ParameterId, Statement, Transfer, Usage,
    mma_depth, warps,
};
use crate::nest::Index;
use std::collections::BTreeSet;

/// The most iterations that are filled ahead.
const MOST_STAGES: usize = 8;

/// The most bytes that are copied together.
const MOST_BYTES: usize = 16;

impl Walk<'_> {
    /// Runs a body where an index is below a bound.
    pub(super) fn within(&mut self, index: &Index, below: usize, body: &[Statement]) -> Result<(), VerifyError> {
        let plain = |statement: &Statement| {
            matches!(statement, Statement::Let(..) | Statement::Store { .. } | Statement::Within { .. })
        };
        if self.kernel.threads.is_none() || self.lanes.is_none() || !body.iter().all(plain) {
            return Err(VerifyError::Place(
                "a bound stands outside of lanes loops for threads or holds more than stores",
            ));
        }
        self.index(index)?;
        let live = self.live;
        self.live &= below > 0;
        self.bounds.push((index.clone(), below));
        self.statements(body)?;
        self.bounds.pop();
        self.live = live;
        Ok(())
    }

    /// Copies elements that lie side by side and at a multiple of their number.
    pub(super) fn copy(&mut self, copy: &Transfer) -> Result<(), VerifyError> {
        let Transfer { from, source, to, index, count, within } = copy;
        let error = |parameter: ParameterId, reason| Err(VerifyError::Parameter { parameter, reason });
        if self.kernel.threads.is_none() || self.lanes.is_none() || !self.bounds.is_empty() {
            return error(*to, "is copied to outside of lanes loops for threads");
        }
        let even = |index: &Index| {
            let mut numbers = index.terms.iter().map(|term| term.coefficient).chain([index.offset]);
            numbers.all(|number| number % *count as i64 == 0)
        };
        if !count.is_power_of_two() || !even(source) || !even(index) {
            return error(*to, "is copied to at what is no multiple of a power of two");
        }
        let last = Index::constant(*count as i64 - 1);
        self.access(*from, &source.clone().plus(&last))?;
        self.access(*to, &index.clone().plus(&last))?;
        let (origin, target) = (self.access(*from, source)?, self.access(*to, index)?);
        if origin.usage != Usage::Read || target.usage != Usage::Local {
            return error(*to, "is copied to and not local, or from what is not only read");
        }
        let floats = (origin.dtype, target.dtype) == (DType::F32, DType::Bf16);
        if !floats && origin.dtype != target.dtype || count * origin.dtype.size() > MOST_BYTES {
            return error(*to, "is copied to from what has another type, or too much at once");
        }
        if let Some(within) = within {
            super::same(|| format!("v{}", within.0), DType::Bool, self.dtype(*within)?)?;
        }
        if self.live {
            let Site { index, mut loops } = self.site(index);
            let neighbour = self.digits.further(*count);
            loops.push((neighbour, *count));
            self.stores[to.0].push(Site { index: index.plus(&Index::axis(neighbour.0)), loops });
        }
        Ok(())
    }

    /// A fragment that the warps of a block can share, in a place where all of them are.
    fn fragment(&self, fragment: Fragment) -> Result<FragmentDecl, VerifyError> {
        let error = |reason| Err(VerifyError::Fragment { fragment, reason });
        let Some(&declared) = self.kernel.fragments.get(fragment.0) else { return error("is not declared") };
        match (self.kernel.threads, self.parallel, self.lanes) {
            (Some(threads), Some(_), None) if warps(declared, threads).is_some() => Ok(declared),
            (Some(_), Some(_), None) => error("is nothing that the warps of a block can share"),
            _ => error("is used outside of parallel loops for threads, or in a lanes loop"),
        }
    }

    pub(super) fn clear(&mut self, fragment: Fragment) -> Result<(), VerifyError> {
        self.fragment(fragment)?;
        self.cleared[fragment.0] = true;
        Ok(())
    }

    pub(super) fn contract(
        &mut self,
        fragment: Fragment,
        factors: [&Factor; 2],
        depth: usize,
    ) -> Result<(), VerifyError> {
        let declared = self.fragment(fragment)?;
        if !self.cleared[fragment.0] {
            return Err(VerifyError::Fragment { fragment, reason: "is added to before it is cleared" });
        }
        let mut dtypes = BTreeSet::new();
        for (factor, extent) in factors.into_iter().zip([declared.rows, declared.columns]) {
            let dtype = self.matrix(factor.array, extent * depth)?;
            let width = if factor.along_depth { depth } else { extent };
            if !matches!(dtype, DType::F32 | DType::Bf16) || !depth.is_multiple_of(mma_depth(dtype)) || depth == 0 {
                return Err(VerifyError::Fragment { fragment, reason: "gets products that no tensor core sums up" });
            }
            if self.layouts[factor.array.0].width != width {
                return Err(VerifyError::Fragment { fragment, reason: "gets a matrix that has other rows elsewhere" });
            }
            if self.live && !self.filled[factor.array.0].is_full(extent * depth) {
                let reason = "is contracted and not shown to be stored before";
                return Err(VerifyError::Parameter { parameter: factor.array, reason });
            }
            dtypes.insert(dtype.name());
        }
        match dtypes.len() {
            1 => Ok(()),
            _ => Err(VerifyError::Fragment { fragment, reason: "gets products of two types" }),
        }
    }

    pub(super) fn unload(&mut self, fragment: Fragment, array: ParameterId) -> Result<(), VerifyError> {
        let declared = self.fragment(fragment)?;
        if !self.cleared[fragment.0] {
            return Err(VerifyError::Fragment { fragment, reason: "is unloaded before it is cleared" });
        }
        let dtype = self.matrix(array, declared.rows * declared.columns)?;
        super::same(|| format!("p{}", array.0), DType::F32, dtype)?;
        if self.layouts[array.0].width != declared.columns {
            return Err(VerifyError::Fragment { fragment, reason: "is unloaded to what has other rows elsewhere" });
        }
        self.filled[array.0].store_all(declared.rows * declared.columns);
        Ok(())
    }

    /// The type of a local array of so many elements.
    fn matrix(&mut self, array: ParameterId, elements: usize) -> Result<DType, VerifyError> {
        let declared: &Parameter = self.access(array, &Index::default())?;
        match declared.usage == Usage::Local && declared.elements == elements {
            true => Ok(declared.dtype),
            false => Err(VerifyError::Parameter {
                parameter: array,
                reason: "is not local or has not as many elements as a tile",
            }),
        }
    }

    /// A staged loop: lanes loops that load only what nobody stores and fill local arrays, then contractions of these.
    pub(super) fn staged(&mut self, id: LoopId, stages: usize, body: &[Statement]) -> Result<(), VerifyError> {
        let error = |reason| Err(VerifyError::Loop { id, reason });
        if self.kernel.threads.is_none() || self.parallel.is_none() || self.lanes.is_some() || self.staged {
            return error("is a staged loop outside of parallel loops for threads, or in a lanes loop or a staged one");
        }
        if !(2..=MOST_STAGES).contains(&stages) {
            return error("has fewer than two stages or too many");
        }
        let is_filling =
            |statement: &&Statement| matches!(statement, Statement::Loop { kind: LoopKind::Lanes { .. }, .. });
        let filling = body.iter().take_while(is_filling).count();
        let mut filled = BTreeSet::new();
        let mut fills = |statement: &Statement| match statement {
            Statement::Let(_, Expression::Load { parameter, .. }) => self.is(*parameter, Usage::Read),
            Statement::Let(_, Expression::Register(_) | Expression::Combine(..)) => false,
            Statement::Let(..) => true,
            Statement::Copy(Transfer { to, .. }) | Statement::Store { parameter: to, .. } => {
                filled.insert(to.0);
                self.is(*to, Usage::Local)
            }
            _ => false,
        };
        for statement in &body[..filling] {
            if let Statement::Loop { body, .. } = statement
                && !body.iter().all(&mut fills)
            {
                return error("is a staged loop whose lanes loops do more than to fill local arrays");
            }
        }
        let contracts = |statement: &Statement| match statement {
            Statement::Contract { left, right, .. } => {
                [left, right].iter().all(|factor| filled.contains(&factor.array.0))
            }
            _ => false,
        };
        let mut used = self.layouts.iter().enumerate().filter(|(at, _)| filled.contains(at));
        if !body[filling..].iter().all(contracts) || used.any(|(_, layout)| layout.stages != stages) {
            return error("is a staged loop that does not contract just what it fills");
        }
        self.staged = true;
        Ok(())
    }

    fn is(&self, parameter: ParameterId, usage: Usage) -> bool {
        self.kernel.parameters.get(parameter.0).is_some_and(|declared| declared.usage == usage)
    }

    /// At the end of a loop: what was filled ahead is there no more, and sums of a block are its own.
    pub(super) fn leave_tiles(&mut self, extent: usize, kind: LoopKind, cleared: Vec<bool>) {
        if let LoopKind::Staged { .. } = kind {
            self.staged = false;
            let own = self.kernel.parameters.iter().zip(&self.layouts).zip(&mut self.filled);
            let ahead = own.filter(|((parameter, layout), _)| is_own(parameter.usage) && layout.stages > 1);
            ahead.for_each(|(_, filled)| *filled = Filled::default());
        }
        if extent == 0 || kind == LoopKind::Parallel {
            self.cleared = cleared;
        }
    }
}
