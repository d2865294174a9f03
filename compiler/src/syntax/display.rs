//! The syntax tree as text on one line, in normal spacing: how messages quote the user's source.

use super::ast::{
    Argument, Axis, AxisKind, BinaryOp, Body, Expr, ExprKind, Pattern, Piece, Statement, Template, TensorType, UnaryOp,
};
use std::fmt::{self, Display, Formatter};

/// How tightly an expression holds together; an operand that holds less tightly than its place demands is put in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    Loose,
    Assign,
    Range,
    Or,
    And,
    Compare,
    Shift,
    Sum,
    Product,
    Unary,
    Postfix,
    Atom,
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Int(value) => write!(f, "{value}"),
            ExprKind::Float(value) => write!(f, "{value:?}"),
            ExprKind::Bool(value) => write!(f, "{value}"),
            ExprKind::Text(text) => write!(f, "{text:?}"),
            ExprKind::Name(name) => f.write_str(name),
            ExprKind::Field(base, field) => write!(f, "{}.{}", Postfix(base), field.name),
            ExprKind::Index(base, index) => write!(f, "{}[{index}]", Postfix(base)),
            ExprKind::Call(callee, arguments) => write!(f, "{}({})", Postfix(callee), List(arguments)),
            ExprKind::Method(base, name, arguments) => {
                write!(f, "{}.{}({})", Postfix(base), name.name, List(arguments))
            }
            ExprKind::Unary(op, operand) => write!(f, "{}{}", op.symbol(), Inside(operand, Tightness::Unary)),
            ExprKind::Binary(op, left, right) => fmt_binary(f, *op, left, right),
            ExprKind::Cast(operand, ty) => write!(f, "{} as {}", Inside(operand, Tightness::Unary), ty.name),
            ExprKind::Assign(target, op, value) => {
                write!(f, "{} {}= {value}", Inside(target, Tightness::Range), op.map_or("", BinaryOp::symbol))
            }
            ExprKind::If(condition, then, otherwise) => {
                write!(f, "if {condition} {then}")?;
                otherwise.as_ref().map_or(Ok(()), |otherwise| write!(f, " else {otherwise}"))
            }
            ExprKind::For(_, pattern, values, body) => write!(f, "for {pattern} in {values} {body}"),
            ExprKind::Block(body) => body.fmt(f),
            ExprKind::Tuple(parts) if parts.len() == 1 => write!(f, "({},)", parts[0]),
            ExprKind::Tuple(parts) => write!(f, "({})", List(parts)),
            ExprKind::List(parts) => write!(f, "[{}]", List(parts)),
            ExprKind::Repeat(element, count) => write!(f, "[{element}; {count}]"),
            ExprKind::Range(from, to, inclusive) => fmt_range(f, from.as_deref(), to.as_deref(), *inclusive),
            ExprKind::Assert(condition, None) => write!(f, "assert!({condition})"),
            ExprKind::Assert(condition, Some(text)) => write!(f, "assert!({condition}, {text})"),
            ExprKind::Error => f.write_str("…"),
        }
    }
}

impl Expr {
    fn tightness(&self) -> Tightness {
        match &self.kind {
            ExprKind::If(..) | ExprKind::For(..) | ExprKind::Block(_) => Tightness::Loose,
            ExprKind::Assign(..) => Tightness::Assign,
            ExprKind::Range(..) => Tightness::Range,
            ExprKind::Binary(op, ..) => op.tightness(),
            ExprKind::Unary(..) | ExprKind::Cast(..) => Tightness::Unary,
            ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Call(..) | ExprKind::Method(..) => Tightness::Postfix,
            _ => Tightness::Atom,
        }
    }
}

impl UnaryOp {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Not => "!",
        }
    }
}

impl BinaryOp {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
        }
    }

    fn tightness(self) -> Tightness {
        match self {
            BinaryOp::Or => Tightness::Or,
            BinaryOp::And => Tightness::And,
            BinaryOp::Shl | BinaryOp::Shr => Tightness::Shift,
            BinaryOp::Add | BinaryOp::Sub => Tightness::Sum,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => Tightness::Product,
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                Tightness::Compare
            }
        }
    }
}

/// An operand where that tightness is demanded.
struct Inside<'a>(&'a Expr, Tightness);

impl Display for Inside<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.tightness() < self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

/// What a dot, a bracket or a parenthesis follows.
struct Postfix<'a>(&'a Expr);

impl Display for Postfix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Inside(self.0, Tightness::Postfix).fmt(f)
    }
}

/// Things with commas between them.
struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            write!(f, "{}{part}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Operators of one level group from the left; comparisons do not group at all.
fn fmt_binary(f: &mut Formatter<'_>, op: BinaryOp, left: &Expr, right: &Expr) -> fmt::Result {
    let level = op.tightness();
    let groups = level != Tightness::Compare && left.tightness() == level;
    let left = if groups { left.to_string() } else { tighter(left, level) };
    write!(f, "{left} {} {}", op.symbol(), tighter(right, level))
}

fn tighter(operand: &Expr, level: Tightness) -> String {
    if operand.tightness() > level { operand.to_string() } else { format!("({operand})") }
}

fn fmt_range(f: &mut Formatter<'_>, from: Option<&Expr>, to: Option<&Expr>, inclusive: bool) -> fmt::Result {
    if let Some(from) = from {
        Inside(from, Tightness::Or).fmt(f)?;
    }
    f.write_str(if inclusive { "..=" } else { ".." })?;
    to.map_or(Ok(()), |to| Inside(to, Tightness::Or).fmt(f))
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{} = ", name.name)?;
        }
        self.value.fmt(f)
    }
}

impl Display for Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for statement in &self.statements {
            write!(f, " {statement}")?;
        }
        f.write_str(" }")
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Statement::Let { pattern, ty: None, value, .. } => write!(f, "let {pattern} = {value};"),
            Statement::Let { pattern, ty: Some(ty), value, .. } => write!(f, "let {pattern}: {ty} = {value};"),
            Statement::Const { name, value } => write!(f, "const {} = {value};", name.name),
            Statement::Expr(value, semicolon) => write!(f, "{value}{}", if *semicolon { ";" } else { "" }),
        }
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Name { name, mutable } => write!(f, "{}{}", if *mutable { "mut " } else { "" }, name.name),
            Pattern::Hole(_) => f.write_str("_"),
            Pattern::Tuple(parts, _) => write!(f, "({})", List(parts)),
            Pattern::List(parts, _) => write!(f, "[{}]", List(parts)),
        }
    }
}

impl Display for Template {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => write!(f, "{}", text.replace('{', "{{").replace('}', "}}").escape_debug())?,
                Piece::Value(value) => write!(f, "{{{value}}}")?,
            }
        }
        f.write_str("\"")
    }
}

impl Display for TensorType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.axes.is_empty() {
            true => self.dtype.fmt(f),
            false => write!(f, "{}<{}>", self.dtype, List(&self.axes)),
        }
    }
}

impl Display for Axis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            AxisKind::Name(name) => f.write_str(name),
            AxisKind::Dyn(name) => write!(f, "dyn {name}"),
            AxisKind::Expr(expr) if matches!(expr.kind, ExprKind::Int(_)) => expr.fmt(f),
            AxisKind::Expr(expr) => write!(f, "{{{expr}}}"),
            AxisKind::Hole => f.write_str("_"),
            AxisKind::Rest(name) => write!(f, "{{..{}}}", name.as_deref().unwrap_or_default()),
        }
    }
}
