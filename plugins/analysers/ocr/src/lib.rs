//! What is written on the screen, and whether it is what is expected.

mod text;

use headend_sdk::analyser::{
    Analyser, Frame, Layout, Picture, Reading, Rect, Setup, Stamp, Tone, Verdict, Word, read_text,
};
use serde::Deserialize;

use text::{distance, plain};

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    expect: Option<String>,
    languages: Vec<String>,
    whitelist: String,
    ignore_case: bool,
    errors: f64,
    confidence: f64,
    zoom: u32,
    layout: Written,
    region: Option<[u32; 4]>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Written {
    Page,
    Block,
    Line,
    Word,
    Sparse,
}

/// An analyser at work.
pub struct Ocr {
    settings: Settings,
}

/// Longest side of a picture, zoomed or not.
const MAX_SIDE: u32 = 4_096;
/// Most words that are drawn.
const MOST_DRAWN: usize = 200;

impl Settings {
    fn reading(&self) -> Reading {
        let layout = match self.layout {
            Written::Page => Layout::Page,
            Written::Block => Layout::Block,
            Written::Line => Layout::Line,
            Written::Word => Layout::Word,
            Written::Sparse => Layout::Sparse,
        };
        Reading { languages: self.languages.clone(), whitelist: self.whitelist.clone(), layout }
    }

    /// `words`: where they are in the frame.
    fn judge(&self, stamp: Stamp, area: Rect, words: &[Word]) -> Verdict {
        let text = joined(words);
        let (passed, score, said, distance) = self.compare(&text);
        let seen = if text.is_empty() { "nothing is written there".to_owned() } else { format!("it reads {text:?}") };
        let mean = words.iter().map(|word| word.confidence).sum::<f64>() / words.len().max(1) as f64;
        let tone = if passed { Tone::Good } else { Tone::Note };
        let mut verdict = Verdict::new(stamp, passed, score, format!("{said}{seen}"))
            .within(area)
            .with("words", words.len() as f64)
            .with("characters", text.chars().count() as f64)
            .with("confidence", mean);
        if let Some(distance) = distance {
            verdict = verdict.with("distance", distance as f64);
        }
        words.iter().take(MOST_DRAWN).fold(verdict, |verdict, word| verdict.draw(word.area, tone, &word.text))
    }

    /// Whether it passes, how well, how the sentence begins, and how many characters are wrong.
    fn compare(&self, text: &str) -> (bool, f64, String, Option<usize>) {
        let Some(expect) = &self.expect else {
            let there = !text.is_empty();
            return (there, f64::from(u8::from(there)), String::new(), None);
        };
        let (wanted, seen) = (plain(expect, self.ignore_case), plain(text, self.ignore_case));
        let length = wanted.chars().count().max(1);
        let wrong = distance(&wanted, &seen);
        let passed = wrong as f64 <= self.errors * length as f64;
        let score = 1.0 - (wrong.min(length) as f64) / length as f64;
        let said = match (passed, wrong) {
            (true, 0) => format!("{expect:?} is there; "),
            (true, _) => format!("{expect:?} is there but for {wrong} characters; "),
            (false, _) => format!("{expect:?} is not there: {wrong} of its {length} characters are wrong; "),
        };
        (passed, score, said, Some(wrong))
    }

    /// The region, enlarged as far as it may be.
    fn zoomed(&self, picture: &Picture, area: Rect) -> Option<(Picture, u32)> {
        let part = picture.crop(area).ok()?;
        let zoom = self.zoom.min(MAX_SIDE / area.width.max(area.height).max(1)).max(1);
        let part = if zoom > 1 { part.scale(area.width * zoom, area.height * zoom).ok()? } else { part };
        Some((part, zoom))
    }
}

/// In lines, words apart by one space.
fn joined(words: &[Word]) -> String {
    let mut text = String::new();
    let mut line = None;
    for word in words {
        if !text.is_empty() {
            text.push(if line == Some(word.line) { ' ' } else { '\n' });
        }
        text.push_str(&word.text);
        line = Some(word.line);
    }
    text
}

impl Ocr {
    fn read(&self, picture: &Picture, area: Rect) -> Result<Vec<Word>, String> {
        let (part, zoom) =
            self.settings.zoomed(picture, area).ok_or("the region cannot be enlarged: the instance keeps too much")?;
        let words = read_text(&part, Rect::ALL, &self.settings.reading())?;
        let sure = words.into_iter().filter(|word| word.confidence >= self.settings.confidence);
        Ok(sure.map(|word| Word { area: placed(word.area, area, zoom), ..word }).collect())
    }
}

/// From the enlarged part to the frame.
fn placed(word: Rect, area: Rect, zoom: u32) -> Rect {
    let (width, height) = (word.width.div_ceil(zoom).max(1), word.height.div_ceil(zoom).max(1));
    Rect { x: area.x + word.x / zoom, y: area.y + word.y / zoom, width, height }
}

impl Analyser for Ocr {
    fn build(setup: Setup) -> Result<Self, String> {
        let settings: Settings = setup.settings()?;
        // That nothing can be read must not look like nothing written: it is found out now, and told as what it is.
        let white = Picture::plain(64, 32, 255).map_err(|fault| format!("{fault:?}"))?;
        read_text(&white, Rect::ALL, &settings.reading())?;
        Ok(Self { settings })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let area = self.settings.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let stamp = frame.stamp();
        if area.pixels() == 0 {
            return Some(Verdict::new(stamp, false, 0.0, "the region lies outside of the frame".into()));
        }
        let picture = frame.picture().ok()?;
        Some(match self.read(&picture, area) {
            Ok(words) => self.settings.judge(stamp, area, &words),
            Err(what) => Verdict::new(stamp, false, 0.0, format!("it cannot be read: {what}")).within(area),
        })
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Ocr);

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(expect: Option<&str>) -> Settings {
        Settings {
            expect: expect.map(str::to_owned),
            languages: vec!["eng".into()],
            whitelist: String::new(),
            ignore_case: true,
            errors: 0.2,
            confidence: 0.3,
            zoom: 2,
            layout: Written::Sparse,
            region: None,
        }
    }

    fn word(text: &str, line: u32) -> Word {
        Word { text: text.into(), area: Rect::of([1, 2, 3, 4]), confidence: 0.9, line }
    }

    #[test]
    fn expected_text_may_be_a_little_wrong() {
        let words = [word("101", 0), word("BBC", 0), word("0NE", 1)];
        let judge = |expect| settings(expect).judge(Stamp::default(), Rect::ALL, &words);
        let near = judge(Some("bbc one"));
        assert!(near.passed && near.sentence.contains("but for 1 characters"), "{}", near.sentence);
        assert_eq!((near.overlay.len(), near.overlay[1].label.as_str()), (3, "BBC"));
        assert!(judge(None).passed && judge(None).sentence == "it reads \"101 BBC\\n0NE\"", "{}", judge(None).sentence);
        let other = judge(Some("ITV one"));
        assert!(!other.passed && other.sentence.contains("is not there"), "{}", other.sentence);
        assert!(!settings(None).judge(Stamp::default(), Rect::ALL, &[]).passed);
    }

    #[test]
    fn words_are_placed_in_the_frame() {
        assert_eq!(placed(Rect::of([10, 20, 31, 8]), Rect::of([100, 200, 50, 50]), 2), Rect::of([105, 210, 16, 4]));
    }
}
