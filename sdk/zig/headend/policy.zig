//! A coverage policy in Zig: which test of a job comes next on a free device.
//!
//! You write `build` (if there is something to keep or to refuse), `choose` and `reason`, and hand them over with `serve`. One instance serves
//! one job and lives as long as it does. Same plan, same questions: the answers must be the same. There is no clock, no randomness, no
//! file and no network.
//!
//! Tests and targets are named by their place in `plan.tests` and `plan.targets`, from 0.
//!
//!     const hd = @import("headend/policy.zig");
//!
//!     pub fn choose(target: u32) ?u32 {
//!         return hd.leastStarted(target);
//!     }
//!
//!     pub fn reason(which: u32, target: u32, why: *hd.Text) void {
//!         why.print("test {d} has the fewest starts, and target {d} has not run it", .{ which, target });
//!     }
//!
//!     comptime {
//!         hd.serve(@This());
//!     }

const text = @import("text.zig");
pub const String = text.String;
pub const Text = text.Text;
const List = text.List;
const Option = text.Option;

/// What the lab remembers of a script; sdk/wit tells each field.
pub const History = extern struct {
    runs: u32,
    passed: u32,
    last_code: u16,
    failures_in_a_row: u32,
    p50_ms: u64,
    p90_ms: u64,
};

/// `runs`: on how many targets it is to run. `name`: the path of its script.
pub const Test = extern struct { ix: u32, runs: u32, name: String, history: Option(History) };

pub const Place = extern struct { rack: String, slot: u16 };
pub const Field = extern struct { name: String, value: String };
pub const Dut = extern struct { id: u64, model: String, fields: List(Field) };
pub const Target = extern struct { ix: u32, place: Option(Place), dut: Option(Dut) };

/// A pair of the job, by `ix` of test and target.
pub const Placement = extern struct { which: u32, target: u32 };
pub const Outcome = extern struct { of: Placement, code: u16, at: i64 };

/// The plan, which stays readable as long as the instance lives.
pub const Plan = extern struct {
    parameters: String,
    accepted: i64,
    tests: List(Test),
    targets: List(Target),
    outcomes: List(Outcome),
};

/// Hands the functions of a policy over:
///
///     pub fn build(plan: *const Plan) ?[:0]const u8                        a sentence refuses the plan; may be left out
///     pub fn choose(target: u32) ?u32                                      a test for which `open` holds; null leaves the target free
///     pub fn reason(which: u32, target: u32, why: *Text) void              one sentence for people
///     pub fn ended(which: u32, target: u32, code: u16, at: i64) void       may be left out
///     pub fn lost(target: u32, at: i64) void                               may be left out
///     pub fn report(json: *Text) void                                      may be left out
pub fn serve(comptime Policy: type) void {
    const Exports = struct {
        fn build(of: *const Plan) callconv(.c) ?[*:0]const u8 {
            if (!@hasDecl(Policy, "build")) return null;
            const refusal: ?[:0]const u8 = Policy.build(of);
            return if (refusal) |sentence| sentence.ptr else null;
        }
        fn choose(target: u32) callconv(.c) u32 {
            return Policy.choose(target) orelse none;
        }
        fn reason(which: u32, target: u32, why: *Text) callconv(.c) void {
            Policy.reason(which, target, why);
        }
        fn ended(which: u32, target: u32, code: u16, at: i64) callconv(.c) void {
            Policy.ended(which, target, code, at);
        }
        fn lost(target: u32, at: i64) callconv(.c) void {
            Policy.lost(target, at);
        }
        fn report(json: *Text) callconv(.c) void {
            Policy.report(json);
        }
    };
    @export(&Exports.build, .{ .name = "policy_build" });
    @export(&Exports.choose, .{ .name = "policy_choose" });
    @export(&Exports.reason, .{ .name = "policy_reason" });
    if (@hasDecl(Policy, "ended")) @export(&Exports.ended, .{ .name = "policy_ended" });
    if (@hasDecl(Policy, "lost")) @export(&Exports.lost, .{ .name = "policy_lost" });
    if (@hasDecl(Policy, "report")) @export(&Exports.report, .{ .name = "policy_report" });
}

const none: u32 = 0xffff_ffff;

fn some(which: u32) ?u32 {
    return if (which == none) null else which;
}

/// The plan, as `build` got it.
pub const plan = hd_the_plan;
/// Runs of the test that are left to start.
pub const left = hd_left;
/// How often the test has been started.
pub const starts = hd_starts;
/// The test has been started on the target.
pub const been = hd_been;
/// The test may be started on the target: runs are left, and it has not been there.
pub const open = hd_open;
/// When the question was asked, in microseconds since 1970. Only in `choose`.
pub const now = hd_now;
/// A parameter of the job or of headend-plugin.toml; the second argument counts where there is none.
pub const parameterBool = hd_parameter_bool;
/// As `parameterBool`.
pub const parameterInt = hd_parameter_int;
/// As `parameterBool`; empty where there is none. With the escapes of JSON.
pub const parameterText = hd_parameter_text;

/// The first test of the list that may be started on the target.
pub fn first(target: u32) ?u32 {
    return some(hd_first(target));
}

/// The last one.
pub fn last(target: u32) ?u32 {
    return some(hd_last(target));
}

/// The one with the fewest starts.
pub fn leastStarted(target: u32) ?u32 {
    return some(hd_least_started(target));
}

/// Leaves runs of a test out for good, at most those that are left. Only in `choose`.
pub fn skip(which: u32, runs: u32, why: [:0]const u8) void {
    hd_skip(which, runs, why.ptr);
}

/// A line in the server's log. The manifest must ask for it: `capabilities = ["log"]`.
pub fn log(comptime format: []const u8, values: anytype) void {
    var line: Text = .{};
    defer line.deinit();
    line.print(format, values);
    hd_log("%.*s", @as(c_int, @intCast(line.len)), line.ptr);
}

extern fn hd_the_plan() *const Plan;
extern fn hd_left(which: u32) u32;
extern fn hd_starts(which: u32) u32;
extern fn hd_been(which: u32, target: u32) bool;
extern fn hd_open(which: u32, target: u32) bool;
extern fn hd_first(target: u32) u32;
extern fn hd_last(target: u32) u32;
extern fn hd_least_started(target: u32) u32;
extern fn hd_now() i64;
extern fn hd_skip(which: u32, runs: u32, why: [*:0]const u8) void;
extern fn hd_parameter_bool(name: [*:0]const u8, otherwise: bool) bool;
extern fn hd_parameter_int(name: [*:0]const u8, otherwise: i64) i64;
extern fn hd_parameter_text(name: [*:0]const u8) String;
extern fn hd_log(format: [*:0]const u8, ...) void;
