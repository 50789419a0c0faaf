// How the process deals with memory that it has freed.
#pragma once

namespace flox {

// Keeps freed memory for the next allocation instead of giving it back to the kernel piece by piece: a
// program that moves much data through large buffers otherwise spends a tenth of its time in the kernel,
// which must zero each page that it hands out again. Process-wide; call it once, early in main().
void keep_freed_memory() noexcept;

// Gives back what is free, after a burst of work. Thread-safe; takes about a millisecond per 10 MB.
void return_freed_memory() noexcept;

}  // namespace flox
