//! Sentences of a small grammar with the tag of every word: what enters is a seed, what leaves are sentences of one length,
//! padded behind their ends.
//!
//! Most words have more than one tag ("the light", "a light duck", "they light the garden"), and only what stands before or behind
//! them tells which.

use crate::ExampleError;
use fastrand::Rng;
use std::collections::BTreeMap;
use tapeless_data::{Dataset, Rows};

/// How many words the longest sentence has.
pub const LENGTH: usize = 16;
/// More words than there are, the padding included.
pub const WORDS: usize = 80;
/// The names of the tags.
pub const TAGS: [&str; 8] =
    ["article", "pronoun", "noun", "verb", "adjective", "preposition", "auxiliary", "conjunction"];
/// The tag of what is no word.
pub const NONE: u32 = TAGS.len() as u32;

/// Sentences: words, which are numbered from 1, and their tags.
pub type Sentences = Dataset<(Rows<u32>, Rows<u32>)>;

/// The words of each tag.
const LEXICON: [&str; 8] = [
    "the a every that her this",
    "she he they we her him that this",
    "dog child teacher garden river fish duck light watch play book walk plan can will park match train cold kind fast like well",
    "sees finds knows hears fish duck light watch play book walk plan can will park match train fast like saw cut",
    "old young green light cold kind fast well cut",
    "near with under behind like by past for",
    "can will may must did",
    "and but while that for like",
];

const ARTICLE: usize = 0;
const PRONOUN: usize = 1;
const NOUN: usize = 2;
const VERB: usize = 3;
const ADJECTIVE: usize = 4;
const PREPOSITION: usize = 5;
const AUXILIARY: usize = 6;
const CONJUNCTION: usize = 7;

/// Every word once, in the order of their numbers, from 1.
fn words() -> Vec<&'static str> {
    let mut words: Vec<&str> = LEXICON.iter().flat_map(|words| words.split(' ')).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// So many sentences.
pub fn sentences(count: usize, seed: u64) -> Result<Sentences, ExampleError> {
    let numbers: BTreeMap<&str, u32> = (1..).zip(words()).map(|(number, word)| (word, number)).collect();
    let mut random = Rng::with_seed(seed);
    let (mut ids, mut tags) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let sentence = Writer::sentence(&mut random);
        let padding = LENGTH - sentence.len();
        ids.extend(sentence.iter().map(|(word, _)| numbers[word]).chain(std::iter::repeat_n(0, padding)));
        tags.extend(sentence.iter().map(|&(_, tag)| tag as u32).chain(std::iter::repeat_n(NONE, padding)));
    }
    Ok(Dataset::new((Rows::new(LENGTH, ids)?, Rows::new(LENGTH, tags)?))?)
}

/// The words of a padded sentence, each with its tag.
pub fn written(ids: &[u32], tags: &[u32]) -> String {
    let words = words();
    let there = ids.iter().zip(tags).filter(|(id, _)| **id > 0);
    let pairs: Vec<String> =
        there.map(|(&id, &tag)| format!("{}/{}", words[id as usize - 1], TAGS[tag as usize])).collect();
    pairs.join(" ")
}

/// The share of words that get the right tag, of what is found for all places.
pub fn accuracy(found: &[u32], tags: &[u32]) -> f64 {
    let there = || found.iter().zip(tags).filter(|(_, tag)| **tag != NONE);
    there().filter(|(found, tag)| found == tag).count() as f64 / there().count() as f64
}

/// What every word is most often, of all that is learned from, for each word of others.
pub fn most_frequent(learned: &Sentences, others: &Sentences) -> Vec<u32> {
    let mut counts = vec![[0usize; TAGS.len()]; WORDS];
    let (ids, tags) = learned.columns();
    for (&id, &tag) in ids.elements().iter().zip(tags.elements()).filter(|(_, tag)| **tag != NONE) {
        counts[id as usize][tag as usize] += 1;
    }
    let most =
        |counts: &[usize; TAGS.len()]| (0..TAGS.len()).max_by_key(|&tag| counts[tag]).expect("there are tags") as u32;
    others.columns().0.elements().iter().map(|&id| most(&counts[id as usize])).collect()
}

/// A sentence as it is written, word by word.
struct Writer<'r> {
    random: &'r mut Rng,
    words: Vec<(&'static str, usize)>,
}

impl Writer<'_> {
    /// A sentence that is short enough.
    fn sentence(random: &mut Rng) -> Vec<(&'static str, usize)> {
        loop {
            let mut writer = Writer { random, words: Vec::new() };
            writer.clause();
            if writer.chance(0.25) {
                writer.word(CONJUNCTION);
                writer.clause();
            }
            if writer.words.len() <= LENGTH {
                return writer.words;
            }
        }
    }

    fn chance(&mut self, p: f64) -> bool {
        self.random.f64() < p
    }

    fn word(&mut self, tag: usize) {
        let words: Vec<&str> = LEXICON[tag].split(' ').collect();
        self.words.push((words[self.random.usize(..words.len())], tag));
    }

    fn clause(&mut self) {
        self.subject();
        if self.chance(0.3) {
            self.word(AUXILIARY);
        }
        self.word(VERB);
        if self.chance(0.7) {
            self.subject();
        }
        if self.chance(0.3) {
            self.word(PREPOSITION);
            self.subject();
        }
    }

    fn subject(&mut self) {
        if self.chance(0.35) {
            return self.word(PRONOUN);
        }
        self.word(ARTICLE);
        if self.chance(0.4) {
            self.word(ADJECTIVE);
        }
        self.word(NOUN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_padded_and_most_words_have_several_tags() -> Result<(), ExampleError> {
        let all = sentences(500, 3)?;
        let (ids, tags) = all.columns();
        assert_eq!((all.len(), ids.elements().len()), (500, 500 * LENGTH));
        assert!(words().len() < WORDS);
        let mut seen: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (&id, &tag) in ids.elements().iter().zip(tags.elements()) {
            assert_eq!((id == 0, id as usize <= words().len()), (tag == NONE, true));
            let known = seen.entry(id).or_default();
            if !known.contains(&tag) {
                known.push(tag);
            }
        }
        let several = ids.elements().iter().filter(|&&id| seen[&id].len() > 1).count();
        let there = ids.elements().iter().filter(|&&id| id > 0).count();
        assert!(2 * several > there, "{several} of {there}");
        Ok(())
    }

    #[test]
    fn the_same_seed_gives_the_same_sentences() -> Result<(), ExampleError> {
        let elements = |seed| Ok::<_, ExampleError>(sentences(20, seed)?.columns().0.elements().to_vec());
        assert_eq!(elements(1)?, elements(1)?);
        assert_ne!(elements(1)?, elements(2)?);
        Ok(())
    }

    #[test]
    fn accuracy_counts_words_only() -> Result<(), ExampleError> {
        assert_eq!(accuracy(&[1, 2, 0, 5], &[1, 3, NONE, 5]), 2.0 / 3.0);
        let all = sentences(100, 5)?;
        let guessed = accuracy(&most_frequent(&all, &all), all.columns().1.elements());
        assert!(guessed > 0.5 && guessed < 0.9, "{guessed}");
        Ok(())
    }

    #[test]
    fn words_are_written_with_their_tags() {
        let number = |word: &str| words().iter().position(|other| *other == word).expect("it is a word") as u32 + 1;
        let text = written(&[number("the"), number("light"), 0], &[0, 2, NONE]);
        assert_eq!(text, "the/article light/noun");
    }
}
