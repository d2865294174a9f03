//! Names: from the language to Rust, where keywords must be avoided and two things cannot share one.

use proc_macro2::{Ident, Span};
use std::collections::HashMap;
use tapeless_compiler::syntax::ast;
use tapeless_compiler::syntax::diagnostic::{Diagnostic, position};
use tapeless_compiler::syntax::output::{Program, Step};

/// The words of Rust that are no names, but become one behind `r#`.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The place of a token of the user's, seen from where the macro is called. Names meant for the user's program have it, and
/// what the compiler says about generated code shows their token.
fn here(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// A name of the language as one of Rust.
pub fn rust(name: &str, span: Span) -> Ident {
    match name {
        _ if KEYWORDS.contains(&name) => Ident::new_raw(name, here(span)),
        "self" | "Self" | "super" | "crate" | "_" => Ident::new(&format!("{name}_"), here(span)),
        _ => Ident::new(name, here(span)),
    }
}

/// The same for a name that stands in the user's source.
pub fn of(ident: &ast::Ident) -> Ident {
    rust(&ident.name, ident.span)
}

/// A name with something behind it, like `TrainNetDims`.
pub fn derived(ident: &ast::Ident, end: &str) -> Ident {
    rust(&format!("{}{end}", ident.name), ident.span)
}

/// The setter and field of an open extent: its name in lower case.
pub fn dim(ident: &ast::Ident) -> Ident {
    rust(&ident.name.to_lowercase(), ident.span)
}

/// The parameters of a function, made different from each other: their names are nothing that a caller sees.
pub fn parameters<'a>(names: impl Iterator<Item = &'a ast::Ident>) -> Vec<Ident> {
    let mut taken: Vec<Ident> = Vec::new();
    for name in names {
        let mut word = name.name.clone();
        while taken.contains(&rust(&word, name.span)) {
            word.push('_');
        }
        taken.push(rust(&word, name.span));
    }
    taken
}

/// Takes out what cannot stand in one Rust program beside something before it, and reports it.
pub fn settle(program: &mut Program) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut types = HashMap::new();
    program.models.retain(|model| claim(&mut types, &model.name, &[""], &mut problems));
    program.steps.retain(|step| claim(&mut types, &step.name, &["", "Dims", "Output"], &mut problems));
    for step in &mut program.steps {
        settle_step(step, &mut problems);
    }
    problems
}

/// Whether the types that are generated for a name are free. They are taken then.
fn claim(types: &mut HashMap<String, Span>, name: &ast::Ident, ends: &[&str], problems: &mut Vec<Diagnostic>) -> bool {
    let wanted: Vec<String> = ends.iter().map(|end| format!("{}{end}", name.name)).collect();
    if let Some((ty, other)) = wanted.iter().find_map(|ty| Some((ty, types.get(ty)?))) {
        let note = format!("one is generated for what is named at {}", position(*other));
        problems.push(Diagnostic::new(name.span, format!("two types are named `{ty}`")).note(note));
        return false;
    }
    types.extend(wanted.into_iter().map(|ty| (ty, name.span)));
    true
}

fn settle_step(step: &mut Step, problems: &mut Vec<Diagnostic>) {
    let mut setters: HashMap<Ident, String> = HashMap::new();
    step.dims.retain(|name| match setters.insert(dim(name), name.name.clone()) {
        Some(other) => {
            let headline = format!("`dyn {other}` and `dyn {}` have one setter: .{}(…)", name.name, dim(name));
            problems.push(Diagnostic::new(name.span, headline));
            false
        }
        None => true,
    });
    let mut fields: Vec<Ident> = Vec::new();
    let has_output = step.output.is_some();
    step.metrics.retain(|metric| {
        let field = of(&metric.name);
        let headline = match &metric.name.name {
            name if name == "output" && has_output => {
                "a metric cannot be named `output` in a step with a return type".to_string()
            }
            name if fields.contains(&field) => format!("two metrics are named `{name}`"),
            _ => {
                fields.push(field);
                return true;
            }
        };
        problems.push(Diagnostic::new(metric.name.span, headline).note("name it: metric(name = value)"));
        false
    });
}
