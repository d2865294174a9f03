//! Descriptions of models: the tensors of a parameter store, in order, and how each begins.
//!
//! Programs carry a description as its printed form, one tensor per line. [`parse`] takes it back unchanged.

use crate::shape::Type;
use crate::text::{Line, Lines, ParseError, write_name};
use std::fmt;

/// The version of the printed form, in its first line.
const VERSION: u32 = 1;

/// What a model's store holds.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ModelDescription {
    /// The name of the generated type.
    pub name: String,
    /// The tensors in `let` order.
    pub tensors: Vec<TensorDecl>,
}

/// One tensor of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorDecl {
    /// The key, like `fc1.weight`.
    pub key: String,
    /// Element type and shape; all extents are known.
    pub ty: Type,
    /// Whether it is kept but not trained.
    pub state: bool,
    /// How it begins.
    pub initial: Initial,
}

/// How the elements of a tensor begin. Fans and gains are worked in already: what `kaiming_uniform` means for a shape is a
/// [`Initial::Uniform`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// One number everywhere.
    Constant(f64),
    /// Evenly between low and high.
    Uniform {
        /// The lower bound.
        low: f64,
        /// The upper bound, excluded.
        high: f64,
    },
    /// The normal distribution around 0.
    Normal {
        /// The standard deviation.
        std: f64,
    },
    /// The normal distribution around 0, but 0 at these elements.
    PaddedNormal {
        /// The standard deviation.
        std: f64,
        /// The first element that is 0.
        from: u64,
        /// The first one behind it that is not.
        to: u64,
    },
    /// The normal distribution around 0, drawn again outside of -2 to 2 (in units of the tensor, as PyTorch does).
    TruncatedNormal {
        /// The standard deviation.
        std: f64,
    },
}

/// The printed form of a description.
pub fn print(model: &ModelDescription) -> String {
    model.to_string()
}

/// The description whose printed form this is.
pub fn parse(text: &str) -> Result<ModelDescription, ParseError> {
    let mut lines = Lines::open(text, "model", VERSION)?;
    let mut line = lines.next("the model's name")?;
    line.keyword("model")?;
    let mut model = ModelDescription { name: line.name()?, tensors: Vec::new() };
    line.end()?;
    loop {
        let mut line = lines.next("`parameter`, `state` or `end`")?;
        if line.peek_word() == "end" {
            line.keyword("end")?;
            line.end()?;
            lines.finish()?;
            return Ok(model);
        }
        let decl = tensor(&mut line)?;
        line.end()?;
        model.tensors.push(decl);
    }
}

fn tensor(line: &mut Line<'_>) -> Result<TensorDecl, ParseError> {
    let state = match line.peek_word() {
        "parameter" => false,
        "state" => true,
        _ => return line.unexpected("`parameter`, `state` or `end`"),
    };
    line.keyword(line.peek_word())?;
    let key = line.string()?;
    let ty = line.ty()?;
    if ty.shape.known().is_none() {
        return line.refused(format!("{key} is {ty}, but tensors of a store have known extents"));
    }
    Ok(TensorDecl { key, ty, state, initial: initial(line)? })
}

fn initial(line: &mut Line<'_>) -> Result<Initial, ParseError> {
    let word = line.peek_word();
    if !matches!(word, "constant" | "uniform" | "normal" | "padded_normal" | "truncated_normal") {
        return line.unexpected("`constant`, `uniform`, `normal`, `padded_normal` or `truncated_normal`");
    }
    line.keyword(word)?;
    Ok(match word {
        "constant" => Initial::Constant(line.float()?),
        "uniform" => Initial::Uniform { low: line.float()?, high: line.float()? },
        "normal" => Initial::Normal { std: line.float()? },
        "padded_normal" => Initial::PaddedNormal { std: line.float()?, from: line.int()?, to: line.int()? },
        _ => Initial::TruncatedNormal { std: line.float()? },
    })
}

impl fmt::Display for ModelDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tapeless model {VERSION}")?;
        f.write_str("model ")?;
        write_name(f, &self.name)?;
        writeln!(f)?;
        for TensorDecl { key, ty, state, initial } in &self.tensors {
            let word = if *state { "state" } else { "parameter" };
            writeln!(f, "{word} {key:?} {ty} {initial}")?;
        }
        writeln!(f, "end")
    }
}

impl fmt::Display for Initial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Initial::Constant(value) => write!(f, "constant {value:?}"),
            Initial::Uniform { low, high } => write!(f, "uniform {low:?} {high:?}"),
            Initial::Normal { std } => write!(f, "normal {std:?}"),
            Initial::PaddedNormal { std, from, to } => write!(f, "padded_normal {std:?} {from} {to}"),
            Initial::TruncatedNormal { std } => write!(f, "truncated_normal {std:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::shape::Shape;
    use proptest::prelude::*;

    fn initials() -> impl Strategy<Value = Initial> {
        let number = || prop::num::f64::ANY.prop_filter("NaN equals nothing", |x| !x.is_nan());
        prop_oneof![
            number().prop_map(Initial::Constant),
            (number(), number()).prop_map(|(low, high)| Initial::Uniform { low, high }),
            number().prop_map(|std| Initial::Normal { std }),
            (number(), 0..u64::from(u32::MAX), 0..u64::from(u32::MAX))
                .prop_map(|(std, from, to)| Initial::PaddedNormal { std, from, to }),
            number().prop_map(|std| Initial::TruncatedNormal { std }),
        ]
    }

    fn tensors() -> impl Strategy<Value = TensorDecl> {
        let shapes = prop::collection::vec(0..5000usize, 0..5);
        let dtypes = prop::sample::select(DType::ALL.to_vec());
        (any::<String>(), shapes, dtypes, any::<bool>(), initials()).prop_map(|(key, shape, dtype, state, initial)| {
            TensorDecl { key, ty: Type::new(dtype, Shape::from_known(&shape)), state, initial }
        })
    }

    proptest! {
        #[test]
        fn printed_descriptions_come_back(name in any::<String>(), tensors in prop::collection::vec(tensors(), 0..5)) {
            let model = ModelDescription { name, tensors };
            prop_assert_eq!(parse(&print(&model)), Ok(model));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>(), cut in 0.0..1.0) {
            let whole = format!("tapeless model 1\nmodel X\nparameter \"w\" f32<4> uniform -0.25 {text}\nend\n");
            let end = whole.floor_char_boundary((cut * whole.len() as f64) as usize);
            // The text may be a number, and then nothing but the last line's end may be missing.
            if let Ok(model) = parse(&whole[..end]) {
                prop_assert_eq!(model.tensors.len(), 1);
                prop_assert_eq!(parse(&print(&model)), Ok(model));
            }
            prop_assert!(parse(&text).is_err());
        }
    }

    #[test]
    fn the_form_is_one_tensor_per_line() {
        let decl = |key: &str, extents: &[usize], state, initial| {
            let ty = Type::new(DType::F32, Shape::from_known(extents));
            TensorDecl { key: key.into(), ty, state, initial }
        };
        let tensors = vec![
            decl("fc.weight", &[4, 16], false, Initial::Uniform { low: -0.25, high: 0.25 }),
            decl("bn.running_var", &[16], true, Initial::Constant(1.0)),
            decl("scale", &[], false, Initial::TruncatedNormal { std: 0.02 }),
        ];
        let model = ModelDescription { name: "Line".into(), tensors };
        insta::assert_snapshot!(print(&model), @r#"
        tapeless model 1
        model Line
        parameter "fc.weight" f32<4, 16> uniform -0.25 0.25
        state "bn.running_var" f32<16> constant 1.0
        parameter "scale" f32 truncated_normal 0.02
        end
        "#);
    }

    #[test]
    fn refusals_say_what_stands_there_and_what_should() {
        let refusal = |line: &str| {
            let text = format!("tapeless model 1\nmodel X\n{line}\nend\n");
            parse(&text).expect_err("the text is wrong").to_string()
        };
        assert_eq!(refusal("tensor"), "line 3: found `tensor`, expected `parameter`, `state` or `end`");
        let open = "parameter \"w\" f32<B> constant 0.0";
        assert_eq!(refusal(open), "line 3: w is f32<B>, but tensors of a store have known extents");
        assert_eq!(refusal("state \"w\" f32 normal x"), "line 3: found `x`, expected a number");
        let newer = parse("tapeless model 7\n").expect_err("too new").to_string();
        assert_eq!(newer, "this is version 7 of the printed form of a model, and this program reads version 1");
    }
}
