//! Wrong programs through rustc: each must fail with the message, at the token and with nothing else that its `.stderr`
//! says. The same corpus is held against the compiler itself in its own `tests/wrong.rs`.

/// Programs that build and are refused by `compile`.
const OTHERS: [&str; 1] = ["dyn_never_broadcasts"];

#[test]
fn wrong_programs_fail_to_build_with_their_messages() {
    let cases = trybuild::TestCases::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../compiler/tests/programs/wrong");
    let entries = std::fs::read_dir(folder).expect("the corpus is in the repository");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    for path in files {
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        if !OTHERS.contains(&name.as_str()) {
            cases.compile_fail(format!("../compiler/tests/programs/wrong/{name}.rs"));
        }
    }
}
