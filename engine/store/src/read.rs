//! What is asked of the reader connections. Every list is bounded or small by nature, and every query has its index.

use headend_model::{Catalogue, CatalogueEntry, DutId, DutRefs, JobId, RackId, RunId, SlotId, TestIx, Timestamp};
use sqlx::SqlitePool;

use crate::codec::{Columns, Values, digest};
use crate::error::StoreError;
use crate::fault::said;
use crate::open::Places;
use crate::rows::{
    AreaHead, AreaId, CatalogueRow, DutRow, FeedItem, FeedRow, GrantRow, JobQuery, JobRow, Journaled, Pin, PluginRow,
    RackRow, Recovered, RunRow, ServerMeta, SlotRow, Snapshot, TokenRow,
};

/// Longest page of a list.
pub(crate) const MOST: u32 = 1_000;

#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) pool: SqlitePool,
    pub(crate) places: Places,
}

impl Reader {
    pub(crate) async fn connection(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, StoreError> {
        self.pool.acquire().await.map_err(|e| said(&self.places, "read", e))
    }

    pub(crate) async fn rows<T>(
        &self,
        sql: &'static str,
        values: Values,
        read: impl Fn(&Columns<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = sqlx::query_with(sql, values.done()?).fetch_all(&self.pool).await;
        let rows = rows.map_err(|e| said(&self.places, "read", e))?;
        rows.into_iter().map(|row| read(&Columns { places: &self.places, row })).collect()
    }

    pub(crate) async fn row<T>(
        &self,
        sql: &'static str,
        values: Values,
        read: impl Fn(&Columns<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(sql, values, read).await?.pop())
    }

    pub(crate) async fn recover(&self) -> Result<Recovered, StoreError> {
        let snapshot = self.snapshots().await?.into_iter().next();
        let events = self.events_after(snapshot.as_ref()).await?;
        Ok(Recovered { snapshot, events })
    }

    pub(crate) async fn whole_journal(&self) -> Result<(Vec<Snapshot>, Vec<Journaled>), StoreError> {
        let mut snapshots = self.snapshots().await?;
        snapshots.reverse();
        let events = self.events_after(snapshots.first()).await?;
        Ok((snapshots, events))
    }

    /// Sound ones, newest first.
    async fn snapshots(&self) -> Result<Vec<Snapshot>, StoreError> {
        let found = self
            .rows("SELECT seq, at, hash, farm FROM snapshots ORDER BY seq DESC", Values::default(), snapshot)
            .await?;
        let any = !found.is_empty();
        let sound: Vec<Snapshot> = found.into_iter().flatten().collect();
        if any && sound.is_empty() {
            return Err(self.places.damaged("no snapshot of the farm is sound"));
        }
        Ok(sound)
    }

    async fn events_after(&self, snapshot: Option<&Snapshot>) -> Result<Vec<Journaled>, StoreError> {
        let after = snapshot.map_or(0, |snapshot| snapshot.seq);
        let mut values = Values::default();
        values.number(after);
        let sql = "SELECT seq, at, event, digest FROM journal WHERE seq > $1 ORDER BY seq";
        let events = self.rows(sql, values, journaled).await?;
        match events.iter().zip(after + 1..).find(|(event, expected)| event.seq != *expected) {
            Some((_, missing)) => Err(self.places.damaged(format!("event {missing} is missing from the journal"))),
            None => Ok(events),
        }
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Option<JobRow>, StoreError> {
        self.row("SELECT * FROM jobs WHERE job = $1", one(id.0), job).await
    }

    pub(crate) async fn jobs(&self, query: &JobQuery) -> Result<Vec<JobRow>, StoreError> {
        let before = query.before.map_or(i64::MAX as u64, |job| job.0);
        let mut values = Values::default();
        values.number(before).number(u64::from(query.limit.min(MOST)));
        if let Some(owner) = &query.owner {
            values.text(owner.as_str());
        }
        let sql = match (query.open, query.owner.is_some()) {
            (false, false) => "SELECT * FROM jobs WHERE job < $1 ORDER BY job DESC LIMIT $2",
            (true, false) => "SELECT * FROM jobs WHERE status IN (0, 1, 4) AND job < $1 ORDER BY job DESC LIMIT $2",
            (false, true) => "SELECT * FROM jobs WHERE owner = $3 AND job < $1 ORDER BY job DESC LIMIT $2",
            (true, true) => {
                "SELECT * FROM jobs WHERE status IN (0, 1, 4) AND owner = $3 AND job < $1 ORDER BY job DESC LIMIT $2"
            }
        };
        self.rows(sql, values, job).await
    }

    pub(crate) async fn runs_of(&self, id: JobId, after: Option<RunId>, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        let mut values = one(id.0);
        values.number(after.map_or(0, |run| run.0)).number(u64::from(limit.min(MOST)));
        // Run numbers begin with 0 or 1: without `after` even 0 must be found.
        let sql = match after {
            None => "SELECT * FROM runs WHERE job = $1 AND run >= $2 ORDER BY run LIMIT $3",
            Some(_) => "SELECT * FROM runs WHERE job = $1 AND run > $2 ORDER BY run LIMIT $3",
        };
        self.rows(sql, values, run).await
    }

    pub(crate) async fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        self.row("SELECT * FROM runs WHERE run = $1", one(id.0), run).await
    }

    pub(crate) async fn pin(&self, id: RunId) -> Result<Option<Pin>, StoreError> {
        self.row("SELECT * FROM pins WHERE run = $1", one(id.0), pin).await
    }

    pub(crate) async fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        self.rows("SELECT * FROM pins ORDER BY run", Values::default(), pin).await
    }

    pub(crate) async fn feed_after(&self, number: u64, limit: u32) -> Result<Vec<FeedRow>, StoreError> {
        let mut values = one(number.min(i64::MAX as u64));
        values.number(u64::from(limit.min(MOST)));
        self.rows("SELECT * FROM feed WHERE number > $1 ORDER BY number LIMIT $2", values, feed).await
    }

    pub(crate) async fn last_feed(&self) -> Result<u64, StoreError> {
        let sql = "SELECT max(number) AS n FROM feed";
        let last = self.row(sql, Values::default(), |row| row.maybe_number("n")).await?;
        Ok(last.flatten().unwrap_or(0))
    }

    pub(crate) async fn duts(&self) -> Result<Vec<DutRow>, StoreError> {
        self.rows("SELECT * FROM duts ORDER BY dut", Values::default(), dut).await
    }

    pub(crate) async fn catalogue(&self) -> Result<Vec<CatalogueRow>, StoreError> {
        self.rows("SELECT * FROM catalogue ORDER BY id", Values::default(), catalogue).await
    }

    pub(crate) async fn dut(&self, id: DutId) -> Result<Option<DutRow>, StoreError> {
        self.row("SELECT * FROM duts WHERE dut = $1", one(id.0), dut).await
    }

    pub(crate) async fn racks(&self) -> Result<Vec<RackRow>, StoreError> {
        self.rows("SELECT * FROM racks ORDER BY rack", Values::default(), rack).await
    }

    pub(crate) async fn rack_by_token(&self, hash: &str) -> Result<Option<RackRow>, StoreError> {
        self.row("SELECT * FROM racks WHERE token_hash = $1", text(hash), rack).await
    }

    pub(crate) async fn slots(&self, of: Option<RackId>) -> Result<Vec<SlotRow>, StoreError> {
        match of {
            None => self.rows("SELECT * FROM slots ORDER BY slot", Values::default(), slot).await,
            Some(rack) => {
                let sql = "SELECT * FROM slots WHERE rack = $1 ORDER BY slot";
                self.rows(sql, one(u64::from(rack.0)), slot).await
            }
        }
    }

    pub(crate) async fn token(&self, hash: &str, now: Timestamp) -> Result<Option<TokenRow>, StoreError> {
        let mut values = text(hash);
        values.time(now);
        let sql = "SELECT * FROM tokens WHERE hash = $1 AND (expires IS NULL OR expires > $2)";
        self.row(sql, values, token).await
    }

    pub(crate) async fn enrol_token(&self, hash: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut values = text(hash);
        values.time(now);
        let sql = "SELECT 1 AS known FROM enrol_tokens WHERE hash = $1 AND expires > $2";
        Ok(self.row(sql, values, |row| row.int("known")).await?.is_some())
    }

    pub(crate) async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.rows("SELECT * FROM tokens ORDER BY owner, hash", Values::default(), token).await
    }

    pub(crate) async fn area(&self, area: AreaId) -> Result<Option<AreaHead>, StoreError> {
        Ok(self.area_history(area, None, 1).await?.pop())
    }

    pub(crate) async fn area_history(
        &self,
        area: AreaId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AreaHead>, StoreError> {
        let mut values = one(u64::from(area.0));
        values.number(before.unwrap_or(i64::MAX as u64)).number(u64::from(limit.min(MOST)));
        let sql = "SELECT * FROM revisions WHERE area = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3";
        self.rows(sql, values, head).await
    }

    pub(crate) async fn live_trees(&self, revisions: u32) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT r.tree AS tree FROM revisions r JOIN (SELECT area, max(revision) AS top \
                   FROM revisions GROUP BY area) h ON h.area = r.area WHERE r.revision > h.top - $1 \
                   UNION SELECT public_tree FROM pins \
                   UNION SELECT private_tree FROM pins WHERE private_tree IS NOT NULL";
        self.rows(sql, one(u64::from(revisions.max(1))), |row| row.text("tree")).await
    }

    pub(crate) async fn grants(&self) -> Result<Vec<GrantRow>, StoreError> {
        self.rows("SELECT * FROM plugin_grants ORDER BY plugin, capability", Values::default(), grant).await
    }

    pub(crate) async fn plugins(&self) -> Result<Vec<PluginRow>, StoreError> {
        self.rows("SELECT * FROM plugins ORDER BY name", Values::default(), plugin).await
    }

    pub(crate) async fn meta(&self) -> Result<ServerMeta, StoreError> {
        let sql = "SELECT (SELECT value FROM meta WHERE name = 'server_id') AS server_id, \
                   (SELECT value FROM meta WHERE name = 'generation') AS generation";
        let read = |row: &Columns<'_>| {
            Ok(ServerMeta { server_id: row.text("server_id")?, generation: row.parsed("generation")? })
        };
        let meta = self.row(sql, Values::default(), read).await?;
        meta.ok_or_else(|| self.places.damaged("meta is empty"))
    }
}

fn one(number: u64) -> Values {
    let mut values = Values::default();
    values.number(number);
    values
}

fn text(text: &str) -> Values {
    let mut values = Values::default();
    values.text(text);
    values
}

/// `None`: not sound; an older one may be.
fn snapshot(row: &Columns<'_>) -> Result<Option<Snapshot>, StoreError> {
    let found = Snapshot { seq: row.number("seq")?, at: row.time("at")?, farm: row.bytes("farm")? };
    if blake3::hash(&found.farm).to_hex().as_str() != row.text("hash")? {
        tracing::warn!(seq = found.seq, "a snapshot of the farm is damaged; the one before is taken");
        return Ok(None);
    }
    Ok(Some(found))
}

fn journaled(row: &Columns<'_>) -> Result<Journaled, StoreError> {
    let (seq, at, event) = (row.number("seq")?, row.time("at")?, row.text("event")?);
    if digest(seq, at, &event) != row.int("digest")? {
        return Err(row.bad("event", &format!("event {seq} is not what was written")));
    }
    Ok(Journaled { seq, at, event: row.json("event")? })
}

fn job(row: &Columns<'_>) -> Result<JobRow, StoreError> {
    Ok(JobRow {
        job: JobId(row.number("job")?),
        spec: row.json("spec")?,
        first_run: RunId(row.number("first_run")?),
        runs: row.number("runs")?,
        accepted: row.time("accepted")?,
        status: row.status("status")?,
        priority: headend_model::Priority(row.number("priority")?),
        started: row.maybe_time("started")?,
        ended: row.maybe_time("ended")?,
        stopped_by: row.maybe_parsed("stopped_by")?,
        passed: row.number("passed")?,
        failed: row.number("failed")?,
        incomplete: row.number("incomplete")?,
    })
}

fn run(row: &Columns<'_>) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        run: RunId(row.number("run")?),
        job: JobId(row.number("job")?),
        test: TestIx(row.number("test")?),
        attempt: row.number("attempt")?,
        rack: row.maybe_parsed("rack")?,
        places: row.json("places")?,
        leased: row.maybe_time("leased")?,
        ended: row.time("ended")?,
        outcome: row.json("outcome")?,
        why: row.maybe_json("why")?,
        public_tree: row.maybe_text("public_tree")?,
        private_tree: row.maybe_text("private_tree")?,
    })
}

fn pin(row: &Columns<'_>) -> Result<Pin, StoreError> {
    Ok(Pin {
        run: RunId(row.number("run")?),
        public_tree: row.text("public_tree")?,
        private_tree: row.maybe_text("private_tree")?,
    })
}

fn feed(row: &Columns<'_>) -> Result<FeedRow, StoreError> {
    let item = FeedItem {
        at: row.time("at")?,
        kind: row.text("kind")?,
        job: row.maybe_number("job")?.map(JobId),
        run: row.maybe_number("run")?.map(RunId),
        text: row.text("text")?,
        data: row.json("data")?,
    };
    Ok(FeedRow { number: row.number("number")?, item })
}

fn dut(row: &Columns<'_>) -> Result<DutRow, StoreError> {
    let refs = DutRefs {
        model: row.maybe_number("model")?,
        ir_set: row.maybe_number("ir_set")?,
        smartcard: row.maybe_number("smartcard")?,
    };
    Ok(DutRow { dut: DutId(row.number("dut")?), fields: row.json("fields")?, refs, created: row.time("created")? })
}

fn catalogue(row: &Columns<'_>) -> Result<CatalogueRow, StoreError> {
    let entry = match row.parsed("kind")? {
        Catalogue::Models => CatalogueEntry::Model(row.json("fields")?),
        Catalogue::IrSets => CatalogueEntry::IrSet(row.json("fields")?),
        Catalogue::Smartcards => CatalogueEntry::Smartcard(row.json("fields")?),
    };
    Ok(CatalogueRow { id: row.number("id")?, entry, created: row.time("created")? })
}

fn rack(row: &Columns<'_>) -> Result<RackRow, StoreError> {
    Ok(RackRow {
        rack: RackId(row.number("rack")?),
        name: row.parsed("name")?,
        token_hash: row.text("token_hash")?,
        enrolled: row.time("enrolled")?,
    })
}

fn slot(row: &Columns<'_>) -> Result<SlotRow, StoreError> {
    Ok(SlotRow {
        slot: SlotId(row.number("slot")?),
        rack: RackId(row.number("rack")?),
        no: headend_model::SlotNo(row.number("no")?),
    })
}

fn token(row: &Columns<'_>) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        hash: row.text("hash")?,
        user: row.parsed("owner")?,
        role: row.text("role")?,
        expires: row.maybe_time("expires")?,
        label: row.text("label")?,
        created: row.time("created")?,
        act_as: row.int("act_as")? != 0,
    })
}

fn head(row: &Columns<'_>) -> Result<AreaHead, StoreError> {
    Ok(AreaHead {
        area: AreaId(row.number("area")?),
        revision: row.number("revision")?,
        tree: row.text("tree")?,
        by: row.parsed("made_by")?,
        at: row.time("at")?,
    })
}

fn plugin(row: &Columns<'_>) -> Result<PluginRow, StoreError> {
    Ok(PluginRow {
        name: row.text("name")?,
        hash: row.text("hash")?,
        path: row.text("path")?,
        enabled: row.int("enabled")? != 0,
        details: row.text("details")?,
    })
}

fn grant(row: &Columns<'_>) -> Result<GrantRow, StoreError> {
    Ok(GrantRow {
        plugin: row.text("plugin")?,
        capability: row.text("capability")?,
        by: row.parsed("granted_by")?,
        at: row.time("at")?,
    })
}
