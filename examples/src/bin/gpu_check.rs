//! Tries a device: training runs of PyTorch, the law of every op, and times, as tables of Markdown.
//!
//! `cargo run --release --bin gpu_check -- --device cuda`

use std::process::ExitCode;
use tapeless_examples::ExampleError;
use tapeless_examples::gpu_check::arguments::Arguments;
use tapeless_examples::gpu_check::check;

fn main() -> Result<ExitCode, ExampleError> {
    let arguments = Arguments::read()?;
    println!("# gpu_check");
    let sheet = check(&arguments)?;
    println!("\n{}", sheet.summary());
    Ok(if sheet.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
