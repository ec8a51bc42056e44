//! Every numbered code that users meet: 0 OK, negative warnings, positive errors (document 4.3), each with the stable
//! name that REST uses, its text, and what helps. One table for every surface.

/// One row. Only this crate can make one, and errors are made of rows: there is no error whose code is not in the table.
///
/// ```compile_fail,E0639
/// let code = headend_wire::codes::Code { number: 999, name: "mine", status: 400, text: "Mine", remedy: "none" };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Code {
    /// The number in `[code, text, ...]`.
    pub number: i32,
    /// The stable name in problem documents and `--json` output.
    pub name: &'static str,
    /// HTTP status of the problem; 200 for warnings.
    pub status: u16,
    /// Short text.
    pub text: &'static str,
    /// What helps.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($konst:ident = $number:literal, $status:literal, $name:literal, $text:literal, $remedy:literal;)*) => {
        $(#[doc = $text] pub const $konst: Code = Code { number: $number, name: $name, status: $status, text: $text, remedy: $remedy };)*
        /// All rows.
        pub const ALL: &[Code] = &[$($konst),*];
    };
}

codes! {
    OK = 0, 200, "ok", "OK", "";
    WARN_SCRIPT_MISSING = -1, 200, "script_missing", "Script not found in that area", "upload it, or correct the public flag; the test will not run";
    WARN_SURPLUS = -2, 200, "surplus_slots", "More slots needed than given", "give more slots or DUTs; the surplus is reported as incomplete";
    WARN_BUSY = -3, 200, "slot_busy", "Another user has work on this slot or DUT", "wait, or choose another";
    WARN_NO_DUT = -4, 200, "no_dut", "No DUT in the slot", "place a DUT there; the test waits for a while and then ends incomplete";
    WARN_NO_DAEMON = -5, 200, "no_daemon", "No daemon on the rack", "start `headend rack` there; the test waits for a while and then ends incomplete";
    WARN_SEVERAL_RACKS = -6, 200, "several_racks", "A single-process test cannot span racks", "give slots of one rack";
    WARN_NOT_UPLOADED = -7, 200, "not_uploaded", "Some files were not uploaded", "see the fifth element; upload them again once the cause is gone";
    WARN_JOB_FINAL = -8, 200, "job_final", "The job has already ended", "nothing to do";
    WARN_ALREADY_THERE = -9, 200, "already_there", "It is on the schedule already", "nothing to do";
    WARN_NOT_THERE = -10, 200, "not_there", "It is not on the schedule", "nothing to do";
    BAD_REQUEST = 1, 400, "bad_request", "The request cannot be read", "see the detail";
    INVALID = 2, 422, "invalid", "A field is not valid", "see the fields";
    UNAUTHENTICATED = 3, 401, "unauthenticated", "No valid token", "log in, or set HEADEND_TOKEN";
    FORBIDDEN = 4, 403, "forbidden", "Not allowed for this token", "ask an administrator";
    NOT_FOUND = 5, 404, "not_found", "Not found", "check the name or id";
    CONFLICT = 6, 409, "conflict", "In conflict with what is there", "see the detail";
    TOO_LARGE = 7, 413, "too_large", "Too large", "send less at once";
    STORAGE_FULL = 8, 507, "storage_full", "The server's disk is full", "free space; nothing acknowledged is lost";
    UNAVAILABLE = 9, 503, "unavailable", "The server cannot answer now", "try again in a moment";
    INTERNAL = 10, 500, "internal", "A fault of the server", "see the server's log";
    WRONG_HOST = 11, 421, "wrong_host", "Host or Origin is not on the allow-list", "use the server's own name, or add it to --allow-host";
    VERSION = 12, 426, "version", "Versions do not fit", "use the same release on both sides";
    METHOD_NOT_ALLOWED = 13, 405, "method_not_allowed", "Not a method of this address", "see the Allow header";
    MEDIA_TYPE = 14, 415, "media_type", "Not a media type that is taken here", "send application/json";
    TOO_SLOW = 15, 408, "too_slow", "The request came in too slowly", "try again on a faster link";
    TOO_MANY = 16, 429, "too_many", "Too many at once", "wait a moment";
    OVER_QUOTA = 17, 413, "over_quota", "The area of files would be over its quota", "delete files of the area, or ask an administrator for more room; see `headend files usage`";
    UNKNOWN_SLOT = 20, 422, "unknown_slot", "No such slot", "see `headend racks`";
    UNKNOWN_DUT = 21, 422, "unknown_dut", "No such DUT", "see `headend duts`";
    UNKNOWN_RACK = 22, 422, "unknown_rack", "No such rack", "see `headend racks`";
    UNKNOWN_POLICY = 23, 422, "unknown_policy", "No such policy", "see `headend plugin list`";
    UNKNOWN_MODE = 24, 422, "unknown_mode", "No such mode", "use 0, 1, 2 or the name of a policy";
    NO_TESTS = 25, 422, "no_tests", "The job has no tests", "give at least one";
    NO_TARGETS = 26, 422, "no_targets", "The job has no slots and no DUTs", "give at least one";
    DUPLICATE_TARGET = 27, 422, "duplicate_target", "A slot or DUT is given twice", "name each once";
    BAD_SLOTS_NEEDED = 28, 422, "bad_slots_needed", "Number of slots needed is out of range", "use 1 to 100000";
    BAD_PATH = 29, 422, "bad_path", "The path is not allowed", "see the detail";
    TOO_MANY_RUNS = 30, 422, "too_many_runs", "The job has too many runs", "split it";
    KEY_REUSED = 31, 409, "key_reused", "The idempotency key was used for another request", "use a new key";
    FAILED_ON_WARNING = 32, 422, "failed_on_warning", "There were warnings, and the job was to fail on warnings", "see the warnings";
    BAD_ARGUMENTS = 33, 422, "bad_arguments", "The arguments cannot be split", "close the quotes";
    BAD_FILTER = 39, 422, "bad_filter", "The filter cannot be read", "write it as Field==pattern";
    BAD_PLUGIN = 40, 422, "bad_plugin", "The plugin cannot be loaded", "see the detail";
    RACK_TAKEN = 35, 409, "rack_taken", "Another process runs this rack", "stop the other one, or wait until it has been silent for a while";
    MISSING_BLOBS = 37, 422, "missing_blobs", "Some files have not been uploaded", "put the blobs first";
    CASE_CLASH = 38, 422, "case_clash", "The name clashes with another", "rename one of them; see the detail";
    BAD_TIMING = 50, 422, "bad_timing", "The schedule cannot be due like that", "see the detail";
    UNKNOWN_ZONE = 51, 422, "unknown_zone", "No such time zone", "use a name such as Europe/Dublin, UTC, or an offset such as +02:00";
    NAME_TAKEN = 52, 409, "name_taken", "Another schedule of the same user has this name", "choose another name";
    SCHEDULE_FULL = 53, 422, "schedule_full", "More than is kept of this", "delete some";
    SLOT_TAKEN = 54, 409, "slot_taken", "The slot is not free", "wait, or reserve another; `headend reserve --wait` tries again";
    RESERVATION_LIMIT = 55, 422, "reservation_limit", "More than a person may reserve", "see the detail";
    SESSION_OPEN = 56, 409, "session_open", "A session of the reservation is open", "end the script that drives the slot, or wait until it has ended";
    PLUGIN_IN_USE = 42, 409, "plugin_in_use", "The plugin is in use", "wait until its jobs have ended, or force it: they go on under the built-in rule";
    NOT_GRANTED = 43, 422, "not_granted", "The plugin asks for more than it is granted", "grant it with `headend plugin grant`, or leave the plugin out";
    NOT_VOUCHED = 44, 422, "not_vouched", "No trusted key vouches for the plugin", "sign it with a key that the server trusts";
    BAD_PARAMETERS = 45, 422, "bad_parameters", "The plugin does not take these parameters", "see its schema in `headend plugin show`";
    UNKNOWN_PLUGIN = 41, 404, "unknown_plugin", "No such plugin", "see `headend plugin list`";
}

/// Rows that no server makes: the Python package counts for itself which files of an upload failed.
pub const OF_CLIENTS: &[&Code] = &[&WARN_NOT_UPLOADED];

/// Numbers that once stood for something, and are not given again.
pub const RETIRED: &[i32] = &[36];

/// The row of a name.
pub fn by_name(name: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        for (i, a) in ALL.iter().enumerate() {
            assert!(ALL[i + 1..].iter().all(|b| a.number != b.number && a.name != b.name), "{a:?} stands twice");
        }
    }
}
