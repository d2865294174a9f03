//! The text of groups, for people.

use super::Group;
use std::fmt;

/// One header per group, `v7 = mul+sub(v1, v5)`, and its nest below.
pub fn print(groups: &[Group]) -> String {
    groups.iter().map(Group::to_string).collect()
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operands: Vec<String> = self.operands.iter().map(|value| value.to_string()).collect();
        write!(f, "{} = {}({})\n{}", self.result, self.label, operands.join(", "), self.nest)
    }
}
