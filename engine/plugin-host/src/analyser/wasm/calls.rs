//! What guests import, over the desk: each function here only changes the clothes of its arguments.

use headend_media::{self as media};
use wasmtime::component::Resource;

use super::super::desk::{self, Desk, Handle, Trouble};
use super::super::ocr;
use super::guest::State;
use super::world::headend::analyser::log::Host as LogHost;
use super::world::headend::analyser::ocr::{Host as OcrHost, Layout, Reading, Word};
use super::world::headend::analyser::pictures::{
    Cell, Comparison, Found, Frame, Host as PicturesHost, HostFrame, HostPicture, HostSums, Levels, Picture,
    Statistics, Sums,
};
use super::world::headend::analyser::sounds::{Host as SoundsHost, HostSound, Sound, Span};
use super::world::headend::analyser::types::{Colour, Fault, Host as TypesHost, Rect};

/// A result for the guest inside of one for the runtime: an error of the latter is a trap.
type Told<T> = wasmtime::Result<Result<T, Fault>>;

impl TypesHost for State {}
impl PicturesHost for State {}
impl SoundsHost for State {}

impl LogHost for State {
    fn line(&mut self, text: String) -> wasmtime::Result<()> {
        self.desk.log(&text);
        Ok(())
    }
}

impl OcrHost for State {
    fn read_text(
        &mut self,
        within: Resource<Picture>,
        area: Rect,
        how: Reading,
    ) -> wasmtime::Result<Result<Vec<Word>, String>> {
        let layout = match how.layout {
            Layout::Page => ocr::Layout::Page,
            Layout::Block => ocr::Layout::Block,
            Layout::Line => ocr::Layout::Line,
            Layout::Word => ocr::Layout::Word,
            Layout::Sparse => ocr::Layout::Sparse,
        };
        let how = ocr::Reading { languages: how.languages, whitelist: how.whitelist, layout };
        let word = |word: ocr::Word| {
            let ocr::Word { text, area, confidence, line } = word;
            Word { text, area: to_rect(area), confidence, line }
        };
        let read = sure(self.desk().read_text(within.rep(), rect_of(area), &how))?;
        Ok(read.map(|words| words.into_iter().map(word).collect()))
    }
}

fn trap(trouble: Trouble) -> wasmtime::Error {
    wasmtime::format_err!("the host does not answer any more: {trouble:?}")
}

/// An answer of the desk where the guest has no fault to be told of.
fn sure<T>(answer: Result<T, Trouble>) -> wasmtime::Result<T> {
    answer.map_err(trap)
}

fn told<T, U>(answer: Result<T, Trouble>, dress: impl FnOnce(T) -> U) -> Told<U> {
    match answer {
        Ok(answer) => Ok(Ok(dress(answer))),
        Err(Trouble::Fault(fault)) => Ok(Err(match fault {
            desk::Fault::Empty => Fault::Empty,
            desk::Fault::TooLarge => Fault::TooLarge,
            desk::Fault::Misfit => Fault::Misfit,
            desk::Fault::Full => Fault::Full,
        })),
        Err(trouble @ Trouble::Over(_)) => Err(trap(trouble)),
    }
}

fn own<T: 'static>(handle: Handle) -> Resource<T> {
    Resource::new_own(handle)
}

pub(super) fn rect_of(area: Rect) -> media::Rect {
    media::Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}

fn to_rect(area: media::Rect) -> Rect {
    Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}

fn colour_of(colour: Colour) -> media::Colour {
    media::Colour::new(colour.red, colour.green, colour.blue)
}

fn to_colour(colour: media::Colour) -> Colour {
    Colour { red: colour.red, green: colour.green, blue: colour.blue }
}

fn to_levels([red, green, blue]: [f64; 3]) -> Levels {
    Levels { red, green, blue }
}

fn span_of(part: Span) -> media::Span {
    media::Span { first: part.first, count: part.count }
}

fn to_statistics(of: media::Statistics) -> Statistics {
    Statistics {
        pixels: of.pixels,
        mean: to_levels(of.mean),
        deviation: to_levels(of.deviation),
        least: to_colour(of.least),
        most: to_colour(of.most),
    }
}

fn to_comparison(of: media::Comparison) -> Comparison {
    let media::Comparison { pixels, within, mean, most, changed } = of;
    Comparison { pixels, within, mean, most, changed: changed.map(to_rect) }
}

impl State {
    fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }
}

impl HostFrame for State {
    fn number(&mut self, this: Resource<Frame>) -> wasmtime::Result<u64> {
        Ok(sure(self.desk().frame(this.rep()))?.number)
    }

    fn at(&mut self, this: Resource<Frame>) -> wasmtime::Result<i64> {
        Ok(sure(self.desk().frame(this.rep()))?.at_us)
    }

    fn width(&mut self, this: Resource<Frame>) -> wasmtime::Result<u32> {
        Ok(sure(self.desk().frame(this.rep()))?.picture.width())
    }

    fn height(&mut self, this: Resource<Frame>) -> wasmtime::Result<u32> {
        Ok(sure(self.desk().frame(this.rep()))?.picture.height())
    }

    fn picture(&mut self, this: Resource<Frame>) -> Told<Resource<Picture>> {
        told(self.desk().frame_picture(this.rep()), own)
    }

    fn drop(&mut self, this: Resource<Frame>) -> wasmtime::Result<()> {
        self.desk().drop(this.rep());
        Ok(())
    }
}

impl HostPicture for State {
    fn width(&mut self, this: Resource<Picture>) -> wasmtime::Result<u32> {
        Ok(sure(self.desk().picture(this.rep()))?.width())
    }

    fn height(&mut self, this: Resource<Picture>) -> wasmtime::Result<u32> {
        Ok(sure(self.desk().picture(this.rep()))?.height())
    }

    fn is_grey(&mut self, this: Resource<Picture>) -> wasmtime::Result<bool> {
        Ok(sure(self.desk().picture(this.rep()))?.is_grey())
    }

    fn keep(&mut self, this: Resource<Picture>) -> Told<Resource<Picture>> {
        told(self.desk().keep(this.rep()), own)
    }

    fn crop(&mut self, this: Resource<Picture>, area: Rect) -> Told<Resource<Picture>> {
        told(self.desk().crop(this.rep(), rect_of(area)), own)
    }

    fn grey(&mut self, this: Resource<Picture>) -> Told<Resource<Picture>> {
        told(self.desk().grey(this.rep()), own)
    }

    fn scale(&mut self, this: Resource<Picture>, width: u32, height: u32) -> Told<Resource<Picture>> {
        told(self.desk().scale(this.rep(), width, height), own)
    }

    fn difference(&mut self, this: Resource<Picture>, other: Resource<Picture>) -> Told<Resource<Picture>> {
        told(self.desk().difference(this.rep(), other.rep()), own)
    }

    fn covered(&mut self, this: Resource<Picture>, parts: Vec<Rect>) -> Told<Resource<Picture>> {
        let parts: Vec<media::Rect> = parts.into_iter().map(rect_of).collect();
        told(self.desk().covered(this.rep(), &parts), own)
    }

    fn plain(&mut self, width: u32, height: u32, value: u8) -> Told<Resource<Picture>> {
        told(self.desk().plain(width, height, value), own)
    }

    fn read(&mut self, this: Resource<Picture>, area: Rect) -> Told<Vec<u8>> {
        told(self.desk().read(this.rep(), rect_of(area)), |bytes| bytes)
    }

    fn statistics(&mut self, this: Resource<Picture>, area: Rect) -> Told<Statistics> {
        told(self.desk().statistics(this.rep(), rect_of(area)), to_statistics)
    }

    fn histogram(&mut self, this: Resource<Picture>, area: Rect) -> Told<Vec<u32>> {
        told(self.desk().histogram(this.rep(), rect_of(area)), |counts| counts)
    }

    fn near(&mut self, this: Resource<Picture>, area: Rect, to: Colour, tolerance: Colour) -> wasmtime::Result<u32> {
        sure(self.desk().near(this.rep(), rect_of(area), colour_of(to), colour_of(tolerance)))
    }

    fn sharpness(&mut self, this: Resource<Picture>, area: Rect) -> Told<f64> {
        told(self.desk().sharpness(this.rep(), rect_of(area)), |sharpness| sharpness)
    }

    fn grid(&mut self, this: Resource<Picture>, area: Rect, side: u32) -> Told<Vec<Cell>> {
        let cell = |media::Cell { left, top, inside }| Cell { left, top, inside };
        told(self.desk().grid(this.rep(), rect_of(area), side), |cells| cells.into_iter().map(cell).collect())
    }

    fn sums(&mut self, this: Resource<Picture>) -> Told<Resource<Sums>> {
        told(self.desk().sums(this.rep()), own)
    }

    fn compare(
        &mut self,
        this: Resource<Picture>,
        other: Resource<Picture>,
        tolerance: u8,
        mask: Option<Resource<Picture>>,
    ) -> Told<Comparison> {
        told(self.desk().compare(this.rep(), other.rep(), tolerance, mask.map(|mask| mask.rep())), to_comparison)
    }

    fn find(
        &mut self,
        this: Resource<Picture>,
        what: Resource<Picture>,
        mask: Option<Resource<Picture>>,
        area: Rect,
        least: f64,
    ) -> Told<Option<Found>> {
        let found = self.desk().find(this.rep(), what.rep(), mask.map(|mask| mask.rep()), rect_of(area), least);
        told(found, |found| found.map(|media::Found { x, y, score }| Found { x, y, score }))
    }

    fn drop(&mut self, this: Resource<Picture>) -> wasmtime::Result<()> {
        self.desk().drop(this.rep());
        Ok(())
    }
}

impl HostSums for State {
    fn sum(&mut self, this: Resource<Sums>, area: Rect) -> wasmtime::Result<u64> {
        Ok(sure(self.desk().sum(this.rep(), rect_of(area)))?.0)
    }

    fn square_sum(&mut self, this: Resource<Sums>, area: Rect) -> wasmtime::Result<u64> {
        Ok(sure(self.desk().sum(this.rep(), rect_of(area)))?.1)
    }

    fn drop(&mut self, this: Resource<Sums>) -> wasmtime::Result<()> {
        self.desk().drop(this.rep());
        Ok(())
    }
}

impl HostSound for State {
    fn at(&mut self, this: Resource<Sound>) -> wasmtime::Result<i64> {
        Ok(sure(self.desk().heard(this.rep()))?.at_us)
    }

    fn rate(&mut self, this: Resource<Sound>) -> wasmtime::Result<u32> {
        Ok(sure(self.desk().heard(this.rep()))?.sound.rate())
    }

    fn channels(&mut self, this: Resource<Sound>) -> wasmtime::Result<u32> {
        Ok(sure(self.desk().heard(this.rep()))?.sound.channels())
    }

    fn count(&mut self, this: Resource<Sound>) -> wasmtime::Result<u32> {
        Ok(sure(self.desk().heard(this.rep()))?.sound.count())
    }

    fn rms(&mut self, this: Resource<Sound>, channel: u32, part: Span) -> wasmtime::Result<f64> {
        Ok(sure(self.desk().heard(this.rep()))?.sound.rms(channel, span_of(part)))
    }

    fn peak(&mut self, this: Resource<Sound>, channel: u32, part: Span) -> wasmtime::Result<f64> {
        Ok(sure(self.desk().heard(this.rep()))?.sound.peak(channel, span_of(part)))
    }

    fn dbfs(&mut self, this: Resource<Sound>, channel: u32, part: Span) -> wasmtime::Result<f64> {
        Ok(sure(self.desk().heard(this.rep()))?.sound.dbfs(channel, span_of(part)))
    }

    fn tone(&mut self, this: Resource<Sound>, channel: u32, part: Span, hertz: f64) -> wasmtime::Result<f64> {
        Ok(sure(self.desk().heard(this.rep()))?.sound.tone(channel, span_of(part), hertz))
    }

    fn read(&mut self, this: Resource<Sound>, channel: u32, part: Span) -> Told<Vec<i16>> {
        told(self.desk().samples(this.rep(), channel, span_of(part)), |samples| samples)
    }

    fn drop(&mut self, this: Resource<Sound>) -> wasmtime::Result<()> {
        self.desk().drop(this.rep());
        Ok(())
    }
}
