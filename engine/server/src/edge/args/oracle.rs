//! The splitting of lines against Python's own `shlex.split`, over many thousands of lines made of what is awkward.
//!
//! The rules of difference, and there are no others:
//!
//! ```text
//!  a NUL in the line            refused here; `shlex` takes it, but no process can be given it
//!  more than 32,768 bytes       refused here
//!  quote without its partner    `ValueError: No closing quotation` there, here with the place of the quote
//!  backslash as the last sign   `ValueError: No escaped character` there, its own message here
//! ```

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

const LINES: usize = 40_000;
const SEED: u64 = 0x05ee_d0fa;

/// Reads lines as JSON, and writes what `shlex` makes of each: words, or the text of its error.
const ASK: &str = r"
import json, shlex, sys
def split(line):
    try:
        return shlex.split(line)
    except ValueError as error:
        return str(error)
json.dump([split(line) for line in json.load(sys.stdin)], sys.stdout)
";

/// Pieces that lines are made of; the awkward ones stand there more than once.
const PIECES: [&str; 44] = [
    "'",
    "'",
    "'",
    "\"",
    "\"",
    "\"",
    "\\",
    "\\",
    "\\",
    " ",
    " ",
    " ",
    "\t",
    "\n",
    "\r",
    "a",
    "b",
    "-s",
    "--x=",
    "1",
    "''",
    "\"\"",
    "\\\"",
    "\\'",
    "\\\\",
    "\\\n",
    "$HOME",
    "`x`",
    "*",
    "#",
    "# no comment",
    ";",
    "|",
    "&",
    "ü",
    "日本",
    "\u{1f4fa}",
    "\u{a0}",
    "\u{3000}",
    "\u{85}",
    "e\u{301}",
    "\u{2028}",
    "\u{7f}",
    "\u{1}",
];

/// A generator of its own, so that a line that fails is made again by its number.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

fn lines() -> Vec<String> {
    let mut state = SEED;
    let line = |_| {
        let pieces = next(&mut state) % 14;
        (0..pieces).map(|_| PIECES[next(&mut state) % PIECES.len()]).collect()
    };
    (0..LINES).map(line).collect()
}

/// What `shlex` makes of each line.
fn asked(lines: &[String]) -> Vec<Result<Vec<String>, String>> {
    let python = std::env::var_os("HEADEND_PYTHON3").unwrap_or_else(|| "python3".into());
    let mut oracle = Command::new(python);
    oracle.args(["-c", ASK]).env("PYTHONIOENCODING", "utf-8").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut oracle = oracle.spawn().expect("a Python 3, as HEADEND_PYTHON3 or as python3 on the PATH");
    let mut input = oracle.stdin.take().unwrap();
    let text = serde_json::to_vec(lines).unwrap();
    let feeder = std::thread::spawn(move || input.write_all(&text).unwrap());
    let output = oracle.wait_with_output().unwrap();
    feeder.join().unwrap();
    let answers: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let answer = |value: serde_json::Value| match value {
        serde_json::Value::String(error) => Err(error),
        words => Ok(serde_json::from_value(words).unwrap()),
    };
    answers.into_iter().map(answer).collect()
}

#[test]
fn lines_split_as_shlex_splits_them() {
    let lines = lines();
    let wanted = asked(&lines);
    assert_eq!(wanted.len(), lines.len());
    let (mut good, mut bad) = (0, 0);
    for (line, wanted) in lines.iter().zip(&wanted) {
        match (split(line), wanted) {
            (Ok(words), Ok(wanted)) => {
                assert_eq!(words, *wanted, "{line:?}");
                good += 1;
            }
            (Err(BadArguments::OpenQuote { quote, at }), Err(error)) if error == "No closing quotation" => {
                assert_eq!(line.chars().nth(at - 1), Some(quote), "{line:?}: no quote stands at {at}");
                bad += 1;
            }
            (Err(BadArguments::TrailingBackslash), Err(error)) if error == "No escaped character" => bad += 1,
            (found, wanted) => panic!("{line:?}: {found:?} here, {wanted:?} by shlex"),
        }
    }
    assert!(good > LINES / 5 && bad > LINES / 5, "{good} lines that split and {bad} that do not: too few of one kind");
}

#[test]
fn joined_words_are_the_same_words_to_shlex() {
    let words: Vec<Vec<String>> = lines().iter().filter_map(|line| split(line).ok()).collect();
    let lines: Vec<String> = words.iter().map(|words| join(words)).collect();
    for ((words, line), asked) in words.iter().zip(&lines).zip(asked(&lines)) {
        assert_eq!(asked.as_ref(), Ok(words), "{line:?}");
    }
}

#[test]
fn the_differences_are_those_that_are_written_down() {
    let long = "a ".repeat(MAX_BYTES);
    let lines = ["a\0b".to_owned(), long.clone()];
    assert!(asked(&lines).iter().all(Result::is_ok));
    assert_eq!(split("a\0b"), Err(BadArguments::Nul));
    assert_eq!(split(&long), Err(BadArguments::TooLong(long.len())));
}
