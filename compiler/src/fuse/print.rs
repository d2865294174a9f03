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
        write!(f, "{} = {}({})", results.join(", "), self.label, operands.join(", "))?;
        match self.shared.is_empty() {
            true => writeln!(f)?,
            false => writeln!(f, " over {:?}", self.shared)?,
        }
        self.parts.iter().try_for_each(|part| write!(f, "{}", part.nest))
    }
}
