//! Unified social credit codes (GB 32100-2015): 18 characters, the last one the check of the others.

use crate::core::refusal::{Code, Refusal};

/// The 31 characters by their value; I, O, S, V and Z are left out.
const CHARACTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const LENGTH: usize = 18;
/// The code of the registering body's division: digits alone.
const DIVISION: std::ops::Range<usize> = 2..8;

/// # Errors
/// `field-invalid` for another length, a character outside the alphabet, or a wrong check character.
pub fn check(code: &str) -> Result<(), Refusal> {
    let invalid = |expected: &str| Refusal::new(Code::FieldInvalid, code, expected);
    let values: Option<Vec<usize>> = code.bytes().map(|byte| CHARACTERS.iter().position(|known| *known == byte)).collect();
    let values = values.filter(|values| values.len() == LENGTH);
    let values = values.ok_or_else(|| invalid("18 digits or upper-case letters without I, O, S, V and Z"))?;
    if values[DIVISION].iter().any(|value| *value > 9) {
        return Err(invalid("digits at places 3 to 8"));
    }
    // Place i from 0 weighs 3^i modulo 31; all 18, the check with weight 1, sum to 0.
    let sum = values[..LENGTH - 1].iter().fold((0, 1), |(sum, weight), value| ((sum + value * weight) % 31, weight * 3 % 31)).0;
    if (sum + values[LENGTH - 1]) % 31 != 0 {
        return Err(invalid("the check character of GB 32100 at the end"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_hold() {
        let vectors = include_str!("../../tests/data/uscc_vectors.csv");
        let mut count = 0;
        for line in vectors.lines().skip(1) {
            let mut cells = line.split(',');
            let (code, expected) = (cells.next().unwrap(), cells.next().unwrap());
            assert_eq!(check(code).is_ok(), expected == "valid", "{line}");
            count += 1;
        }
        assert_eq!(count, 11);
        assert!(check("91350100m000100y43").is_err());
        assert!(check("").is_err());
    }
}
