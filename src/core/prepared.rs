//! Keys that sign often, prepared so that each of their signatures costs less.
//!
//! A ledger has few authors and each signs much. A signature is good when `S*B - k*A` is `R`, byte for byte; with multiples
//! of `A` and `B` at hand that point is a sum of 75 of them, without a doubling. The very point is computed that `verify_strict`
//! computes and the same comparisons are made, so both accept the same signatures, always. (A batch of a hundred signatures
//! with random coefficients costs more for each, and accepts another set unless the subgroup of every `R` is checked too.)
//!
//! Which keys are prepared is remembered for the whole process. That changes what a verification costs, never its outcome.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity as _, IsIdentity as _};
use sha2::{Digest as _, Sha512};

use crate::core::key::PublicKey;

/// Signatures of a key before it is prepared, which costs about as much as fourteen of them.
const USES_BEFORE: u32 = 16;
/// Prepared keys, 215 KiB each: the authors of a city's ledger, in 14 MiB.
const PREPARED_MAX: usize = 64;
/// A prepared key makes room for another one when so many signatures were checked since its last: two that take turns must
/// not be prepared again and again.
const IDLE_SIGNATURES: u64 = 4_096;
/// Keys whose signatures are counted.
const COUNTED_MAX: usize = 4_096;
/// Bits of a window of the multiples of a key: one more would make the tables larger than the processor's nearer caches.
const KEY_WINDOW_BITS: usize = 6;
/// Of the multiples of the base point, which are there once.
const BASE_WINDOW_BITS: usize = 8;
/// Bits of a scalar below the group's order, and one for the last carry.
const SCALAR_BITS: usize = 254;

/// For each window of a scalar's bits, 1 to 2^(bits - 1) times the window's weight times a point.
struct Multiples {
    bits: usize,
    windows: Vec<Vec<EdwardsPoint>>,
}

impl Multiples {
    fn of(point: EdwardsPoint, bits: usize) -> Self {
        let mut weighted = point;
        let mut windows = Vec::with_capacity(SCALAR_BITS.div_ceil(bits));
        for _ in 0..SCALAR_BITS.div_ceil(bits) {
            let mut multiples = Vec::with_capacity(1 << (bits - 1));
            let mut multiple = EdwardsPoint::identity();
            for _ in 0..1 << (bits - 1) {
                multiple += weighted;
                multiples.push(multiple);
            }
            weighted = multiple + multiple;
            windows.push(multiples);
        }
        Multiples { bits, windows }
    }

    /// `sum` and `scalar` times the point. A digit above half a window counts down from the next one.
    fn add_to(&self, mut sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        let bytes = scalar.as_bytes();
        let full = 1_u16 << self.bits;
        let mut carry = 0;
        for (index, multiples) in self.windows.iter().enumerate() {
            let (byte, shift) = (index * self.bits / 8, index * self.bits % 8);
            let pair = [bytes[byte], bytes.get(byte + 1).copied().unwrap_or(0)];
            let digit = (u16::from_le_bytes(pair) >> shift) % full + carry;
            carry = u16::from(digit > full / 2);
            let steps = if carry == 0 { digit } else { full - digit };
            match multiples.get(usize::from(steps.wrapping_sub(1))) {
                Some(multiple) if carry == 0 => sum += multiple,
                Some(multiple) => sum -= multiple,
                None => {}
            }
        }
        sum
    }
}

static BASE: LazyLock<Multiples> = LazyLock::new(|| Multiples::of(ED25519_BASEPOINT_POINT, BASE_WINDOW_BITS));

/// A key with multiples of its point.
struct PreparedKey {
    public: PublicKey,
    /// Of `-A`.
    negated: Multiples,
}

impl PreparedKey {
    /// `None` for bytes that no signature verifies under: no point, or one of small order.
    fn of(public: &PublicKey) -> Option<Self> {
        let point = CompressedEdwardsY(*public.as_bytes()).decompress().filter(|point| !point.is_small_order())?;
        Some(PreparedKey { public: *public, negated: Multiples::of(-point, KEY_WINDOW_BITS) })
    }

    /// What `verify_strict` says.
    fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let (Some(r), Some(s)) = (signature.first_chunk::<32>(), signature.last_chunk::<32>()) else {
            return false;
        };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s)) else {
            return false;
        };
        let hash = Sha512::new().chain_update(r).chain_update(self.public.as_bytes()).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let point = self.negated.add_to(BASE.add_to(EdwardsPoint::identity(), &s), &k);
        // Equal bytes are the canonical encoding of this very point: its order is the order of R.
        point.compress().as_bytes() == r && !point.mul_by_cofactor().is_identity()
    }
}

/// One key in the memory.
#[derive(Default)]
struct Known {
    uses: u32,
    last: u64,
    prepared: Option<Arc<PreparedKey>>,
}

/// What a use of a key finds.
enum Found {
    Prepared(Arc<PreparedKey>),
    /// Time to prepare it.
    Frequent,
    Plain,
}

/// The keys that were lately used.
#[derive(Default)]
struct Memory {
    signatures: u64,
    keys: HashMap<PublicKey, Known>,
}

impl Memory {
    fn note_use(&mut self, key: &PublicKey) -> Found {
        self.signatures += 1;
        if self.keys.len() >= COUNTED_MAX && !self.keys.contains_key(key) {
            self.keys.retain(|_, known| known.prepared.is_some());
        }
        let known = self.keys.entry(*key).or_default();
        known.last = self.signatures;
        known.uses = known.uses.saturating_add(1);
        let (is_frequent, prepared) = (known.uses >= USES_BEFORE, known.prepared.clone());
        match prepared {
            Some(prepared) => Found::Prepared(prepared),
            None if is_frequent && self.has_room() => Found::Frequent,
            None => Found::Plain,
        }
    }

    /// Whether another key may be prepared; the one that is idle for longest goes when it must.
    fn has_room(&mut self) -> bool {
        let prepared = || self.keys.iter().filter(|(_, known)| known.prepared.is_some());
        if prepared().count() < PREPARED_MAX {
            return true;
        }
        let oldest = prepared().min_by_key(|(_, known)| known.last).map(|(key, known)| (*key, known.last));
        let idle = oldest.filter(|(_, last)| self.signatures - last > IDLE_SIGNATURES);
        idle.is_some_and(|(key, _)| self.keys.remove(&key).is_some())
    }

    fn keep(&mut self, prepared: Arc<PreparedKey>) {
        let known = self.keys.entry(prepared.public).or_default();
        known.prepared = Some(prepared);
    }
}

static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

/// Whether `signature` over `message` verifies under `key`, when that can be said by a prepared key; `None`: the caller asks
/// `verify_strict`.
pub(super) fn verifies(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> Option<bool> {
    let found = MEMORY.lock().expect("no holder panics").note_use(key);
    let prepared = match found {
        Found::Prepared(prepared) => prepared,
        Found::Plain => return None,
        Found::Frequent => {
            let prepared = Arc::new(PreparedKey::of(key)?);
            MEMORY.lock().expect("no holder panics").keep(prepared.clone());
            prepared
        }
    };
    Some(prepared.verifies(message, signature))
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use proptest::prelude::*;

    use super::*;
    use crate::core::key::SecretKey;

    /// The group's order, little-endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0x10,
    ];

    fn scalar(number: u64) -> Scalar {
        let mut wide = [0; 64];
        wide[..32].copy_from_slice(crate::core::hash::Hash::of(&number.to_be_bytes()).as_bytes());
        Scalar::from_bytes_mod_order_wide(&wide)
    }

    fn key(bytes: &[u8; 32]) -> PublicKey {
        PublicKey::from_registered(&crate::core::key::encode_base64(bytes)).unwrap()
    }

    /// The signature under `secret` times the base point and `torsion`, whose R is encoded as `r`.
    fn forge(secret: &Scalar, nonce: &Scalar, public: &PublicKey, r: [u8; 32], message: &[u8]) -> [u8; 64] {
        let hash = Sha512::new().chain_update(r).chain_update(public.as_bytes()).chain_update(message);
        let s = nonce + Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * secret;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(s.as_bytes());
        signature
    }

    /// Encodings of small-order points, those beyond the field's order and with a sign of zero among them, and of others.
    fn odd_encodings() -> Vec<[u8; 32]> {
        let mut all: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
        for low in [0xec_u8, 0xed, 0xee, 0xef, 0xf0, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, 0x7f);
            all.push(bytes);
        }
        for index in 0..all.len() {
            let mut signed = all[index];
            signed[31] ^= 0x80;
            all.push(signed);
        }
        all
    }

    /// Both say the same of the signature; gives what.
    fn verdict(public: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
        let strict = public.verifies_strictly(message, signature);
        let prepared = PreparedKey::of(public).map(|key| key.verifies(message, signature));
        assert_eq!(prepared.unwrap_or(false), strict, "{public:?} {signature:?}");
        strict
    }

    fn plus_order(s: &[u8]) -> [u8; 32] {
        let mut carry = 0;
        std::array::from_fn(|index| {
            let sum = u16::from(s[index]) + u16::from(ORDER[index]) + carry;
            carry = sum >> 8;
            sum.to_le_bytes()[0]
        })
    }

    #[test]
    fn torsion_in_r_and_in_the_key_is_judged_as_verify_strict_judges_it() {
        let mut accepted = [0_usize; 8];
        for number in 0..12 {
            let (secret, nonce) = (scalar(number), scalar(number + 1_000));
            let message = number.to_be_bytes();
            for (in_key, torsion) in EIGHT_TORSION.iter().enumerate() {
                let public = key(&(ED25519_BASEPOINT_POINT * secret + torsion).compress().to_bytes());
                for other in EIGHT_TORSION {
                    let r = (ED25519_BASEPOINT_POINT * nonce + other).compress().to_bytes();
                    let is_good = verdict(&public, &message, &forge(&secret, &nonce, &public, r, &message));
                    accepted[in_key] += usize::from(is_good);
                    assert!(in_key != 0 || is_good == (other == EIGHT_TORSION[0]));
                }
            }
        }
        assert_eq!(accepted[0], 12);
        assert!(accepted[1..].iter().sum::<usize>() > 12, "keys with torsion verify for some R: {accepted:?}");
    }

    #[test]
    fn odd_encodings_of_r_and_of_the_key_are_judged_alike() {
        let secret = scalar(5);
        let public = key(&(ED25519_BASEPOINT_POINT * secret).compress().to_bytes());
        for odd in odd_encodings() {
            for number in 0_u64..8 {
                let message = number.to_be_bytes();
                // With the nonce 0 the equation holds when the encoding is the neutral element's.
                assert!(!verdict(&public, &message, &forge(&secret, &Scalar::ZERO, &public, odd, &message)));
                let odd_key = key(&odd);
                let r = (ED25519_BASEPOINT_POINT * scalar(number)).compress().to_bytes();
                assert!(!verdict(&odd_key, &message, &forge(&Scalar::ZERO, &scalar(number), &odd_key, r, &message)));
                assert!(!verdict(&odd_key, &message, &forge(&Scalar::ZERO, &Scalar::ZERO, &odd_key, odd, &message)));
            }
        }
    }

    proptest! {
        #[test]
        fn good_and_broken_signatures_are_judged_alike(seed: [u8; 32], message: Vec<u8>, bit in 0_usize..512, noise: [u8; 32]) {
            let secret = SecretKey::from_seed(&seed);
            let other = SecretKey::from_seed(&noise);
            let public = secret.public();
            let good = secret.sign(&message);
            prop_assert!(verdict(&public, &message, &good));
            prop_assert!(!verdict(&other.public(), &message, &good) || seed == noise);
            prop_assert!(!verdict(&public, &[&message[..], b"."].concat(), &good));
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verdict(&public, &message, &bad));
            let mut high = good;
            high[32..].copy_from_slice(&plus_order(&good[32..]));
            prop_assert!(!verdict(&public, &message, &high));
            let mut random = good;
            random[32..].copy_from_slice(&noise);
            verdict(&public, &message, &random);
            random[..32].copy_from_slice(&noise);
            verdict(&public, &message, &random);
        }

        #[test]
        fn sums_of_multiples_are_products(number: u64, bits in 1_usize..=8, bytes: [u8; 32]) {
            let point = ED25519_BASEPOINT_POINT * scalar(number) + EIGHT_TORSION[1];
            let multiples = Multiples::of(point, bits);
            for scalar in [Scalar::from_bytes_mod_order(bytes), Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::from(u64::MAX)] {
                prop_assert_eq!(multiples.add_to(EdwardsPoint::identity(), &scalar), point * scalar);
            }
        }
    }

    #[test]
    fn frequent_keys_are_prepared_up_to_the_bound_and_idle_ones_make_room() {
        let secrets: Vec<_> =
            (0..=PREPARED_MAX).map(|number| SecretKey::from_seed(crate::core::hash::Hash::of(&number.to_be_bytes()).as_bytes())).collect();
        let mut memory = Memory::default();
        let use_often = |memory: &mut Memory, secret: &SecretKey| {
            for _ in 0..USES_BEFORE {
                if matches!(memory.note_use(&secret.public()), Found::Frequent) {
                    memory.keep(Arc::new(PreparedKey::of(&secret.public()).unwrap()));
                }
            }
            matches!(memory.note_use(&secret.public()), Found::Prepared(_))
        };
        let (last, first) = secrets.split_last().unwrap();
        assert!(first.iter().all(|secret| use_often(&mut memory, secret)));
        assert!(!use_often(&mut memory, last));
        for _ in 0..IDLE_SIGNATURES {
            memory.note_use(&first[1].public());
        }
        assert!(use_often(&mut memory, last));
        assert!(matches!(memory.note_use(&first[0].public()), Found::Plain));
        assert_eq!(memory.keys.values().filter(|known| known.prepared.is_some()).count(), PREPARED_MAX);
    }
}
