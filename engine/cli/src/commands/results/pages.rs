//! Lists of the server, a page at a time.

use std::collections::VecDeque;

use headend_wire::api::{
    MeasurementItem, MeasurementList, ResultFile, ResultFileList, ResultList, RunResult, StepItem, StepList,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::row::Row;
use crate::client::{Client, segment};
use crate::failure::Result;

/// Rows of a page.
const PAGE: u64 = 1_000;

/// A page of a list.
pub(super) trait Listing: DeserializeOwned {
    /// What it lists.
    type Item: Row + Serialize;
    /// Where it is.
    const PATH: &str;
    /// Its rows, and where the next page begins.
    fn parts(self) -> (Vec<Self::Item>, Option<String>);
}

macro_rules! listing {
    ($list:ident, $item:ident, $path:literal, $field:ident) => {
        impl Listing for $list {
            type Item = $item;
            const PATH: &str = $path;
            fn parts(self) -> (Vec<$item>, Option<String>) {
                (self.$field, self.next)
            }
        }
    };
}

listing!(ResultList, RunResult, "/results", results);
listing!(StepList, StepItem, "/results/steps", steps);
listing!(MeasurementList, MeasurementItem, "/results/measurements", measurements);
listing!(ResultFileList, ResultFile, "/results/artifacts", artifacts);

/// Reads page after page.
pub(super) struct Pages<L: Listing> {
    client: Client,
    query: String,
    /// Rows that are wanted still; `None`: all.
    left: Option<u64>,
    read: VecDeque<L::Item>,
    next: Option<String>,
    begun: bool,
}

impl<L: Listing> Pages<L> {
    /// Of what the query asks for; at most so many.
    pub(super) fn new(client: Client, query: &str, most: Option<u64>) -> Self {
        Self { client, query: query.to_owned(), left: most, read: VecDeque::new(), next: None, begun: false }
    }

    /// The next row.
    pub(super) async fn next(&mut self) -> Result<Option<L::Item>> {
        self.next_if(|_| true).await
    }

    /// The next row if it fits; else it stays the next one.
    pub(super) async fn next_if(&mut self, fits: impl Fn(&L::Item) -> bool) -> Result<Option<L::Item>> {
        if self.left == Some(0) {
            return Ok(None);
        }
        while self.read.is_empty() && (!self.begun || self.next.is_some()) {
            self.page().await?;
        }
        if !self.read.front().is_some_and(fits) {
            return Ok(None);
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        Ok(self.read.pop_front())
    }

    /// Something was not read.
    pub(super) fn has_more(&self) -> bool {
        !self.read.is_empty() || self.next.is_some()
    }

    async fn page(&mut self) -> Result<()> {
        // One more than is wanted tells whether there is more.
        let limit = self.left.map_or(PAGE, |left| left.saturating_add(1).min(PAGE));
        let after = self.next.take().map_or_else(String::new, |next| format!("&after={}", segment(&next)));
        let list: L = self.client.get(&format!("{}?{}limit={limit}{after}", L::PATH, self.query)).await?;
        let (items, next) = list.parts();
        self.read.extend(items);
        (self.next, self.begun) = (next, true);
        Ok(())
    }
}
