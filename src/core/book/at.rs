//! Where a fact stands on the ledger, and the moment that a question is asked for.

use crate::core::time::Time;

/// The moment of a question: records at positions below `size` whose block's time is not after `time` count, others do
/// not exist yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    pub size: u64,
    pub time: Time,
}

/// Position and block time of a fact, packed: 48 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At([u32; 3]);

const LOW: u64 = 0xffff_ffff;
const BITS_48: u64 = 0xffff_ffff_ffff;

impl At {
    /// Of what has not happened.
    pub const NEVER: At = At([u32::MAX; 3]);

    /// A record's place. 48 bits hold every time up to the year 9999, and more positions than disks.
    pub fn new(position: u64, time: Time) -> Self {
        Self::pack(position.saturating_add(1).min(BITS_48 - 1), time)
    }

    /// Of the genesis file: before every record, seen from every moment.
    pub fn genesis(created: Time) -> Self {
        Self::pack(0, created)
    }

    fn pack(ordinal: u64, time: Time) -> Self {
        let part = |number: u64| u32::try_from(number & LOW).expect("masked to 32 bits");
        let ms = time.unix_ms();
        At([part(ordinal), part(ms), part(ordinal >> 32 << 16 | ms >> 32)])
    }

    /// 0 for the genesis file, else the position and 1.
    fn ordinal(self) -> u64 {
        u64::from(self.0[0]) | u64::from(self.0[2] >> 16) << 32
    }

    fn ms(self) -> u64 {
        u64::from(self.0[1]) | u64::from(self.0[2] & 0xffff) << 32
    }

    /// 0 for the genesis file.
    pub fn position(self) -> u64 {
        self.ordinal().saturating_sub(1)
    }

    /// The block's time, in milliseconds since 1970.
    pub fn unix_ms(self) -> u64 {
        self.ms()
    }

    pub fn time(self) -> Time {
        Time::from_unix_ms(self.ms()).unwrap_or_else(|| Time::from_unix_ms(0).expect("zero is below the year 10000").plus_ms(u64::MAX))
    }

    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    /// Whether it has happened at `as_of`.
    pub fn seen(self, as_of: AsOf) -> bool {
        let ordinal = self.ordinal();
        ordinal == 0 || ordinal <= as_of.size && self.ms() <= as_of.time.unix_ms()
    }

    /// Whether it stands earlier on the ledger.
    pub fn precedes(self, other: At) -> bool {
        self.ordinal() < other.ordinal()
    }

    /// The earlier of both.
    pub fn or_first(self, other: At) -> At {
        if other.precedes(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_whole() {
        for (position, ms) in [(0, 0), (1, 1_795_568_523_000), (1 << 40, 253_402_300_799_999)] {
            let time = Time::from_unix_ms(ms).unwrap();
            let at = At::new(position, time);
            assert_eq!((at.position(), at.time()), (position, time));
            assert!(at.seen(AsOf { size: position + 1, time }));
            assert!(!at.seen(AsOf { size: position, time }));
            assert!(at.precedes(At::NEVER) && At::genesis(time).precedes(at));
            assert!(!At::NEVER.seen(AsOf { size: 1 << 47, time: Time::from_unix_ms(253_402_300_799_999).unwrap() }));
        }
        assert_eq!(size_of::<At>(), 12);
    }
}
