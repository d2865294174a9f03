//! The command line of `gpu_check`.

use crate::ExampleError;
use lexopt::{Arg, Parser, ValueExt};

const OPTIONS: &str =
    "the options are --device best, cpu, cuda or cuda:N, --smoke, and --only NAME for what has that in its name";

/// The options of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--device`: which device.
    pub device: Wanted,
    /// `--smoke`: a small part of everything, for a moment only.
    pub smoke: bool,
    /// `--only NAME`: nothing but what has this in its name.
    pub only: Option<String>,
}

/// A device as the command line names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The first CUDA device if there is one, else the processor.
    #[default]
    Best,
    /// The processor.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
}

impl Arguments {
    /// The options that the program was started with.
    pub fn read() -> Result<Arguments, ExampleError> {
        Arguments::parse(Parser::from_env())
    }

    fn parse(parser: Parser) -> Result<Arguments, ExampleError> {
        Arguments::collect(parser).map_err(|source| ExampleError::Arguments { source, options: OPTIONS.to_string() })
    }

    fn collect(mut parser: Parser) -> Result<Arguments, lexopt::Error> {
        let mut arguments = Arguments::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("device") => arguments.device = wanted(&parser.value()?.string()?)?,
                Arg::Long("smoke") => arguments.smoke = true,
                Arg::Long("only") => arguments.only = Some(parser.value()?.string()?),
                other => return Err(other.unexpected()),
            }
        }
        Ok(arguments)
    }
}

fn wanted(name: &str) -> Result<Wanted, lexopt::Error> {
    match name.split_once(':') {
        None if name == "best" => Ok(Wanted::Best),
        None if name == "cpu" => Ok(Wanted::Cpu),
        None if name == "cuda" => Ok(Wanted::Cuda(0)),
        Some(("cuda", ordinal)) => Ok(Wanted::Cuda(ordinal.parse().map_err(|_| no_device(name))?)),
        _ => Err(no_device(name)),
    }
}

fn no_device(name: &str) -> lexopt::Error {
    format!("there is no device `{name}`").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(Parser::from_args(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn devices_are_named_by_kind_and_number() {
        let device = |name| parse(&["--device", name]).map(|arguments| arguments.device);
        assert_eq!(device("best"), Ok(Wanted::Best));
        assert_eq!(device("cpu"), Ok(Wanted::Cpu));
        assert_eq!([device("cuda"), device("cuda:3")], [Ok(Wanted::Cuda(0)), Ok(Wanted::Cuda(3))]);
        for name in ["gpu", "cuda:", "cuda:x", "cpu:0"] {
            assert_eq!(device(name), Err(format!("there is no device `{name}`; {OPTIONS}")));
        }
    }

    #[test]
    fn everything_on_the_best_device_is_the_default() {
        assert_eq!(parse(&[]), Ok(Arguments { device: Wanted::Best, smoke: false, only: None }));
        let some = Arguments { device: Wanted::Best, smoke: true, only: Some("adam".to_string()) };
        assert_eq!(parse(&["--only=adam", "--smoke"]), Ok(some));
    }
}
