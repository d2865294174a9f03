//! The command line of an example: what enters are its words, what leaves are the options that the example has.

use crate::ExampleError;
use lexopt::{Arg, Parser};
use std::path::PathBuf;

/// The options of an example that reads files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--smoke`: run for a moment only, to see that the example works at all.
    pub smoke: bool,
    /// `--data DIR`: where the files are.
    pub data: Option<PathBuf>,
}

impl Arguments {
    /// The options that the program was started with.
    pub fn read() -> Result<Arguments, ExampleError> {
        Arguments::parse(Parser::from_env(), true)
    }

    fn parse(parser: Parser, files: bool) -> Result<Arguments, ExampleError> {
        let options = if files { "the options are --smoke and --data DIR" } else { "the only option is --smoke" };
        Arguments::collect(parser, files).map_err(|source| ExampleError::Arguments { source, options })
    }

    fn collect(mut parser: Parser, files: bool) -> Result<Arguments, lexopt::Error> {
        let mut arguments = Arguments::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("smoke") => arguments.smoke = true,
                Arg::Long("data") if files => arguments.data = Some(parser.value()?.into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(arguments)
    }
}

/// Whether `--smoke` was given to an example that has no other option.
pub fn smoke() -> Result<bool, ExampleError> {
    Ok(Arguments::parse(Parser::from_env(), false)?.smoke)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str], files: bool) -> Result<Arguments, String> {
        Arguments::parse(Parser::from_args(words), files).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_in_any_order() {
        let all = Arguments { smoke: true, data: Some("a b".into()) };
        assert_eq!(parse(&["--data", "a b", "--smoke"], true), Ok(all.clone()));
        assert_eq!(parse(&["--smoke", "--data=a b"], true), Ok(all));
        assert_eq!(parse(&[], true), Ok(Arguments::default()));
    }

    #[test]
    fn what_an_example_does_not_have_is_refused_with_what_it_has() {
        let refusal = parse(&["--data", "x"], false);
        assert_eq!(refusal, Err("invalid option '--data'; the only option is --smoke".to_string()));
        let refusal = parse(&["--data"], true);
        let expected = "missing argument for option '--data'; the options are --smoke and --data DIR";
        assert_eq!(refusal, Err(expected.to_string()));
    }
}
