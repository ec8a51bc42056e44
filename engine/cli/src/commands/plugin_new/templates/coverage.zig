//! On each device the tests in list order: a free target takes the first test of the list that it has not run.
const hd = @import("headend/policy.zig");

var backwards = false;

pub fn build(_: *const hd.Plan) ?[:0]const u8 {
    backwards = hd.parameterBool("backwards", false);
    return null;
}

pub fn choose(target: u32) ?u32 {
    return if (backwards) hd.last(target) else hd.first(target);
}

pub fn reason(which: u32, target: u32, why: *hd.Text) void {
    const end = if (backwards) "last" else "first";
    why.print("test {d} is the {s} of the list that target {d} has not run", .{ which, end, target });
}

comptime {
    hd.serve(@This());
}
