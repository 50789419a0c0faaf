// How the process deals with memory that it has freed.
#pragma once

namespace flox {

// Keeps freed memory for the next allocation instead of giving it back to the kernel piece by piece,
// which must zero each page that it hands out again: a tenth and more of the system time of a program that
// moves much data through large buffers. Process-wide; call it once, early in main().
void keep_freed_memory() noexcept;

// Lets many threads share two of malloc's arenas, so that the memory which one of them has freed is there for
// the others: for daemons, whose threads are many and mostly idle. Process-wide; early in main().
void share_arenas() noexcept;

// Gives back what is free, after a burst of work. Thread-safe.
void return_freed_memory() noexcept;

}  // namespace flox
