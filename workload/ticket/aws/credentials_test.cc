#include "ticket/aws/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"
#include "base/net/server/http_server.h"
#include "base/os/file.h"
#include "ticket/testing/scoped_environment.h"

namespace ticket::aws {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CredentialsTest : public testing::Test {
 protected:
  ScopedEnvironment environment_;
  flox::TempDir dir_;
  std::string file(const std::string& name, const std::string& content) {
    flox::write_file(dir_.path() / name, content);
    return dir_.path() / name;
  }
};

TEST_F(CredentialsTest, ComeFromTheEnvironmentFirst) {
  environment_.set("AWS_ACCESS_KEY_ID", "a");
  environment_.set("AWS_SECRET_ACCESS_KEY", "s");
  environment_.set("AWS_SESSION_TOKEN", "t");
  Credentials found = CredentialsProvider({}).get();
  EXPECT_EQ(found.access_key + found.secret_key.reveal() + found.session_token.reveal(), "ast");
}

TEST_F(CredentialsTest, RefuseHalfAPairRatherThanLookElsewhere) {
  environment_.set("AWS_ACCESS_KEY_ID", "a");
  EXPECT_THROW(CredentialsProvider({.fall_back_to_test = true}).get(), flox::Error);
}

TEST_F(CredentialsTest, ComeFromTheSharedFilesByProfile) {
  environment_.set("AWS_SHARED_CREDENTIALS_FILE",
                   file("credentials",
                        "# comment\n[default]\naws_access_key_id=d\naws_secret_access_key = "
                        "ds\n\n[work]\naws_access_key_id = w\n"
                        "aws_secret_access_key = w=s\n"));
  environment_.set("AWS_CONFIG_FILE",
                   file("config", "[profile work]\nregion = eu-north-1\ns3 =\n  max = 1\n"));
  EXPECT_EQ(CredentialsProvider({}).get().access_key, "d");
  environment_.set("AWS_PROFILE", "work");
  EXPECT_EQ(CredentialsProvider({}).get().secret_key.reveal(), "w=s");
  EXPECT_EQ(load_profile().at("region").reveal(), "eu-north-1");
}

TEST_F(CredentialsTest, AreTakenForAWebIdentityAndRenewedBeforeTheyExpire) {
  std::atomic<int> calls = 0;
  std::string seen;
  flox::HttpServer sts({.threads = 1}, [&](const flox::ServerRequest& request) -> flox::ServerResponse {
    seen = request.body;
    int call = ++calls;
    // The first ones expire in the past: they must not be kept.
    const char* expires = call == 1 ? "2001-01-01T00:00:00Z" : "2099-01-01T00:00:00Z";
    return {.body = fmt::format(
                "<R><Credentials><AccessKeyId>A{}</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
                "<SessionToken>T&amp;T</SessionToken><Expiration>{}</Expiration></Credentials></R>",
                call, expires)};
  });
  environment_.set("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
  environment_.set("AWS_WEB_IDENTITY_TOKEN_FILE", file("token", "to.ken\n"));
  CredentialsProvider provider({.sts_endpoint = fmt::format("http://127.0.0.1:{}", sts.port())});
  EXPECT_EQ(provider.get().access_key, "A1");
  EXPECT_EQ(provider.get().access_key, "A2");
  EXPECT_EQ(provider.get().access_key, "A2");
  EXPECT_EQ(provider.get().session_token.reveal(), "T&T");
  EXPECT_THAT(seen, HasSubstr("Action=AssumeRoleWithWebIdentity"));
  EXPECT_THAT(seen, HasSubstr("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"));
  EXPECT_THAT(seen, HasSubstr("WebIdentityToken=to.ken"));
  provider.discard();
  EXPECT_EQ(provider.get().access_key, "A3");
}

TEST_F(CredentialsTest, AreNotTakenFromWhatIsNoDocumentOfSts) {
  std::string body;
  int status = 200;
  flox::HttpServer sts({.threads = 1}, [&](const flox::ServerRequest&) -> flox::ServerResponse {
    return {.status = status, .body = body};
  });
  environment_.set("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
  environment_.set("AWS_WEB_IDENTITY_TOKEN_FILE", file("token", "to.ken\n"));
  CredentialsProvider provider({.sts_endpoint = fmt::format("http://127.0.0.1:{}", sts.port())});
  const auto refusal = [&] {
    try {
      provider.get();
    } catch (const flox::Error& error) {
      return fmt::format("{}: {}", to_string(error.kind()), error.what());
    }
    return std::string();
  };
  const std::string credentials =
      "<SecretAccessKey>s3cret</SecretAccessKey><SessionToken>T</SessionToken>"
      "<Expiration>2099-01-01T00:00:00Z</Expiration>";
  body = "<R><AccessKeyId>A</AccessKeyId>" + credentials;  // broken off
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("unavailable: "), HasSubstr("not an XML document"), Not(HasSubstr("s3cret"))));
  body = "<!DOCTYPE R [<!ENTITY a 'A'>]><R><AccessKeyId>&a;</AccessKeyId>" + credentials + "</R>";
  EXPECT_THAT(refusal(), HasSubstr("document type"));
  body = "<R>" + credentials + "</R>";
  EXPECT_THAT(refusal(), HasSubstr("has no AccessKeyId"));
  status = 403;
  body =
      "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not <![CDATA[<you>]]></Message></Error>"
      "</ErrorResponse>";
  EXPECT_THAT(refusal(), HasSubstr("untrusted: "));
  EXPECT_THAT(refusal(), HasSubstr("STS answered AccessDenied: not <you>"));
  body = "no document";
  EXPECT_THAT(refusal(), HasSubstr("STS answered 403: no reason given"));
}

TEST_F(CredentialsTest, ComeFromTheContainerEndpointWithItsToken) {
  flox::HttpServer endpoint({.threads = 1}, [](const flox::ServerRequest& request) -> flox::ServerResponse {
    if (request.headers.at("authorization") != "pod token") return {.status = 403};
    return {
        .body =
            R"({"AccessKeyId":"C","SecretAccessKey":"S","Token":"T","Expiration":"2099-01-01T00:00:00Z"})"};
  });
  environment_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI",
                   fmt::format("http://127.0.0.1:{}/v1", endpoint.port()));
  environment_.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file("auth", "pod token\n"));
  EXPECT_EQ(CredentialsProvider({}).get().access_key, "C");
}

// An instance's metadata service: version 2 only.
class FakeInstance {
 public:
  std::string url() const { return fmt::format("http://127.0.0.1:{}/", server_.port()); }
  std::string role = "worker role\n";
  std::string expires = "2099-01-01T00:00:00Z";
  std::atomic<int> handed_out = 0;
  std::atomic<bool> down = false;

 private:
  flox::ServerResponse answer(const flox::ServerRequest& request) {
    if (down) return {.status = 500};
    auto header = [&](const char* name) {
      auto found = request.headers.find(name);
      return found == request.headers.end() ? "" : found->second;
    };
    if (request.path == "/latest/api/token") {
      bool good = request.method == "PUT" && !header("x-aws-ec2-metadata-token-ttl-seconds").empty();
      return good ? flox::ServerResponse{.body = "secret token"} : flox::ServerResponse{.status = 405};
    }
    if (header("x-aws-ec2-metadata-token") != "secret token") return {.status = 401};
    if (request.path == "/latest/meta-data/iam/security-credentials/") return {.body = role};
    if (request.path != "/latest/meta-data/iam/security-credentials/worker role") return {.status = 404};
    return {.body = fmt::format(R"({{"Code":"Success","AccessKeyId":"I{}","SecretAccessKey":"S","Token":"T",)"
                                R"("Expiration":"{}"}})",
                                ++handed_out, expires)};
  }
  flox::HttpServer server_{{.threads = 1},
                           [this](const flox::ServerRequest& request) { return answer(request); }};
};

TEST_F(CredentialsTest, ComeFromTheInstancesRoleAndAreRenewed) {
  FakeInstance instance;
  environment_.set("AWS_EC2_METADATA_DISABLED", "");
  environment_.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url());
  CredentialsProvider provider({});
  Credentials found = provider.get();
  EXPECT_EQ(found.access_key + found.secret_key.reveal() + found.session_token.reveal(), "I1ST");
  EXPECT_EQ(provider.get().access_key, "I1");
  provider.discard();
  instance.expires = "2001-01-01T00:00:00Z";  // never to be kept
  EXPECT_EQ(provider.get().access_key, "I2");
  EXPECT_EQ(provider.get().access_key, "I3");
}

TEST_F(CredentialsTest, StayGoodWhileTheInstanceCannotRenewThem) {
  FakeInstance instance;
  environment_.set("AWS_EC2_METADATA_DISABLED", "");
  environment_.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url());
  Time now = parse_utc("2026-01-01T00:00:00Z");
  CredentialsProvider provider({.now = [&] { return now; }});
  EXPECT_EQ(provider.get().access_key, "I1");
  now = parse_utc("2098-12-31T23:54:59Z");
  EXPECT_EQ(provider.get().access_key, "I1");
  now = parse_utc("2098-12-31T23:55:00Z");  // five minutes before they expire
  EXPECT_EQ(provider.get().access_key, "I2");
  instance.down = true;
  EXPECT_EQ(provider.get().access_key, "I2");
  now = parse_utc("2099-01-01T00:00:01Z");
  EXPECT_THROW(provider.get(), flox::Error);
}

TEST_F(CredentialsTest, AreNotAskedOfAnInstanceWhereThatIsSwitchedOff) {
  FakeInstance instance;
  environment_.set("AWS_EC2_METADATA_DISABLED", "True");
  environment_.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url());
  EXPECT_THROW(CredentialsProvider({}).get(), flox::Error);
  EXPECT_EQ(instance.handed_out, 0);
}

TEST_F(CredentialsTest, SayWhatTheInstanceAnswered) {
  FakeInstance instance;
  instance.role = "";
  environment_.set("AWS_EC2_METADATA_DISABLED", "");
  environment_.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url());
  try {
    CredentialsProvider({}).get();
    FAIL();
  } catch (const flox::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the instance has no role"));
  }
}

TEST_F(CredentialsTest, AreTestOnesForLocalStackOnly) {
  EXPECT_EQ(CredentialsProvider({.fall_back_to_test = true}).get().access_key, "test");
  try {
    CredentialsProvider({}).get();
    FAIL();
  } catch (const flox::Error& error) {
    EXPECT_EQ(error.kind(), flox::ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("no AWS credentials"));
    EXPECT_THAT(error.advice(), HasSubstr("AWS_ACCESS_KEY_ID"));
  }
}

}  // namespace
}  // namespace ticket::aws
