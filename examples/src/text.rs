//! Text as tokens, one per byte: what enters is a text, what leaves are windows of it with the token behind each.
//!
//! The last tenth of a text is for trying what was learned on the rest.

use crate::ExampleError;
use fastrand::Rng;
use std::path::Path;

/// How many tokens there are.
pub const TOKENS: usize = 256;

/// A text in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// For training.
    pub train: Vec<u32>,
    /// For trying.
    pub held_out: Vec<u32>,
}

/// Windows one after the other, and for each of their tokens the next one.
pub type Windows = (Vec<u32>, Vec<u32>);

impl Text {
    /// The beginning of the plays of Shakespeare.
    pub fn embedded() -> Text {
        Text::new(include_bytes!("../data/shakespeare.txt"))
    }

    /// The text of a file.
    pub fn read(path: &Path) -> Result<Text, ExampleError> {
        let contents = std::fs::read(path);
        contents
            .map(|bytes| Text::new(&bytes))
            .map_err(|source| ExampleError::Read { path: path.to_path_buf(), source })
    }

    /// A text that has at least one window of that many tokens, with the next one, in both parts.
    pub fn at_least(self, window: usize) -> Result<Text, ExampleError> {
        let found = self.train.len().min(self.held_out.len());
        if found > window { Ok(self) } else { Err(ExampleError::ShortText { needed: window + 1, found }) }
    }

    fn new(bytes: &[u8]) -> Text {
        let (train, held_out) = bytes.split_at(bytes.len() - bytes.len() / 10);
        let tokens = |part: &[u8]| part.iter().copied().map(u32::from).collect();
        Text { train: tokens(train), held_out: tokens(held_out) }
    }
}

/// So many windows from anywhere in a part.
pub fn drawn(part: &[u32], count: usize, window: usize, random: &mut Rng) -> Windows {
    collected(part, window, (0..count).map(|_| random.usize(..part.len() - window)))
}

/// All windows that lie side by side, in groups of that many; what does not fill a group is left out, unless nothing does.
pub fn beside(part: &[u32], count: usize, window: usize) -> impl Iterator<Item = Windows> {
    let places: Vec<usize> = (0..(part.len() - 1) / window).map(|number| number * window).collect();
    let groups = (places.len() / count).max(1);
    (0..groups)
        .map(move |group| collected(part, window, (0..count).map(|at| places[(group * count + at) % places.len()])))
}

fn collected(part: &[u32], window: usize, places: impl Iterator<Item = usize>) -> Windows {
    let mut windows = Windows::default();
    for place in places {
        windows.0.extend_from_slice(&part[place..place + window]);
        windows.1.extend_from_slice(&part[place + 1..=place + window]);
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tenth_is_held_out() {
        let text = Text::new(b"0123456789abcdefghij!");
        assert_eq!((text.train.len(), text.held_out), (19, vec![u32::from(b'j'), u32::from(b'!')]));
        let short = Text::new(b"0123456789").at_least(1).map_err(|error| error.to_string());
        assert_eq!(short, Err("the text is too short: both parts need 2 bytes, one has 1".to_string()));
    }

    #[test]
    fn each_token_is_followed_by_the_next() {
        let part: Vec<u32> = (0..11).collect();
        let all: Vec<Windows> = beside(&part, 2, 2).collect();
        assert_eq!(all, [(vec![0, 1, 2, 3], vec![1, 2, 3, 4]), (vec![4, 5, 6, 7], vec![5, 6, 7, 8])]);
        let (ids, next) = drawn(&part, 50, 3, &mut Rng::with_seed(1));
        assert_eq!(ids.len(), 150);
        assert!(ids.iter().zip(&next).all(|(token, next)| token + 1 == *next));
        assert!(ids.contains(&0) && next.contains(&10));
    }

    #[test]
    fn few_windows_fill_a_group_by_turns() {
        let part: Vec<u32> = (0..5).collect();
        let all: Vec<Windows> = beside(&part, 3, 2).collect();
        assert_eq!(all, [(vec![0, 1, 2, 3, 0, 1], vec![1, 2, 3, 4, 1, 2])]);
    }
}
