//! Mistakes of the user, each at the tokens that caused it.

use proc_macro2::Span;
use std::cell::RefCell;

/// One mistake: a headline, further lines that name the other places, and where it is.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The first line.
    pub headline: String,
    /// Further lines.
    pub notes: Vec<String>,
    /// What the compiler's arrow points at.
    pub span: Span,
}

impl Diagnostic {
    /// A mistake without further lines.
    pub fn new(span: Span, headline: impl Into<String>) -> Diagnostic {
        Diagnostic { headline: headline.into(), notes: Vec::new(), span }
    }

    /// Adds a line.
    pub fn note(mut self, line: impl Into<String>) -> Diagnostic {
        self.notes.push(line.into());
        self
    }

    /// All lines as rustc shows them after `error: `: the further ones two columns in.
    pub fn message(&self) -> String {
        let notes = self.notes.iter().flat_map(|note| note.lines()).map(|line| format!("\n  {line}"));
        std::iter::once(self.headline.clone()).chain(notes).collect()
    }
}

/// Where mistakes are collected; two with the same place and headline are one.
#[derive(Debug, Default)]
pub struct Diagnostics(RefCell<Vec<Diagnostic>>);

impl Diagnostics {
    /// Adds a mistake.
    pub fn report(&self, diagnostic: Diagnostic) {
        let mut all = self.0.borrow_mut();
        let place = |span: Span| (span.file(), span.start().line, span.start().column);
        let same = |d: &Diagnostic| d.headline == diagnostic.headline && place(d.span) == place(diagnostic.span);
        if !all.iter().any(same) {
            all.push(diagnostic);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// All of them, in order of report.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

/// `file:line:column` of a span, columns from 1.
pub fn position(span: Span) -> String {
    let start = span.start();
    format!("{}:{}:{}", span.file(), start.line, start.column + 1)
}
