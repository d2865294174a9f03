//! What is printed, and what it comes to: sections of Markdown with a table each, and counts of verdicts.

use super::arguments::Arguments;
use tapeless_checks::Failure;

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it has to be.
    Ok,
    /// It is not.
    Failed(String),
    /// The device has no code or no memory for it.
    Unsupported(String),
}

impl Verdict {
    /// The verdict on something that was not held.
    pub fn on(failure: &Failure) -> Verdict {
        match failure.is_unsupported() {
            true => Verdict::Unsupported(failure.to_string()),
            false => Verdict::Failed(failure.to_string()),
        }
    }

    fn cell(&self) -> String {
        match self {
            Verdict::Ok => "ok".to_string(),
            Verdict::Failed(reason) => format!("**failed**: {reason}"),
            Verdict::Unsupported(reason) => format!("not supported: {reason}"),
        }
    }
}

/// The tables as they are printed, and the verdicts counted.
#[derive(Debug)]
pub struct Sheet {
    smoke: bool,
    only: Option<String>,
    ok: usize,
    failed: usize,
    unsupported: usize,
    /// The smallest share of the bandwidth of copies that an elementwise kernel had, where arrays were large.
    lowest_share: Option<f64>,
}

impl Sheet {
    /// A sheet without rows.
    pub fn new(arguments: &Arguments) -> Sheet {
        let Arguments { smoke, only, .. } = arguments;
        Sheet { smoke: *smoke, only: only.clone(), ok: 0, failed: 0, unsupported: 0, lowest_share: None }
    }

    /// Whether something of this name is to be tried. Of everything, a smoke test takes one in so many, by its number.
    pub fn takes(&self, name: &str, number: usize, one_in: usize) -> bool {
        match &self.only {
            Some(only) => name.contains(only.as_str()),
            None => !self.smoke || number.is_multiple_of(one_in),
        }
    }

    /// Begins a section with the head of its table.
    pub fn section(&self, title: &str, remark: &str, columns: &[&str]) {
        println!("\n## {title}\n");
        if !remark.is_empty() {
            println!("{remark}\n");
        }
        println!("{}\n{}", line(columns), line(&vec!["---"; columns.len()]));
    }

    /// A row that says something and is neither right nor wrong.
    pub fn fact(&self, cells: &[&str]) {
        println!("{}", line(cells));
    }

    /// A row; its verdict is the last cell.
    pub fn row(&mut self, cells: &[String], verdict: &Verdict) {
        match verdict {
            Verdict::Ok => self.ok += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Unsupported(_) => self.unsupported += 1,
        }
        let cells: Vec<String> = cells.iter().cloned().chain([verdict.cell()]).collect();
        println!("{}", line(&cells));
    }

    /// Takes note of an elementwise kernel's share of the bandwidth of copies.
    pub fn share(&mut self, share: f64) {
        self.lowest_share = Some(self.lowest_share.map_or(share, |lowest| lowest.min(share)));
    }

    /// Whether there are no rows with verdicts.
    pub fn is_empty(&self) -> bool {
        self.ok + self.failed + self.unsupported == 0
    }

    /// Whether something failed.
    pub fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// What it comes to, in a line.
    pub fn summary(&self) -> String {
        let Sheet { ok, failed, unsupported, lowest_share, .. } = self;
        let share = lowest_share.map_or_else(String::new, |share| format!(" lowest_share={share:.3}"));
        format!("result ok={ok} failed={failed} unsupported={unsupported}{share}")
    }
}

/// A row of a table.
fn line<T: AsRef<str>>(cells: &[T]) -> String {
    // Neither may stand in a cell as it is.
    let cells = cells.iter().map(|cell| cell.as_ref().replace('|', "\\|").replace('\n', " "));
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(smoke: bool, only: Option<&str>) -> Sheet {
        Sheet::new(&Arguments { smoke, only: only.map(str::to_string), ..Arguments::default() })
    }

    #[test]
    fn one_failure_is_enough() {
        let mut sheet = sheet(false, None);
        assert!(sheet.is_empty() && !sheet.has_failed());
        sheet.row(&["a".to_string()], &Verdict::Ok);
        sheet.row(&["b".to_string()], &Verdict::Unsupported("it is too large".to_string()));
        assert!(!sheet.is_empty() && !sheet.has_failed());
        assert_eq!(sheet.summary(), "result ok=1 failed=0 unsupported=1");
        sheet.row(&["c".to_string()], &Verdict::Failed("it is off".to_string()));
        [0.9, 0.75, 0.8].into_iter().for_each(|share| sheet.share(share));
        assert!(sheet.has_failed());
        assert_eq!(sheet.summary(), "result ok=1 failed=1 unsupported=1 lowest_share=0.750");
    }

    #[test]
    fn names_choose_before_numbers_do() {
        let taken = |sheet: &Sheet| (0..6).filter(|&at| sheet.takes("adam", at, 3)).count();
        assert_eq!([taken(&sheet(false, None)), taken(&sheet(true, None))], [6, 2]);
        assert_eq!([taken(&sheet(true, Some("da"))), taken(&sheet(false, Some("sgd")))], [6, 0]);
    }

    #[test]
    fn cells_hold_no_bars_and_no_lines() {
        assert_eq!(line(&["a|b", "c\nd"]), "| a\\|b | c d |");
    }
}
