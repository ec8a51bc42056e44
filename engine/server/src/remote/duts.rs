//! `findStb` (document 4.5).

use headend_store::DutRow;
use headend_wire::xmlrpc::Value;

use super::Caller;
use super::answer::{Answer, int, list, text, unix};
use super::args::{self, Args};
use crate::http::ApiResult;
use crate::lab::Book;
use crate::routes::duts;

/// `findStb(filters)`: rows of 20 elements.
pub(super) async fn find(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let filters = args.list("filters")?.into_iter().enumerate();
    let filters = filters.map(|(at, value)| args::text(&format!("filters[{at}]"), value));
    let filters = filters.collect::<ApiResult<Vec<String>>>()?;
    args.done("findStb", &["filters"])?;
    let book = Book::read(caller.app).await?;
    let found = duts::find(&book, filters.iter().map(String::as_str))?;
    Ok(Answer::ok([list(found.map(|dut| row(&book, dut)))]))
}

/// In the document's order. Blank stays blank, but for the attributes of the smartcard, where the document writes `NULL`.
fn row(book: &Book, dut: &DutRow) -> Value {
    let f = &dut.fields;
    let or_null = |value: &String| text(if value.is_empty() { "NULL" } else { value });
    let place = book.places.get(&dut.dut);
    let ir_set = dut.refs.ir_set.and_then(|id| book.entries.get(&id));
    let texts = [
        &f.name,
        &f.description,
        &f.serial_number,
        &f.model_name,
        &f.model_description,
        &f.manufacturer,
        &f.manufacturer_model,
        &f.hardware_version,
        &f.type_name,
        &f.type_description,
        &f.broadcaster,
        &f.ir_name,
        &f.ir_description,
        &f.smartcard_number,
    ];
    let rest = [
        or_null(&f.smartcard_param_name),
        or_null(&f.smartcard_param_value),
        int(dut.dut.0),
        unix(ir_set.map(|set| set.created)),
        int(place.map_or(0, |place| place.slot)),
        text(place.map_or("", |place| place.rack.as_str())),
    ];
    list(texts.into_iter().map(text).chain(rest))
}
