//! What lircd says: answers between `BEGIN` and `END`, notices in the same dress, and keys that it received, in between.

/// Most lines of data in an answer: a remote has some hundreds of keys at most.
const MOST: usize = 10_000;

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// `SUCCESS`, not `ERROR`.
    pub(super) success: bool,
    /// Its lines of data.
    pub(super) data: Vec<String>,
}

/// Finds the answer to one command among the lines of lircd.
#[derive(Debug)]
pub(super) struct Reader {
    command: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between answers.
    Outside,
    /// After `BEGIN`.
    Begun,
    /// In something that is for others, until `END`.
    Other,
    /// After the command.
    Mine,
    /// After the verdict.
    Judged(bool),
    /// After `DATA`.
    Counting(bool),
    /// So many lines of data are still to come.
    Data { success: bool, left: usize, data: Vec<String> },
}

impl Reader {
    pub(super) fn of(command: &str) -> Self {
        Self { command: command.to_owned(), state: State::Outside }
    }

    /// Takes a line without its end. The answer when it is complete; an error when this is no lircd.
    pub(super) fn take(&mut self, line: &str) -> Result<Option<Reply>, String> {
        let state = std::mem::replace(&mut self.state, State::Outside);
        let (state, reply) = self.next(state, line)?;
        self.state = state;
        Ok(reply)
    }

    fn next(&self, state: State, line: &str) -> Result<(State, Option<Reply>), String> {
        let state = match (state, line) {
            (State::Outside, "BEGIN") => State::Begun,
            (State::Begun, command) if command == self.command => State::Mine,
            // A key that was received, as lircd tells everybody; or the end of a notice.
            (State::Outside, _) | (State::Other, "END") => State::Outside,
            // A notice, such as SIGHUP: the configuration was read anew.
            (State::Begun | State::Other, _) => State::Other,
            (State::Mine, "SUCCESS") => State::Judged(true),
            (State::Mine, "ERROR") => State::Judged(false),
            // Old ones leave the verdict out when all is well.
            (State::Mine, "END") => return Ok((State::Outside, Some(Reply { success: true, data: Vec::new() }))),
            (State::Judged(success), "DATA") => State::Counting(success),
            (State::Judged(success), "END") => return Ok((State::Outside, Some(Reply { success, data: Vec::new() }))),
            (State::Counting(success), count) => match count.parse() {
                Ok(left) if left <= MOST => State::Data { success, left, data: Vec::new() },
                _ => return Err(format!("{count:?} lines of data")),
            },
            (State::Data { success, left: 0, data }, "END") => {
                return Ok((State::Outside, Some(Reply { success, data })));
            }
            (State::Data { success, left: left @ 1.., mut data }, line) => {
                data.push(line.to_owned());
                State::Data { success, left: left - 1, data }
            }
            (State::Mine | State::Judged(_) | State::Data { .. }, line) => {
                return Err(format!("{line:?} in an answer"));
            }
        };
        Ok((state, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: &str, said: &str) -> Result<Option<Reply>, String> {
        let mut reader = Reader::of(command);
        for line in said.lines() {
            if let Some(reply) = reader.take(line)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    #[test]
    fn answers_are_found_among_notices_and_keys() {
        let said = "00000000000000ff 00 KEY_POWER other\nBEGIN\nSIGHUP\nEND\nBEGIN\nLIST a\nERROR\nEND\nBEGIN\nLIST b\nSUCCESS\nDATA\n2\n1 KEY_1\nEND\nEND\n";
        let reply = read("LIST b", said).unwrap().unwrap();
        assert_eq!(reply, Reply { success: true, data: vec!["1 KEY_1".into(), "END".into()] });
    }

    #[test]
    fn errors_bring_their_reason() {
        let said = "BEGIN\nSEND_ONCE x KEY_1\nERROR\nDATA\n1\nunknown remote: \"x\"\nEND\n";
        let reply = read("SEND_ONCE x KEY_1", said).unwrap().unwrap();
        assert_eq!(reply, Reply { success: false, data: vec!["unknown remote: \"x\"".into()] });
    }

    #[test]
    fn what_is_no_lircd_is_told() {
        assert_eq!(read("LIST", "SSH-2.0\nhello\n").unwrap(), None);
        assert!(read("LIST", "BEGIN\nLIST\nPERHAPS\n").is_err());
        assert!(read("LIST", "BEGIN\nLIST\nSUCCESS\nDATA\n99999999\n").is_err());
        assert!(read("LIST", "BEGIN\nLIST\nSUCCESS\nDATA\nmany\n").is_err());
        assert!(read("LIST", "BEGIN\nLIST\nSUCCESS\nDATA\n0\nmore\n").is_err());
    }
}
