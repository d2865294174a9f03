//! What can go wrong, each with both sides of the mismatch. Whatever fails leaves every parameter as it was, but for a launch
//! that fails on a device while it runs: [`Error::Launch`] says what a store shows then.

use crate::store::LoadReport;
use std::io;
use std::path::PathBuf;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::pipeline::{CompileError, LoadError};
use tapeless_compiler::text::ParseError;
use thiserror::Error;

/// An error of stores and steps.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A model has no tensor of that key.
    #[error("{model} has no tensor `{key}`{}", suggestion(nearest))]
    UnknownKey {
        /// The model.
        model: String,
        /// The key as given.
        key: String,
        /// The nearest keys that there are.
        nearest: Vec<String>,
    },
    /// The number of values for a tensor is not the number of its elements.
    #[error("{model}: `{key}` is {ty}, which takes {expected} values, not {found}")]
    ValueCount {
        /// The model.
        model: String,
        /// The key of the tensor.
        key: String,
        /// Its type.
        ty: String,
        /// How many elements it has.
        expected: usize,
        /// How many values were given.
        found: usize,
    },
    /// The number of elements is not what the shape says.
    #[error("a tensor of shape {shape:?} has {} elements, not {found}", shape.iter().product::<usize>())]
    TensorLength {
        /// The shape.
        shape: Vec<usize>,
        /// How many elements were given.
        found: usize,
    },
    /// A tensor has another element type than the one asked for.
    #[error("{model}: `{key}` is {ty}, not of {asked}")]
    OtherType {
        /// The model.
        model: String,
        /// The key.
        key: String,
        /// Its type, in words of the language.
        ty: String,
        /// The element type asked for.
        asked: DType,
    },
    /// An open extent has no value.
    #[error("{step}::compile: the extent {name} is not set: `{step}::dims().{}(…)`", name.to_lowercase())]
    UnsetExtent {
        /// The step.
        step: String,
        /// The extent as the step's signature names it.
        name: String,
    },
    /// A step cannot be compiled with these extents, or not at all.
    #[error("{step}::compile: {source}")]
    Compile {
        /// The step.
        step: String,
        /// Why.
        source: CompileError,
    },
    /// An input has the wrong number of elements.
    #[error("{step}: input `{input}` is {ty}, which takes {expected} values, not {found}")]
    InputLength {
        /// The step.
        step: String,
        /// The input.
        input: String,
        /// Its type with the extents that the step was compiled for.
        ty: String,
        /// How many elements it has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// An input that is used as an index has an element out of range.
    #[error("{step}: input `{input}` has {value} at position {position}, which is not below {bound}")]
    IndexOutOfRange {
        /// The step.
        step: String,
        /// The input.
        input: String,
        /// Which element, counted in row-major order.
        position: usize,
        /// The element.
        value: i64,
        /// The extent of the axis that it indexes.
        bound: usize,
    },
    /// Gradients are there only if the step was compiled to keep them.
    #[error("{step} was compiled without `keep_gradients`")]
    GradientsNotKept {
        /// The step.
        step: String,
    },
    /// A loss or a gradient is not finite, and the step was compiled with [`Options::check_finite`](crate::Options). Nothing has
    /// changed.
    #[error("{step}: {what} has {elements} elements that are infinite or no number; nothing was updated")]
    NotFinite {
        /// The step.
        step: String,
        /// The loss, or the gradient with its key.
        what: String,
        /// How many elements.
        elements: u32,
    },
    /// Times are there only if the step was compiled to measure them.
    #[error("{step} was compiled without `profile`")]
    NotProfiled {
        /// The step.
        step: String,
    },
    /// Gradients and times are there only after a run.
    #[error("{step} has not run yet")]
    NotRun {
        /// The step.
        step: String,
    },
    /// The step computes no gradient of that key.
    #[error("{step} computes no gradient of `{key}`{}", suggestion(nearest))]
    UnknownGradient {
        /// The step.
        step: String,
        /// The key as given.
        key: String,
        /// The nearest keys that there are.
        nearest: Vec<String>,
    },
    /// A step got the store of another model.
    #[error("{step}: `{binding}` is a {expected}, not a {found}")]
    OtherModel {
        /// The step.
        step: String,
        /// The name of the model's binding in the step.
        binding: String,
        /// The model that the step names.
        expected: String,
        /// The model of the store.
        found: String,
    },
    /// A tensor of a store is not what the step was compiled for.
    #[error("{step}: `{key}` is {expected}, in this store {found}")]
    StoreMismatch {
        /// The step.
        step: String,
        /// The key.
        key: String,
        /// The type in the step.
        expected: String,
        /// The type in the store.
        found: String,
    },
    /// Two steps of one name keep different things in one store.
    #[error(
        "{step}: the store keeps its slot `{slot}` as {found}, this compile wants {expected}: two steps of one name share a store"
    )]
    SlotMismatch {
        /// The step.
        step: String,
        /// The slot.
        slot: String,
        /// The type in this compile.
        expected: String,
        /// The type in the store.
        found: String,
    },
    /// A file does not fit a model: something is missing in either, or differs.
    #[error("{} does not fit {model}, which stays as it is: {report}", path.display())]
    LoadMismatch {
        /// The file.
        path: PathBuf,
        /// The model.
        model: String,
        /// What does not fit.
        report: Box<LoadReport>,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no checkpoint, or it is damaged.
    #[error("{} is no checkpoint: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A step has not updated the parameters of a store, so there is no average of them.
    #[error("{step} has not updated this {model}, so it has no average{}", suggestion(nearest))]
    NotAveraged {
        /// The model of the store.
        model: String,
        /// The step as given.
        step: String,
        /// The nearest steps that ran with the store.
        nearest: Vec<String>,
    },
    /// A step updates parameters, but keeps no average of them.
    #[error("{step} keeps no average of {model}: that is `ema` in its minimize")]
    NoAverage {
        /// The model of the store.
        model: String,
        /// The step.
        step: String,
    },
    /// There is no code for this machine, or it cannot be loaded.
    #[error("no code can be made for this machine: {reason}")]
    Machine {
        /// Why.
        reason: String,
    },
    /// Memory ran out.
    #[error("out of memory: {bytes} bytes")]
    OutOfMemory {
        /// How much was asked for.
        bytes: usize,
    },
    /// There is no CUDA driver on this machine.
    #[error(
        "there is no CUDA driver: its library (libcuda.so.1, nvcuda.dll) cannot be loaded; `Device::cpu()` needs none"
    )]
    NoDriver,
    /// The driver knows no device of that number.
    #[error("there is no CUDA device {ordinal}: the driver knows {}", devices(*count))]
    NoSuchDevice {
        /// The number as given.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// A device is older than what code is made for.
    #[error("{device} has compute capability {}.{}, code is made for 8.0 and above", capability.0, capability.1)]
    OldDevice {
        /// The device.
        device: String,
        /// Its compute capability.
        capability: (i32, i32),
    },
    /// A call of a device's driver failed.
    #[error("{device}: {call} failed: {error}")]
    Driver {
        /// The device.
        device: String,
        /// The call.
        call: &'static str,
        /// The driver's name of the error, and what it says.
        error: String,
    },
    /// The memory of a device ran out.
    #[error("{device} is out of memory: {bytes} bytes are not there{}", left(*free))]
    OutOfDeviceMemory {
        /// The device.
        device: String,
        /// How much was asked for.
        bytes: usize,
        /// How much there is, as far as it is known.
        free: Option<usize>,
    },
    /// A device refuses the code of a kernel.
    #[error("{step}: {device} refuses kernel {kernel}: {reason}")]
    Module {
        /// The step.
        step: String,
        /// The kernel.
        kernel: String,
        /// The device.
        device: String,
        /// The driver's name of the error, what it says, and below that what its compiler wrote.
        reason: String,
    },
    /// A launch failed. If it failed while it ran, the device is lost: nothing runs on it any more in this process, and
    /// stores show, and save, what they had when they were last read or changed from the program.
    #[error("{step}: {} failed on {device}: {error}", launched(kernel.as_deref()))]
    Launch {
        /// The step.
        step: String,
        /// The kernel, if it is known: launches that run as one do not say which of them failed.
        kernel: Option<String>,
        /// The device.
        device: String,
        /// The driver's name of the error, and what it says.
        error: String,
    },
    /// A launch failed on a device before, and nothing runs on it any more in this process.
    #[error("{device} is lost since a launch failed: {error}")]
    DeviceLost {
        /// The device.
        device: String,
        /// What failed.
        error: String,
    },
    /// A store lies on another device than the step runs on.
    #[error("{step} runs on {expected}, and `{binding}` lies on {found}")]
    OtherDevice {
        /// The step.
        step: String,
        /// The name of the model's binding in the step.
        binding: String,
        /// The device of the step.
        expected: String,
        /// The device of the store.
        found: String,
    },
    /// The text of a step is no graph: a bug of the compiler.
    #[error("the graph of a step is invalid: {0}")]
    GraphText(#[from] LoadError),
    /// The text of a model is no description: a bug of the compiler.
    #[error("the description of a model is invalid: {0}")]
    DescriptionText(#[from] ParseError),
    /// What the macro generated does not fit the step: a bug of the compiler.
    #[error("{step}: {reason}")]
    Internal {
        /// The step.
        step: String,
        /// What does not fit.
        reason: String,
    },
}

/// What a message adds about the nearest names.
fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!(", did you mean `{one}`?"),
        [others @ .., last] => format!(", did you mean `{}` or `{last}`?", others.join("`, `")),
    }
}

/// How many devices there are.
fn devices(count: usize) -> String {
    match count {
        0 => "none".to_string(),
        1 => "one, device 0".to_string(),
        count => format!("{count}, devices 0 to {}", count - 1),
    }
}

/// What a message adds about memory that is left.
fn left(free: Option<usize>) -> String {
    free.map_or_else(String::new, |free| format!(", {free} are"))
}

/// Which launch failed.
fn launched(kernel: Option<&str>) -> String {
    match kernel {
        Some(kernel) => format!("kernel {kernel}"),
        None => "a kernel (`Options::profile` runs them one by one and tells which)".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_count_devices() {
        let message = |count| Error::NoSuchDevice { ordinal: 3, count }.to_string();
        assert_eq!(message(0), "there is no CUDA device 3: the driver knows none");
        assert_eq!(message(1), "there is no CUDA device 3: the driver knows one, device 0");
        assert_eq!(message(2), "there is no CUDA device 3: the driver knows 2, devices 0 to 1");
    }

    #[test]
    fn messages_suggest_what_is_near() {
        let words = |names: &[&str]| suggestion(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(words(&[]), "");
        assert_eq!(words(&["a"]), ", did you mean `a`?");
        assert_eq!(words(&["a", "b", "c"]), ", did you mean `a`, `b` or `c`?");
    }

    #[test]
    fn errors_travel_between_threads() {
        fn travels<T: Send + Sync + 'static>() {}
        travels::<Error>();
    }
}
