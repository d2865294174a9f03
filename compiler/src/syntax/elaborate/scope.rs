//! Names: lexical scopes inside the frame of a block, model or step.
//!
//! The names of a body are few and looked up often, so they stand in one list that is searched from its end.

use super::instance::Place;
use super::items::Scope;
use super::value::Value;
use crate::dtype::DType;
use crate::syntax::ast::TensorType;
use proc_macro2::Span;
use rustc_hash::FxHashMap;

/// A name and what it stands for.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The value.
    pub value: Value,
    /// Whether it may be assigned.
    pub kind: BindingKind,
    /// The token that binds it.
    pub span: Span,
    /// Where layers go that are pushed onto it.
    pub list: Option<Box<ListPlace>>,
    /// Where the extents of its type are written, if a signature gives it one.
    pub extents: Vec<Span>,
}

/// Where the layers of a list that grows stand.
#[derive(Clone, Debug)]
pub struct ListPlace {
    /// The place of the list.
    pub place: Place,
    /// Its key inside the body.
    pub key: String,
    /// Whether the body has given that key to it already.
    pub claimed: bool,
    /// `#[train]` and `#[eval]` on its `let`.
    pub training: Option<bool>,
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingKind {
    /// `let`, an input, a const.
    Fixed,
    /// `let mut`
    Mutable,
    /// `#[param] let`
    Parameter,
    /// `#[state] let`
    State,
}

/// The running body of a block, model or step.
#[derive(Debug)]
pub struct Frame {
    /// What is bound, inner scopes last; no name stands twice in a scope.
    names: Vec<(String, Binding)>,
    /// Where each scope inside the outermost begins in `names`.
    scopes: Vec<usize>,
    /// Where parameters made here stand; `None` in steps and in layers without a key.
    pub place: Option<Place>,
    /// How many layers and parameters this body has made.
    pub made: usize,
    /// Keys given to layers by this body, the loop variables they were given under, and where.
    pub keys: FxHashMap<String, (String, Span)>,
    /// The loops that run, with the value of their variables, as text.
    pub loops: Vec<String>,
    /// Whether dropout drops.
    pub training: bool,
    /// The file that the body is written in.
    pub scope: Scope,
    /// Whether the body belongs to the prelude.
    pub prelude: bool,
    /// What `f32` stands for in a layer of the prelude, which computes in the type of the floats that it is first given.
    pub float: Option<DType>,
    /// How many mistakes had been reported when the body began.
    pub mistakes: usize,
    /// The application that runs this body: as written, where it stands; `None` for roots.
    pub site: Option<(String, Span)>,
    /// Where the layer whose body runs was made.
    pub made_at: Option<Span>,
    /// For a block that is no model: its name and where the instance was made.
    pub instance: Option<(String, Span)>,
    /// Whether this is a step.
    pub is_step: bool,
    /// Whether the body runs without an input, to see what it declares.
    pub unapplied: bool,
}

impl Frame {
    /// An empty frame.
    pub fn new(place: Option<Place>, training: bool) -> Frame {
        Frame {
            names: Vec::new(),
            scopes: Vec::new(),
            place,
            made: 0,
            keys: FxHashMap::default(),
            loops: Vec::new(),
            training,
            scope: Scope::MAIN,
            prelude: false,
            float: None,
            mistakes: 0,
            site: None,
            made_at: None,
            instance: None,
            is_step: false,
            unapplied: false,
        }
    }

    /// Opens an inner scope.
    pub fn open(&mut self) {
        self.scopes.push(self.names.len());
    }

    /// Closes the innermost scope.
    pub fn close(&mut self) {
        if let Some(start) = self.scopes.pop() {
            self.names.truncate(start);
        }
    }

    /// Binds a name in the innermost scope.
    pub fn bind(&mut self, name: &str, value: Value, kind: BindingKind, span: Span) {
        let binding = Binding { value, kind, span, list: None, extents: Vec::new() };
        let start = self.scopes.last().copied().unwrap_or(0);
        match position(&self.names[start..], name) {
            Some(at) => self.names[start + at].1 = binding,
            None => self.names.push((name.to_string(), binding)),
        }
    }

    /// Says where the extents of the type of that name are written.
    pub fn written(&mut self, name: &str, ty: &TensorType) {
        if let Some(binding) = self.find_mut(name) {
            binding.extents = ty.axes.iter().map(|axis| axis.span).collect();
        }
    }

    /// Says where layers go that are pushed onto the list of that name.
    pub fn grow(&mut self, name: &str, list: Box<ListPlace>) {
        if let Some(binding) = self.find_mut(name) {
            binding.list = Some(list);
        }
    }

    /// What a name stands for.
    pub fn find(&self, name: &str) -> Option<&Binding> {
        position(&self.names, name).map(|at| &self.names[at].1)
    }

    /// What a name stands for, to be changed.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Binding> {
        position(&self.names, name).map(|at| &mut self.names[at].1)
    }

    /// What all names in scope stand for, outer scopes first.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.names.iter().map(|(_, binding)| binding)
    }

    /// What all names in scope stand for, to be changed.
    pub fn bindings_mut(&mut self) -> impl Iterator<Item = &mut Binding> {
        self.names.iter_mut().map(|(_, binding)| binding)
    }

    /// All names in scope.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }
}

/// Where the innermost binding of a name stands.
fn position(names: &[(String, Binding)], name: &str) -> Option<usize> {
    names.iter().rposition(|(known, _)| known == name)
}
