//! The names nearest to one that does not exist, for messages.

/// How many names a message suggests.
const SUGGESTIONS: usize = 3;

/// The names that differ from `name` in at most a third of its characters, nearest first, a few at most.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = name.chars().count().div_ceil(3);
    let mut near: Vec<(usize, &str)> =
        names.map(|other| (distance(name, other), other)).filter(|(distance, _)| *distance <= limit).collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(SUGGESTIONS).map(|(_, other)| other.to_string()).collect()
}

/// How many characters must be inserted, deleted or replaced to get from one name to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("fc1.weight", "fc1.weight"), 0);
        assert_eq!(distance("fc1.wieght", "fc1.weight"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn the_nearest_come_first_and_strangers_not_at_all() {
        let names = ["fc1.bias", "fc2.weight", "fc1.weight", "running_mean"];
        assert_eq!(nearest("fc1.weigth", names.into_iter()), ["fc1.weight", "fc2.weight"]);
        assert!(nearest("x", ["fc1.bias"].into_iter()).is_empty());
    }
}
