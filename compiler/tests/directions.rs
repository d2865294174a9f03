//! The direction of dependencies: which room of the compiler may name which. Nothing looks back up.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may name, in the order in which a reader meets them.
const ROOMS: &[(&str, &[&str])] = &[
    ("dtype", &[]),
    ("random", &[]),
    ("prelude", &[]),
    ("target", &[]),
    ("nearest", &[]),
    ("shape", &["dtype"]),
    ("text", &["dtype", "shape"]),
    ("scalar", &["dtype"]),
    ("nest", &["dtype", "scalar"]),
    ("description", &["dtype", "text", "shape"]),
    ("graph", &["dtype", "text", "shape", "scalar", "nest"]),
    ("ops", &["dtype", "random", "shape", "scalar", "nest", "graph"]),
    ("differences", &["dtype", "shape", "graph", "ops"]),
    ("finite", &["dtype", "shape", "graph", "ops"]),
    ("generate", &["dtype", "shape", "graph", "ops"]),
    ("expand", &["dtype", "shape", "scalar", "nest", "graph", "ops"]),
    ("autodiff", &["dtype", "shape", "scalar", "nest", "graph", "ops", "expand"]),
    ("samples", &["dtype", "graph", "ops", "autodiff"]),
    ("optim", &["dtype", "shape", "scalar", "nest", "graph", "ops"]),
    ("simplify", &["dtype", "shape", "scalar", "nest", "graph", "ops"]),
    ("fuse", &["dtype", "shape", "scalar", "nest", "graph", "ops"]),
    ("kernel", &["dtype", "scalar", "nest"]),
    ("schedule", &["dtype", "target", "scalar", "nest", "kernel"]),
    ("plan", &["dtype", "target", "shape", "scalar", "nest", "graph", "ops", "fuse", "kernel", "schedule"]),
    ("backend", &["dtype", "scalar", "nest", "kernel"]),
    (
        "syntax",
        &[
            "dtype",
            "random",
            "text",
            "shape",
            "scalar",
            "graph",
            "ops",
            "expand",
            "autodiff",
            "optim",
            "simplify",
            "description",
            "nearest",
            "prelude",
        ],
    ),
    (
        "pipeline",
        &[
            "dtype", "target", "shape", "text", "scalar", "nest", "graph", "ops", "expand", "finite", "simplify",
            "syntax", "fuse", "kernel", "schedule", "plan", "backend",
        ],
    ),
];

#[test]
fn no_room_names_one_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in files(&source) {
        let room = room(&source, &file);
        if room == "lib" {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            panic!("room `{room}` has no row in the table");
        };
        let text = fs::read_to_string(&file).expect("a source file is text");
        let named = named_rooms(&text);
        let other = |name: &&String| **name != room && !allowed.contains(&name.as_str());
        wrong.extend(named.iter().filter(other).map(|name| format!("{}: crate::{name}", file.display())));
    }
    assert!(wrong.is_empty(), "these look back up:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    for (position, (room, allowed)) in ROOMS.iter().enumerate() {
        for name in *allowed {
            let known = ROOMS[..position].iter().any(|(earlier, _)| earlier == name);
            assert!(known, "`{room}` may name `{name}`, which does not stand above it in the table");
        }
    }
}

#[test]
fn paths_are_found_in_every_form() {
    let text = "//! [`crate::plan`]\nuse crate::nest::Nest;\nuse crate::{dtype, fuse::{self, Group}};\n\
                fn f() -> crate::kernel::Kernel {}\n#[cfg(test)]\nmod tests { use crate::ops; }\n";
    let expected = ["dtype", "fuse", "kernel", "nest"].map(str::to_string);
    assert_eq!(named_rooms(text), BTreeSet::from(expected));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the source folder is there");
    let paths = entries.map(|entry| entry.expect("the source folder can be listed").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn room(source: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(source).expect("the file is in the folder");
    let first = inside.iter().next().expect("a file has a name").to_string_lossy();
    first.trim_end_matches(".rs").to_string()
}

/// The first segments of all paths from `crate` outside of comments and unit tests.
fn named_rooms(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().expect("a split has a first part");
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for path in code.split("crate::").skip(1) {
        match path.strip_prefix('{') {
            Some(list) => found.extend(listed(list)),
            None => found.extend(word(path)),
        }
    }
    found
}

/// The first segment of each path in a `{…}` list.
fn listed(list: &str) -> Vec<String> {
    let (mut depth, mut start, mut found) = (0, true, Vec::new());
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if letter.is_whitespace() => {}
            _ if start => {
                found.extend(word(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    found
}

/// The name of a room at the start of a path; rooms are modules, so they begin with a small letter.
fn word(path: &str) -> Option<String> {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    path.starts_with(|c: char| c.is_lowercase()).then(|| path[..end].to_string())
}
