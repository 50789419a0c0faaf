#include "node/installer/containerd_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/error_of.h"

namespace flox::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* v2 = R"(plugins."io.containerd.grpc.v1.cri")";
const Containerd debian = {
    .major = 1, .minor = 6, .config = "/etc/containerd/config.toml", .config_version = 2};
const Containerd newest = {
    .major = 2, .minor = 2, .config = "/etc/containerd/config.toml", .config_version = 3};
const HandlerOptions options = {.shim = "/usr/local/bin/containerd-shim-flox-v1"};

TEST(ContainerdConfig, names_the_shim_as_the_release_can_find_it) {
  const std::string by_name = with_handler(debian, "version = 2\n", options);
  EXPECT_THAT(by_name, HasSubstr("runtime_type = \"io.containerd.flox.v1\""));
  EXPECT_THAT(by_name, Not(HasSubstr("runtime_path")));
  const std::string by_path = with_handler(newest, "", options);
  EXPECT_THAT(by_path, HasSubstr("version = 3"));
  EXPECT_THAT(by_path, HasSubstr("[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.flox]"));
  EXPECT_THAT(by_path, HasSubstr("runtime_path = \"/usr/local/bin/containerd-shim-flox-v1\""));
  for (const auto& [containerd, text] : {std::pair{debian, by_name}, {newest, by_path}}) {
    EXPECT_THAT(handler_faults(containerd, text), IsEmpty());
    EXPECT_EQ(with_handler(containerd, text, options), text);
    EXPECT_THAT(text, HasSubstr("runtimes.runc]"))
        << "containerd forgets its own handlers beside a table of handlers";
  }
}

TEST(ContainerdConfig, leaves_sandboxes_to_the_shim_where_the_release_can) {
  Containerd latest = newest;
  latest.minor = 4;
  HandlerOptions shims = options;
  shims.sandbox_api = true;
  const std::string by_path = with_handler(latest, "", options);
  const std::string text = with_handler(latest, by_path, shims);
  EXPECT_THAT(text, HasSubstr("runtime_type = \"io.containerd.flox.v1\""));
  EXPECT_THAT(text, Not(HasSubstr("\n  runtime_path")));
  EXPECT_THAT(text, HasSubstr("sandboxer = \"shim\""));
  EXPECT_THAT(text, HasSubstr("disable_pause_image_pull = true"));
  EXPECT_THAT(handler_faults(latest, text), IsEmpty());
  const std::string back = with_handler(latest, text, options);
  EXPECT_THAT(handler_faults(latest, back), IsEmpty());
  EXPECT_THAT(back, Not(HasSubstr("\n  sandboxer")));
  EXPECT_THAT(back, Not(HasSubstr("\n  disable_pause_image_pull")));
  latest.minor = 3;
  EXPECT_THAT(with_handler(latest, "", shims), Not(HasSubstr("disable_pause_image_pull")));
  EXPECT_THAT(error_of([&] { with_handler(newest, "", shims); }), HasSubstr("containerd 2.2 cannot"));
  EXPECT_THAT(handler_faults(newest, text), ElementsAre(HasSubstr("which containerd 2.2 cannot")));
  EXPECT_THAT(error_of([&] { with_handler(debian, "", shims); }), HasSubstr("containerd 1.6 cannot"));
  Containerd k3s = latest;
  k3s.k3s = true;
  EXPECT_THAT(error_of([&] { with_handler(k3s, "", shims); }), HasSubstr("k3s"));
}

TEST(ContainerdConfig, knows_a_sandboxer_that_starts_another_shim) {
  Containerd latest = newest;
  latest.minor = 4;
  std::string text = with_handler(latest, "", options);
  text = set_toml_values(text, {"plugins", "io.containerd.cri.v1.runtime", "containerd", "runtimes", "flox"},
                         {{"sandboxer", "\"shim\""}}, "config.toml");
  EXPECT_THAT(handler_faults(latest, text), ElementsAre(HasSubstr("found by runtime_type alone")));
}

TEST(ContainerdConfig, gives_the_handler_the_options_of_the_nodes_runc) {
  const std::string text = fmt::format(
      "version = 2\n[{}.containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\n"
      "[{}.containerd.runtimes.runc.options]\nSystemdCgroup = true\n",
      v2, v2);
  EXPECT_THAT(with_handler(debian, text, options), HasSubstr("ConfigPath = \"/etc/flox/runc-options.toml\""));
  EXPECT_THAT(handler_options_file(debian, text), HasSubstr("SystemdCgroup = true\n"));
  Containerd later = debian;
  later.minor = 7;
  EXPECT_THAT(with_handler(later, text, options),
              HasSubstr("runtimes.flox.options]\n  SystemdCgroup = true\n"));
  EXPECT_EQ(handler_options_file(later, text), "");
}

TEST(ContainerdConfig, mends_the_guides_snippet) {
  const std::string guide = fmt::format(
      "version = 2\n[{}.containerd.runtimes.flox]\n  runtime_type = \"io.containerd.runc.v2\"\n"
      "  runtime_engine = \"/usr/local/bin/containerd-shim-flox-v1\"\n  runtime_root = \"\"\n",
      v2);
  EXPECT_THAT(handler_faults(debian, guide),
              ElementsAre(HasSubstr("runtime_engine, as the guide has it"), HasSubstr("CRI does not load"),
                          HasSubstr("pod_annotations")));
  const std::string mended = with_handler(debian, guide, options);
  EXPECT_THAT(mended, HasSubstr("runtime_type = \"io.containerd.flox.v1\"  # flox node install; was: "
                                "runtime_type = \"io.containerd.runc.v2\""));
  EXPECT_EQ(undo_toml_edits(mended), guide);
}

TEST(ContainerdConfig, knows_a_handler_in_the_wrong_place) {
  const std::string text = fmt::format(
      "version = 3\n[{}.containerd.runtimes.flox]\nruntime_type = \"io.containerd.flox.v1\"\n", v2);
  EXPECT_THAT(handler_faults(newest, text),
              ElementsAre(HasSubstr("which a file of version 3 does not read")));
  EXPECT_THAT(handler_faults(newest, "version = 3\n"), ElementsAre(HasSubstr("no [plugins")));
}

TEST(ContainerdConfig, may_make_flox_the_default_and_change_the_pause_image) {
  HandlerOptions all = options;
  all.default_runtime = true;
  all.sandbox_image = "flox.dev/pause:1.0.0";
  const std::string old = with_handler(
      debian, fmt::format("version = 2\n[{}.containerd]\n  default_runtime_name = \"runc\"\n", v2), all);
  EXPECT_THAT(
      old, HasSubstr(
               "default_runtime_name = \"flox\"  # flox node install; was: default_runtime_name = \"runc\""));
  EXPECT_THAT(old, HasSubstr("sandbox_image = \"flox.dev/pause:1.0.0\""));
  EXPECT_THAT(with_handler(newest, "version = 3\n", all),
              HasSubstr("pinned_images]\n  sandbox = \"flox.dev/pause:1.0.0\""));
}

TEST(ContainerdConfig, appends_to_k3s_template) {
  const Containerd k3s = {.major = 2, .config = "config-v3.toml.tmpl", .config_version = 3, .k3s = true};
  const std::string text = with_handler(k3s, "", options);
  EXPECT_TRUE(text.starts_with("{{ template \"base\" . }}\n"));
  EXPECT_THAT(text, HasSubstr("SystemdCgroup = {{ .SystemdCgroup }}"));
  EXPECT_EQ(with_handler(k3s, text, options), text);
  EXPECT_EQ(undo_toml_edits(text), "{{ template \"base\" . }}\n");
}

TEST(ContainerdConfig, finds_or_sets_the_directory_of_registries) {
  const auto [text, directory] = with_hosts_directory(debian, "version = 2\n");
  EXPECT_EQ(directory, "/etc/containerd/certs.d");
  EXPECT_THAT(text, HasSubstr("config_path = \"/etc/containerd/certs.d\""));
  EXPECT_EQ(
      with_hosts_directory(debian, fmt::format("version = 2\n[{}.registry]\nconfig_path = \"/a:/b\"\n", v2))
          .second,
      "/a");
  EXPECT_THROW(with_hosts_directory(
                   debian, fmt::format("version = 2\n[{}.registry.mirrors.\"x.io\"]\nendpoint = []\n", v2)),
               Error);
}

TEST(ContainerdConfig, serves_flox_local_from_this_node_alone) {
  const std::string hosts = own_registry("http://127.0.0.1:9809", "0123");
  const std::string name = "hosts.toml";
  EXPECT_THAT(toml_value(hosts, {"server"}, name), HasSubstr("http://127.0.0.1:9809"));
  EXPECT_THAT(toml_value(hosts, {"header", "X-Flox-Node-Key"}, name), HasSubstr("0123"));
  EXPECT_THAT(hosts, HasSubstr("\n[host]\n")) << "1.6 reads no file without";
}

TEST(ContainerdConfig, knows_where_containerd_keeps_images) {
  EXPECT_EQ(containerd_root(debian, "version = 2\n"), "/var/lib/containerd");
  EXPECT_EQ(containerd_root(debian, "version = 2\nroot = \"/data/containerd\"\n"), "/data/containerd");
}

TEST(ContainerdConfig, puts_our_mirror_before_others) {
  const std::string endpoint = "http://127.0.0.1:9809";
  const std::string fresh = with_mirror("", "ghcr.io", endpoint);
  EXPECT_THAT(fresh, HasSubstr("server = \"https://ghcr.io\""));
  EXPECT_EQ(with_mirror(fresh, "ghcr.io", endpoint), fresh);
  const std::string theirs =
      "server = \"https://ghcr.io\"\n[host.\"https://mirror\"]\n  skip_verify = true\n";
  const std::string both = with_mirror(theirs, "ghcr.io", endpoint);
  EXPECT_LT(both.find(endpoint), both.find("https://mirror"));
  EXPECT_EQ(undo_toml_edits(both), theirs);
}

TEST(ContainerdConfig, lets_floxd_be_a_plugin_as_the_release_needs_it) {
  Containerd middle = debian;
  middle.minor = 7;
  const std::string enabled = with_plugins(middle, "version = 2\n");
  EXPECT_THAT(enabled, HasSubstr("disable = false"));
  EXPECT_THAT(enabled, Not(HasSubstr("default_validator"))) << "1.7 has none";
  const std::string checked = with_plugins(newest, "version = 3\n");
  EXPECT_THAT(checked, Not(HasSubstr("disable")));
  EXPECT_THAT(checked, HasSubstr("default_validator]"));
  for (const auto& [containerd, text] : {std::pair{middle, enabled}, {newest, checked}}) {
    EXPECT_THAT(plugin_faults(containerd, text), IsEmpty());
    EXPECT_EQ(with_plugins(containerd, text), text);
    EXPECT_EQ(plugin_socket(containerd, text), "/var/run/nri/nri.sock");
  }
  const std::string closed =
      "version = 3\n[plugins.\"io.containerd.nri.v1.nri\"]\n  disable = true\n  disable_connections = true\n"
      "  socket_path = \"/run/own.sock\"\n";
  EXPECT_EQ(plugin_faults(newest, closed).size(), 3u);
  const std::string opened = with_plugins(newest, closed);
  EXPECT_THAT(plugin_faults(newest, opened), IsEmpty());
  EXPECT_EQ(plugin_socket(newest, opened), "/run/own.sock");
  EXPECT_EQ(undo_toml_edits(opened), closed);
}

TEST(ContainerdConfig, has_no_plugins_where_they_would_do_nothing_or_harm) {
  EXPECT_THROW(with_plugins(debian, "version = 2\n"), Error);
  EXPECT_THAT(plugin_faults(debian, ""), ElementsAre(HasSubstr("has no plugins")));
  EXPECT_THROW(with_plugins({.major = 2, .minor = 2, .k3s = true}, ""), Error);
  EXPECT_THROW(with_plugins(newest, with_handler(newest, "", {.shim = "/x", .default_runtime = true})),
               Error);
}

}  // namespace
}  // namespace flox::node
