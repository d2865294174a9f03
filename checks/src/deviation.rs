//! How far a number is off what it should be, beside how far it may be.

use std::fmt;

/// A number that was compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// Which number.
    pub what: String,
    /// How far it is off.
    pub error: f64,
    /// How far it may be off.
    pub tolerance: f64,
}

impl Deviation {
    /// Whether it is as near as it has to be. An error that is no number is not.
    pub fn holds(&self) -> bool {
        self.error <= self.tolerance
    }

    /// The error as a share of the tolerance: infinite where there is none, or where the error is no number.
    pub fn share(&self) -> f64 {
        match self.error {
            0.0 => 0.0,
            error if error.is_nan() => f64::INFINITY,
            error => error / self.tolerance,
        }
    }

    /// The one of the two that takes more of its tolerance, the other one if they are alike.
    pub fn worse(self, other: Deviation) -> Deviation {
        if other.share() >= self.share() { other } else { self }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {:.1e} off, which may be {:.1e}", self.what, self.error, self.tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deviation(error: f64, tolerance: f64) -> Deviation {
        Deviation { what: "loss".to_string(), error, tolerance }
    }

    #[test]
    fn errors_that_are_no_numbers_do_not_hold() {
        let nan = deviation(f64::NAN, 1e-3);
        assert_eq!((nan.holds(), nan.share()), (false, f64::INFINITY));
        assert_eq!(deviation(1e-3, 1e-3).worse(nan).share(), f64::INFINITY);
    }

    #[test]
    fn no_error_holds_without_a_tolerance() {
        assert_eq!((deviation(0.0, 0.0).holds(), deviation(0.0, 0.0).share()), (true, 0.0));
        assert_eq!((deviation(1.0, 0.0).holds(), deviation(1.0, 0.0).share()), (false, f64::INFINITY));
    }

    #[test]
    fn the_worse_one_takes_more_of_its_tolerance() {
        assert_eq!(deviation(1.0, 10.0).worse(deviation(0.5, 1.0)), deviation(0.5, 1.0));
        assert_eq!(deviation(1.0, 2.0).to_string(), "loss is 1.0e0 off, which may be 2.0e0");
    }
}
