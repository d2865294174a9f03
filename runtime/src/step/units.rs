//! Numbers as people read them: three digits and a unit.

/// A number of bytes: `640 B`, `1.23 MB`.
pub(super) fn bytes(count: u64) -> String {
    scaled(count as f64, "B")
}

/// A number of floating-point operations: `640 FLOP`, `1.23 MFLOP`.
pub(super) fn flops(count: u64) -> String {
    scaled(count as f64, "FLOP")
}

/// So much of a unit in a second: `65.3 GFLOP/s`.
pub(super) fn rate(per_second: f64, unit: &str) -> String {
    scaled(per_second, &format!("{unit}/s"))
}

/// A time: `1.23 us`.
pub(super) fn time(seconds: f64) -> String {
    let (number, unit) = match seconds {
        _ if seconds < 999.5e-9 => (seconds * 1e9, "ns"),
        _ if seconds < 999.5e-6 => (seconds * 1e6, "us"),
        _ if seconds < 999.5e-3 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    format!("{} {unit}", digits(number))
}

/// A share of one: `61 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The number in the largest thousand of the unit that leaves something in front of the point.
fn scaled(mut number: f64, unit: &str) -> String {
    if number < 1000.0 {
        return format!("{number:.0} {unit}");
    }
    let mut prefixes = ["k", "M", "G", "T", "P", "E"].into_iter();
    let mut prefix = "";
    while number >= 999.5
        && let Some(larger) = prefixes.next()
    {
        number /= 1000.0;
        prefix = larger;
    }
    format!("{} {prefix}{unit}", digits(number))
}

/// Three digits of a number below a thousand.
fn digits(number: f64) -> String {
    match number {
        _ if number < 9.995 => format!("{number:.2}"),
        _ if number < 99.95 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_enough() {
        assert_eq!([0, 7, 999, 1000].map(bytes), ["0 B", "7 B", "999 B", "1.00 kB"]);
        assert_eq!([9_994, 9_996, 99_960, 999_600].map(bytes), ["9.99 kB", "10.0 kB", "100 kB", "1.00 MB"]);
        assert_eq!([1_234_567, 51_380_224].map(flops), ["1.23 MFLOP", "51.4 MFLOP"]);
        assert_eq!(flops(u64::MAX), "18.4 EFLOP");
        assert_eq!(rate(65.25e9, "FLOP"), "65.2 GFLOP/s");
        assert_eq!([40e-9, 1.234e-6, 999.7e-6, 2.0].map(time), ["40.0 ns", "1.23 us", "1.00 ms", "2.00 s"]);
        assert_eq!([0.004, 0.614, 1.2].map(percent), ["0 %", "61 %", "120 %"]);
    }
}
