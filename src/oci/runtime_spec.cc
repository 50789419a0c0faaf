#include "oci/runtime_spec.h"

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"

namespace flox::oci {
namespace {

// containerd's largest specs have some thousand members; a process has no more than its environment.
constexpr JsonLimits limits{.bytes = 16 << 20, .depth = 64, .values = 1 << 17};

Json parse_object(std::string_view text, std::string_view name) {
  Json document = parse_ordered_json(text, name, limits);
  if (!document.is_object()) fail(ErrorKind::invalid_input, "{}: not a JSON object", name);
  return document;
}

Directory parent_of(const std::filesystem::path& file) { return Directory(directory_of(file)); }

// A member that may be absent, null or of another type than it should be: nullptr then.
const Json* find(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string string_at(const Json& object, const char* name) {
  const Json* value = find(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::vector<std::string> strings_at(const Json& object, const char* name) {
  std::vector<std::string> result;
  const Json* list = find(object, name);
  if (list == nullptr || !list->is_array()) return result;
  for (const Json& item : *list)
    if (item.is_string()) result.push_back(item.get<std::string>());
  return result;
}

// The first entry of linux.namespaces with this type; nullptr if there is none.
const Json* namespace_entry(const Json& document, std::string_view type) {
  const Json* linux = find(document, "linux");
  const Json* namespaces = linux == nullptr ? nullptr : find(*linux, "namespaces");
  if (namespaces == nullptr || !namespaces->is_array()) return nullptr;
  for (const Json& entry : *namespaces)
    if (string_at(entry, "type") == type) return &entry;
  return nullptr;
}

uint32_t user_field(const Json& process, const char* name) {
  const Json* user = find(process, "user");
  const Json* value = user == nullptr ? nullptr : find(*user, name);
  if (value == nullptr || !value->is_number_unsigned()) return 0;
  // Cut to 32 bits, 4294967296 would be root.
  if (value->get<uint64_t>() > UINT32_MAX)
    fail(ErrorKind::invalid_input, "the process's user.{} {} is not a 32-bit number", name,
         value->get<uint64_t>());
  return value->get<uint32_t>();
}

uint64_t number_at(const Json& object, const char* name) {
  const Json* value = find(object, name);
  return value != nullptr && value->is_number_unsigned() ? value->get<uint64_t>() : 0;
}

uint32_t host_id(const Json& document, const char* mappings, uint32_t id) {
  const Json* linux = find(document, "linux");
  const Json* list = linux == nullptr ? nullptr : find(*linux, mappings);
  if (list == nullptr || !list->is_array() || list->empty()) return id;
  for (const Json& range : *list) {
    const uint64_t first = number_at(range, "containerID"), host = number_at(range, "hostID"),
                   size = number_at(range, "size");
    if (id < first || id - first >= size) continue;
    if (host > UINT32_MAX || host + (id - first) > UINT32_MAX) break;
    return static_cast<uint32_t>(host + (id - first));
  }
  fail(ErrorKind::invalid_input, "{} has no number for {} of the container's user namespace", mappings, id);
}

std::string dump_json(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::optional<std::string> get_variable(const Environment& environment, std::string_view name) {
  std::optional<std::string> result;
  for (const std::string& entry : environment)
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name))
      result = entry.substr(name.size() + 1);
  return result;
}

void set_variable(Environment& environment, std::string_view name, std::string_view value) {
  std::string wanted = fmt::format("{}={}", name, value);
  bool found = false;
  for (std::string& entry : environment) {
    if (entry.size() <= name.size() || entry[name.size()] != '=' || !entry.starts_with(name)) continue;
    entry = wanted;
    found = true;
  }
  if (!found) environment.push_back(std::move(wanted));
}

ProcessSpec::ProcessSpec(Json document) : document_(std::make_unique<Json>(std::move(document))) {}
ProcessSpec::ProcessSpec(const ProcessSpec& other) : document_(std::make_unique<Json>(*other.document_)) {}
ProcessSpec::ProcessSpec(ProcessSpec&&) noexcept = default;
ProcessSpec& ProcessSpec::operator=(ProcessSpec&&) noexcept = default;
ProcessSpec::~ProcessSpec() = default;

ProcessSpec ProcessSpec::parse(std::string_view text) {
  return ProcessSpec(parse_object(text, "the process"));
}

std::string ProcessSpec::dump() const { return dump_json(*document_); }

bool ProcessSpec::terminal() const {
  const Json* value = find(*document_, "terminal");
  return value != nullptr && value->is_boolean() && value->get<bool>();
}
void ProcessSpec::set_terminal(bool terminal) {
  if (terminal != this->terminal()) (*document_)["terminal"] = terminal;
}

std::vector<std::string> ProcessSpec::args() const { return strings_at(*document_, "args"); }
void ProcessSpec::set_args(const std::vector<std::string>& args) { (*document_)["args"] = args; }
Environment ProcessSpec::env() const { return strings_at(*document_, "env"); }
void ProcessSpec::set_env(const Environment& env) { (*document_)["env"] = env; }
std::string ProcessSpec::cwd() const { return string_at(*document_, "cwd"); }
uint32_t ProcessSpec::uid() const { return user_field(*document_, "uid"); }
uint32_t ProcessSpec::gid() const { return user_field(*document_, "gid"); }

RuntimeSpec::RuntimeSpec(Json document) : document_(std::make_unique<Json>(std::move(document))) {}
RuntimeSpec::RuntimeSpec(RuntimeSpec&&) noexcept = default;
RuntimeSpec& RuntimeSpec::operator=(RuntimeSpec&&) noexcept = default;
RuntimeSpec::~RuntimeSpec() = default;

RuntimeSpec RuntimeSpec::parse(std::string_view text, std::string_view name) {
  return RuntimeSpec(parse_object(text, name));
}

RuntimeSpec RuntimeSpec::load(const std::filesystem::path& file) {
  return in_context("reading the runtime spec", [&] {
    const std::string text = parent_of(file).read_file(file.filename().string(), limits.bytes);
    return parse(text, file.string());
  });
}

std::string RuntimeSpec::dump() const { return dump_json(*document_); }
void RuntimeSpec::save(const std::filesystem::path& file) const {
  parent_of(file).write_file(file.filename().string(), dump(), 0644);
}

std::string RuntimeSpec::annotation(const std::string& name) const {
  const Json* annotations = find(*document_, "annotations");
  return annotations == nullptr ? std::string() : string_at(*annotations, name.c_str());
}

std::string RuntimeSpec::root_path() const {
  const Json* root = find(*document_, "root");
  return root == nullptr ? std::string() : string_at(*root, "path");
}

std::string RuntimeSpec::hostname() const { return string_at(*document_, "hostname"); }

bool RuntimeSpec::has_own_pid_namespace() const {
  const Json* entry = namespace_entry(*document_, "pid");
  return entry != nullptr && string_at(*entry, "path").empty();
}

bool RuntimeSpec::has_user_namespace() const { return namespace_entry(*document_, "user") != nullptr; }

uint32_t RuntimeSpec::host_uid(uint32_t id) const { return host_id(*document_, "uidMappings", id); }
uint32_t RuntimeSpec::host_gid(uint32_t id) const { return host_id(*document_, "gidMappings", id); }

uint64_t RuntimeSpec::memory_limit() const {
  const Json* value = document_.get();
  for (const char* name : {"linux", "resources", "memory", "limit"})
    if ((value = find(*value, name)) == nullptr) return 0;
  // A negative number is the spec's "no limit".
  return value->is_number_unsigned() ? value->get<uint64_t>() : 0;
}

std::string RuntimeSpec::mount_label() const {
  const Json* linux = find(*document_, "linux");
  return linux == nullptr ? std::string() : string_at(*linux, "mountLabel");
}

std::vector<std::string> RuntimeSpec::places() const {
  std::vector<std::string> result;
  auto collect = [&result](const Json* list, const char* name) {
    if (list == nullptr || !list->is_array()) return;
    for (const Json& entry : *list) result.push_back(string_at(entry, name));
  };
  collect(find(*document_, "mounts"), "destination");
  if (const Json* linux = find(*document_, "linux")) collect(find(*linux, "devices"), "path");
  return result;
}

std::string RuntimeSpec::mount_source(std::string_view destination) const {
  std::string source;
  const Json* mounts = find(*document_, "mounts");
  if (mounts == nullptr || !mounts->is_array()) return source;
  for (const Json& mount : *mounts)
    if (string_at(mount, "destination") == destination) source = string_at(mount, "source");
  return source;
}

std::vector<std::pair<std::string, std::string>> RuntimeSpec::annotations(std::string_view prefix) const {
  std::vector<std::pair<std::string, std::string>> result;
  const Json* annotations = find(*document_, "annotations");
  if (annotations == nullptr || !annotations->is_object()) return result;
  for (auto it = annotations->begin(); it != annotations->end(); ++it) {
    if (!it.key().starts_with(prefix)) continue;
    if (!it->is_string()) fail(ErrorKind::invalid_input, "annotation {} is not a string", it.key());
    result.emplace_back(it.key(), it->get<std::string>());
  }
  return result;
}

void RuntimeSpec::set_mount(size_t place, const SpecMount& mount) {
  Json& old = document_->at("mounts").at(place);
  old["type"] = mount.type;
  old["source"] = mount.source;
  old["options"] = mount.options;
}

void RuntimeSpec::add_mount(const SpecMount& mount) {
  Json& mounts = (*document_)["mounts"];
  if (!mounts.is_array()) mounts = Json::array();
  mounts.push_back({{"destination", mount.destination},
                    {"type", mount.type},
                    {"source", mount.source},
                    {"options", mount.options}});
}

ProcessSpec RuntimeSpec::process() const {
  const Json* process = find(*document_, "process");
  if (process == nullptr || !process->is_object())
    fail(ErrorKind::invalid_input, "the runtime spec has no process");
  return ProcessSpec(*process);
}

void RuntimeSpec::set_process(const ProcessSpec& process) { (*document_)["process"] = *process.document_; }

}  // namespace flox::oci
