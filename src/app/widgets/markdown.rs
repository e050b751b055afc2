//! The little Markdown that notes are shown in: headings, bold, italics, code, lists, quotes and web
//! links. The result is a tree of plain strings, so what people type can never become markup.

use leptos::prelude::*;

use crate::dashboard::User;

/// Characters that a mark may span; a longer run is text. It bounds the search for a mark's end.
const MAX_SPAN: usize = 1_000;
/// How deep marks nest.
const MAX_DEPTH: u8 = 4;
/// The first of the private characters that stand for carets in a text; see [`with_carets`].
const CARET: u32 = 0xE000;
/// Carets shown in one note.
pub const MAX_CARETS: usize = 20;

/// A paragraph, a list, ...
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Heading(u8, Vec<Inline>),
    /// Lines of one paragraph.
    Paragraph(Vec<Vec<Inline>>),
    Bullets(Vec<Vec<Inline>>),
    Numbers(Vec<Vec<Inline>>),
    Quote(Vec<Vec<Inline>>),
    Code(Vec<Inline>),
}

/// A run of text within a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Inline {
    Text(String),
    Bold(Vec<Inline>),
    Italic(Vec<Inline>),
    Code(String),
    /// The text and the address, which begins with `http://` or `https://`.
    Link(String, String),
    /// Somebody's caret, by its index.
    Caret(usize),
}

/// Puts a mark into a text for each caret, at positions in UTF-16 units.
pub fn with_carets(text: &str, carets: &[u32]) -> String {
    let mut out = String::with_capacity(text.len() + carets.len() * 3);
    let mut at = 0u32;
    let mark = |out: &mut String, from: u32, to: Option<u32>| {
        for (n, caret) in carets.iter().enumerate().take(MAX_CARETS) {
            if *caret >= from && to.is_none_or(|to| *caret < to) {
                out.extend(char::from_u32(CARET + n as u32));
            }
        }
    };
    for c in text.chars() {
        let next = at + c.len_utf16() as u32;
        mark(&mut out, at, Some(next));
        if caret_of(c).is_none() {
            out.push(c);
        }
        at = next;
    }
    mark(&mut out, at, None);
    out
}

fn caret_of(c: char) -> Option<usize> {
    let n = u32::from(c).checked_sub(CARET)? as usize;
    (n < MAX_CARETS).then_some(n)
}

/// Reads a text as Markdown.
pub fn read(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut code: Option<String> = None;
    let mut gap = true;
    for line in text.lines() {
        let bare: String = line.chars().filter(|c| caret_of(*c).is_none()).collect();
        if let Some(so_far) = &mut code {
            if bare.trim_end() == "```" {
                blocks.push(Block::Code(plain(&code.take().unwrap_or_default())));
            } else {
                so_far.push_str(line);
                so_far.push('\n');
            }
            continue;
        }
        if bare.starts_with("```") {
            code = Some(String::new());
            continue;
        }
        if bare.trim().is_empty() && line.trim() == bare.trim() {
            gap = true;
            continue;
        }
        let (kind, rest) = kind_of(line, &bare);
        let runs = inline(rest, 0);
        match (kind, blocks.last_mut()) {
            (Line::Heading(level), _) => blocks.push(Block::Heading(level, runs)),
            (Line::Bullet, Some(Block::Bullets(items))) if !gap => items.push(runs),
            (Line::Number, Some(Block::Numbers(items))) if !gap => items.push(runs),
            (Line::Quote, Some(Block::Quote(lines))) if !gap => lines.push(runs),
            (Line::Text, Some(Block::Paragraph(lines))) if !gap => lines.push(runs),
            (Line::Bullet, _) => blocks.push(Block::Bullets(vec![runs])),
            (Line::Number, _) => blocks.push(Block::Numbers(vec![runs])),
            (Line::Quote, _) => blocks.push(Block::Quote(vec![runs])),
            (Line::Text, _) => blocks.push(Block::Paragraph(vec![runs])),
        }
        gap = false;
    }
    if let Some(code) = code {
        blocks.push(Block::Code(plain(&code)));
    }
    blocks
}

enum Line {
    Heading(u8),
    Bullet,
    Number,
    Quote,
    Text,
}

/// What a line begins as, and the rest of it. A caret within the mark shows the line as text.
fn kind_of<'a>(line: &'a str, bare: &str) -> (Line, &'a str) {
    let text = (Line::Text, line);
    let hashes = bare.bytes().take_while(|b| *b == b'#').count();
    if (1..=3).contains(&hashes) && bare[hashes..].starts_with(' ') {
        return line
            .get(hashes..)
            .and_then(|rest| rest.strip_prefix(' '))
            .map_or(text, |rest| (Line::Heading(if hashes == 1 { 1 } else { 2 }), rest));
    }
    let trimmed = line.trim_start();
    if let Some(rest) = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix("* ")) {
        return (Line::Bullet, rest);
    }
    if let Some(rest) = trimmed.strip_prefix("> ") {
        return (Line::Quote, rest);
    }
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits)
        && let Some(rest) = trimmed[digits..].strip_prefix(". ")
    {
        return (Line::Number, rest);
    }
    text
}

/// Text and carets only.
fn plain(text: &str) -> Vec<Inline> {
    let mut runs = Vec::new();
    for c in text.chars() {
        push(&mut runs, c);
    }
    runs
}

fn push(runs: &mut Vec<Inline>, c: char) {
    match (caret_of(c), runs.last_mut()) {
        (Some(caret), _) => runs.push(Inline::Caret(caret)),
        (None, Some(Inline::Text(text))) => text.push(c),
        (None, _) => runs.push(Inline::Text(c.into())),
    }
}

fn inline(text: &str, depth: u8) -> Vec<Inline> {
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if depth < MAX_DEPTH
            && let Some((run, after)) = marked(rest, depth)
        {
            let carets = match &run {
                Inline::Code(code) | Inline::Link(code, _) => carets_in(code),
                _ => Vec::new(),
            };
            runs.push(without_carets(run));
            runs.extend(carets);
            rest = after;
        } else {
            push(&mut runs, c);
            rest = &rest[c.len_utf8()..];
        }
    }
    runs
}

/// The marked run that a text begins with, and what comes after.
fn marked(text: &str, depth: u8) -> Option<(Inline, &str)> {
    if let Some(rest) = text.strip_prefix('`') {
        let (code, after) = until(rest, "`")?;
        return Some((Inline::Code(code.to_owned()), after));
    }
    if let Some(rest) = text.strip_prefix("**") {
        let (bold, after) = until(rest, "**")?;
        return Some((Inline::Bold(inline(bold, depth + 1)), after));
    }
    if let Some(rest) = text.strip_prefix('*') {
        let (italic, after) = until(rest, "*")?;
        let tight = !italic.starts_with(' ') && !italic.ends_with(' ');
        return tight.then(|| (Inline::Italic(inline(italic, depth + 1)), after));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (label, after) = until(rest, "](")?;
        let (address, after) = until(after, ")")?;
        return is_web(address).then(|| (Inline::Link(label.to_owned(), address.to_owned()), after));
    }
    if is_web(text) {
        let end = text.find(|c: char| c.is_whitespace() || "<>\"'`".contains(c)).unwrap_or(text.len());
        let address = text[..end].trim_end_matches(['.', ',', ';', ':', ')', '!', '?']);
        return Some((Inline::Link(address.to_owned(), address.to_owned()), &text[address.len()..]));
    }
    None
}

/// Splits at the nearest `mark`; `None` where it is too far, missing, or nothing stands before it.
fn until<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let mut end = text.len().min(MAX_SPAN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let at = text[..end].find(mark)?;
    (at > 0).then(|| (&text[..at], &text[at + mark.len()..]))
}

fn is_web(text: &str) -> bool {
    text.strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['))
}

fn carets_in(text: &str) -> Vec<Inline> {
    text.chars().filter_map(caret_of).map(Inline::Caret).collect()
}

fn without_carets(run: Inline) -> Inline {
    let clean = |text: String| text.chars().filter(|c| caret_of(*c).is_none()).collect::<String>();
    match run {
        Inline::Code(text) => Inline::Code(clean(text)),
        Inline::Link(text, address) => Inline::Link(clean(text), clean(address)),
        other => other,
    }
}

/// Draws a read text, with the carets of others where they are.
pub fn draw(blocks: Vec<Block>, carets: &[User]) -> AnyView {
    let lines = |lines: Vec<Vec<Inline>>| {
        let draw = |(n, runs)| view! { {(n > 0).then(|| view! { <br/> })}{draw_runs(runs, carets)} };
        lines.into_iter().enumerate().map(draw).collect_view()
    };
    let items = |items: Vec<Vec<Inline>>| {
        items.into_iter().map(|runs| view! { <li>{draw_runs(runs, carets)}</li> }).collect_view()
    };
    let block = |block| match block {
        Block::Heading(1, runs) => view! { <h3>{draw_runs(runs, carets)}</h3> }.into_any(),
        // A note's outline begins below its widget's title whatever it was written with: for one who
        // hears the page, a level that is left out is a hole.
        Block::Heading(_, runs) => view! { <h3 class="minor">{draw_runs(runs, carets)}</h3> }.into_any(),
        Block::Paragraph(text) => view! { <p>{lines(text)}</p> }.into_any(),
        Block::Quote(text) => view! { <blockquote>{lines(text)}</blockquote> }.into_any(),
        Block::Bullets(list) => view! { <ul>{items(list)}</ul> }.into_any(),
        Block::Numbers(list) => view! { <ol>{items(list)}</ol> }.into_any(),
        Block::Code(runs) => view! { <pre>{draw_runs(runs, carets)}</pre> }.into_any(),
    };
    blocks.into_iter().map(block).collect_view().into_any()
}

/// Draws plain text with carets, as the mirror of a text field needs it.
pub fn draw_plain(text: &str, carets: &[User]) -> AnyView {
    draw_runs(plain(text), carets)
}

fn draw_runs(runs: Vec<Inline>, carets: &[User]) -> AnyView {
    let run = |run| match run {
        Inline::Text(text) => text.into_any(),
        Inline::Bold(runs) => view! { <b>{draw_runs(runs, carets)}</b> }.into_any(),
        Inline::Italic(runs) => view! { <em>{draw_runs(runs, carets)}</em> }.into_any(),
        Inline::Code(code) => view! { <code>{code}</code> }.into_any(),
        Inline::Link(text, address) => {
            view! { <a href=address target="_blank" rel="noopener noreferrer nofollow">{text}</a> }.into_any()
        }
        Inline::Caret(n) => carets
            .get(n)
            .map(|user| {
                view! {
                    <span
                        class="caret"
                        aria-hidden="true"
                        data-name=user.name.clone()
                        style:--who=user.color.clone()
                    ></span>
                }
            })
            .into_any(),
    };
    runs.into_iter().map(run).collect_view().into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Inline {
        Inline::Text(text.to_owned())
    }

    #[test]
    fn a_runbook_reads_as_it_is_meant() {
        let blocks = read("# On call\nLook at `gw` **first**.\nThen wait.\n\n- one\n- two\n1. go\n> said");
        let bold = Inline::Bold(vec![text("first")]);
        assert_eq!(
            blocks,
            vec![
                Block::Heading(1, vec![text("On call")]),
                Block::Paragraph(vec![
                    vec![text("Look at "), Inline::Code("gw".to_owned()), text(" "), bold, text(".")],
                    vec![text("Then wait.")],
                ]),
                Block::Bullets(vec![vec![text("one")], vec![text("two")]]),
                Block::Numbers(vec![vec![text("go")]]),
                Block::Quote(vec![vec![text("said")]]),
            ]
        );
    }

    #[test]
    fn only_web_addresses_become_links() {
        let link = |text: &str| Inline::Link(text.to_owned(), "https://a.example/b".to_owned());
        assert_eq!(inline("[x](https://a.example/b)", 0), vec![link("x")]);
        assert_eq!(inline("https://a.example/b.", 0), vec![link("https://a.example/b"), text(".")]);
        for bad in ["[x](javascript:alert(1))", "[x](data:text/html,x)", "[x](//a.example)", "[x](https://)"]
        {
            assert!(!inline(bad, 0).iter().any(|run| matches!(run, Inline::Link(..))), "{bad}");
        }
    }

    #[test]
    fn marks_without_an_end_are_text() {
        for odd in ["**", "*", "`", "[", "[a](", "** a", "a * b * c", "```"] {
            read(odd);
        }
        assert_eq!(inline("2 * 3 * 4", 0), vec![text("2 * 3 * 4")]);
        read(&"[".repeat(200_000));
    }

    #[test]
    fn carets_stand_where_they_are_in_utf16() {
        let marked = with_carets("a😀b", &[3, 4]);
        assert_eq!(inline(&marked, 0), vec![text("a😀"), Inline::Caret(0), text("b"), Inline::Caret(1)]);
        let in_code = with_carets("`ab`", &[2]);
        assert_eq!(inline(&in_code, 0), vec![Inline::Code("ab".to_owned()), Inline::Caret(0)]);
    }
}
