//! Looks through SQLite's write-ahead log for damage that SQLite itself would pass over in silence.
//!
//! SQLite takes a log up to its first bad frame and forgets the rest: right for a torn last write, wrong for a flipped
//! bit in the middle, where everything after it was acknowledged. With `synchronous=FULL` each commit is on the
//! disk before the next begins, so after the first bad frame at most one commit (the torn one) can be seen. More
//! than one: the log is damaged. (Format: sqlite.org/fileformat2.html, section 4.)

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What is wrong with the log, if anything.
pub(crate) fn damage(log: &[u8]) -> Option<String> {
    // Nothing was ever committed to a log without a whole frame, or to one that the disk left as zeros.
    if log.len() < HEADER + FRAME_HEADER || log.iter().all(|byte| *byte == 0) {
        return None;
    }
    let Some(head) = Head::read(log) else {
        return Some("the head of its -wal file is not valid, though there is data in it".to_owned());
    };
    let frames = (log.len() - HEADER) / head.frame_len();
    let mut sum = head.sum;
    let bad = (0..frames).find(|at| !head.follows(frame(log, &head, *at), &mut sum))?;
    let commits = (bad..frames).filter(|at| head.is_commit(frame(log, &head, *at))).count();
    (commits > 1).then(|| format!("frame {bad} of its -wal file is not valid, though {commits} commits follow"))
}

struct Head {
    big_endian: bool,
    page: usize,
    salts: [u8; 8],
    sum: (u32, u32),
}

fn frame<'a>(log: &'a [u8], head: &Head, at: usize) -> &'a [u8] {
    let start = HEADER + at * head.frame_len();
    &log[start..start + head.frame_len()]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

impl Head {
    fn read(log: &[u8]) -> Option<Self> {
        let big_endian = match word(log, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let page = word(log, 8) as usize;
        if !page.is_power_of_two() || !(512..=65_536).contains(&page) {
            return None;
        }
        let salts = log.get(16..24)?.try_into().ok()?;
        let mut head = Self { big_endian, page, salts, sum: (0, 0) };
        head.sum = head.add((0, 0), &log[..24]);
        (head.sum == (word(log, 24), word(log, 28))).then_some(head)
    }

    fn frame_len(&self) -> usize {
        FRAME_HEADER + self.page
    }

    fn add(&self, (mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        for pair in bytes.chunks_exact(8) {
            let [x, y] = [0, 4].map(|at| if self.big_endian { word(pair, at) } else { word(pair, at).swap_bytes() });
            a = a.wrapping_add(x).wrapping_add(b);
            b = b.wrapping_add(y).wrapping_add(a);
        }
        (a, b)
    }

    /// Whether the frame belongs to this log and its sum follows from those before.
    fn follows(&self, frame: &[u8], sum: &mut (u32, u32)) -> bool {
        if frame[8..16] != self.salts {
            return false;
        }
        *sum = self.add(self.add(*sum, &frame[..8]), &frame[FRAME_HEADER..]);
        *sum == (word(frame, 16), word(frame, 20))
    }

    fn is_commit(&self, frame: &[u8]) -> bool {
        frame[8..16] == self.salts && word(frame, 4) != 0
    }
}
