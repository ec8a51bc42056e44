//! Search with a keyboard on the screen.

use crate::CHANNELS;
use crate::keys::{Key, step};
use crate::lineup::channel;
use crate::programme::clock;
use crate::state::Screen;
use crate::stb::Stb;

/// Rows of the keyboard.
pub(crate) const KEYBOARD: [&str; 4] = ["ABCDEFGHIJ", "KLMNOPQRST", "UVWXYZ0123", "456789"];
/// What follows the letters of the last row.
pub(crate) const EXTRA: [&str; 3] = ["Space", "Del", "Clear"];
/// Keys of a row: in the last, six letters and the three words.
const ACROSS: [usize; 4] = [10, 10, 10, 9];
/// Results seen.
pub(crate) const RESULTS: usize = 5;
/// Letters of a search.
const LONGEST: usize = 20;

/// What is searched for. Kept while the box is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) text: String,
}

/// Where the cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchPlace {
    Key { row: usize, column: usize },
    Result(usize),
}

/// A channel, or a programme that is on it now or next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchResult {
    pub(crate) channel: usize,
    pub(crate) words: String,
}

impl Stb {
    pub(crate) fn open_search(&mut self) {
        self.state.search = Search::default();
        self.state.screen = Screen::Search(SearchPlace::Key { row: 0, column: 0 });
    }

    pub(crate) fn search_key(&mut self, key: Key, place: SearchPlace, at_us: u64) {
        match (key, place) {
            (Key::Back, _) => self.state.screen = Screen::Menu { selected: 3 },
            (Key::Digit(digit), _) => self.type_letter(char::from(b'0' + digit)),
            (Key::Dash, _) => self.type_letter('-'),
            (Key::Rewind, _) => _ = self.state.search.text.pop(),
            (Key::Ok, SearchPlace::Key { row, column }) => self.strike(row, column),
            (Key::Ok, SearchPlace::Result(selected)) => {
                if let Some(found) = results(self.options.lineup, &self.state.search.text, at_us).get(selected) {
                    self.zap(found.channel, at_us);
                }
            }
            (key, SearchPlace::Key { row, column }) => self.move_on_keyboard(key, row, column, at_us),
            (key, SearchPlace::Result(selected)) => self.move_in_results(key, selected, at_us),
        }
    }

    fn move_on_keyboard(&mut self, key: Key, row: usize, column: usize, at_us: u64) {
        let any = !results(self.options.lineup, &self.state.search.text, at_us).is_empty();
        let to = |row: usize, column: usize| SearchPlace::Key { row, column: column.min(ACROSS[row] - 1) };
        let place = match key {
            // Below the keyboard are the results, if there are any.
            Key::Down if row + 1 == KEYBOARD.len() && any => SearchPlace::Result(0),
            Key::Down | Key::Up => to(step(row, KEYBOARD.len(), key == Key::Down), column),
            Key::Left | Key::Right => to(row, step(column, ACROSS[row], key == Key::Right)),
            _ => return,
        };
        self.state.screen = Screen::Search(place);
    }

    fn move_in_results(&mut self, key: Key, selected: usize, at_us: u64) {
        let count = results(self.options.lineup, &self.state.search.text, at_us).len();
        let place = match key {
            Key::Up if selected == 0 => SearchPlace::Key { row: KEYBOARD.len() - 1, column: 0 },
            Key::Up => SearchPlace::Result(selected - 1),
            Key::Down => SearchPlace::Result((selected + 1).min(count.saturating_sub(1))),
            _ => return,
        };
        self.state.screen = Screen::Search(place);
    }

    fn strike(&mut self, row: usize, column: usize) {
        if let Some(letter) = KEYBOARD[row].chars().nth(column) {
            return self.type_letter(letter);
        }
        match column - KEYBOARD[row].len() {
            0 => self.type_letter(' '),
            1 => _ = self.state.search.text.pop(),
            _ => self.state.search.text.clear(),
        }
    }

    fn type_letter(&mut self, letter: char) {
        if self.state.search.text.len() < LONGEST {
            self.state.search.text.push(letter);
        }
    }

    pub(crate) fn search_words(&self, place: SearchPlace, at_us: u64) -> String {
        let under = match place {
            SearchPlace::Key { row, column } => key_name(row, column),
            SearchPlace::Result(selected) => results(self.options.lineup, &self.state.search.text, at_us)
                .get(selected)
                .map_or_else(String::new, |found| found.words.clone()),
        };
        format!("\"{}\", {under}", self.state.search.text)
    }
}

fn key_name(row: usize, column: usize) -> String {
    let letter = KEYBOARD[row].chars().nth(column).map(String::from);
    letter.unwrap_or_else(|| EXTRA[(column - KEYBOARD[row].len()).min(EXTRA.len() - 1)].to_owned())
}

/// What has the text in its name, in the order of the line-up: channels, and programmes of now and next.
pub(crate) fn results(lineup: u64, text: &str, at_us: u64) -> Vec<SearchResult> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return Vec::new();
    }
    let fits = |name: &str| name.to_ascii_lowercase().contains(&text);
    let mut found = Vec::new();
    for index in 0..CHANNELS {
        let tuned = channel(lineup, index);
        if fits(tuned.name) {
            found.push(SearchResult { channel: index, words: format!("{} {}", tuned.number, tuned.name) });
        }
        let now = crate::programme(lineup, index, at_us);
        let next = crate::programme(lineup, index, now.end_us);
        for shown in [now, next].into_iter().filter(|shown| fits(shown.title)) {
            let words = format!("{}, {} {}", shown.title, clock(shown.start_us), tuned.name);
            found.push(SearchResult { channel: index, words });
        }
        if found.len() >= RESULTS {
            break;
        }
    }
    found.truncate(RESULTS);
    found
}
