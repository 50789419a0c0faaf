// The types of fetch.proto to and from ours. What comes from a fetcher is checked field by field: nothing is
// built from a field that breaks its limit.
#pragma once  // Fuzzed by fuzz/fetch_message.cc.

#include "base/error.h"
#include "nix/narinfo.h"
#include "store/fetch/fetch.pb.h"

namespace flox::store {

struct PathInfoLimits {
  size_t references = 50'000;
  size_t signatures = 64;
  size_t text = 4096;  // bytes of any one text
};

v1::NarInfo to_message(const nix::NarInfo& narinfo);
// Throws Error(invalid_input) that names the field.
nix::NarInfo from_message(const v1::NarInfo& message, const PathInfoLimits& limits = {});

v1::Failure to_message(const Error& error);
// From the installer, which is believed.
Error from_message(const v1::Failure& message);

}  // namespace flox::store
