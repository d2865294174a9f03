//! `clip_norm`, `clip_value`, `accumulate` and `ema`: what a `minimize` does around its optimizer.

use super::signature;
use crate::optim::{self, OPTIONS, Scalar};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::arguments::Given;
use crate::syntax::elaborate::report::Problem;

impl Elaborator<'_> {
    /// The options that are given, one for each of [`OPTIONS`].
    pub(super) fn options(&mut self, given: &[Option<Given<'_>>]) -> Option<optim::Options> {
        let mut options = Some(optim::Options::default());
        for (given, option) in given.iter().zip(OPTIONS) {
            let Some(given) = given else { continue };
            let value = self.option(given, option);
            match (&mut options, value) {
                (Some(options), Some(value)) => set(options, option.name, value),
                _ => options = None,
            }
        }
        options
    }

    fn option(&mut self, given: &Given<'_>, option: &optim::Argument) -> Option<optim::Value> {
        let value = self.rule_argument(given.expr, &format!("`{}` of minimize", option.name))?;
        if option.kind.takes(value) {
            return Some(value);
        }
        let found = match value {
            optim::Value::Graph(_) => given.expr.to_string(),
            known => known.to_string(),
        };
        let headline = format!("minimize: {} is {found}, but takes {}", option.name, option.kind);
        self.report(Problem::new(given.expr.start, headline).detail(signature()));
        None
    }
}

fn set(options: &mut optim::Options, name: &str, value: optim::Value) {
    let scalar = match value {
        optim::Value::Number(number) => Scalar::Constant(number),
        optim::Value::Graph(value) => Scalar::Graph(value),
        other => unreachable!("no option takes {other}"),
    };
    match (name, scalar) {
        ("clip_norm", _) => options.clip_norm = Some(scalar),
        ("clip_value", _) => options.clip_value = Some(scalar),
        ("ema", _) => options.ema = Some(scalar),
        ("accumulate", Scalar::Constant(runs)) => options.accumulate = runs as u32,
        _ => unreachable!("no option `{name}` is {value}"),
    }
}
