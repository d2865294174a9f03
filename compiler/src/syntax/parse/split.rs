//! Where items begin: a word of the language followed by a name, at the top level of the tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The words that begin items, beside `use`.
pub(super) const WORDS: [&str; 3] = ["block", "model", "step"];

/// The tokens of a file, item by item.
pub(super) struct Chunks {
    /// What stands before the first item; nothing, in a correct file.
    pub before: Vec<TokenTree>,
    /// The items with their attributes and visibility. What follows an item wrongly is at its end.
    pub items: Vec<Vec<TokenTree>>,
}

/// Cuts a file before each item.
pub(super) fn items(tokens: TokenStream) -> Chunks {
    let mut before: Vec<TokenTree> = tokens.into_iter().collect();
    let words: Vec<usize> = (0..before.len()).filter(|&at| is_word(&before[at..])).collect();
    let starts: Vec<usize> = words.into_iter().map(|word| start(&before, word)).collect();
    let mut items: Vec<Vec<TokenTree>> = starts.into_iter().rev().map(|start| before.split_off(start)).collect();
    items.reverse();
    Chunks { before, items }
}

/// The word of an item.
pub(super) fn word(item: &[TokenTree]) -> Option<String> {
    (0..item.len()).find(|&at| is_word(&item[at..])).map(|at| item[at].to_string())
}

fn is_word(tokens: &[TokenTree]) -> bool {
    match tokens {
        [TokenTree::Ident(word), ..] if word == "use" => true,
        [TokenTree::Ident(word), TokenTree::Ident(_), ..] => WORDS.iter().any(|&known| word == known),
        _ => false,
    }
}

/// Goes back from the word of an item over its visibility and attributes.
fn start(tokens: &[TokenTree], word: usize) -> usize {
    let mut start = word;
    match &tokens[..start] {
        [.., TokenTree::Ident(public)] if public == "pub" => start -= 1,
        [.., TokenTree::Ident(public), TokenTree::Group(group)]
            if public == "pub" && group.delimiter() == Delimiter::Parenthesis =>
        {
            start -= 2;
        }
        _ => {}
    }
    while let [.., TokenTree::Punct(hash), TokenTree::Group(group)] = &tokens[..start] {
        if hash.as_char() != '#' || group.delimiter() != Delimiter::Bracket {
            break;
        }
        start -= 2;
    }
    start
}
