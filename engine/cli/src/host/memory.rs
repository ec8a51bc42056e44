//! How the process asks the system for memory.

/// Heaps of the C library that threads share.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;

/// Lets all threads share a few heaps. To be called before the first thread starts.
///
/// The C library of GNU gives almost each thread a heap of its own, and a heap keeps what it once needed: after an upload of
/// 10,000 files the server held 67 MiB instead of 53. What decides here waits for disks and sockets, not for the allocator.
pub(super) fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    set(ARENAS);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the setting has no safe form")]
fn set(arenas: libc::c_int) {
    // SAFETY: a setting of the allocator by two numbers. A refusal (0) leaves the default in force, which is no fault.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
}
