//! The command line of an example: what enters are its words, what leaves are the options that the example has.

use crate::ExampleError;
use lexopt::{Arg, Parser};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// Options that take a value: the name, and what the value is.
pub type Known = &'static [(&'static str, &'static str)];

/// The options that an example was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--smoke`: run for a moment only, to see that the example works at all.
    pub smoke: bool,
    values: BTreeMap<&'static str, OsString>,
}

impl Arguments {
    /// The options that the program was started with: `--smoke`, and those that it has.
    pub fn read(known: Known) -> Result<Arguments, ExampleError> {
        Arguments::parse(Parser::from_env(), known)
    }

    /// The value of an option, as a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.values.get(name).map(PathBuf::from)
    }

    /// The value of an option, as a word.
    pub fn word(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// The value of an option, as a count of something.
    pub fn number(&self, name: &'static str) -> Result<Option<usize>, ExampleError> {
        let Some(word) = self.word(name) else { return Ok(None) };
        match word.parse() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(ExampleError::NoNumber { option: name, given: word }),
        }
    }

    fn parse(parser: Parser, known: Known) -> Result<Arguments, ExampleError> {
        Arguments::collect(parser, known).map_err(|source| {
            let options: Vec<String> = known.iter().map(|(name, value)| format!("--{name} {value}")).collect();
            let options = match options.as_slice() {
                [] => "the only option is --smoke".to_string(),
                options => format!("the options are --smoke and {}", options.join(", ")),
            };
            ExampleError::Arguments { source, options }
        })
    }

    fn collect(mut parser: Parser, known: Known) -> Result<Arguments, lexopt::Error> {
        let mut arguments = Arguments::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("smoke") => arguments.smoke = true,
                Arg::Long(name) => match known.iter().find(|(known, _)| *known == name) {
                    Some((name, _)) => {
                        let value = parser.value()?;
                        arguments.values.insert(name, value);
                    }
                    None => return Err(argument.unexpected()),
                },
                other => return Err(other.unexpected()),
            }
        }
        Ok(arguments)
    }
}

/// Whether `--smoke` was given to an example that has no other option.
pub fn smoke() -> Result<bool, ExampleError> {
    Ok(Arguments::read(&[])?.smoke)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Known = &[("data", "DIR"), ("model", "mlp|lenet")];

    fn parse(words: &[&str], known: Known) -> Result<Arguments, String> {
        Arguments::parse(Parser::from_args(words), known).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_in_any_order() {
        let all = Arguments { smoke: true, values: BTreeMap::from([("data", "a b".into())]) };
        assert_eq!(parse(&["--data", "a b", "--smoke"], DATA), Ok(all.clone()));
        assert_eq!(parse(&["--smoke", "--data=a b"], DATA), Ok(all.clone()));
        assert_eq!((all.path("data"), all.word("model")), (Some("a b".into()), None));
        assert_eq!(parse(&[], DATA), Ok(Arguments::default()));
    }

    #[test]
    fn counts_are_whole_numbers_from_1_on() {
        const SIZE: Known = &[("size", "PIXELS")];
        let number = |words: &[&str]| {
            let arguments = parse(words, SIZE).expect("it has the option");
            arguments.number("size").map_err(|error| error.to_string())
        };
        assert_eq!([number(&[]), number(&["--size", "96"])], [Ok(None), Ok(Some(96))]);
        for word in ["0", "-1", "1.5", "many"] {
            let refusal = format!("--size is a whole number from 1 on, not {word}");
            assert_eq!(number(&[&format!("--size={word}")]), Err(refusal));
        }
    }

    #[test]
    fn what_an_example_does_not_have_is_refused_with_what_it_has() {
        let refusal = parse(&["--data", "x"], &[]);
        assert_eq!(refusal, Err("invalid option '--data'; the only option is --smoke".to_string()));
        let refusal = parse(&["--data"], DATA);
        let expected =
            "missing argument for option '--data'; the options are --smoke and --data DIR, --model mlp|lenet";
        assert_eq!(refusal, Err(expected.to_string()));
    }
}
