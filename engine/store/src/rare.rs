//! Rows that change seldom: lab, tokens, plugins; and the writes that answer.

use headend_model::{CatalogueEntry, DutFields, DutId, Timestamp, UserName};

use crate::codec::Values;
use crate::error::StoreError;
use crate::reports;
use crate::results;
use crate::retention;
use crate::rows::{AreaHead, AreaId, Projection};
use crate::shadows;
use crate::tx::Tx;

/// Writes a row of the kinds that [`crate::sheet::Sheet`] does not gather.
pub(crate) async fn write(tx: &mut Tx<'_>, row: &Projection) -> Result<(), StoreError> {
    let mut values = Values::default();
    let sql = match row {
        Projection::Dut(row) => {
            reserve_dut(tx, row.dut).await?;
            let refs = row.refs;
            values.number(row.dut.0).json(&row.fields).time(row.created);
            values.number(refs.model).number(refs.ir_set).number(refs.smartcard);
            "INSERT INTO duts (dut, fields, created, model, ir_set, smartcard) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (dut) DO UPDATE SET fields = excluded.fields, model = excluded.model, \
             ir_set = excluded.ir_set, smartcard = excluded.smartcard"
        }
        Projection::DutRemoved(dut) => {
            values.number(dut.0);
            "DELETE FROM duts WHERE dut = $1"
        }
        Projection::Catalogue(row) => {
            values.number(row.id).text(row.entry.kind().as_str()).text(row.entry.key());
            match &row.entry {
                CatalogueEntry::Model(model) => values.json(model),
                CatalogueEntry::IrSet(set) => values.json(set),
                CatalogueEntry::Smartcard(card) => values.json(card),
            };
            values.time(row.created);
            "INSERT INTO catalogue (id, kind, key, fields, created) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO UPDATE SET key = excluded.key, fields = excluded.fields"
        }
        Projection::CatalogueRemoved { id } => {
            values.number(*id);
            "DELETE FROM catalogue WHERE id = $1"
        }
        Projection::Rack(row) => {
            values.number(u64::from(row.rack.0)).text(row.name.as_str()).text(&row.token_hash).time(row.enrolled);
            "INSERT INTO racks (rack, name, token_hash, enrolled) VALUES ($1, $2, $3, $4) ON CONFLICT (rack) \
             DO UPDATE SET name = excluded.name, token_hash = excluded.token_hash, enrolled = excluded.enrolled"
        }
        Projection::Slot(row) => {
            values.number(u64::from(row.slot.0)).number(u64::from(row.rack.0)).number(u64::from(row.no.0));
            "INSERT INTO slots (slot, rack, no) VALUES ($1, $2, $3) \
             ON CONFLICT (slot) DO UPDATE SET rack = excluded.rack, no = excluded.no"
        }
        Projection::Token(row) => {
            values.text(&row.hash).text(row.user.as_str()).text(&row.role).time(row.expires);
            values.text(&row.label).time(row.created).int(i64::from(row.act_as));
            "INSERT INTO tokens (hash, owner, role, expires, label, created, act_as) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (hash) DO UPDATE SET owner = excluded.owner, role = excluded.role, expires = excluded.expires, \
             label = excluded.label, created = excluded.created, act_as = excluded.act_as"
        }
        Projection::TokenRemoved { hash } => {
            values.text(hash);
            "DELETE FROM tokens WHERE hash = $1"
        }
        Projection::EnrolToken { hash, expires } => {
            values.text(hash).time(*expires);
            "INSERT INTO enrol_tokens (hash, expires) VALUES ($1, $2)"
        }
        Projection::JobOrigin(row) => {
            results::bind_origin(&mut values, row);
            results::ORIGIN
        }
        Projection::RunKept(row) => {
            retention::bind_keep(&mut values, row);
            retention::KEEP
        }
        Projection::RunNotKept(run) => {
            values.number(run.0);
            "DELETE FROM run_keeps WHERE run = $1"
        }
        row => match of_plugins(row, &mut values) {
            Some(sql) => sql,
            None => return Ok(()),
        },
    };
    tx.run(sql, values).await.map(drop)
}

/// Of plugins and what is granted to them. `None`: [`crate::sheet::Sheet`] gathers it.
fn of_plugins(row: &Projection, values: &mut Values) -> Option<&'static str> {
    Some(match row {
        Projection::Plugin(row) => {
            values.text(&row.name).text(&row.hash).text(&row.path).int(i64::from(row.enabled)).text(&row.details);
            "INSERT INTO plugins (name, hash, path, enabled, details) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) \
             DO UPDATE SET hash = excluded.hash, path = excluded.path, enabled = excluded.enabled, \
             details = excluded.details"
        }
        Projection::PolicyReport(row) => {
            reports::bind(values, row);
            reports::INSERT
        }
        Projection::Shadow(row) => {
            shadows::bind(values, row);
            shadows::INSERT
        }
        Projection::ShadowRemoved { policy } => {
            values.text(policy);
            "DELETE FROM shadows WHERE policy = $1"
        }
        Projection::PluginRemoved { name } => {
            values.text(name);
            "DELETE FROM plugins WHERE name = $1"
        }
        Projection::Grant(row) => {
            values.text(&row.plugin).text(&row.capability).text(row.by.as_str()).time(row.at);
            "INSERT INTO plugin_grants (plugin, capability, granted_by, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (plugin, capability) DO UPDATE SET granted_by = excluded.granted_by, at = excluded.at"
        }
        Projection::GrantRemoved { plugin, capability } => {
            values.text(plugin).text(capability);
            "DELETE FROM plugin_grants WHERE plugin = $1 AND capability = $2"
        }
        _ => return None,
    })
}

/// Deletes the token and, on the way, those that nobody used in time.
pub(crate) async fn redeem(tx: &mut Tx<'_>, hash: &str, now: Timestamp) -> Result<bool, StoreError> {
    let mut values = Values::default();
    values.time(now);
    tx.run("DELETE FROM enrol_tokens WHERE expires <= $1", values).await?;
    let mut values = Values::default();
    values.text(hash);
    Ok(tx.run("DELETE FROM enrol_tokens WHERE hash = $1", values).await? == 1)
}

pub(crate) async fn create_dut(tx: &mut Tx<'_>, fields: &DutFields, at: Timestamp) -> Result<DutId, StoreError> {
    let id = raise(tx, "next_dut").await? - 1;
    let mut values = Values::default();
    values.number(id).json(fields).time(at);
    tx.run("INSERT INTO duts (dut, fields, created) VALUES ($1, $2, $3)", values).await?;
    Ok(DutId(id))
}

/// Takes `count` ids that nobody else gets; the first of them. `name`: their counter in `meta`.
pub(crate) async fn take_ids(tx: &mut Tx<'_>, name: &'static str, count: u64) -> Result<u64, StoreError> {
    let mut values = Values::default();
    values.text(name).number(count);
    let sql = "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + $2 AS TEXT) WHERE name = $1 RETURNING value";
    match tx.one(sql, values).await? {
        Some(row) => Ok(row.parsed::<u64>("value")?.saturating_sub(count)),
        None => Err(tx.places.damaged(format!("meta has no {name}"))),
    }
}

/// An id that came from elsewhere is not given again either.
async fn reserve_dut(tx: &mut Tx<'_>, dut: DutId) -> Result<(), StoreError> {
    let mut values = Values::default();
    values.number(dut.0.saturating_add(1)).text((dut.0.saturating_add(1)).to_string());
    let sql = "UPDATE meta SET value = $2 WHERE name = 'next_dut' AND CAST(value AS BIGINT) < $1";
    tx.run(sql, values).await.map(drop)
}

/// Raises a number in `meta` by one and gives the new one.
pub(crate) async fn raise(tx: &mut Tx<'_>, name: &'static str) -> Result<u64, StoreError> {
    let mut values = Values::default();
    values.text(name);
    let sql = "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = $1 RETURNING value";
    match tx.one(sql, values).await? {
        Some(row) => row.parsed("value"),
        None => Err(tx.places.damaged(format!("meta has no {name}"))),
    }
}

pub(crate) async fn private_area(tx: &mut Tx<'_>, user: &UserName) -> Result<AreaId, StoreError> {
    let mut values = Values::default();
    values.text(user.as_str());
    tx.run(
        "INSERT INTO areas (area, owner) SELECT max(area) + 1, $1 FROM areas WHERE true ON CONFLICT (owner) DO NOTHING",
        values,
    )
    .await?;
    let mut values = Values::default();
    values.text(user.as_str());
    match tx.one("SELECT area FROM areas WHERE owner = $1", values).await? {
        Some(row) => Ok(AreaId(row.number("area")?)),
        None => Err(tx.places.damaged(format!("no area for user {user}"))),
    }
}

pub(crate) async fn commit_area(tx: &mut Tx<'_>, expected: u64, head: &AreaHead) -> Result<(), StoreError> {
    let mut values = Values::default();
    values.number(u64::from(head.area.0));
    let sql = "SELECT coalesce(max(revision), 0) AS revision FROM revisions WHERE area = $1";
    let found = match tx.one(sql, values).await? {
        Some(row) => row.number("revision")?,
        None => 0,
    };
    if found != expected {
        return Err(StoreError::StaleRevision { area: head.area.0, expected, found });
    }
    if head.revision <= found {
        let what = format!("revision {} does not follow {found} of area {}", head.revision, head.area.0);
        return Err(StoreError::Conflict { what });
    }
    let mut values = Values::default();
    values.number(u64::from(head.area.0)).number(head.revision).text(&head.tree).text(head.by.as_str()).time(head.at);
    let sql = "INSERT INTO revisions (area, revision, tree, made_by, at) VALUES ($1, $2, $3, $4, $5)";
    tx.run(sql, values).await.map(drop)
}
