//! A manifest inside the code: one file is a whole plugin.
//!
//! In Rhai it is a fenced part of the comment at the top, in WebAssembly a custom section named `headend-plugin`:
//!
//! ```text
//! //! Starts on the rack that has started least.
//! //! ```headend-plugin
//! //! name = "spread"
//! //! version = "1.0.0"
//! //! kind = "coverage-policy"
//! //! world = "1.0.0"
//! //! ```
//! ```
//!
//! The key `file` may be left out there: it is the file itself.

/// The fence, and the name of the section.
const MARK: &str = "headend-plugin";

/// The manifest's text in this file, if it has one.
pub(super) fn manifest_in(name: &str, code: &[u8]) -> Option<String> {
    let (text, own_line) = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("rhai") => (in_comment(std::str::from_utf8(code).ok()?)?, false),
        Some("wasm") => (String::from_utf8(section(code)?.to_vec()).ok()?, true),
        _ => return None,
    };
    let names_file = text.lines().any(|line| line.trim_start().starts_with("file") && line.contains('='));
    let file = if names_file { String::new() } else { format!("file = {name:?}") };
    // In a comment the line of the fence takes it: the lines of the manifest are those of the file.
    Some(if own_line { format!("{file}\n{text}").trim_start().to_owned() } else { text.replacen(MARK, &file, 1) })
}

/// Lines before the manifest are kept as empty ones.
fn in_comment(source: &str) -> Option<String> {
    let mut text = String::new();
    let mut open = false;
    for line in source.lines() {
        let line = line.trim();
        let Some(comment) = line.strip_prefix("//") else {
            if line.is_empty() && !open {
                text.push('\n');
                continue;
            }
            return None;
        };
        let comment = comment.strip_prefix('!').unwrap_or(comment);
        let comment = comment.strip_prefix(' ').unwrap_or(comment);
        match (open, comment.trim()) {
            (false, fence) if fence.strip_prefix("```").is_some_and(|word| word.trim() == MARK) => {
                open = true;
                text.push_str(MARK);
            }
            (true, "```") => return Some(text),
            (true, _) => text.push_str(comment),
            (false, _) => {}
        }
        text.push('\n');
    }
    None
}

/// Modules and components are rows of sections: a byte, a length, the content. Those with byte 0 begin with a name.
fn section(code: &[u8]) -> Option<&[u8]> {
    let mut rest = code.strip_prefix(b"\0asm")?.get(4..)?;
    while let Some((kind, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (content, next) = after.split_at_checked(length)?;
        rest = next;
        if *kind != 0 {
            continue;
        }
        let (length, after) = number(content)?;
        let (name, content) = after.split_at_checked(length)?;
        if name == MARK.as_bytes() {
            return Some(content);
        }
    }
    None
}

/// An unsigned LEB128 of at most 32 bits.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fenced_comment_at_the_top_is_the_manifest_with_its_lines() {
        let source = "// A policy.\n//\n// ```headend-plugin\n// name = \"p\"\n// [limits]\n// ```\nfn propose() {}\n";
        assert_eq!(
            manifest_in("p.rhai", source.as_bytes()).unwrap(),
            "\n\nfile = \"p.rhai\"\nname = \"p\"\n[limits]\n"
        );
        let named = "\n//! ```headend-plugin\n//! file = \"q.rhai\"\n//! ```\n";
        assert_eq!(manifest_in("p.rhai", named.as_bytes()).unwrap(), "\n\nfile = \"q.rhai\"\n");
        for none in ["fn f() {}\n// ```headend-plugin\n// ```", "// ```headend-plugin\n// name = 1\n", "", "\u{0}"] {
            assert_eq!(manifest_in("p.rhai", none.as_bytes()), None, "{none:?}");
        }
    }

    #[test]
    fn a_custom_section_is_the_manifest() {
        let module = |name: &str| format!("(module (memory 1) (@custom \"{name}\" (after memory) \"name = 1\"))");
        let code = wat::parse_str(module(MARK)).unwrap();
        assert_eq!(manifest_in("p.wasm", &code).unwrap(), "file = \"p.wasm\"\nname = 1");
        assert_eq!(manifest_in("p.wasm", &wat::parse_str(module("other")).unwrap()), None);
        for end in 0..code.len() {
            assert_eq!(manifest_in("p.wasm", &code[..end]), None, "cut at {end}");
        }
    }
}
