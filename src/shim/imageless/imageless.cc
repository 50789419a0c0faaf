#include "shim/imageless/imageless.h"

#include <cstdlib>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "imageless/annotations.h"
#include "imageless/reserved_places.h"
#include "protocol/node.ttrpc.h"
#include "protocol/places.h"
#include "shim/imageless/mutable_nix.h"
#include "shim/imageless/rootfs.h"
#include "shim/io/shim_log.h"
#include "ttrpc/client.h"
#include "ttrpc/socket.h"

namespace flox::shim {
namespace {

constexpr Milliseconds prepare_limit{std::chrono::minutes(15)};  // a first realise downloads everything
constexpr Milliseconds release_limit{2000};
constexpr Milliseconds first_pause{50}, longest_pause{1000};
constexpr unsigned most_broken = 3;  // of one question: attempts that ended with the connection
constexpr const char* asking = "asking floxd for the container's environment";
void warn(const std::string& text) { log_warning("{}", text); }

// The size of the container's own /nix is its memory limit, which it counts against.
void mount_mutable_nix(const std::string& store, const fs::path& bundle, oci::RuntimeSpec& spec,
                       const oci::ProcessSpec& process) {
  const fs::path source = attach_mutable_nix({.store = store,
                                              .uid = process.uid(),
                                              .gid = process.gid(),
                                              .bytes = spec.memory_limit(),
                                              .label = spec.mount_label()},
                                             bundle);
  spec.add_mount({"/nix", "bind", source, {"rbind", "rprivate", "nosuid", "nodev"}});
}

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

// Of each variable the last value, as get_variable has it: a pod can bring 100,000 of them.
using Values = std::unordered_map<std::string_view, std::string_view>;
Values values_of(const oci::Environment& environment) {
  Values values;
  for (const std::string_view entry : environment)
    if (const size_t equals = entry.find('='); equals != std::string_view::npos)
      values.insert_or_assign(entry.substr(0, equals), entry.substr(equals + 1));
  return values;
}
std::optional<std::string_view> value_in(const Values& values, std::string_view name) {
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

oci::Environment Activation::merged(const oci::Environment& exec) const {
  oci::Environment result;
  const Values old_values = values_of(before), new_values = values_of(after), wishes = values_of(exec);
  std::unordered_set<std::string_view> taken;
  for (const std::string& entry : exec) {
    const std::string_view name = name_of(entry);
    const bool copied = value_in(old_values, name) == value_in(wishes, name);
    if (!copied)
      result.push_back(entry);  // the exec's own wish
    else if (const auto value = value_in(new_values, name); value && taken.insert(name).second)
      result.push_back(fmt::format("{}={}", name, *value));
    // copied but gone after activation: the activation unset it
  }
  for (const std::string& entry : after)
    if (!value_in(wishes, name_of(entry))) result.push_back(entry);
  return result;
}

std::string Imageless::default_socket() {
  const char* socket = std::getenv(protocol::node_socket_variable);
  return socket != nullptr && *socket != '\0' ? socket : protocol::node_socket;
}

asio::awaitable<node::v1::PrepareResponse> Imageless::ask(node::v1::PrepareRequest request, CallTerms terms) {
  using Clock = std::chrono::steady_clock;
  ttrpc::Client client(executor_, node_socket_);
  const Milliseconds limit = std::min(terms.limit, prepare_limit);
  const auto begin = Clock::now();
  const auto left = [&] { return limit - std::chrono::duration_cast<Milliseconds>(Clock::now() - begin); };
  Milliseconds pause = first_pause;
  std::optional<Clock::time_point> away_since;  // floxd was there last, or was missed first
  for (unsigned broken = 0;;) {
    try {
      co_return co_await client.call(node::v1::Node::Prepare, request, left(), terms.traceparent);
    } catch (const ttrpc::ConnectionError& error) {
      // floxd is being replaced: the next one gets the question once more. One that ends whenever it gets
      // this question is not asked for ever.
      if (error.connected()) {
        ++broken;
        away_since.reset();
        pause = first_pause;
      }
      if (!away_since) away_since = Clock::now();
      if (broken == most_broken || left() <= pause || Clock::now() - *away_since > patience_)
        throw error.with_context(asking).with_advice(
            "Is floxd running on this node? `flox node status` tells.");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable) throw;
      throw error.with_context(asking).with_advice(
          left().count() <= 0
              ? "It may still be fetching, or it does not come up (`flox node status`): the next "
                "attempt finds what has come by then."
              : "Is floxd running on this node? `flox node status` tells.");
    }
    co_await pause_for(pause);
    pause = std::min(pause * 2, longest_pause);
  }
}

asio::awaitable<void> Imageless::prepare_volumes(std::string container_id, oci::RuntimeSpec& spec,
                                                 const std::vector<imageless::ImageVolume>& volumes,
                                                 CallTerms terms) {
  auto request = imageless::request_for_volumes(container_id, spec, volumes, warn);
  imageless::mount_volumes(co_await ask(std::move(request), std::move(terms)), volumes, spec);
}

asio::awaitable<std::optional<Activation>> Imageless::prepare(std::string container_id,
                                                              oci::RuntimeSpec& spec,
                                                              const imageless::Images& images,
                                                              fs::path bundle, CallTerms terms) {
  const fs::path directory = bundle / spec.root_path();  // an absolute path stands for itself
  const oci::ProcessSpec process = spec.process();
  Activation activation;
  activation.before = process.env();
  {
    const Rootfs root(directory);
    imageless::check_places(spec, [&](const std::string& path) { return root.resolve(path); });
    activation.after = imageless::first_environment(process, root.exists("/etc/passwd"));
  }
  const auto request = imageless::request_for(container_id, spec, images, activation.after, warn);
  const node::v1::PrepareResponse response = co_await ask(request, std::move(terms));
  imageless::check_answer(request, response);

  RuntimeTools tools{response.runtime_path(),
                     fs::path(response.store_directory()) / fs::path(response.runtime_path()).filename()};
  in_context("filling the container's root", [&] {
    const ContainerUser user{
        process.uid(), process.gid(), {spec.host_uid(process.uid()), spec.host_gid(process.gid())}};
    fill_rootfs(Rootfs(directory, {spec.host_uid(0), spec.host_gid(0)}), tools, user);
  });
  if (request.nix_mutable())
    mount_mutable_nix(response.store_directory(), bundle, spec, process);
  else
    imageless::mount_store(response, spec);
  imageless::mount_volumes(response, images.volumes, spec);
  imageless::activate(response, spec, activation.after);
  if (imageless::annotation_lists(spec, "flox.dev/skip-containers-exec", imageless::container_name(spec)))
    co_return std::nullopt;
  co_return activation;
}

asio::awaitable<std::optional<node::v1::ReleaseResponse>> Imageless::release(std::string container_id) {
  node::v1::ReleaseRequest request;
  request.set_container_id(container_id);
  try {
    ttrpc::Client client(executor_, node_socket_);
    co_return co_await client.call(node::v1::Node::Release, std::move(request), release_limit);
  } catch (const Error& error) {
    log_warning_of(container_id, "releasing the environment of {}: {}", container_id, error.what());
    co_return std::nullopt;
  }
}

}  // namespace flox::shim
