//! Text and lists as they come from the server, and text for it.
const std = @import("std");

/// Text of the server's.
pub const String = extern struct {
    ptr: ?[*]const u8,
    len: usize,

    pub fn slice(self: String) []const u8 {
        return if (self.len == 0) "" else self.ptr.?[0..self.len];
    }
};

/// Things of the server's, one after another.
pub fn List(comptime Item: type) type {
    return extern struct {
        ptr: ?[*]const Item,
        len: usize,

        pub fn slice(self: @This()) []const Item {
            return if (self.len == 0) &.{} else self.ptr.?[0..self.len];
        }
    };
}

/// What may be there.
pub fn Option(comptime Value: type) type {
    return extern struct {
        is_some: bool,
        val: Value,

        pub fn get(self: @This()) ?Value {
            return if (self.is_some) self.val else null;
        }
    };
}

/// Text under construction.
pub const Text = extern struct {
    ptr: ?[*:0]u8 = null,
    len: usize = 0,
    room: usize = 0,

    /// Adds to it, as `std.fmt` does.
    pub fn print(self: *Text, comptime format: []const u8, values: anytype) void {
        const len: usize = @intCast(std.fmt.count(format, values));
        const bytes = hd_alloc(len + 1, 1)[0..len];
        defer free(bytes.ptr);
        const said = std.fmt.bufPrint(bytes, format, values) catch unreachable; // as long as was counted
        hd_put_bytes(self, said.ptr, said.len);
    }

    /// Gives its memory back.
    pub fn deinit(self: *Text) void {
        free(self.ptr);
        self.* = .{};
    }
};

extern fn hd_put_bytes(text: *Text, bytes: [*]const u8, len: usize) void;
extern fn hd_alloc(count: usize, size: usize) [*]u8;
extern fn free(memory: ?*anyopaque) void;
