//! Opens the menu and takes a picture of it.
const hd = @import("headend/script.zig");

pub fn run() hd.Error!hd.Result {
    try hd.connect("{{name}}");
    try hd.reserve(1);

    try hd.beginRegion("Open the menu");
    try hd.press(1, "Menu");
    try hd.wait(1000);
    const picture = try hd.capture(1, "menu.png");
    try hd.log("{s}: {d} x {d} pixels", .{ picture.path, picture.width, picture.height });
    try hd.endRegion("Open the menu", true, null);

    try hd.result(.pass, "the menu was opened");
    try hd.disconnect();
    return .pass;
}

comptime {
    hd.serve(@This());
}
