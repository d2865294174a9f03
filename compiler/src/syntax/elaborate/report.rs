//! Reporting: where a mistake is shown, and what stands below its headline.

use super::Elaborator;
use super::scope::{Binding, Frame};
use super::value::Value;
use crate::graph::ValueId;
use crate::nearest::nearest;
use crate::syntax::ast::{Expr, ExprKind, Ident};
use crate::syntax::diagnostic::{Diagnostic, Diagnostics, position};
use proc_macro2::Span;

/// A mistake while it is put together: headline, lines about the expression, lines about other places.
#[must_use = "a problem is shown by `report`"]
pub struct Problem {
    span: Span,
    headline: String,
    details: Vec<String>,
    places: Vec<String>,
    exact: bool,
    general: bool,
}

impl Problem {
    /// A mistake at a token.
    pub fn new(span: Span, headline: impl Into<String>) -> Problem {
        Problem {
            span,
            headline: headline.into(),
            details: Vec::new(),
            places: Vec::new(),
            exact: false,
            general: false,
        }
    }

    /// Shows the mistake at its token even while a body of the prelude runs.
    pub fn exact(mut self) -> Problem {
        self.exact = true;
        self
    }

    /// The mistake does not depend on the instance whose body runs.
    pub fn general(mut self) -> Problem {
        self.general = true;
        self
    }

    /// Adds a line about the expression itself.
    pub fn detail(mut self, line: impl Into<String>) -> Problem {
        self.details.push(line.into());
        self
    }

    /// Adds a line that names other places or says what to write.
    pub fn place(mut self, line: impl Into<String>) -> Problem {
        self.places.push(line.into());
        self
    }

    /// Adds a line of suggestions to the headline, if there are any.
    pub fn nearest(mut self, separator: &str, names: &[&str]) -> Problem {
        if !names.is_empty() {
            let line = format!("the nearest: {}", names.join(", "));
            match separator {
                "" => self.details.push(line),
                _ => self.headline = format!("{}{separator}{line}", self.headline),
            }
        }
        self
    }
}

/// Two items of one name.
pub fn equal_names(diagnostics: &Diagnostics, name: &Ident, first: Span) {
    let headline = format!("two items have the name `{}`", name.name);
    diagnostics.report(Diagnostic::new(name.span, headline).note(format!("the first is at {}", position(first))));
}

/// A block that a `use` names and that no macro brought.
pub fn missing_import(diagnostics: &Diagnostics, name: &str, span: Span) {
    diagnostics.report(Diagnostic::new(span, format!("`{name}` is not imported: no `model!` brought it")));
}

impl Elaborator<'_> {
    /// Shows a mistake, and gives what stands in its place.
    ///
    /// A mistake inside the prelude shows at the user's token that led there. One inside a block names where the instance
    /// was made.
    pub(super) fn report(&self, problem: Problem) -> Value {
        let span = if problem.exact { problem.span } else { self.user_span(problem.span) };
        let mut diagnostic = Diagnostic::new(span, problem.headline);
        diagnostic.notes = problem.details;
        let instance = self.user_frame().and_then(|frame| frame.instance.as_ref());
        if let Some((name, made)) = instance.filter(|_| !problem.general) {
            diagnostic.notes.push(format!("`{name}` is made at {}", position(*made)));
        }
        diagnostic.notes.extend(problem.places);
        self.diagnostics.report(diagnostic);
        Value::Poison
    }

    /// Shows a mistake that needs no further lines.
    pub(super) fn fail(&self, span: Span, headline: impl Into<String>) -> Value {
        self.report(Problem::new(span, headline))
    }

    /// Says that something of the language is not there yet.
    pub(super) fn unsupported(&self, span: Span, what: &str) -> Value {
        self.report(Problem::new(span, format!("{what} is not supported yet")).general())
    }

    /// The token of the user that stands behind a token of the prelude.
    pub(super) fn user_span(&self, span: Span) -> Span {
        let mut span = span;
        for frame in self.frames.iter().rev() {
            match &frame.site {
                Some((_, site)) if frame.prelude => span = *site,
                _ => return span,
            }
        }
        span
    }

    /// The innermost body that the user wrote.
    pub(super) fn user_frame(&self) -> Option<&Frame> {
        self.frames.iter().rev().find(|frame| !frame.prelude)
    }

    /// `a is f32<N, 8>, b is f32<N, 3>` for the tensors among the expressions.
    pub(super) fn described(&self, operands: &[(&Expr, ValueId)]) -> String {
        let one = |(expr, value): &(&Expr, ValueId)| format!("{expr} is {}", self.graph.ty(*value));
        operands.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// `a is made at …, b at …` for the names among the expressions. Names of the prelude have no place.
    pub(super) fn made_at(&self, exprs: &[&Expr]) -> Option<String> {
        self.made_at_place(exprs, &|binding| binding.span)
    }

    /// The same with the place of a binding that tells most.
    fn made_at_place(&self, exprs: &[&Expr], place: &dyn Fn(&Binding) -> Span) -> Option<String> {
        if self.frame().prelude {
            return None;
        }
        let (mut names, mut words): (Vec<&String>, Vec<String>) = (Vec::new(), Vec::new());
        for expr in exprs {
            let ExprKind::Name(name) = &expr.kind else { continue };
            let Some(binding) = self.frame().find(name) else { continue };
            if !names.contains(&name) {
                let verb = if names.is_empty() { " is made" } else { "" };
                words.push(format!("{name}{verb} at {}", position(place(binding))));
                names.push(name);
            }
        }
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// A problem about operands: their types and where they were made, perhaps behind the whole expression.
    pub(super) fn about_operands(
        &self,
        problem: Problem,
        whole: Option<&Expr>,
        operands: &[(&Expr, ValueId)],
    ) -> Problem {
        self.about_places(problem, whole, operands, &|binding| binding.span)
    }

    /// A problem about operands that differ on an axis of what they broadcast to: where a signature gives one its type, it
    /// shows the extent on that axis.
    pub(super) fn about_extents(
        &self,
        problem: Problem,
        whole: &Expr,
        operands: &[(&Expr, ValueId)],
        from_end: usize,
    ) -> Problem {
        let extent = |binding: &Binding| {
            let place = binding.extents.len().checked_sub(from_end).filter(|_| !binding.extents.is_empty());
            place.map_or(binding.span, |at| binding.extents[at])
        };
        self.about_places(problem, Some(whole), operands, &extent)
    }

    fn about_places(
        &self,
        problem: Problem,
        whole: Option<&Expr>,
        operands: &[(&Expr, ValueId)],
        place: &dyn Fn(&Binding) -> Span,
    ) -> Problem {
        let exprs: Vec<&Expr> = operands.iter().map(|(expr, _)| *expr).collect();
        let problem = match whole {
            None => problem.detail(self.described(operands)),
            Some(whole) => problem.detail(format!("{whole}: {}", self.described(operands))),
        };
        match self.made_at_place(&exprs, place) {
            Some(line) => problem.place(line),
            None => problem,
        }
    }

    /// A function, layer or binding that does not exist.
    pub(super) fn unknown_function(&self, span: Span, name: &str) -> Value {
        let bindings: Vec<String> = self.frame().names().map(str::to_string).collect();
        let mut candidates: Vec<&str> = bindings.iter().map(String::as_str).collect();
        super::functions::names().for_each(|name| candidates.push(name));
        let found = nearest(name, candidates.into_iter());
        self.report(Problem::new(span, format!("no function, layer or binding `{name}`")).nearest("", &found))
    }

    /// A layer, block or model that does not exist.
    pub(super) fn unknown_layer(&self, span: Span, name: &str) -> Value {
        let mut candidates: Vec<&str> = self.items.names(self.scope()).collect();
        super::prelude::names().for_each(|name| candidates.push(name));
        let found = nearest(name, candidates.into_iter());
        self.report(Problem::new(span, format!("no layer or block `{name}`")).nearest("", &found))
    }
}
