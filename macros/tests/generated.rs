//! What the macro generates compiles without a warning, against nothing but the part of the runtime that it names, and
//! passes everything on in order.

#![deny(warnings, missing_docs, clippy::all)]

extern crate self as tapeless;

include!("generated/program.snap.rs");

use generated::{Input, StoreArgument};
use std::cell::RefCell;

/// What generated code names beside the public types.
pub mod generated {
    use super::Store;

    /// A store, borrowed one way or the other.
    pub enum StoreArgument<'a> {
        /// `&`
        Shared(&'a Store),
        /// `&mut`
        Exclusive(&'a mut Store),
    }

    /// The elements of an input, as text.
    pub struct Input<'a>(pub String, std::marker::PhantomData<&'a ()>);

    impl<'a, T: std::fmt::Debug + ?Sized> From<&'a T> for Input<'a> {
        fn from(elements: &'a T) -> Input<'a> {
            Input(format!("{elements:?}"), std::marker::PhantomData)
        }
    }
}

/// A device.
pub struct Device;

/// A seed.
pub struct Seed(u64);

/// A number of half precision.
pub struct Half(f32);

impl std::fmt::Debug for Half {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Half({})", self.0)
    }
}

pub use self::Half as bf16;

/// An error.
#[derive(Debug, PartialEq)]
pub struct Error;

/// Options.
pub struct Options;

/// A store that knows its description.
pub struct Store(String);

impl Store {
    fn new(description: &'static str, _: &Device, seed: Seed) -> Result<Store, Error> {
        if seed.0 == 0 { Ok(Store(description.lines().nth(1).unwrap_or_default().to_string())) } else { Err(Error) }
    }

    fn averaged(&self, step: &str) -> Result<Store, Error> {
        Ok(Store(format!("{}, averaged by {step}", self.0)))
    }
}

/// An array.
#[derive(Debug)]
pub struct View<'a, T>(&'a [usize], std::marker::PhantomData<T>);

/// A step that writes down how it is called.
pub struct Step {
    log: RefCell<Vec<String>>,
    positions: Vec<usize>,
}

impl Step {
    fn compile(graph: &'static str, _: &Device, dims: &[(&str, Option<usize>)], _: &Options) -> Result<Step, Error> {
        let name = graph.lines().nth(1).unwrap_or_default();
        Ok(Step { log: RefCell::new(vec![format!("{name} {dims:?}")]), positions: (0..9).collect() })
    }

    fn run(&mut self, stores: &mut [StoreArgument<'_>], inputs: &[Input<'_>]) -> Result<(), Error> {
        let store = |argument: &StoreArgument<'_>| match argument {
            StoreArgument::Shared(store) => format!("& {}", store.0),
            StoreArgument::Exclusive(store) => format!("&mut {}", store.0),
        };
        let words = stores.iter().map(store).chain(inputs.iter().map(|input| input.0.clone()));
        self.log.borrow_mut().extend(words);
        Ok(())
    }

    fn scalar<T: From<u8>>(&self, position: u8) -> T {
        self.log.borrow_mut().push(format!("scalar {position}"));
        T::from(position)
    }

    fn view<T>(&self, position: usize) -> View<'_, T> {
        View(&self.positions[position..=position], std::marker::PhantomData)
    }
}

#[test]
fn arguments_and_results_stand_in_order() -> Result<(), Error> {
    let device = Device;
    let (mut line, other) = (Line::new(&device, Seed(0))?, Line::new(&device, Seed(0))?);
    let mut train = TrainLine::compile(&device, TrainLine::dims().b(2).r#type(3), &Options)?;
    let label = vec![3];
    let out = train.run(&mut line, &other, &[1.0, 2.0], &label, &[true], &[Half(0.5)], 0.1, -1)?;
    assert_eq!((out.loss, out.each.0, out.output.0.0, out.output.1), (0.0, &[1][..], &[2][..], (3.0,)));
    assert_eq!(format!("{out:?}").split(' ').next(), Some("TrainLineOutput"));
    let log = train.log.take();
    let given = ["&mut model Line", "& model Line", "[1.0, 2.0]", "[3]", "[true]", "[Half(0.5)]", "0.1", "-1"];
    assert_eq!(log[0], "step TrainLine [(\"B\", Some(2)), (\"TYPE\", Some(3))]");
    assert_eq!(log[1..9], given);
    Ok(())
}

#[test]
fn what_is_not_set_is_passed_on_as_not_set() -> Result<(), Error> {
    let train = TrainLine::compile(&Device, TrainLine::dims().b(2).clone(), &Options)?;
    assert_eq!(train.log.take(), ["step TrainLine [(\"B\", Some(2)), (\"TYPE\", None)]"]);
    let mut idle = Idle::compile(&Device, Idle::dims(), &Options)?;
    idle.run()?;
    assert_eq!(idle.log.take(), ["step Idle []"]);
    assert_eq!(format!("{idle:?} {train:?} {:?}", Idle::dims()), "Idle { .. } TrainLine { .. } IdleDims");
    Ok(())
}

#[test]
fn models_deref_to_their_store_and_pass_errors_on() -> Result<(), Error> {
    let mut line = Line::new(&Device, Seed(0))?;
    line.0.push('!');
    assert_eq!((line.0.as_str(), format!("{line:?}").as_str()), ("model Line!", "Line { .. }"));
    assert_eq!(line.averaged("TrainLine")?.0, "model Line!, averaged by TrainLine");
    assert_eq!(Line::new(&Device, Seed(1)).err(), Some(Error));
    Ok(())
}
