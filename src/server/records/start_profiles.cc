#include "server/records/start_profiles.h"

namespace flox::server {
namespace {

std::optional<std::string> start_profile_in(Session& session, Kind kind, const std::string& name) {
  auto found = session.row<std::string>("select profile from start_profiles where kind = $1 and name = $2",
                                        {text_of(kind), name});
  return found ? std::optional(std::move(std::get<0>(*found))) : std::nullopt;
}

}  // namespace

catalog::StartProfile StartProfileRecords::merge(Kind kind, const std::string& name,
                                                 const catalog::StartProfile& profile,
                                                 const std::string& now) {
  return database_.write([&](Session& session) {
    catalog::StartProfile merged = profile;
    const auto before = start_profile_in(session, kind, name);
    merged.merge_earlier(before ? catalog::StartProfile::parse(*before) : catalog::StartProfile());
    session.run(
        "insert into start_profiles (kind, name, profile, published_at) values ($1, $2, $3, $4) "
        "on conflict (kind, name) do update set profile = excluded.profile, published_at = "
        "excluded.published_at",
        {text_of(kind), name, merged.to_text(), now});
    return merged;
  });
}

std::optional<std::string> StartProfileRecords::find(Kind kind, const std::string& name) const {
  return database_.transact(Access::statement,
                            [&](Session& session) { return start_profile_in(session, kind, name); });
}

bool StartProfileRecords::remove(Kind kind, const std::string& name) {
  return database_.write([&](Session& session) {
    return session.run("delete from start_profiles where kind = $1 and name = $2", {text_of(kind), name}) > 0;
  });
}

}  // namespace flox::server
