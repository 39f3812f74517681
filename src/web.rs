//! The pages that a node serves and that anyone may keep: one so far, the offline verifier of evidence files.

use std::sync::LazyLock;

use crate::core::hash::Hash;
use crate::core::key::encode_base64;

/// The verifier as a JavaScript module, for browsers and Node.
pub const VERIFIER_MODULE: &str = include_str!("web/assets/verify.mjs");
const VERIFIER_TEMPLATE: &str = include_str!("web/assets/verify.html");
/// Where the module stands in the page.
const MODULE_PLACE: &str = "/* verify.mjs */";
const CHARSET: &str = "<meta charset=\"utf-8\">";

/// A page and the policy under which a browser may run it.
pub struct Page {
    pub html: String,
    /// Content-Security-Policy: the page's own style and script by their hashes, and nothing from anywhere else.
    pub policy: String,
}

/// The verifier in one file that needs no node: it also works when it is opened from disk, and says its policy itself.
pub fn verifier() -> &'static Page {
    static PAGE: LazyLock<Page> = LazyLock::new(|| {
        let html = VERIFIER_TEMPLATE.replace(MODULE_PLACE, VERIFIER_MODULE);
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
            source(&html, "<script type=\"module\">", "</script>"),
            source(&html, "<style>", "</style>"),
        );
        let said = format!("{CHARSET}\n<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">");
        Page { html: html.replacen(CHARSET, &said, 1), policy }
    });
    &PAGE
}

/// The CSP source of the one element between two tags: the hash of its text.
fn source(html: &str, opening: &str, closing: &str) -> String {
    let text = html.split_once(opening).and_then(|(_, rest)| rest.split_once(closing)).map_or("", |(text, _)| text);
    format!("'sha256-{}'", encode_base64(Hash::of(text.as_bytes()).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_reaches_for_nothing() {
        let Page { html, policy } = verifier();
        assert!(!html.contains(MODULE_PLACE) && html.contains("export async function verify("));
        assert_eq!((html.matches("<script").count(), html.matches("<style").count()), (1, 1));
        assert!(html.contains(policy.as_str()) && policy.starts_with("default-src 'none'; script-src 'sha256-"));
        let outside = ["<img", "<link", "<iframe", " onclick=", " style=", "innerHTML", "fetch(", "import(", "localStorage"];
        assert_eq!(outside.iter().find(|part| html.contains(**part)), None);
    }
}
