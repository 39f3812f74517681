//! HTML for a page that is read and printed: no scripts, nothing from outside, every text escaped.

use std::fmt::Write as _;

use crate::cli::output::printable;

/// Markup that is safe to put into a page: made of escaped texts alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// A text as it is; what no screen must interpret becomes U+FFFD.
    pub fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for c in printable(text).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            }
        }
        Html(out)
    }

    pub fn code(text: &str) -> Self {
        Html(format!("<code>{}</code>", Self::text(text).0))
    }

    /// To a file of the same folder.
    pub fn link(file: &str, text: &str) -> Self {
        Html(format!("<a href=\"{}\">{}</a>", Self::text(file).0, Self::text(text).0))
    }

    /// A text of its own class.
    pub fn mark(class: &'static str, text: &str) -> Self {
        Html(format!("<span class=\"{class}\">{}</span>", Self::text(text).0))
    }

    /// One below the other.
    pub fn lines(parts: impl IntoIterator<Item = Html>) -> Self {
        let parts: Vec<_> = parts.into_iter().map(|part| part.0).filter(|part| !part.is_empty()).collect();
        Html(parts.join("<br>"))
    }

    pub fn beside(self, other: Html) -> Self {
        if self.0.is_empty() { other } else { Html(format!("{} {}", self.0, other.0)) }
    }

    pub fn heading(text: &str) -> Self {
        Html(format!("<h2>{}</h2>\n", Self::text(text).0))
    }

    pub fn paragraph(content: Html) -> Self {
        Html(format!("<p>{}</p>\n", content.0))
    }

    /// A table; its headings stand again on every printed page.
    pub fn table(headings: &[Html], rows: &[Vec<Html>]) -> Self {
        let mut out = "<table>\n<thead><tr>".to_owned();
        for heading in headings {
            let _ = write!(out, "<th>{}</th>", heading.0);
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            out.push_str("<tr>");
            for cell in row {
                let _ = write!(out, "<td>{}</td>", cell.0);
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody>\n</table>\n");
        Html(out)
    }

    pub fn push(&mut self, other: &Html) {
        self.0.push_str(&other.0);
    }
}

/// A whole document with its style.
pub fn document(language: &str, title: &str, body: &Html) -> String {
    let title = Html::text(title).0;
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{}</body>\n</html>\n",
        body.0
    )
}

const STYLE: &str = "\
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff; line-height: 1.5;
  font-family: 'Noto Serif', 'Noto Serif CJK SC', 'Source Han Serif SC', 'Songti SC', SimSun, serif; }
h1 { font-size: 1.6rem; line-height: 1.3; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid #888; break-after: avoid; }
table { width: 100%; border-collapse: collapse; margin: 0.5rem 0; font-size: 0.85rem; }
th, td { border: 1px solid #bbb; padding: 0.25rem 0.4rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #f0f0f0; font-weight: 600; }
tr { break-inside: avoid; }
code { font-family: 'Noto Sans Mono', Consolas, monospace; font-size: 0.85em; }
.proven, .indexed { font-size: 0.75em; font-weight: 400; white-space: nowrap; border: 1px solid currentColor; border-radius: 2px; padding: 0 0.2em; }
.proven { color: #0a5a2a; }
.indexed { color: #7a4a00; }
.late { font-weight: 700; color: #9a0000; }
a { color: #123a7a; }
@page { size: A4; margin: 18mm 14mm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  a { color: inherit; text-decoration: none; }
  th { background: none; }
  thead { display: table-header-group; }
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let hostile = "<script>alert('x')</script>\" onload=\"&\u{202e}\u{7}";
        for html in [
            Html::text(hostile),
            Html::code(hostile),
            Html::link(hostile, hostile),
            Html::mark("late", hostile),
            Html::table(&[Html::text(hostile)], &[vec![Html::text(hostile)]]),
        ] {
            assert!(!html.0.contains("<script") && !html.0.contains("\" onload") && !html.0.contains(['\u{202e}', '\u{7}']), "{}", html.0);
        }
        let page = document("en", hostile, &Html::paragraph(Html::text(hostile)));
        assert!(!page.contains("<script") && page.matches("&lt;script&gt;").count() == 3, "{page}");
    }
}
