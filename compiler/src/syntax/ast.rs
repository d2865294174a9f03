//! The syntax tree of `model!`: what `parse` makes of the tokens and `elaborate` reads.
//!
//! Every node carries the span that a message about it points at: for a call that is the opening parenthesis, for a method
//! and a field its name, for an operator and an assignment the operator, for anything else its first token.

use crate::dtype::DType;
use proc_macro2::{Span, TokenStream};
use std::rc::Rc;

/// The items of one `model! { … }`.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// In order of writing.
    pub items: Vec<Item>,
    /// What comes from other `model!`.
    pub imports: Vec<Import>,
}

/// A block or model of another `model!`.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its name, there and here.
    pub name: String,
    /// The path that it was found by.
    pub path: TokenStream,
    /// Tells the other `model!` from all others.
    pub scope: String,
    /// The other `model!`.
    pub file: Rc<File>,
}

/// One item.
#[derive(Clone, Debug)]
pub enum Item {
    /// `use path::Name;`
    Use(Use),
    /// `block Name…` or `model Name…`
    Block(Block),
    /// `model Name = Other(…);`
    Alias(Alias),
    /// `step Name…`
    Step(Step),
}

/// A name with its place.
#[derive(Clone, Debug)]
pub struct Ident {
    /// The name; a position like `0` in `net.0` is one too.
    pub name: String,
    /// Its token.
    pub span: Span,
}

/// `use path::{A, B};`
#[derive(Clone, Debug)]
pub struct Use {
    /// Paths, one per imported name, each with at least one segment.
    pub paths: Vec<Vec<Ident>>,
    /// The word `use`.
    pub span: Span,
}

/// A block or model with a body.
#[derive(Clone, Debug)]
pub struct Block {
    /// Whether `model` stood there.
    pub is_model: bool,
    /// What stood before the word: `pub`, `pub(crate)` or nothing.
    pub visibility: TokenStream,
    /// Doc comments, to be put on the generated type.
    pub docs: Vec<String>,
    /// The name.
    pub name: Ident,
    /// The consts.
    pub consts: Vec<ConstParameter>,
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The return type; `None` if left out.
    pub output: Option<Output>,
    /// The body.
    pub body: Body,
}

/// `model Name = Other(…);`
#[derive(Clone, Debug)]
pub struct Alias {
    /// What stood before the word.
    pub visibility: TokenStream,
    /// Doc comments.
    pub docs: Vec<String>,
    /// The new name.
    pub name: Ident,
    /// The model that it names.
    pub target: Ident,
    /// The consts.
    pub arguments: Vec<Argument>,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// What stood before the word.
    pub visibility: TokenStream,
    /// Doc comments.
    pub docs: Vec<String>,
    /// `#[train]` is true, `#[eval]` false.
    pub training: Option<bool>,
    /// The name.
    pub name: Ident,
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The return type; `None` if left out.
    pub output: Option<Output>,
    /// The body.
    pub body: Body,
}

/// `const NAME: type = default`
#[derive(Clone, Debug)]
pub struct ConstParameter {
    /// The name.
    pub name: Ident,
    /// The type as written: `usize`, `f32`, `bool`.
    pub ty: Ident,
    /// The default.
    pub default: Option<Expr>,
}

/// `name: type`
#[derive(Clone, Debug)]
pub struct Input {
    /// The name.
    pub name: Ident,
    /// The type.
    pub ty: TensorType,
    /// In the prelude, `Option<…>`: what may be left out, one tensor or several in a tuple, `None` where any will do; `ty` is
    /// the first of them. Nothing for inputs that must be there.
    pub optional: Vec<Option<TensorType>>,
}

/// A return type.
#[derive(Clone, Debug)]
pub enum Output {
    /// One value.
    Tensor(TensorType),
    /// Several.
    Tuple(Vec<Output>, Span),
    /// `_`
    Hole(Span),
}

/// `f32<N, 10>`
#[derive(Clone, Debug)]
pub struct TensorType {
    /// The element type.
    pub dtype: DType,
    /// The extents; none for a scalar.
    pub axes: Vec<Axis>,
    /// The element type's token.
    pub span: Span,
}

/// One extent of a type, and its first token.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The extent.
    pub kind: AxisKind,
    /// Its first token.
    pub span: Span,
}

/// An extent as written.
#[derive(Clone, Debug)]
pub enum AxisKind {
    /// A capital: bound by the first use, or a const.
    Name(String),
    /// `dyn B`
    Dyn(String),
    /// A literal or `{…}`.
    Expr(Expr),
    /// `_`
    Hole,
    /// `{..}` or `{..L}`: any axes, whose extents the name stands for. In the prelude, and in place of extents that could
    /// not be read (they are reported).
    Rest(Option<String>),
}

/// Statements; the value is that of the last one if it is an expression without semicolon.
#[derive(Clone, Debug)]
pub struct Body {
    /// In order.
    pub statements: Vec<Statement>,
    /// The opening brace.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `let pattern: type = value;`
    Let {
        /// `#[…]` in front.
        attributes: Vec<Attribute>,
        /// What is bound.
        pattern: Pattern,
        /// The type, for parameters and states.
        ty: Option<TensorType>,
        /// The value.
        value: Expr,
    },
    /// `const NAME: type = value;`
    Const {
        /// The name.
        name: Ident,
        /// The value.
        value: Expr,
    },
    /// An expression; `true` when a semicolon follows.
    Expr(Expr, bool),
}

/// An attribute of a `let` or a loop.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Which.
    pub kind: AttributeKind,
    /// Its name's token.
    pub span: Span,
}

/// The attributes of the language.
#[derive(Clone, Debug)]
pub enum AttributeKind {
    /// `#[name("layer{i}")]`
    Name(Template),
    /// `#[param]`
    Param,
    /// `#[state]`
    State,
    /// `#[train]`
    Train,
    /// `#[eval]`
    Eval,
    /// `#[remat]`
    Remat,
}

/// A string with `{expression}`s in it.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its pieces in order.
    pub pieces: Vec<Piece>,
    /// The literal.
    pub span: Span,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug)]
pub enum Piece {
    /// Text.
    Text(String),
    /// `{expression}`
    Value(Expr),
}

/// What a `let` or `for` binds.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `x` or `mut x`
    Name {
        /// The name.
        name: Ident,
        /// Whether it may be assigned.
        mutable: bool,
    },
    /// `_`
    Hole(Span),
    /// `(a, b)`
    Tuple(Vec<Pattern>, Span),
    /// `[a, b]`
    List(Vec<Pattern>, Span),
}

/// An expression and the token that messages point at.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where to point.
    pub span: Span,
    /// Its first token.
    pub start: Span,
}

/// The expressions of the language.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `3`
    Int(i64),
    /// `0.5`
    Float(f64),
    /// `true`
    Bool(bool),
    /// `"text"`
    Text(String),
    /// `x`
    Name(String),
    /// `net.fc`, `net.0`
    Field(Box<Expr>, Ident),
    /// `xs[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `f(a, k = b)`
    Call(Box<Expr>, Vec<Argument>),
    /// `x.f(a, k = b)`
    Method(Box<Expr>, Ident, Vec<Argument>),
    /// `-x`, `!x`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x as f32`
    Cast(Box<Expr>, Ident),
    /// `x = y` and `x += y`
    Assign(Box<Expr>, Option<BinaryOp>, Box<Expr>),
    /// `if c { … } else { … }`
    If(Box<Expr>, Body, Option<Box<Expr>>),
    /// `for p in xs { … }`
    For(Vec<Attribute>, Pattern, Box<Expr>, Body),
    /// `{ … }`
    Block(Body),
    /// `(a, k = b)`; elements have names in the groups of a `minimize` only.
    Tuple(Vec<Argument>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `[x; n]`
    Repeat(Box<Expr>, Box<Expr>),
    /// `a..b`; either side may be left out. `true` when `..=`.
    Range(Option<Box<Expr>>, Option<Box<Expr>>, bool),
    /// `assert!(condition, "message {x}")`
    Assert(Box<Expr>, Option<Template>),
    /// What is no expression of the language. It is reported already: its value fits everywhere, without a further message.
    Error,
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The name in `name = value`.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// `-` and `!`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-x`
    Neg,
    /// `!x`
    Not,
}

/// The operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `<<`
    Shl,
    /// `>>`
    Shr,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}
