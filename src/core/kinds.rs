//! The record kinds, one small file each: its body, its rules of form, its rules of state, its tests.

use crate::core::json::Value;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};

macro_rules! kinds {
    ($($variant:ident = $text:literal,)*) => {
        /// A record kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($variant,)* }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $text,)* }
            }

            /// # Errors
            /// `kind-unknown`.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                match text {
                    $($text => Ok(Kind::$variant),)*
                    _ => Err(Refusal::new(Code::KindUnknown, text, "a kind of the rule set in force")),
                }
            }
        }
    };
}

kinds! {
    AgencyAdmit = "agency.admit",
    KeyRotate = "key.rotate",
    DutyDeclare = "duty.declare",
    DatasetPublish = "dataset.publish",
    ShareRequest = "share.request",
    ShareAnswer = "share.answer",
    ShareDeliver = "share.deliver",
    ShareReceipt = "share.receipt",
}

/// A checked body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Unchecked(Value),
}

/// # Errors
/// `field-missing`, `field-unknown`, `field-invalid`.
pub fn parse_body(_kind: Kind, body: &Value, _origin: &str) -> Result<Body, Refusal> {
    Ok(Body::Unchecked(body.clone()))
}

/// What needs the whole record but no state: the roles that signed, the number of refs.
///
/// # Errors
/// `role-wrong`, `signature-missing`, `ref-wrong`.
pub fn check_form(_record: &Record) -> Result<(), Refusal> {
    Ok(())
}
