//! The pieces that printed forms share: names, strings, numbers, extents and types, written and read.
//!
//! Text comes in, values or a [`ParseError`] come out; no text makes the reader panic. What the writers here give, the
//! readers take back unchanged: floats to the last bit, strings with every character.

use crate::dtype::DType;
use crate::shape::{Extent, Shape, Symbol, Type};
use std::collections::HashMap;
use std::fmt::{self, Write};
use thiserror::Error;

/// Parentheses and braces may be nested this deep.
const DEPTH: usize = 32;

/// Extents have at most so many terms; products of sums grow fast.
const TERMS: usize = 64;

/// Why a text is not the printed form that it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Something else stands there.
    #[error("line {line}: found {found}, expected {expected}")]
    Unexpected {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// The words are right, what they say is not.
    #[error("line {line}: {reason}")]
    Refused {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The text was written by a program that is older or newer than this one.
    #[error("this is version {found} of the printed form of a {form}, and this program reads version {supported}")]
    Version {
        /// What the text describes: `graph` or `model`.
        form: &'static str,
        /// The version of the text.
        found: String,
        /// The version that this program reads.
        supported: u32,
    },
}

/// Writes a name: as it is if it is a plain one, else as a string.
pub fn write_name(out: &mut impl Write, name: &str) -> fmt::Result {
    if is_plain_name(name) { out.write_str(name) } else { write!(out, "{name:?}") }
}

/// Whether this is a letter or underscore, then letters, digits and underscores.
pub fn is_plain_name(name: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_numeric())
}

/// Reads the lines of a text, skipping empty ones.
#[derive(Debug)]
pub struct Lines<'t> {
    lines: std::iter::Enumerate<std::str::Lines<'t>>,
    last: usize,
}

impl<'t> Lines<'t> {
    /// Reads this text from its first line, which must be `tapeless`, the form and its version.
    pub fn open(text: &'t str, form: &'static str, supported: u32) -> Result<Lines<'t>, ParseError> {
        let mut lines = Lines { lines: text.lines().enumerate(), last: 0 };
        let mut line = lines.next(&format!("`tapeless {form} {supported}`"))?;
        line.keyword("tapeless")?;
        line.keyword(form)?;
        let found = line.rest().trim();
        if found != supported.to_string() {
            return Err(ParseError::Version { form, found: found.to_string(), supported });
        }
        Ok(lines)
    }

    /// The next line; there must be one.
    pub fn next(&mut self, expected: &str) -> Result<Line<'t>, ParseError> {
        for (index, text) in self.lines.by_ref() {
            self.last = index + 1;
            if !text.trim().is_empty() {
                return Ok(Line { number: index + 1, text, at: 0, depth: 0 });
            }
        }
        let found = "the end of the text".to_string();
        Err(ParseError::Unexpected { line: self.last + 1, found, expected: expected.to_string() })
    }

    /// Demands that nothing follows.
    pub fn finish(mut self) -> Result<(), ParseError> {
        match self.next("") {
            Ok(line) => line.unexpected("the end of the text"),
            Err(_) => Ok(()),
        }
    }
}

/// Reads one line from left to right; blanks between the pieces do not matter.
#[derive(Clone, Debug)]
pub struct Line<'t> {
    number: usize,
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Line<'t> {
    /// What is not yet read, without leading blanks.
    pub fn rest(&self) -> &'t str {
        self.text[self.at..].trim_start()
    }

    /// The error that something else should stand here.
    pub fn unexpected<T>(&self, expected: &str) -> Result<T, ParseError> {
        let rest = self.rest();
        let word = rest.char_indices().find(|(i, c)| *i > 0 && !is_word(*c)).map_or(rest, |(end, _)| &rest[..end]);
        let short: String = word.chars().take(40).collect();
        let found = if short.is_empty() { "the end of the line".to_string() } else { format!("`{short}`") };
        Err(ParseError::Unexpected { line: self.number, found, expected: expected.to_string() })
    }

    /// The error that this line cannot be.
    pub fn refused<T>(&self, reason: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::Refused { line: self.number, reason: reason.into() })
    }

    /// Reads these characters if they stand here.
    pub fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.skip(token.len());
        }
        found
    }

    /// Reads these characters, which must stand here.
    pub fn expect(&mut self, token: &str) -> Result<(), ParseError> {
        if self.eat(token) { Ok(()) } else { self.unexpected(&format!("`{token}`")) }
    }

    /// Demands that the line ends here.
    pub fn end(&self) -> Result<(), ParseError> {
        if self.rest().is_empty() { Ok(()) } else { self.unexpected("the end of the line") }
    }

    /// The word that stands here, without reading it; empty if none does.
    pub fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
    }

    /// A word: letters, digits, underscores and dots.
    pub fn word(&mut self, expected: &str) -> Result<&'t str, ParseError> {
        let word = self.peek_word();
        if word.is_empty() {
            return self.unexpected(expected);
        }
        self.skip(word.len());
        Ok(word)
    }

    /// This very word.
    pub fn keyword(&mut self, keyword: &str) -> Result<(), ParseError> {
        if self.peek_word() == keyword {
            self.skip(keyword.len());
            return Ok(());
        }
        self.unexpected(&format!("`{keyword}`"))
    }

    /// A name as [`write_name`] writes it.
    pub fn name(&mut self) -> Result<String, ParseError> {
        if self.rest().starts_with('"') {
            return self.string();
        }
        let word = self.peek_word();
        if !is_plain_name(word) {
            return self.unexpected("a name");
        }
        self.skip(word.len());
        Ok(word.to_string())
    }

    /// A symbol.
    pub fn symbol(&mut self) -> Result<Symbol, ParseError> {
        let word = self.peek_word();
        if !is_plain_name(word) {
            return self.unexpected("a symbol");
        }
        self.skip(word.len());
        Ok(Symbol::new(word))
    }

    /// A string as `{:?}` writes it.
    pub fn string(&mut self) -> Result<String, ParseError> {
        let rest = self.rest();
        let Some(inside) = rest.strip_prefix('"') else { return self.unexpected("a string") };
        let mut string = String::new();
        let mut chars = inside.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.skip(at + 2);
                    return Ok(string);
                }
                '\\' => match escape(&mut chars) {
                    Some(c) => string.push(c),
                    None => return self.refused("a string holds a wrong escape"),
                },
                _ => string.push(c),
            }
        }
        self.refused("a string is not closed")
    }

    /// A whole number with or without a sign.
    pub fn int<N: std::str::FromStr>(&mut self) -> Result<N, ParseError> {
        self.number("a whole number")
    }

    /// A number as `{:?}` writes it.
    pub fn float(&mut self) -> Result<f64, ParseError> {
        self.number("a number")
    }

    /// Whether the number that stands here is written as a whole one.
    pub fn is_whole(&self) -> bool {
        self.number_text().trim_start_matches('-').chars().all(|c| c.is_ascii_digit())
    }

    /// An element type.
    pub fn dtype(&mut self) -> Result<DType, ParseError> {
        let Some(dtype) = DType::from_name(self.peek_word()) else { return self.unexpected("an element type") };
        self.skip(dtype.name().len());
        Ok(dtype)
    }

    /// A type, which a text tends to repeat: `known` holds those that were read before by how they are written.
    pub fn repeated_ty(&mut self, known: &mut HashMap<&'t str, Type>) -> Result<Type, ParseError> {
        let rest = self.rest();
        let word = self.peek_word().len();
        let length = match rest[word..].starts_with('<') {
            true => rest.find('>').map_or(rest.len(), |end| end + 1),
            false => word,
        };
        if let Some(ty) = known.get(&rest[..length]) {
            self.skip(length);
            return Ok(ty.clone());
        }
        let ty = self.ty()?;
        known.insert(&rest[..length], ty.clone());
        Ok(ty)
    }

    /// A type.
    pub fn ty(&mut self) -> Result<Type, ParseError> {
        let dtype = self.dtype()?;
        let shape = if self.rest().starts_with('<') { self.shape()? } else { Shape::scalar() };
        Ok(Type::new(dtype, shape))
    }

    /// Extents between `<` and `>`.
    pub fn shape(&mut self) -> Result<Shape, ParseError> {
        self.expect("<")?;
        let mut extents = Vec::new();
        while !self.eat(">") {
            if !extents.is_empty() {
                self.expect(",")?;
            }
            extents.push(if self.rest().starts_with('{') { self.extent()? } else { self.atom(false)? });
        }
        Ok(Shape::new(extents))
    }

    /// An extent between braces.
    pub fn extent(&mut self) -> Result<Extent, ParseError> {
        self.expect("{")?;
        let extent = self.sum()?;
        self.expect("}")?;
        Ok(extent)
    }

    fn sum(&mut self) -> Result<Extent, ParseError> {
        let negative = self.eat("-");
        let mut sum = self.product(negative)?;
        loop {
            let negative = match self.rest().chars().next() {
                Some('+') => false,
                Some('-') => true,
                _ => return Ok(sum),
            };
            self.skip(1);
            sum = sum + self.product(negative)?;
            if sum.terms() > TERMS {
                return self.refused("an extent has too many terms");
            }
        }
    }

    fn product(&mut self, negative: bool) -> Result<Extent, ParseError> {
        let mut product = self.atom(negative)?;
        loop {
            if self.eat("*") {
                let factor = self.atom(false)?;
                if product.terms() * factor.terms() > TERMS {
                    return self.refused("an extent has too many terms");
                }
                product = product * factor;
            } else if self.eat("/") {
                let divisor = self.atom(false)?;
                let Some(quotient) = product.floor_div(&divisor) else {
                    return self.refused(format!("`{product}` is divided by zero"));
                };
                product = quotient;
            } else {
                return Ok(product);
            }
        }
    }

    /// A number, a symbol or a sum in parentheses; negated on demand, which makes the smallest number readable.
    fn atom(&mut self, negative: bool) -> Result<Extent, ParseError> {
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            let size: i128 = self.int()?;
            return match i64::try_from(if negative { -size } else { size }) {
                Ok(number) => Ok(Extent::from(number)),
                Err(_) => self.refused(format!("{size} is too large for an extent")),
            };
        }
        let extent = if self.eat("(") {
            self.depth += 1;
            if self.depth > DEPTH {
                return self.refused("parentheses are nested too deep");
            }
            let sum = self.sum()?;
            self.depth -= 1;
            self.expect(")")?;
            sum
        } else {
            Extent::symbol(self.symbol()?)
        };
        Ok(if negative { -extent } else { extent })
    }

    fn number<N: std::str::FromStr>(&mut self, expected: &str) -> Result<N, ParseError> {
        let text = self.number_text();
        match text.parse() {
            Ok(number) => {
                self.skip(text.len());
                Ok(number)
            }
            Err(_) => self.unexpected(expected),
        }
    }

    fn number_text(&self) -> &'t str {
        let rest = self.rest();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        // A sign belongs to the number at its start and after the `e` of an exponent only.
        let ends =
            |(i, c): (usize, char)| !part(c) || (matches!(c, '-' | '+') && i > 0 && !rest[..i].ends_with(['e', 'E']));
        let end = rest.char_indices().find(|&place| ends(place)).map_or(rest.len(), |(i, _)| i);
        &rest[..end]
    }

    /// Steps over so many bytes of [`Line::rest`].
    fn skip(&mut self, bytes: usize) {
        self.at = self.text.len() - self.rest().len() + bytes;
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// The character that an escape stands for; the backslash is read already.
fn escape(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    match chars.next()?.1 {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        c @ ('"' | '\\' | '\'') => Some(c),
        'u' => {
            let rest = chars.as_str().strip_prefix('{')?;
            let (digits, _) = rest.split_once('}')?;
            let code = u32::from_str_radix(digits, 16).ok()?;
            chars.nth(digits.chars().count() + 1)?;
            char::from_u32(code)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> Line<'_> {
        Line { number: 1, text, at: 0, depth: 0 }
    }

    fn extents() -> impl Strategy<Value = Extent> {
        let symbols = prop::sample::select(vec!["B", "H", "W_2", "Größe"]).prop_map(|s| Extent::symbol(Symbol::new(s)));
        let leaf = prop_oneof![any::<i64>().prop_map(Extent::from), (-4i64..9).prop_map(Extent::from), symbols];
        leaf.prop_recursive(3, 8, 2, |inner| {
            (inner.clone(), inner, 0..4).prop_map(|(a, b, kind)| match kind {
                0 => a + b,
                1 => a - b,
                2 => a * b,
                _ => a.floor_div(&b).unwrap_or(a),
            })
        })
    }

    proptest! {
        #[test]
        fn extents_come_back(extent in extents()) {
            prop_assume!(extent.terms() <= TERMS);
            let text = format!("{{{extent}}}");
            prop_assert_eq!(line(&text).extent(), Ok(extent), "{}", text);
        }

        #[test]
        fn strings_come_back(string in any::<String>()) {
            let text = format!("{string:?} next");
            let mut line = line(&text);
            prop_assert_eq!(line.string(), Ok(string));
            prop_assert_eq!(line.rest(), "next");
        }

        #[test]
        fn floats_come_back(bits in any::<u64>()) {
            let float = f64::from_bits(bits);
            let read = line(&format!("{float:?}, 1")).float().expect("a float");
            prop_assert!(read.to_bits() == bits || float.is_nan() && read.is_nan());
        }
    }

    #[test]
    fn special_floats_come_back() {
        for float in [f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e300, 5e-324] {
            assert_eq!(line(&format!("{float:?}")).float().map(f64::to_bits), Ok(float.to_bits()));
        }
        assert!(line("NaN").float().expect("a float").is_nan());
    }

    #[test]
    fn an_error_names_the_line_and_both_sides() {
        let error = line("f33<B>").ty().expect_err("no such type");
        assert_eq!(error.to_string(), "line 1: found `f33`, expected an element type");
        let error = line("f32<(1 - 1) / 0>").ty().expect_err("shapes hold no bare quotients");
        assert_eq!(error.to_string(), "line 1: found `/`, expected `,`");
        let error = line("{(B - 1) / 0}").extent().expect_err("zero");
        assert_eq!(error.to_string(), "line 1: `B - 1` is divided by zero");
    }

    #[test]
    fn deep_and_wide_extents_are_refused() {
        assert!(line(&format!("{{{}", "(".repeat(100_000))).extent().is_err());
        let wide = vec!["(A + B + C + D)"; 40].join(" * ");
        assert!(line(&format!("{{{wide}}}")).extent().is_err());
    }
}
