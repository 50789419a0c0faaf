#include "package/python/wheel.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "package/debian/foreign_surroundings.h"
#include "package/debian/relocation.h"
#include "package/imported/unpack.h"
#include "trust/sbom/package_file.h"
#include "trust/sbom/purl.h"

namespace flox::package {
namespace {

constexpr size_t max_entry_points = 1 << 20;  // bytes

[[noreturn]] void bad_wheel(std::string_view why) {
  fail(ErrorKind::invalid_input, "damaged wheel: {}", why);
}

bool is_directory_at(const Directory& directory, const std::string& name) {
  const auto status = directory.status(name);
  return status && S_ISDIR(status->st_mode);
}

// Moves what is in one directory into another that may have some of its directories already.
void merge_into(const Directory& from, const Directory& to) {
  for (const std::string& name : from.names()) {
    if (!to.exists(name)) {
      from.rename(name, to, name);
    } else if (is_directory_at(from, name) && is_directory_at(to, name)) {
      merge_into(from.subdirectory(name), to.subdirectory(name));
    } else {
      bad_wheel(fmt::format("it has two files for one place, {}", name));
    }
  }
}

bool is_script_file(const Directory& directory, const std::string& name) {
  const Fd file = directory.open(name, O_RDONLY | O_NONBLOCK);
  std::array<char, 2> magic{};
  return read_some(file.get(), magic.data(), magic.size()) == 2 && magic[0] == '#' && magic[1] == '!';
}

// The one directory NAME-VERSION.SUFFIX, if there is one.
std::optional<std::string> special_directory(const Directory& raw, std::string_view suffix,
                                             const WheelName& name) {
  std::optional<std::string> found;
  for (const std::string& entry : raw.names()) {
    if (!entry.ends_with(suffix) || !is_directory_at(raw, entry)) continue;
    const std::string stem = entry.substr(0, entry.size() - suffix.size());
    const size_t dash = stem.rfind('-');
    if (dash == std::string::npos || normalized_project(stem.substr(0, dash)) != name.project) continue;
    if (found) bad_wheel(fmt::format("it has two directories {}", suffix));
    found = entry;
  }
  return found;
}

// A wheel's files, from where it has them to where they are installed.
class WheelLayout {
 public:
  WheelLayout(const Directory& raw, const Directory& tree, const PythonTarget& target)
      : raw_(raw), tree_(tree), site_(tree.make_directory(site_packages(target))), target_(target) {}

  void place(const std::optional<std::string>& data) {
    if (data) {
      const Directory parts = raw_.subdirectory(*data);
      for (const std::string& part : parts.names()) place_part(parts, part);
      raw_.remove(*data);
    }
    merge_into(raw_, site_);
  }
  const Directory& site() const noexcept { return site_; }

 private:
  void place_part(const Directory& parts, const std::string& part) {
    if (!is_directory_at(parts, part)) bad_wheel(fmt::format("its data has a file '{}'", part));
    const Directory from = parts.subdirectory(part);
    if (part == "purelib" || part == "platlib") {
      merge_into(from, site_);
    } else if (part == "data") {
      merge_into(from, tree_);
    } else if (part == "headers") {
      merge_into(from, tree_.make_directory("include/" + target_.python_directory()));
    } else if (part == "scripts") {
      for (const std::string& name : from.names()) {
        if (printable(name) != name) bad_wheel("a script's name has characters that no terminal should get");
        if (is_directory_at(from, name)) bad_wheel("its scripts have a directory");
        const std::string to = is_script_file(from, name) ? std::string(scripts_directory) : "bin";
        merge_one(from, name, tree_.make_directory(to));
      }
    } else {
      bad_wheel(fmt::format("its data has an unknown part '{}'", part));
    }
  }
  static void merge_one(const Directory& from, const std::string& name, const Directory& to) {
    if (to.exists(name)) bad_wheel(fmt::format("it has two files for one place, {}", name));
    from.rename(name, to, name);
  }

  const Directory& raw_;
  const Directory& tree_;
  Directory site_;
  const PythonTarget& target_;
};

std::vector<std::string> places_in(const Directory& tree, const std::string& directory) {
  std::vector<std::string> places;
  if (tree.exists(directory))
    for (const std::string& name : tree.subdirectory(directory).names())
      places.push_back(directory + "/" + name);
  return places;
}

// Names of store paths have fewer characters than versions.
std::string store_version_of(const PythonVersion& version) {
  std::string text = version.to_string();
  std::ranges::replace(text, '!', '_');
  return text;
}

}  // namespace

std::string site_packages(const PythonTarget& target) {
  return "lib/" + target.python_directory() + "/site-packages";
}

ImportedWheel import_wheel(store::LocalStore& store, Importer& importer, const std::filesystem::path& file,
                           const WheelName& name, const PythonTarget& target) {
  BuildDirectory work(store);
  const Directory own(work.path());
  const Directory raw = own.make_directory("raw");
  const Directory tree = own.make_directory("tree");
  unpack_confined(file, ArchiveFormat::zip, 0, work.path() / "raw");
  const auto info = special_directory(raw, ".dist-info", name);
  if (!info) bad_wheel("it has no .dist-info directory");
  PythonMetadata metadata = PythonMetadata::parse(raw.read_file(*info + "/METADATA", max_python_metadata));
  if (normalized_project(metadata.name) != name.project || metadata.version != name.version)
    bad_wheel(fmt::format("it is {} {}", metadata.name, metadata.version.to_string()));
  std::vector<ConsoleScript> console_scripts;
  if (raw.exists(*info + "/entry_points.txt"))
    console_scripts = parse_entry_points(raw.read_file(*info + "/entry_points.txt", max_entry_points));
  WheelLayout(raw, tree, target).place(special_directory(raw, ".data", name));
  tree.remove("nix-support");  // is ours to write
  const std::string version = store_version_of(name.version);
  tree.make_directory("nix-support")
      .create_file(
          "package.json",
          trust::PackageFile{.packages = {{.name = name.project,
                                           .version = version,
                                           .purl = trust::pypi_purl(name.project, name.version.to_string()),
                                           .license = metadata.license,
                                           .source = {}}}}
              .to_string());
  auto scripts = places_in(tree, std::string(scripts_directory));
  auto programs = places_in(tree, "bin");
  ForeignSurroundings surroundings(importer, name.project);
  const nix::PathInfo added =
      relocate(store,
               {.directory = work.path() / "tree",
                .name = fmt::format("{}-{}-{}", target.python_directory(), name.project, version),
                .placeholder = placeholder_digest("wheel"),
                .origins = {},
                .candidates = {}},
               surroundings);
  store.add_temp_roots({added.path});
  return {.metadata = std::move(metadata),
          .path = added.path,
          .console_scripts = std::move(console_scripts),
          .scripts = std::move(scripts),
          .programs = std::move(programs)};
}

}  // namespace flox::package
