//! Ids as numbers, and record ids as links to facts.

use std::collections::HashMap;

use crate::core::book::facts::{DeliveryNo, DutyNo, GrantNo, RequestNo};
use crate::core::hash::Hash;

/// Texts numbered by first mention.
#[derive(Clone, Debug, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, usize>,
}

impl Names {
    pub fn find(&self, text: &str) -> Option<usize> {
        self.numbers.get(text).copied()
    }

    /// The number of a text, a new one if need be.
    pub fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.find(text) {
            return number;
        }
        let number = self.texts.len();
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    pub fn text(&self, number: usize) -> &str {
        self.texts.get(number).map_or("", |text| text)
    }
}

/// What a record id leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Request(RequestNo),
    /// A record about a request or its grant that nothing but a dispute refers to.
    About(RequestNo),
    Grant(GrantNo),
    Delivery(DeliveryNo),
    Receipt(DeliveryNo),
    Correction(u32),
    Dispute(u32),
    Finding(u32),
    DutyRetired(DutyNo),
}

/// Record ids by their first half: two that share it would take 2^64 tries.
#[derive(Clone, Debug, Default)]
pub struct Links(HashMap<[u8; 16], Packed>);

/// A link in five bytes.
#[derive(Clone, Copy, Debug)]
struct Packed {
    tag: u8,
    number: [u8; 4],
}

impl Links {
    pub fn put(&mut self, id: &Hash, link: Link) {
        let (tag, number) = match link {
            Link::Request(number) => (0, number.0),
            Link::About(number) => (1, number.0),
            Link::Grant(number) => (2, number.0),
            Link::Delivery(number) => (3, number.0),
            Link::Receipt(number) => (4, number.0),
            Link::Correction(number) => (5, number),
            Link::Dispute(number) => (6, number),
            Link::Finding(number) => (7, number),
            Link::DutyRetired(number) => (8, number.0),
        };
        self.0.insert(half(id), Packed { tag, number: number.to_le_bytes() });
    }

    pub fn get(&self, id: &Hash) -> Option<Link> {
        let packed = self.0.get(&half(id))?;
        let number = u32::from_le_bytes(packed.number);
        Some(match packed.tag {
            0 => Link::Request(RequestNo(number)),
            1 => Link::About(RequestNo(number)),
            2 => Link::Grant(GrantNo(number)),
            3 => Link::Delivery(DeliveryNo(number)),
            4 => Link::Receipt(DeliveryNo(number)),
            5 => Link::Correction(number),
            6 => Link::Dispute(number),
            7 => Link::Finding(number),
            _ => Link::DutyRetired(DutyNo(number)),
        })
    }
}

fn half(id: &Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&id.as_bytes()[..16]);
    half
}
