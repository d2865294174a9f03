//! The text of groups, for people.

use super::Group;
use std::fmt;

/// One header per group, `v7 = mul+sub(v1, v5)`, and its nest below. Several parts are named by what they compute, in
/// brackets where it stays inside: `v7, [v8] = sum+div(v1) over [64]`.
pub fn print(groups: &[Group]) -> String {
    groups.iter().map(Group::to_string).collect()
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operands: Vec<String> = self.operands.iter().map(|value| value.to_string()).collect();
        let results: Vec<String> = self
            .parts
            .iter()
            .map(|part| if part.kept { part.result.to_string() } else { format!("[{}]", part.result) })
            .collect();
        if let Some(scan) = &self.scan {
            let results: Vec<String> = self.results().map(|value| value.to_string()).collect();
            let (count, operands) = (&scan.turns.count, operands.join(", "));
            writeln!(f, "{} = {}({operands}), {count} turns", results.join(", "), self.label)?;
            return scan.groups.iter().try_for_each(|group| indented(f, &group.to_string()));
        }
        write!(f, "{} = {}({})", results.join(", "), self.label, operands.join(", "))?;
        match self.shared.is_empty() {
            true => writeln!(f)?,
            false => writeln!(f, " over {:?}", self.shared)?,
        }
        self.parts.iter().try_for_each(|part| write!(f, "{}", part.nest))
    }
}

fn indented(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.lines().try_for_each(|line| writeln!(f, "    {line}"))
}
