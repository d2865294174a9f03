//! Wrong programs and their messages: each file under `tests/programs/wrong` ends in comments that say what the macro must
//! report, headline, further lines and place. Mistakes that only `compile` can find have no `// error:`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::fs;
use std::path::{Path, PathBuf};
use tapeless_compiler::syntax;

/// The contents of all `model! { … }` in a file, with their places.
fn model_bodies(source: &str) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> =
        source.parse::<TokenStream>().expect("the files are made of Rust tokens").into_iter().collect();
    let is_body = |window: &[TokenTree]| match window {
        [TokenTree::Ident(name), TokenTree::Punct(bang), TokenTree::Group(body)] => {
            (name == "model" && bang.as_char() == '!' && body.delimiter() == Delimiter::Brace).then(|| body.stream())
        }
        _ => None,
    };
    tokens.windows(3).filter_map(is_body).collect()
}

/// What the file says must be reported, in the form that `reported` gives.
fn expected(source: &str) -> String {
    let comments = source.lines().filter_map(|line| line.strip_prefix("// "));
    comments.skip_while(|line| !line.starts_with("error: ")).map(|line| format!("{}\n", line.trim())).collect()
}

fn reported(source: &str, file: &str) -> String {
    let mut text = String::new();
    for body in model_bodies(source) {
        let (_, mut diagnostics) = syntax::compile(body);
        diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start().line, diagnostic.span.start().column));
        for diagnostic in diagnostics {
            let place = syntax::diagnostic::position(diagnostic.span);
            let unnamed = place.rsplitn(3, ':').last().unwrap_or_default().to_string();
            let message = format!("error: {}\n--> {place}\n", diagnostic.message());
            let named = message.replace(&format!("{unnamed}:"), &format!("wrong/{file}:"));
            text.extend(named.lines().map(|line| format!("{}\n", line.trim())));
        }
    }
    text
}

fn wrong_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/wrong");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it is readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

#[test]
fn every_wrong_program_gets_its_messages_at_their_tokens() {
    let mut differing = Vec::new();
    for path in wrong_files() {
        let source = fs::read_to_string(&path).expect("it is text");
        let file = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        let (expected, reported) = (expected(&source), reported(&source, &file));
        if expected != reported {
            differing.push(format!("== {file}\nexpected:\n{expected}reported:\n{reported}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
