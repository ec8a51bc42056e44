//! The table of words: tab-separated, one line each, pages, blocks, paragraphs and lines among them.

use headend_media::Rect;

use super::Word;

/// Most words that are taken.
const MAX_WORDS: usize = 2_048;
/// Most bytes of a word.
const MAX_WORD: usize = 256;
/// The level of words.
const WORD: &str = "5";

/// The words, in the order in which they are read.
pub(super) fn words(table: &str) -> Result<Vec<Word>, String> {
    let mut lines = table.lines();
    if !lines.next().is_some_and(|head| head.starts_with("level\tpage_num\t")) {
        return Err("tesseract did not answer with a table of words; version 4 or newer does".into());
    }
    let mut words: Vec<Word> = Vec::new();
    let mut place: Option<[&str; 4]> = None;
    let mut line = 0;
    for row in lines {
        let Some((here, word)) = word(row) else { continue };
        if place.is_some_and(|before| before != here) {
            line += 1;
        }
        place = Some(here);
        words.push(Word { line, ..word });
        if words.len() == MAX_WORDS {
            break;
        }
    }
    Ok(words)
}

/// Where the word stands (page, block, paragraph, line), and the word. Rows that are none are left out.
fn word(row: &str) -> Option<([&str; 4], Word)> {
    let columns: Vec<&str> = row.splitn(12, '\t').collect();
    let [level, page, block, paragraph, line, _, x, y, width, height, confidence, text] = columns.as_slice() else {
        return None;
    };
    let text = text.trim();
    if *level != WORD || text.is_empty() {
        return None;
    }
    let number = |text: &str| text.parse::<u32>().ok();
    let area = Rect { x: number(x)?, y: number(y)?, width: number(width)?, height: number(height)? };
    // In percent; -1 for what it has no opinion on.
    let confidence = confidence.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let confidence = (confidence / 100.0).clamp(0.0, 1.0);
    let text = super::super::verdict::cut(text, MAX_WORD).to_owned();
    Some(([*page, *block, *paragraph, *line], Word { text, area, confidence, line: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n";

    #[test]
    fn words_are_taken_line_by_line_and_the_rest_is_left() {
        let table = format!(
            "{HEAD}1\t1\t0\t0\t0\t0\t0\t0\t640\t360\t-1\t\n5\t1\t1\t1\t1\t1\t40\t20\t90\t30\t96.5\tBBC\n\
             5\t1\t1\t1\t1\t2\t140\t20\t90\t30\t88\tONE\n5\t1\t1\t1\t2\t1\t40\t60\t90\t30\t-1\t101\n5\t1\t1\t1\t2\t2\t40\t60\t90\t30\t95\t \n\
             5\t1\t1\nnonsense\n5\t1\t1\t1\t3\t1\t-4\t60\t90\t30\t95\tout\n"
        );
        let words: Vec<Word> = words(&table).unwrap();
        let seen: Vec<(&str, u32)> = words.iter().map(|word| (word.text.as_str(), word.line)).collect();
        assert_eq!(seen, [("BBC", 0), ("ONE", 0), ("101", 1)]);
        assert_eq!((words[0].confidence, words[2].confidence), (0.965, 0.0));
        assert_eq!(words[1].area, Rect { x: 140, y: 20, width: 90, height: 30 });
    }

    #[test]
    fn what_is_no_table_is_told_and_too_many_words_are_cut() {
        assert!(words("").is_err() && words("hello\n").is_err());
        let row = "5\t1\t1\t1\t1\t1\t0\t0\t1\t1\t50\tx\n";
        assert_eq!(words(&format!("{HEAD}{}", row.repeat(5_000))).unwrap().len(), 2_048);
    }
}
