//! Types as written: binding their names to extents, and comparing them with values.

use super::Elaborator;
use super::arguments::Given;
use super::report::Problem;
use super::scope::BindingKind;
use super::value::Value;
use crate::dtype::DType;
use crate::graph::ValueId;
use crate::shape::{Extent, Shape, Symbol, Type};
use crate::syntax::ast::{Axis, AxisKind, Input, Output, TensorType};
use crate::syntax::diagnostic::position;
use proc_macro2::Span;

impl Elaborator<'_> {
    /// Binds an input of a block to a value: names of extents get their meaning, everything else must agree.
    pub(super) fn bind_input(&mut self, owner: &str, input: &Input, given: &Given<'_>, value: Value, span: Span) {
        let name = &input.name;
        if let Value::Tensor(tensor) = value {
            let ty = self.graph.ty(tensor).clone();
            if self.frame().prelude && input.ty.dtype == DType::F32 && ty.dtype.is_float() {
                self.frame_mut().float.get_or_insert(ty.dtype);
            }
            if self.unified(&input.ty, &ty).is_none() {
                let written = self.written(&input.ty);
                let problem =
                    Problem::new(span, format!("{owner}: `{}` takes {written}, {} is {ty}", name.name, given.expr));
                // The text of a built-in layer is in no file of the user's.
                let problem = match self.frame().prelude {
                    true => problem,
                    false => problem.place(format!("the signature is at {}", position(input.ty.span))),
                };
                self.report(match self.made_in_caller(given) {
                    Some(line) => problem.place(line),
                    None => problem,
                });
                return self.frame_mut().bind(&name.name, Value::Poison, BindingKind::Fixed, name.span);
            }
        } else if !value.is_poison() {
            self.fail(given.expr.start, format!("{owner}: `{}` takes a tensor, not {}", name.name, value.kind()));
            return self.frame_mut().bind(&name.name, Value::Poison, BindingKind::Fixed, name.span);
        } else if self.frame().unapplied {
            self.bind_unknown_extents(&input.ty);
        }
        self.frame_mut().bind(&name.name, value, BindingKind::Fixed, name.span);
        self.frame_mut().written(&name.name, &input.ty);
    }

    /// Binds an input that may be left out, and is not, to a list of its tensors.
    pub(super) fn bind_optional(&mut self, owner: &str, input: &Input, given: &Given<'_>, value: Value, span: Span) {
        let name = &input.name;
        let values = match &value {
            Value::Tuple(values) | Value::List(values) => values.clone(),
            one => vec![one.clone()],
        };
        // What was left out where this is made is left out here.
        if values.is_empty() {
            return self.frame_mut().bind(&name.name, Value::List(values), BindingKind::Fixed, name.span);
        }
        let types: Vec<Option<Type>> = input.optional.iter().map(|ty| self.meant(ty.as_ref()?)).collect();
        let fits = |(value, (written, ty)): (&Value, (&Option<TensorType>, &Option<Type>))| match (value, written) {
            (Value::Tensor(_), None) => true,
            // A switch is written as a scalar.
            (Value::Bool(_), Some(written)) => written.axes.is_empty() && written.dtype == DType::Bool,
            (Value::Tensor(tensor), Some(written)) if ty.is_some() => {
                let found = self.graph.ty(*tensor).clone();
                self.unified(written, &found).is_some()
            }
            _ => value.is_poison(),
        };
        let right = values.len() == types.len() && values.iter().zip(input.optional.iter().zip(&types)).all(fits);
        let bound = match right || value.is_poison() {
            true => Value::List(values),
            false => {
                let word = |ty: &Option<Type>| ty.as_ref().map_or("_".to_string(), Type::to_string);
                let takes: Vec<String> = types.iter().map(word).collect();
                let takes = if takes.len() == 1 { takes.concat() } else { format!("({})", takes.join(", ")) };
                let found = self.described_types(&value);
                self.report(Problem::new(
                    span,
                    format!("{owner}: `{}` takes {takes}, {} is {found}", name.name, given.expr),
                ))
            }
        };
        self.frame_mut().bind(&name.name, bound, BindingKind::Fixed, name.span);
    }

    /// The types of tensors in tuples; what kind of value it is for others.
    fn described_types(&self, value: &Value) -> String {
        match value {
            Value::Tensor(tensor) => self.graph.ty(*tensor).to_string(),
            Value::Tuple(values) => {
                let words: Vec<String> = values.iter().map(|value| self.described_types(value)).collect();
                format!("({})", words.join(", "))
            }
            other => other.counted(),
        }
    }

    /// Nothing is known of the extents of an input that is not there.
    fn bind_unknown_extents(&mut self, ty: &TensorType) {
        for axis in &ty.axes {
            if let AxisKind::Name(name) = &axis.kind
                && self.frame().find(name).is_none()
            {
                self.frame_mut().bind(name, Value::Poison, BindingKind::Fixed, axis.span);
            }
        }
    }

    fn made_in_caller(&self, given: &Given<'_>) -> Option<String> {
        let crate::syntax::ast::ExprKind::Name(name) = &given.expr.kind else { return None };
        let caller = self.frames.iter().rev().nth(1)?;
        let binding = caller.find(name)?;
        (!caller.prelude).then(|| format!("{name} is made at {}", position(binding.span)))
    }

    /// Matches a written type with a value's type, binding names that are new. `None` when they disagree for sure; what
    /// open extents leave undecided becomes a check.
    pub(super) fn unified(&mut self, written: &TensorType, ty: &Type) -> Option<()> {
        if self.dtype(written.dtype) != ty.dtype {
            return None;
        }
        let extents = ty.shape.extents();
        let rest = written.axes.iter().position(|axis| matches!(axis.kind, AxisKind::Rest(_)));
        let (front, back) = match rest {
            Some(at) => (&written.axes[..at], &written.axes[at + 1..]),
            None => (written.axes.as_slice(), [].as_slice()),
        };
        let between = extents.len().checked_sub(front.len() + back.len())?;
        if between > 0 && rest.is_none() {
            return None;
        }
        let (first, last) = (&extents[..front.len()], &extents[front.len() + between..]);
        for (axis, extent) in front.iter().zip(first).chain(back.iter().zip(last)) {
            self.unified_axis(axis, extent)?;
        }
        if let Some(Axis { kind: AxisKind::Rest(Some(name)), span }) = rest.map(|at| &written.axes[at]) {
            let list = extents[front.len()..][..between].iter().cloned().map(Value::Int).collect();
            self.frame_mut().bind(name, Value::List(list), BindingKind::Fixed, *span);
        }
        Some(())
    }

    fn unified_axis(&mut self, axis: &Axis, extent: &Extent) -> Option<()> {
        let expected = match &axis.kind {
            AxisKind::Hole | AxisKind::Rest(_) => return Some(()),
            AxisKind::Name(name) | AxisKind::Dyn(name) => match self.frame().find(name).map(|b| b.value.clone()) {
                None => {
                    self.frame_mut().bind(name, Value::Int(extent.clone()), BindingKind::Fixed, axis.span);
                    return Some(());
                }
                Some(value) => value,
            },
            AxisKind::Expr(expr) => self.evaluate(expr),
        };
        let expected = match expected {
            Value::Int(expected) => expected,
            Value::Poison => return Some(()),
            other => {
                self.fail(axis.span, format!("an extent is a whole number, not {}", other.kind()));
                return Some(());
            }
        };
        match (expected.clone() - extent.clone()).known() {
            Some(0) => Some(()),
            Some(_) => None,
            None => {
                self.demand_equal(&expected, extent, "extents differ".to_string(), axis.span);
                Some(())
            }
        }
    }

    /// The type that a written type stands for, with names that are in scope filled in; a list stands for all its extents.
    /// `None` for a hole.
    pub(super) fn meant(&mut self, written: &TensorType) -> Option<Type> {
        let mut extents = Vec::new();
        for axis in &written.axes {
            let value = match &axis.kind {
                AxisKind::Name(name) | AxisKind::Dyn(name) => match self.frame().find(name) {
                    Some(binding) => binding.value.clone(),
                    None => self.fail(axis.span, format!("the extent `{name}` is not bound by an input or const")),
                },
                AxisKind::Expr(expr) => self.evaluate(expr),
                AxisKind::Hole => self.fail(axis.span, "the extent `_` stands in return types only"),
                AxisKind::Rest(_) => self.fail(axis.span, "`..` stands in inputs only"),
            };
            match value {
                Value::List(values) => {
                    for value in values {
                        extents.push(self.length(value, axis.span)?);
                    }
                }
                value => extents.push(self.length(value, axis.span)?),
            }
        }
        Some(Type::new(self.dtype(written.dtype), Shape::new(extents)))
    }

    /// The element type that a written one stands for in the body that runs.
    pub(super) fn dtype(&self, written: DType) -> DType {
        match (written, self.frame().float) {
            (DType::F32, Some(float)) => float,
            _ => written,
        }
    }

    /// The extent that a value is.
    fn length(&self, value: Value, span: Span) -> Option<Extent> {
        match value {
            Value::Int(extent) if extent.known().is_none_or(|n| n >= 0) => return Some(extent),
            Value::Int(extent) => self.fail(span, format!("an extent is not negative: {extent}")),
            Value::Poison => Value::Poison,
            other => self.fail(span, format!("an extent is a whole number, not {}", other.kind())),
        };
        None
    }

    /// A written type for messages, with names as written.
    pub(super) fn written(&self, ty: &TensorType) -> String {
        let word = |axis: &Axis| match &axis.kind {
            AxisKind::Name(name) | AxisKind::Dyn(name) => match self.frame().find(name).map(|b| &b.value) {
                Some(Value::Int(extent)) if extent.known().is_some() => extent.to_string(),
                _ => name.clone(),
            },
            AxisKind::Expr(expr) => match &expr.kind {
                crate::syntax::ast::ExprKind::Int(number) => number.to_string(),
                _ => format!("{{{expr}}}"),
            },
            AxisKind::Hole => "_".to_string(),
            AxisKind::Rest(_) => "..".to_string(),
        };
        let dtype = self.dtype(ty.dtype);
        match ty.axes.len() {
            0 => dtype.to_string(),
            _ => format!("{dtype}<{}>", ty.axes.iter().map(word).collect::<Vec<_>>().join(", ")),
        }
    }

    /// Compares what a body gives with the return type that its signature says.
    pub(super) fn check_output(&mut self, owner: &str, written: &Output, value: &Value, span: Span) -> bool {
        match (written, value) {
            (Output::Hole(_), _) | (_, Value::Poison) => true,
            (Output::Tensor(written), Value::Tensor(tensor)) => self.check_output_type(owner, written, *tensor, span),
            (Output::Tuple(parts, _), Value::Tuple(values)) if parts.len() == values.len() => {
                parts.iter().zip(values).all(|(part, value)| self.check_output(owner, part, value, span))
            }
            (Output::Tensor(written), other) => {
                let headline = format!(
                    "{owner}: the body gives {}, the signature says {}",
                    other.counted(),
                    self.written(written)
                );
                self.report(Problem::new(span, headline));
                false
            }
            (Output::Tuple(parts, place), other) => {
                let headline = format!(
                    "{owner}: the body gives {}, the signature says a tuple of {}",
                    other.counted(),
                    parts.len()
                );
                self.report(Problem::new(span, headline).place(format!("the signature is at {}", position(*place))));
                false
            }
        }
    }

    fn check_output_type(&mut self, owner: &str, written: &TensorType, tensor: ValueId, span: Span) -> bool {
        let ty = self.graph.ty(tensor).clone();
        if self.unified(written, &ty).is_some() {
            return true;
        }
        let place = self.disagreeing_axis(written, &ty).unwrap_or(written.span);
        let headline = format!("{owner}: the body gives {ty}, the signature says {}", self.written(written));
        self.report(Problem::new(span, headline).place(format!("the signature is at {}", position(place))));
        false
    }

    fn disagreeing_axis(&mut self, written: &TensorType, ty: &Type) -> Option<Span> {
        if written.axes.len() != ty.rank() {
            return None;
        }
        let pairs: Vec<(Axis, Extent)> = written.axes.iter().cloned().zip(ty.shape.extents().iter().cloned()).collect();
        pairs.into_iter().find(|(axis, extent)| self.unified_axis(axis, extent).is_none()).map(|(axis, _)| axis.span)
    }

    /// Binds the open names of a root's inputs to symbols of their own, and adds the inputs as leaves.
    pub(super) fn open_inputs(&mut self, inputs: &[Input]) -> Vec<Option<ValueId>> {
        for axis in inputs.iter().flat_map(|input| &input.ty.axes) {
            if let AxisKind::Name(name) | AxisKind::Dyn(name) = &axis.kind
                && self.frame().find(name).is_none()
            {
                let symbol = Value::Int(Extent::symbol(Symbol::new(name)));
                self.frame_mut().bind(name, symbol, BindingKind::Fixed, axis.span);
            }
        }
        inputs.iter().map(|input| self.open_input(input)).collect()
    }

    fn open_input(&mut self, input: &Input) -> Option<ValueId> {
        let name = &input.name;
        let ty = self.meant(&input.ty);
        let leaf = |ty| self.graph.leaf(crate::graph::Leaf::User { name: name.name.clone() }, ty);
        let tensor = ty.map(leaf);
        self.frame_mut().bind(&name.name, tensor.map_or(Value::Poison, Value::Tensor), BindingKind::Fixed, name.span);
        self.frame_mut().written(&name.name, &input.ty);
        tensor
    }
}
