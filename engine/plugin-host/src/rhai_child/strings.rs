//! Functions for strings, under the names and with the meaning that Rhai's own package gives them. Here are those whose result is not much
//! larger than what they are given; an engine's limits are looked at only after a function has returned.

use rhai::{Array, Dynamic, Engine, FuncRegistration, INT, ImmutableString};

/// Makes them known to the engine, with what editors show of them.
pub(crate) fn register(engine: &mut Engine) {
    ask(engine);
    take_apart(engine);
}

fn about(name: &str, params: &[&str], comment: &str) -> FuncRegistration {
    FuncRegistration::new(name).with_params_info(params).with_comments([format!("/// {comment}")])
}

/// Questions about a string.
fn ask(engine: &mut Engine) {
    about("len", &["string: &str", "i64"], "How many characters it has. Also a property: `string.len`.")
        .register_into_engine(engine, |string: &str| count(string));
    engine.register_get("len", |string: &mut ImmutableString| count(string));
    about("is_empty", &["string: &str", "bool"], "It has no characters.")
        .register_into_engine(engine, |string: &str| string.is_empty());
    about("contains", &["string: &str", "part: &str", "bool"], "It has this part. Also written `part in string`.")
        .register_into_engine(engine, |string: &str, part: &str| string.contains(part));
    about("starts_with", &["string: &str", "start: &str", "bool"], "It begins like this.")
        .register_into_engine(engine, |string: &str, start: &str| string.starts_with(start));
    about("ends_with", &["string: &str", "end: &str", "bool"], "It ends like this.")
        .register_into_engine(engine, |string: &str, end: &str| string.ends_with(end));
    about(
        "index_of",
        &["string: &str", "part: &str", "i64"],
        "How many characters stand before the part; -1: it does not have it.",
    )
    .register_into_engine(engine, |string: &str, part: &str| {
        string.find(part).and_then(|at| string.get(..at)).map_or(-1, count)
    });
}

/// Other strings, from one.
fn take_apart(engine: &mut Engine) {
    about("to_upper", &["string: &str", "String"], "In capital letters.")
        .register_into_engine(engine, |string: &str| string.to_uppercase());
    about("to_lower", &["string: &str", "String"], "In small letters.")
        .register_into_engine(engine, |string: &str| string.to_lowercase());
    about("trim", &["string: &mut ImmutableString"], "Takes blanks from both of its ends.")
        .register_into_engine(engine, |string: &mut ImmutableString| *string = string.trim().into());
    about(
        "sub_string",
        &["string: &str", "start: i64", "String"],
        "From this character on; negative: counted from the end.",
    )
    .register_into_engine(engine, |string: &str, start: INT| part(string, start, INT::MAX));
    about("sub_string", &["string: &str", "start: i64", "len: i64", "String"], "So many characters from this one on.")
        .register_into_engine(engine, part);
    about("split", &["string: &str", "separator: &str", "Array"], "Its parts between the separators.")
        .register_into_engine(engine, split);
}

fn count(string: &str) -> INT {
    string.chars().count() as INT
}

fn part(string: &str, start: INT, len: INT) -> String {
    let start = if start < 0 { count(string).saturating_add(start) } else { start };
    let skip = usize::try_from(start).unwrap_or(0);
    string.chars().skip(skip).take(usize::try_from(len).unwrap_or(0)).collect()
}

fn split(string: &str, separator: &str) -> Array {
    if separator.is_empty() {
        return vec![Dynamic::from(ImmutableString::from(string))];
    }
    string.split(separator).map(|part| Dynamic::from(ImmutableString::from(part))).collect()
}

#[cfg(test)]
mod tests {
    fn engine() -> rhai::Engine {
        let mut engine = crate::rhai_child::engine();
        super::register(&mut engine);
        engine
    }

    #[test]
    fn they_do_what_rhais_own_do() {
        let same = |expression: &str| {
            let ours = engine().eval_expression::<rhai::Dynamic>(expression).map(|value| value.to_string());
            let theirs =
                rhai::Engine::new().eval_expression::<rhai::Dynamic>(expression).map(|value| value.to_string());
            assert_eq!(ours.unwrap_or_else(|error| error.to_string()), theirs.unwrap(), "{expression}");
        };
        for expression in [
            r#""tests/zap.py".starts_with("tests/")"#,
            r#""zap.py".ends_with(".rs")"#,
            r#""h\u00e4b".len"#,
            r#"len("h\u00e4b")"#,
            r#""".is_empty()"#,
            r#""zap".contains("ap")"#,
            r#""ap" in "zap""#,
            r#""h\u00e4bc".index_of("c")"#,
            r#""zap".index_of("x")"#,
            r#""Zap".to_upper() + "Zap".to_lower()"#,
            r#""h\u00e4bc".sub_string(1, 2)"#,
            r#""zapping".sub_string(-3, 2)"#,
            r#""zapping".sub_string(4)"#,
            r#""zapping".sub_string(90)"#,
            r#""a/b//c".split("/")"#,
        ] {
            same(expression);
        }
        let trimmed = engine().eval::<String>(r#"let s = "  zap "; s.trim(); s"#);
        assert_eq!(trimmed.unwrap(), "zap");
    }

    #[test]
    fn editors_are_told_of_them() {
        let definitions = engine().definitions().single_file();
        for name in ["starts_with", "ends_with", "contains", "index_of", "sub_string", "split", "trim", "to_upper"] {
            assert!(definitions.contains(&format!("fn {name}(")), "{name}");
        }
    }
}
