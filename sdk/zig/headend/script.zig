//! A test in Zig. You write `run` and hand it over with `serve`; it drives the devices of its run through the calls below.
//!
//! A call that fails gives `error.Broken`; the session goes on, unless `run` passes it on with `try`: the run then counts as crashed, with the
//! sentence that `lastError` gives. Slots are the test's own numbers: `reserve(1)` takes the first device of the run.
//!
//!     const hd = @import("headend/script.zig");
//!
//!     pub fn run() hd.Error!hd.Result {
//!         try hd.connect("zap");
//!         try hd.reserve(1);
//!         try hd.press(1, "Menu");
//!         return .pass;
//!     }
//!
//!     comptime {
//!         hd.serve(@This());
//!     }

const std = @import("std");
const text = @import("text.zig");
pub const Text = text.Text;

pub const Error = error{Broken};

/// How a test or a step ended.
pub const Result = enum(c_int) { pass = 111, partial_pass = 110, not_run = 101, fail = 100 };

/// A picture that was taken; `path` is absolute.
pub const Picture = extern struct { path: [*:0]u8, width: u32, height: u32 };

/// Every slot that is reserved, where a slot is asked for.
pub const all: u32 = 0xffff_ffff;

/// Hands `pub fn run() Error!Result` over.
pub fn serve(comptime Script: type) void {
    const Exports = struct {
        fn run() callconv(.c) c_int {
            const how: Result = Script.run() catch return 1;
            return @intFromEnum(how);
        }
    };
    @export(&Exports.run, .{ .name = "script_run" });
}

/// Why the last call failed.
pub fn lastError() []const u8 {
    return std.mem.span(hd_error());
}

/// An error of your own, with its sentence.
pub fn fault(comptime format: []const u8, values: anytype) Error {
    var line: Text = .{};
    defer line.deinit();
    line.print(format, values);
    _ = hd_fault("%.*s", @as(c_int, @intCast(line.len)), line.ptr);
    return error.Broken;
}

fn did(ok: bool) Error!void {
    if (!ok) return error.Broken;
}

/// Argument of the test, from 0.
pub fn argument(at: usize) ?[]const u8 {
    const found = hd_argument(at) orelse return null;
    return std.mem.span(found);
}

/// Connects; other calls need it.
pub fn connect(description: [:0]const u8) Error!void {
    return did(hd_connect(description.ptr));
}

pub fn disconnect() Error!void {
    return did(hd_disconnect());
}

/// Reserves the next device of the run under this number.
pub fn reserve(slot: u32) Error!void {
    return did(hd_reserve(slot));
}

/// Presses a key of the remote control.
pub fn press(slot: u32, key: [:0]const u8) Error!void {
    return did(hd_press(slot, key.ptr));
}

/// Switches mains power.
pub fn power(slot: u32, on: bool) Error!void {
    return did(hd_power(slot, on));
}

/// Waits for so many milliseconds of the lab's time.
pub fn wait(ms: u64) Error!void {
    return did(hd_wait(ms));
}

/// Keeps a picture of a slot's screen under this name, `.png` or `.jpg`.
pub fn capture(slot: u32, name: [:0]const u8) Error!Picture {
    var picture: Picture = undefined;
    try did(hd_capture(slot, name.ptr, &picture));
    return picture;
}

/// A line in the run's log.
pub fn log(comptime format: []const u8, values: anytype) Error!void {
    var line: Text = .{};
    defer line.deinit();
    line.print(format, values);
    return did(hd_log("%.*s", @as(c_int, @intCast(line.len)), line.ptr));
}

pub fn beginRegion(name: [:0]const u8) Error!void {
    return did(hd_begin_region(name.ptr));
}

pub fn endRegion(name: [:0]const u8, passed: bool, comment: ?[:0]const u8) Error!void {
    return did(hd_end_region(name.ptr, passed, if (comment) |said| said.ptr else null));
}

pub fn beginStep(name: [:0]const u8) Error!void {
    return did(hd_begin_step(name.ptr));
}

pub fn endStep(name: [:0]const u8, with: Result, comment: ?[:0]const u8) Error!void {
    return did(hd_end_step(name.ptr, @intFromEnum(with), if (comment) |said| said.ptr else null));
}

/// Reports the result, with what to say about it. The first one counts.
pub fn result(how: Result, comment: ?[:0]const u8) Error!void {
    return did(hd_result(@intFromEnum(how), if (comment) |said| said.ptr else null));
}

extern fn hd_error() [*:0]const u8;
extern fn hd_fault(format: [*:0]const u8, ...) bool;
extern fn hd_argument(at: usize) ?[*:0]const u8;
extern fn hd_connect(description: [*:0]const u8) bool;
extern fn hd_disconnect() bool;
extern fn hd_reserve(slot: u32) bool;
extern fn hd_press(slot: u32, key: [*:0]const u8) bool;
extern fn hd_power(slot: u32, on: bool) bool;
extern fn hd_wait(ms: u64) bool;
extern fn hd_capture(slot: u32, name: [*:0]const u8, taken: *Picture) bool;
extern fn hd_log(format: [*:0]const u8, ...) bool;
extern fn hd_begin_region(name: [*:0]const u8) bool;
extern fn hd_end_region(name: [*:0]const u8, passed: bool, comment: ?[*:0]const u8) bool;
extern fn hd_begin_step(name: [*:0]const u8) bool;
extern fn hd_end_step(name: [*:0]const u8, with: c_int, comment: ?[*:0]const u8) bool;
extern fn hd_result(how: c_int, comment: ?[*:0]const u8) bool;
