//! How rows fall into blocks.

use super::Group;

/// How many columns of a row a thread has at most where registers hold them.
const HELD: usize = 16;

/// How many a thread has at a time where they do not.
const LOOPED: usize = 8;

/// The longest rows that threads have for themselves.
const SHORT: usize = 32;

/// How much a thread computes at most of a row of its own, in scalars.
const STRAIGHT: usize = 1024;

/// The threads of a GPU with which everything is on its way.
const FILLED: usize = 1 << 17;

/// The most blocks where nothing but rows is computed: more take as long to start as they run.
const BLOCKS: usize = 1 << 14;

/// How many rows keep a GPU busy with blocks of few threads.
const MANY: usize = 2048;

/// How rows fall into blocks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    /// How many threads a block has.
    pub threads: usize,
    /// Whether each thread has a row for itself.
    pub alone: bool,
    /// How many rows a block has at once.
    pub at_once: usize,
    /// How often it takes others after those.
    pub turns: usize,
    /// For each stage, how many columns a thread has at a time; nothing without columns.
    pub groups: Vec<Option<usize>>,
}

impl Shape {
    /// The shape for about so many threads; `None` if a row is too long for what its columns are summed up to.
    pub(super) fn choose(group: &Group<'_>, threads: usize) -> Option<Shape> {
        let rows: usize = group.shared.iter().product();
        let columns = |stage: usize| {
            let extents = &group.stages[stage].extents;
            (!extents.is_empty()).then(|| extents.iter().product::<usize>())
        };
        let counts: Vec<Option<usize>> = (0..group.stages.len()).map(columns).collect();
        let longest = counts.iter().flatten().copied().max().unwrap_or(1);
        let scalars = |stage: usize| -> usize {
            let parts = group.stages[stage].parts.iter();
            parts.map(|&part| group.parts[part].nest.body.scalars.len()).sum::<usize>() * counts[stage].unwrap_or(1)
        };
        let sums = group.parts.iter().any(|part| part.sums);
        if longest <= SHORT && (0..counts.len()).map(scalars).sum::<usize>() <= STRAIGHT {
            // If all rows fit one block, nothing is left to sum up behind it.
            let whole = sums && rows <= 2 * threads;
            let threads = if whole { rows.next_power_of_two().max(32) } else { threads.min(128) };
            return Some(Shape { threads, alone: true, at_once: 1, turns: 1, groups: vec![None; counts.len()] });
        }
        let each = if rows >= MANY { 8 } else { 4 };
        let threads = longest.div_ceil(each).next_power_of_two().clamp(32, 2 * threads);
        let held = |count: usize| count.div_ceil(threads).next_power_of_two();
        let groups = |count: usize| if held(count) <= HELD { held(count) } else { LOOPED };
        let groups: Vec<Option<usize>> = counts.iter().map(|count| count.map(groups)).collect();
        let columns = group.parts.iter().enumerate().filter(|(_, part)| part.sums && !part.outputs.is_empty());
        for (part, _) in columns {
            if counts[group.stage_of(part)].is_some_and(|count| held(count) > HELD) {
                return None;
            }
        }
        let most = groups.iter().flatten().copied().max().unwrap_or(1);
        let fits = |at_once: &usize| threads == 32 && rows >= MANY * at_once && rows.is_multiple_of(*at_once);
        let at_once = [4, 2].into_iter().filter(|at_once| at_once * most <= 8).find(fits).unwrap_or(1);
        let blocks = if sums { FILLED / threads } else { BLOCKS };
        Some(Shape { threads, alone: false, at_once, turns: (rows / at_once).div_ceil(blocks), groups })
    }

    /// Whether registers hold what a stage has for each of so many columns.
    pub(super) fn holds(&self, stage: usize, columns: usize) -> bool {
        self.groups[stage].is_some_and(|groups| columns <= groups * self.threads)
    }
}
