//! Arguments with a number per spatial axis: sizes, strides, paddings.

use super::{Arguments, Default};
use crate::ops::Window;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

impl Elaborator<'_> {
    /// A known number per spatial axis: one for all of them, or a tuple with one each.
    pub(super) fn per_axis_argument(&self, a: &Arguments<'_>, at: usize, rank: usize) -> Option<Vec<i64>> {
        let found = match (&a.values[at], &a.function.parameters[at].default) {
            (None, Default::Int(number) | Default::NumberOr(number, _)) => Some(vec![*number; rank]),
            (Some((value, _)), _) => numbers(value, rank),
            (None, _) => None,
        };
        if found.is_none() {
            let value = a.values[at].as_ref().map_or("nothing", |(value, _)| value.kind());
            self.refuse_spatial(a, at, &format!("a known number or {rank} in a tuple, not {value}"));
        }
        found
    }

    /// How many elements are added before and after each spatial axis: a number or a word for all axes, or a tuple with a
    /// number or a pair each.
    pub(super) fn padding_argument(&self, a: &Arguments<'_>, at: usize, windows: &[Window]) -> Option<Vec<[i64; 2]>> {
        let pair = |value: &Value| match value.known_int() {
            Some(both) => Some([both, both]),
            None => numbers(value, 2).map(|pair| [pair[0], pair[1]]),
        };
        let found = match a.values[at].as_ref().map(|(value, _)| value) {
            Some(Value::Text(word)) => return self.padding_word(a, at, windows, word),
            Some(value) if value.elements().is_some_and(|values| values.len() == windows.len()) => {
                value.elements().expect("just tested").iter().map(pair).collect()
            }
            _ => self.per_axis_argument(a, at, windows.len()).map(|all| all.iter().map(|&n| [n, n]).collect()),
        };
        let found: Vec<[i64; 2]> = found?;
        if let Some(negative) = found.as_flattened().iter().find(|&&number| number < 0) {
            self.refuse_spatial(a, at, &format!("no less than 0, not {negative}"));
            return None;
        }
        Some(found)
    }

    /// `valid` adds nothing; `same` adds what keeps the extents, and the odd one behind.
    fn padding_word(&self, a: &Arguments<'_>, at: usize, windows: &[Window], word: &str) -> Option<Vec<[i64; 2]>> {
        let same = |window: &Window| {
            let all = window.reach() - 1;
            [all / 2, all - all / 2]
        };
        match word {
            "valid" => Some(vec![[0, 0]; windows.len()]),
            "same" if windows.iter().any(|window| window.stride != 1) => {
                self.refuse_spatial(a, at, "a number where the stride is not 1: no padding keeps the extents");
                None
            }
            "same" => Some(windows.iter().map(same).collect()),
            other => {
                self.refuse_spatial(a, at, &format!("a number, `same` or `valid`, not `{other}`"));
                None
            }
        }
    }

    /// Says what an argument has to be.
    pub(super) fn refuse_spatial(&self, a: &Arguments<'_>, at: usize, what: &str) {
        let headline = format!("{}: `{}` is {what}", a.function.name, a.function.parameters[at].name);
        self.report(Problem::new(self.argument_span(a, at), headline).detail(a.function.to_string()));
    }
}

/// Known numbers: one for all axes, or one each.
fn numbers(value: &Value, count: usize) -> Option<Vec<i64>> {
    match value.known_int() {
        Some(number) => Some(vec![number; count]),
        None => value.elements().filter(|values| values.len() == count)?.iter().map(Value::known_int).collect(),
    }
}
