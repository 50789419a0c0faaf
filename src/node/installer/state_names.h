// What floxd keeps below /var/lib/flox, by name, besides what src/node/kept and src/node/prefetch keep there.
// In one place, so that `flox node uninstall` leaves nothing of it.
#pragma once

#include <array>

namespace flox::node::state {

inline constexpr const char* lock = "floxd.lock";
inline constexpr const char* containers = "containers.json";
inline constexpr const char* images = "images";
inline constexpr const char* lazy = "lazy";
inline constexpr const char* lazy_profiles = "lazy-profiles";
inline constexpr const char* public_paths = "public-paths.sqlite";
inline constexpr const char* private_paths = "private-paths";  // of older floxds
inline constexpr const char* readers = "readers";
inline constexpr const char* shared = "shared";

// All of them, with what SQLite puts beside a database.
inline constexpr std::array all{lock,
                                containers,
                                images,
                                lazy,
                                lazy_profiles,
                                public_paths,
                                private_paths,
                                readers,
                                shared,
                                "public-paths.sqlite-wal",
                                "public-paths.sqlite-shm"};

}  // namespace flox::node::state
