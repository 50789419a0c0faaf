// The annotations flox.dev/* of a pod, which the pod's author writes: which there are, what they may say, and
// which containers are ours by them.
#pragma once

#include <string>
#include <string_view>

#include "oci/runtime_spec.h"

namespace flox::imageless {

inline constexpr const char* mutable_annotation = "flox.dev/nix-mutable";

// Throws Error(invalid_input) for a flox.dev/ annotation that does not exist, naming the nearest one: a typo
// in flox.dev/store-view would show the container more than was meant. Likewise for a value that is too long,
// holds what it cannot hold, or is none of those that there are.
void check_annotations(const oci::RuntimeSpec& spec);

// The annotations for people, in lines of "  NAME[: WORD|WORD]  MEANING". docs/reference/annotations.md has
// them from here, by way of the program's -help.
std::string describe_annotations();

// Whether this is what holds a pod's namespaces, and no container of it.
bool is_sandbox(const oci::RuntimeSpec& spec);
// The container's name in its pod; empty if CRI gave none.
std::string container_name(const oci::RuntimeSpec& spec);
// flox.dev/environment.CONTAINER, else flox.dev/environment; empty if there is neither.
std::string environment_of(const oci::RuntimeSpec& spec);
// Whether the annotation, names with commas between, lists the container. "a, b" names "b".
bool annotation_lists(const oci::RuntimeSpec& spec, const std::string& annotation, std::string_view name);

// Whether flox.dev/skip-containers lists the container.
bool is_skipped(const oci::RuntimeSpec& spec);
// Whether the container's image is one of the stub images, which have nothing in them.
bool has_stub_image(const oci::RuntimeSpec& spec);
// Ours are containers with annotation flox.dev/environment (or flox.dev/environment.CONTAINER), of a stub
// image, or whose command is flox; not sandboxes, and not those that flox.dev/skip-containers lists.
bool is_imageless(const oci::RuntimeSpec& spec);

}  // namespace flox::imageless
