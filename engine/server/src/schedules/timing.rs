//! When a schedule is due: from what clients write to a checked [`Timing`] and a zone. Errors name the argument as the
//! document calls it, and the field of the request.

use headend_model::schedule::{AtWindowEnd, BadDate, BadTiming, TimeOfDay, TimingSpec, WhileFormerRuns};
use headend_model::{ScheduleSettings, Timing, ZoneName};
use headend_wire::codes;
use headend_wire::schedules::ScheduleTiming;

use crate::edge::names::cut;
use crate::http::{ApiError, ApiResult};

/// A timing, and the zone that was named with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) timing: Timing,
    pub(crate) zone: Option<ZoneName>,
}

/// Checks a timing that stands at this place of the request.
///
/// # Errors
/// `invalid`, `bad_timing`, `unknown_zone` (for what cannot be the name of one).
pub(crate) fn check(request: &ScheduleTiming, at: &str) -> ApiResult<Checked> {
    let field = |name: &str| format!("{at}/{name}");
    let date = |name, text: &str, pointer: &str| text.parse().map_err(|error| unread(name, &error).at(field(pointer)));
    let time =
        |name, text: &str, pointer: &str| wall_time(text).map_err(|error| unread(name, &error).at(field(pointer)));
    let (start_time, start_zone) = time("startTime", &request.start_time, "start_time")?;
    let (end_time, end_zone) = time("endTime", &request.end_time, "end_time")?;
    let days = request.repeat_days.iter().map(|day| day.parse()).collect::<Result<_, _>>();
    let spec = TimingSpec {
        kind: request.r#type.parse().map_err(|error| bad_timing(&error, at))?,
        start_date: date("startDate", &request.start_date, "start_date")?,
        end_date: request.end_date.as_deref().map(|text| date("endDate", text, "end_date")).transpose()?,
        start_time,
        end_time,
        repeat_count: count("repeatCount", request.repeat_count).map_err(|error| error.at(field("repeat_count")))?,
        repeat_rate: count("repeatRate", request.repeat_rate).map_err(|error| error.at(field("repeat_rate")))?,
        repeat_days: days.map_err(|error| unread("repeatDays", &error).at(field("repeat_days")))?,
    };
    let zone = zone(request.time_zone.as_deref(), start_zone.as_deref(), end_zone.as_deref(), at)?;
    Ok(Checked { timing: Timing::new(spec).map_err(|error| bad_timing(&error, at))?, zone })
}

fn unread(name: &str, error: &BadDate) -> ApiError {
    ApiError::new(&codes::INVALID, format!("{name}: {error}"))
}

fn count(name: &str, given: i64) -> ApiResult<u32> {
    let most = u32::MAX;
    u32::try_from(given).map_err(|_| ApiError::new(&codes::INVALID, format!("{name} is {given}; use 0 to {most}")))
}

/// One zone for all: a schedule keeps one.
fn zone(given: Option<&str>, start: Option<&str>, end: Option<&str>, at: &str) -> ApiResult<Option<ZoneName>> {
    let shown = |zone: Option<&str>| zone.map_or_else(|| "none".to_owned(), |zone| format!("{:?}", cut(zone)));
    let differ = |what: String| ApiError::new(&codes::INVALID, what).at(format!("{at}/end_time"));
    if start != end {
        let (start, end) = (shown(start), shown(end));
        return Err(differ(format!(
            "the time zone of startTime is {start}, that of endTime {end}; give both the same one, or neither"
        )));
    }
    if let (Some(given), Some(start)) = (given, start)
        && given != start
    {
        let (given, start) = (cut(given), cut(start));
        return Err(differ(format!("time_zone is {given:?}, but the times have {start:?}; name it once")));
    }
    let Some(name) = given.or(start) else { return Ok(None) };
    let name = ZoneName::new(if name == "Z" { "UTC" } else { name });
    name.map(Some).map_err(|error| ApiError::new(&codes::UNKNOWN_ZONE, error.to_string()).at(format!("{at}/time_zone")))
}

/// `10:00`, `10:00:00` or `10:00:00.5`, and behind it nothing, `Z`, `+02:00` or `[Europe/Berlin]`. Both: the name counts.
fn wall_time(text: &str) -> Result<(TimeOfDay, Option<String>), BadDate> {
    let wrong = || BadDate::Time(cut(text));
    let (rest, name) = match text.strip_suffix(']') {
        Some(inner) => inner.split_once('[').map(|(rest, name)| (rest, Some(name))).ok_or_else(wrong)?,
        None => (text, None),
    };
    let at = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(at);
    let clock = match clock.split_once('.') {
        // Python's clock has microseconds; a schedule has seconds.
        Some((clock, fraction)) if !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit()) => clock,
        Some(_) => return Err(wrong()),
        None => clock,
    };
    let zone = name.or(Some(offset).filter(|offset| !offset.is_empty()));
    let time = clock.parse().map_err(|_| wrong())?;
    Ok((time, zone.map(str::to_owned)))
}

/// A timing whose parts do not go together, with the field at fault.
fn bad_timing(error: &BadTiming, at: &str) -> ApiError {
    let field = match error {
        BadTiming::Kind(_) => "type",
        BadTiming::EndBeforeStart { .. } | BadTiming::EmptyPeriod { .. } | BadTiming::NeverDue { .. } => "end_date",
        BadTiming::CountAndEnd { .. } | BadTiming::CountOfOneOff { .. } => "repeat_count",
        BadTiming::NoRate | BadTiming::RateUnused { .. } => "repeat_rate",
        BadTiming::NoDays | BadTiming::DaysUnused { .. } => "repeat_days",
    };
    ApiError::new(&codes::BAD_TIMING, error.to_string()).at(format!("{at}/{field}"))
}

/// What happens at the edges: what is left out stays.
///
/// # Errors
/// `invalid`.
pub(crate) fn settings(
    now: ScheduleSettings,
    at_window_end: Option<&str>,
    while_former_runs: Option<&str>,
) -> ApiResult<ScheduleSettings> {
    let invalid = |name: &str, given: &str, words: &str| {
        let detail = format!("{name} is {:?}; use {words}", cut(given));
        ApiError::new(&codes::INVALID, detail).at(format!("/{name}"))
    };
    let at_window_end = match at_window_end {
        None => now.at_window_end,
        Some("wait") => AtWindowEnd::Wait,
        Some("end") => AtWindowEnd::End,
        Some(other) => return Err(invalid("at_window_end", other, "wait or end")),
    };
    let while_former_runs = match while_former_runs {
        None => now.while_former_runs,
        Some("queue") => WhileFormerRuns::Queue,
        Some("skip") => WhileFormerRuns::Skip,
        Some(other) => return Err(invalid("while_former_runs", other, "queue or skip")),
    };
    Ok(ScheduleSettings { at_window_end, while_former_runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily() -> ScheduleTiming {
        ScheduleTiming {
            r#type: "Daily".to_owned(),
            start_date: "2013-09-17".to_owned(),
            start_time: "10:00:00".to_owned(),
            end_time: "20:00:00".to_owned(),
            repeat_rate: 1,
            ..ScheduleTiming::default()
        }
    }

    fn refused(request: &ScheduleTiming) -> (String, String) {
        let problem = check(request, "/timing").unwrap_err().problem().clone();
        (problem.detail, problem.fields.join(" "))
    }

    #[test]
    fn times_of_day_may_carry_a_zone_and_fractions_are_dropped() {
        let read = |text: &str| wall_time(text).map(|(time, zone)| (time.to_string(), zone)).ok();
        let plain = |time: &str| Some((time.to_owned(), None));
        assert_eq!((read("10:00"), read("10:00:01.999999")), (plain("10:00:00"), plain("10:00:01")));
        let zoned = |zone: &str| Some(("10:00:00".to_owned(), Some(zone.to_owned())));
        assert_eq!((read("10:00:00+02:00"), read("10:00Z")), (zoned("+02:00"), zoned("Z")));
        assert_eq!(read("10:00:00[Europe/Berlin]"), zoned("Europe/Berlin"));
        assert_eq!(read("10:00:00+02:00[Europe/Berlin]"), zoned("Europe/Berlin"));
        for bad in ["", "10", "25:00", "10:00:00.", "10:00:00.x", "10:00]", "[UTC]", "10.5:00"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_schedule_has_one_zone() {
        let with = |start: &str, end: &str, zone: Option<&str>| ScheduleTiming {
            start_time: start.to_owned(),
            end_time: end.to_owned(),
            time_zone: zone.map(str::to_owned),
            ..daily()
        };
        let zone = |request: ScheduleTiming| check(&request, "").unwrap().zone.map(|zone| zone.to_string());
        assert_eq!(zone(daily()), None);
        assert_eq!(zone(with("10:00Z", "20:00Z", None)), Some("UTC".to_owned()));
        assert_eq!(zone(with("10:00", "20:00", Some("Europe/Dublin"))), Some("Europe/Dublin".to_owned()));
        let (detail, field) = refused(&with("10:00+01:00", "20:00", None));
        assert_eq!(field, "/timing/end_time");
        assert_eq!(
            detail,
            "the time zone of startTime is \"+01:00\", that of endTime none; give both the same one, or neither"
        );
        assert!(refused(&with("10:00Z", "20:00Z", Some("UTC"))).0.contains("name it once"));
        assert!(refused(&with("10:00", "20:00", Some("../etc"))).0.contains("time zone"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let (detail, field) = refused(&ScheduleTiming { start_date: "17.9.2013".to_owned(), ..daily() });
        assert!(detail.starts_with("startDate: date \"17.9.2013\" does not exist; give YYYY-MM-DD"), "{detail}");
        assert_eq!(field, "/timing/start_date");
        let (detail, field) = refused(&ScheduleTiming { repeat_count: -1, ..daily() });
        assert_eq!((&*detail, &*field), ("repeatCount is -1; use 0 to 4294967295", "/timing/repeat_count"));
        let (detail, field) = refused(&ScheduleTiming { r#type: "Weekly".to_owned(), ..daily() });
        assert!(detail.starts_with("repeatDays is empty") && field == "/timing/repeat_days", "{detail}");
        let days = vec!["Monday".to_owned()];
        assert!(refused(&ScheduleTiming { repeat_days: days, ..daily() }).0.contains("give Mon, Tue"));
    }
}
