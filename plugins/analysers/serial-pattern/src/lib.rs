//! Whether the device says a line on its serial port, so many times, or never.

use headend_sdk::analyser::{Analyser, Line, News, Rect, Setup, Stamp, Tone, Verdict};
use regex_lite::{Captures, Regex, RegexBuilder, escape};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it; `back_s` is for whoever feeds the lines.
#[derive(Clone, Deserialize)]
struct Settings {
    pattern: String,
    regex: bool,
    ignore_case: bool,
    count: u64,
    absent: bool,
}

/// Most bytes that a compiled expression may take: what is larger takes seconds for the 64 KiB of one call. Text has one way through it, and may be longer.
const MAX_EXPRESSION: usize = 16 << 10;
const MAX_PLAIN: usize = 256 << 10;
/// Most groups that are told.
const MAX_GROUPS: usize = 16;
/// Most characters of a pattern and of a line in a sentence.
const MAX_PATTERN: usize = 50;
const MAX_TEXT: usize = 120;
const SECOND: f64 = 1e6;

/// An analyser at work.
pub struct SerialPattern {
    settings: Settings,
    regex: Regex,
    heard: Heard,
}

/// What has come so far.
#[derive(Clone, Copy, Default)]
struct Heard {
    lines: u64,
    lost: u64,
    matches: u64,
    now: i64,
}

impl SerialPattern {
    fn new(settings: Settings) -> Result<Self, String> {
        let (pattern, most) = if settings.regex {
            (settings.pattern.clone(), MAX_EXPRESSION)
        } else {
            (escape(&settings.pattern), MAX_PLAIN)
        };
        let mut builder = RegexBuilder::new(&pattern);
        let regex = builder.case_insensitive(settings.ignore_case).size_limit(most).build();
        let regex = regex.map_err(|error| {
            let pattern = shown(&settings.pattern, MAX_PATTERN);
            format!("{pattern} is no regular expression that is taken here: {error}")
        })?;
        Ok(Self { settings, regex, heard: Heard::default() })
    }

    /// The verdict on the line that decides, or on the last one that has the pattern.
    fn news(&mut self, news: &News) -> Option<Verdict> {
        self.heard.lost = self.heard.lost.saturating_add(news.lost);
        self.heard.now = news.now;
        let mut said = None;
        for line in &news.lines {
            self.heard.lines += 1;
            let Some(captures) = self.regex.captures(&line.text) else { continue };
            self.heard.matches += 1;
            let (matches, count) = (self.heard.matches, self.settings.count);
            // What must not come has not come before there is enough of it.
            let tells = matches >= count || !self.settings.absent;
            if tells && (matches <= count || said.is_none()) {
                said = Some(self.judge(line, &captures));
            }
        }
        said
    }

    /// On a line that has the pattern.
    fn judge(&self, line: &Line, captures: &Captures<'_>) -> Verdict {
        let Settings { count, absent, pattern, .. } = &self.settings;
        let (matches, enough) = (self.heard.matches, self.heard.matches >= *count);
        let which = match (*count, matches) {
            (1, 1) => "a line".to_owned(),
            (count, matches) if matches <= count => format!("line {matches} of {count}"),
            (_, matches) => format!("line {matches}"),
        };
        let seconds = line.at as f64 / SECOND;
        let sentence = format!(
            "{which} with {} came at {seconds:.3} s: {}",
            shown(pattern, MAX_PATTERN),
            shown(&line.text, MAX_TEXT)
        );
        let verdict = self.verdict(line.at, enough && !absent, sentence).with("line_s", seconds);
        let tone = if *absent { Tone::Bad } else { Tone::Good };
        self.groups(verdict, captures, tone)
    }

    /// Marks what fits and its groups, and tells those that are numbers.
    fn groups(&self, verdict: Verdict, captures: &Captures<'_>, tone: Tone) -> Verdict {
        let names = self.regex.capture_names().enumerate().take(MAX_GROUPS + 1);
        names.fold(verdict, |verdict, (at, name)| {
            let text = captures.get(at).map_or("", |group| group.as_str());
            let verdict = verdict.draw(Rect::of([0; 4]), tone, text);
            match text.trim().parse::<f64>().ok().filter(|number| at > 0 && number.is_finite()) {
                Some(number) => {
                    let name = name.map_or_else(|| format!("group_{at}"), |name| format!("group_{name}"));
                    verdict.with(&name, number)
                }
                None => verdict,
            }
        })
    }

    fn verdict(&self, at: i64, passed: bool, sentence: String) -> Verdict {
        let Heard { lines, lost, matches, .. } = self.heard;
        let score = match (self.settings.absent, passed) {
            (false, _) => matches.min(self.settings.count) as f64 / self.settings.count as f64,
            (true, true) => 1.0,
            (true, false) => 0.0,
        };
        let verdict = Verdict::new(Stamp { frame: 0, at }, passed, score, sentence);
        verdict.with("matches", matches as f64).with("lines", lines as f64).with("lost", lost as f64)
    }

    /// Unless the verdict has been given with a line.
    fn end(&self) -> Option<Verdict> {
        let Heard { lines, lost, matches, now } = self.heard;
        let Settings { count, absent, pattern, .. } = &self.settings;
        if matches >= *count {
            return None;
        }
        let pattern = shown(pattern, MAX_PATTERN);
        let came = match lines {
            0 => "no line came at all".to_owned(),
            1 => "one line came".to_owned(),
            lines => format!("{lines} lines came"),
        };
        let had = match matches {
            0 => format!("and none had {pattern}"),
            matches => format!("and {matches} had {pattern}; {count} are asked for"),
        };
        let gone = if lost > 0 { format!("; {lost} were lost before they could be read") } else { String::new() };
        Some(self.verdict(now, *absent && lost == 0, format!("{came}, {had}{gone}")))
    }
}

/// In quotation marks, in one line, and not too long.
fn shown(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    format!("{shown:?}")
}

impl Analyser for SerialPattern {
    fn build(setup: Setup) -> Result<Self, String> {
        Self::new(setup.settings()?)
    }

    fn read_lines(&mut self, news: &News) -> Option<Verdict> {
        self.news(news)
    }

    fn finish(&mut self) -> Option<Verdict> {
        self.end()
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(SerialPattern);

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pattern: &str) -> Settings {
        Settings { pattern: pattern.into(), regex: false, ignore_case: false, count: 1, absent: false }
    }

    fn news(first: i64, texts: &[&str]) -> News {
        let lines: Vec<Line> =
            texts.iter().zip(first..).map(|(text, at)| Line { at: at * 1_000_000, text: (*text).into() }).collect();
        let now = (first + texts.len() as i64) * 1_000_000;
        News { lines, lost: 0, now }
    }

    fn pattern(settings: Settings) -> Result<SerialPattern, String> {
        SerialPattern::new(settings)
    }

    #[test]
    fn text_is_text_and_an_expression_has_groups() -> Result<(), String> {
        let mut plain = pattern(settings("a.c ("))?;
        assert!(plain.news(&news(0, &["abc (", "A.C ("])).is_none(), "neither is the text");
        let seen = plain.news(&news(5, &["x", "so a.c ( it is"]));
        assert!(seen.is_some_and(|seen| seen.passed && seen.at == 6_000_000 && seen.sentence.contains("6.000 s")));
        let mut folded = pattern(Settings { ignore_case: true, ..settings("Login") })?;
        assert!(folded.news(&news(0, &["LOGIN:"])).is_some());
        let expression = r"^tuner (\d+): (?P<dbm>-?[0-9.]+) (\w+)(x)?$";
        let mut groups = pattern(Settings { regex: true, ..settings(expression) })?;
        assert!(groups.news(&news(0, &["the tuner 1: -42.5 dBm"])).is_none());
        let Some(seen) = groups.news(&news(1, &["tuner 1: -42.5 dBm"])) else { return Err("not found".into()) };
        let labels: Vec<&str> = seen.overlay.iter().map(|shape| shape.label.as_str()).collect();
        assert_eq!(labels, ["tuner 1: -42.5 dBm", "1", "-42.5", "dBm", ""]);
        let numbers: Vec<_> = seen.values.iter().filter(|value| value.name.starts_with("group")).collect();
        assert_eq!(numbers.len(), 2);
        assert!(numbers[1].name == "group_dbm" && (numbers[1].number + 42.5).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn the_line_that_decides_is_told_however_many_come_at_once() -> Result<(), String> {
        let mut twice = pattern(Settings { count: 2, ..settings("zap") })?;
        let first = twice.news(&news(0, &["zap 1", "live 1"]));
        assert!(first.is_some_and(|seen| !seen.passed && (seen.score - 0.5).abs() < 1e-9), "one of two");
        let second = twice.news(&news(4, &["zap 2", "zap 3", "zap 4"]));
        assert!(second.is_some_and(|seen| seen.passed && seen.sentence.contains("line 2 of 2")), "not the last one");
        assert!(twice.news(&news(9, &["zap 5"])).is_some_and(|seen| seen.passed && seen.values[0].number > 4.5));
        assert!(twice.end().is_none(), "it has been told");
        Ok(())
    }

    #[test]
    fn what_never_came_is_told_at_the_end() -> Result<(), String> {
        let mut never = pattern(settings("panic"))?;
        assert!(never.end().is_some_and(|end| !end.passed && end.sentence.starts_with("no line came at all")));
        let absent = Settings { absent: true, ..settings("panic") };
        let mut calm = pattern(absent.clone())?;
        for analyser in [&mut never, &mut calm] {
            assert!(analyser.news(&news(0, &["boot: ok", "pan", "ic"])).is_none(), "not over two lines");
        }
        assert!(never.end().is_some_and(|end| !end.passed && end.sentence == "3 lines came, and none had \"panic\""));
        assert!(calm.end().is_some_and(|end| end.passed && end.at == 3_000_000));
        let lost = News { lines: Vec::new(), lost: 7, now: 9 };
        assert!(calm.news(&lost).is_none());
        assert!(calm.end().is_some_and(|end| !end.passed && end.sentence.contains("7 were lost")));
        let mut alarmed = pattern(absent)?;
        let seen = alarmed.news(&news(0, &["kernel panic"]));
        assert!(seen.is_some_and(|seen| !seen.passed && seen.score < 0.1) && alarmed.end().is_none());
        let mut lenient = pattern(Settings { absent: true, count: 2, ..settings("panic") })?;
        assert!(lenient.news(&news(0, &["panic"])).is_none(), "one is not two");
        assert!(lenient.end().is_some_and(|end| end.passed && end.sentence.contains("and 1 had")));
        Ok(())
    }

    #[test]
    fn what_is_no_expression_is_declined() {
        for bad in ["(", "a{900}", "a{1000}{1000}", r"\p{L}"] {
            let error = pattern(Settings { regex: true, ..settings(bad) }).err().unwrap_or_default();
            assert!(error.contains("no regular expression"), "{bad}: {error}");
        }
        assert!(pattern(settings(&"ä".repeat(500))).is_ok(), "text may be as long as it likes");
        assert!(shown(&"ä".repeat(200), 3).contains("äää…"));
    }
}
