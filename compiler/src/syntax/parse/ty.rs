//! Types: an element type and extents.

use super::{Reader, ident};
use crate::dtype::DType;
use crate::nearest::nearest;
use crate::syntax::ast::{Axis, AxisKind, Expr, ExprKind, Output, Statement, TensorType};
use proc_macro2::Span;
use syn::spanned::Spanned;

/// Where a type stands, and of what.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The inputs of a step: `dyn` is allowed.
    StepInput,
    /// The inputs of a block, the one of that name: `{..}` stands for any axes, and an input may be an `Option`.
    BlockInput(&'a str),
    /// Anywhere else, without a name.
    Elsewhere,
    /// The type of that name, where `dyn` is not allowed.
    Named(&'a str),
}

impl<'a> Place<'a> {
    /// The place of one name.
    pub(super) fn of(self, name: &'a str) -> Place<'a> {
        match self {
            Place::StepInput => Place::StepInput,
            Place::BlockInput(_) => Place::BlockInput(name),
            Place::Elsewhere | Place::Named(_) => Place::Named(name),
        }
    }
}

impl Reader<'_> {
    /// A return type.
    pub(super) fn output_type(self, ty: &syn::Type) -> Output {
        match ty {
            syn::Type::Infer(hole) => Output::Hole(hole.underscore_token.span),
            syn::Type::Paren(paren) => self.output_type(&paren.elem),
            syn::Type::Group(group) => self.output_type(&group.elem),
            syn::Type::Tuple(tuple) => {
                let parts = tuple.elems.iter().map(|ty| self.output_type(ty)).collect();
                Output::Tuple(parts, tuple.paren_token.span.open())
            }
            _ => self.tensor_type(ty, Place::Elsewhere).map_or_else(|| Output::Hole(ty.span()), Output::Tensor),
        }
    }

    /// A tensor's type; `None` if it is none. What is wrong within it is replaced by the likeliest. All is reported.
    pub(super) fn tensor_type(self, ty: &syn::Type, place: Place<'_>) -> Option<TensorType> {
        let segment = match ty {
            syn::Type::Group(group) => return self.tensor_type(&group.elem, place),
            syn::Type::Paren(paren) => return self.tensor_type(&paren.elem, place),
            syn::Type::Path(path) if path.qself.is_none() && path.path.segments.len() == 1 => &path.path.segments[0],
            _ => {
                let note = "a type is an element type with its extents: f32<N, 16>; f32 alone is a scalar";
                self.report_with(ty.span(), "no tensor type", note);
                return None;
            }
        };
        let span = segment.ident.span();
        let mut dynamic = Vec::new();
        let axes = match &segment.arguments {
            syn::PathArguments::None => Vec::new(),
            syn::PathArguments::AngleBracketed(extents) => {
                extents.args.iter().map(|extent| self.axis(extent, place, &mut dynamic)).collect()
            }
            syn::PathArguments::Parenthesized(extents) => {
                let headline = "extents stand in angle brackets";
                self.report_with(extents.paren_token.span.open(), headline, "like f32<N, 16>");
                return None;
            }
        };
        let mut ty = TensorType { dtype: self.dtype(&segment.ident), axes, span };
        if !matches!(place, Place::StepInput) && !dynamic.is_empty() {
            self.refuse_dynamic(&dynamic, &mut ty, place);
        }
        Some(ty)
    }

    /// `Option<f32<N>>`, `Option<_>` and `Option<(f32<N>, f32<M>)>`, which inputs of blocks may be: the tensors, where `_` takes
    /// any.
    pub(super) fn optional_types(self, ty: &syn::Type, place: Place<'_>) -> Option<Vec<Option<TensorType>>> {
        let (syn::Type::Path(path), Place::BlockInput(_)) = (ty, place) else { return None };
        let segment = path.path.segments.last()?;
        let syn::PathArguments::AngleBracketed(inner) = &segment.arguments else { return None };
        let inner = match inner.args.first()? {
            syn::GenericArgument::Type(inner) if segment.ident == "Option" => inner,
            _ => return None,
        };
        match inner {
            syn::Type::Tuple(parts) => parts.elems.iter().map(|part| self.tensor_type(part, place).map(Some)).collect(),
            syn::Type::Infer(_) => Some(vec![None]),
            one => self.tensor_type(one, place).map(|one| vec![Some(one)]),
        }
    }

    /// An expression that may stand in braces of its own, as extents and defaults do.
    pub(super) fn braced_expr(self, expr: &syn::Expr) -> Expr {
        let outer = self.expr(expr);
        match outer.kind {
            ExprKind::Block(mut body) => match body.statements.pop() {
                Some(Statement::Expr(inner, false)) if body.statements.is_empty() => inner,
                last => {
                    body.statements.extend(last);
                    Expr { kind: ExprKind::Block(body), ..outer }
                }
            },
            _ => outer,
        }
    }

    /// Collects the tokens `dyn` in `dynamic`.
    fn axis(self, extent: &syn::GenericArgument, place: Place<'_>, dynamic: &mut Vec<Span>) -> Axis {
        match extent {
            syn::GenericArgument::Type(syn::Type::Infer(hole)) => {
                Axis { kind: AxisKind::Hole, span: hole.underscore_token.span }
            }
            syn::GenericArgument::Type(syn::Type::Path(path)) if path.path.get_ident().is_some() => {
                let name = &path.path.segments[0].ident;
                Axis { kind: AxisKind::Name(ident(name).name), span: name.span() }
            }
            syn::GenericArgument::Type(syn::Type::TraitObject(object)) => self.dynamic_axis(object, dynamic),
            syn::GenericArgument::Const(expr) => self.written_axis(expr, place),
            other => {
                let note = "an extent is a name, a literal, `_`, or an expression in braces: {H / 2}";
                self.report_with(other.span(), "no extent", note);
                Axis { kind: AxisKind::Hole, span: other.span() }
            }
        }
    }

    fn dynamic_axis(self, object: &syn::TypeTraitObject, dynamic: &mut Vec<Span>) -> Axis {
        let span = object.dyn_token.map_or_else(|| object.span(), |token| token.span);
        let name = match object.bounds.first() {
            Some(syn::TypeParamBound::Trait(bound)) if object.bounds.len() == 1 => bound.path.get_ident(),
            _ => None,
        };
        let Some(name) = name else {
            self.report_with(span, "`dyn` is followed by one name", "like f32<dyn B, 16>");
            return Axis { kind: AxisKind::Hole, span };
        };
        dynamic.push(span);
        Axis { kind: AxisKind::Dyn(ident(name).name), span }
    }

    /// A literal or an expression in braces.
    fn written_axis(self, expr: &syn::Expr, place: Place<'_>) -> Axis {
        let brace = match expr {
            syn::Expr::Block(block) => Some(block.block.brace_token.span.open()),
            _ => None,
        };
        let inner = self.braced_expr(expr);
        let span = brace.unwrap_or(inner.start);
        let name = match &inner.kind {
            ExprKind::Range(None, None, _) => None,
            ExprKind::Range(None, Some(end), _) => match &end.kind {
                ExprKind::Name(name) => Some(name.clone()),
                _ => return Axis { kind: AxisKind::Expr(inner), span },
            },
            _ => return Axis { kind: AxisKind::Expr(inner), span },
        };
        if !matches!(place, Place::BlockInput(_)) {
            self.report(span, "`..` stands for extents in the inputs of blocks only");
        }
        Axis { kind: AxisKind::Rest(name), span }
    }

    fn refuse_dynamic(self, dynamic: &[Span], ty: &mut TensorType, place: Place<'_>) {
        for axis in &mut ty.axes {
            if let AxisKind::Dyn(name) = &axis.kind {
                axis.kind = AxisKind::Name(name.clone());
            }
        }
        let note = match place {
            Place::Named(name) | Place::BlockInput(name) => {
                format!("a bare capital takes whatever extent comes: {name}: {ty}")
            }
            Place::StepInput | Place::Elsewhere => format!("the name alone is the extent of that input: {ty}"),
        };
        for &span in dynamic {
            self.report_with(span, "`dyn` stands in the inputs of steps only", note.clone());
        }
    }

    fn dtype(self, name: &syn::Ident) -> DType {
        let word = name.to_string();
        if let Some(dtype) = DType::from_name(&word) {
            return dtype;
        }
        let names = nearest(&word, DType::ALL.into_iter().map(DType::name));
        let note = match names.is_empty() {
            true => format!("the types: {}", DType::ALL.map(DType::name).join(", ")),
            false => format!("the nearest: {}", names.join(", ")),
        };
        self.report_with(name.span(), format!("no element type `{word}`"), note);
        names.first().and_then(|name| DType::from_name(name)).unwrap_or(DType::F32)
    }
}

/// The type in place of one that could not be read.
pub(super) fn unknown_type(span: Span) -> TensorType {
    TensorType { dtype: DType::F32, axes: vec![Axis { kind: AxisKind::Rest(None), span }], span }
}
