//! Memory of the process: what large answers took goes back to the system once they are gone.
//!
//! The allocator of glibc keeps what was freed. Without a fixed threshold it learns from the first large
//! block that it may keep the next ones too, and what lies between blocks in use stays until it is asked.

use std::time::Duration;

use super::unsent::Unsent;

/// Blocks from this size on are the system's own, and go back to it at once when they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_BLOCK: libc::c_int = 256 * 1024;
/// Bytes that stay with each of the allocator's heaps for what comes next: a request with points frees some hundred
/// kilobytes, and to have them of the system anew for each takes longer than to read it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 1024 * 1024;
/// How often it is looked whether much was freed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Bytes freed after which the allocator is asked: it takes some milliseconds to look through all it has.
const MUCH: usize = 4 * 1024 * 1024;

/// Sets the allocator up. For the program, before it has many threads.
pub fn configure() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it sets numbers of the allocator's, and is called before other threads are there.
    unsafe {
        // Where they cannot be set, all works as before and takes more memory, or longer.
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_BLOCK);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Gives memory back whenever much was freed. Never returns.
pub async fn give_back(unsent: Unsent) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let mut known = unsent.freed();
    loop {
        ticks.tick().await;
        let freed = unsent.freed();
        if freed.wrapping_sub(known) >= MUCH {
            known = freed;
            // One that panics has given back what it could.
            let _ = tokio::task::spawn_blocking(trim).await;
        }
    }
}

fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time from any thread; it moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
