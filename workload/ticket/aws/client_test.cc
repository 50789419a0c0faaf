#include "ticket/aws/client.h"

#include <fmt/chrono.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "base/net/server/http_server.h"
#include "ticket/aws/answer.h"
#include "ticket/aws/dynamodb.h"
#include "ticket/aws/s3.h"
#include "ticket/aws/sqs.h"
#include "ticket/testing/hostile_texts.h"
#include "ticket/testing/scoped_environment.h"

namespace ticket::aws {
namespace {

using flox::ErrorKind;
using flox::ServerRequest;
using flox::ServerResponse;
using testing::HasSubstr;

// A service that gives its answers one after the other, the last one for ever.
class FakeService {
 public:
  explicit FakeService(std::vector<ServerResponse> answers)
      : answers_(answers.begin(), answers.end()),
        server_({.threads = 1}, [this](const ServerRequest& request) {
          std::lock_guard lock(mutex_);
          requests_.push_back(request);
          ServerResponse answer = answers_.front();
          if (answers_.size() > 1) answers_.pop_front();
          return answer;
        }) {}
  std::string url() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }
  std::vector<ServerRequest> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  std::mutex mutex_;
  std::deque<ServerResponse> answers_;
  std::vector<ServerRequest> requests_;
  flox::HttpServer server_;
};

class AwsClient : public testing::Test {
 protected:
  AwsClient() {
    environment_.set("AWS_ACCESS_KEY_ID", "key");
    environment_.set("AWS_SECRET_ACCESS_KEY", "secret");
  }
  Client client_of(const FakeService& service) {
    return Client(Config{.region = "eu-central-1", .endpoint = service.url()});
  }
  ScopedEnvironment environment_;
};

ErrorKind kind_of(const std::function<void()>& call, std::string* message = nullptr) {
  try {
    call();
  } catch (const flox::Error& error) {
    if (message != nullptr) *message = error.what();
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::internal;
}

TEST_F(AwsClient, TriesAgainAfterServerErrorsAndThrottling) {
  FakeService service(
      {{.status = 503}, {.status = 400, .body = R"({"__type":"x#ThrottlingException"})"}, {.body = "{}"}});
  EXPECT_EQ(client_of(service).call_json("sqs", "AmazonSQS.ListQueues", "{}"), "{}");
  EXPECT_EQ(service.requests().size(), 3u);
}

TEST_F(AwsClient, GivesUpAfterFourAttemptsAndSaysWhatTheServiceSaid) {
  FakeService service({{.status = 500, .body = R"({"__type":"InternalFailure","message":"out of order"})"}});
  std::string message;
  EXPECT_EQ(kind_of([&] { client_of(service).call_json("sqs", "AmazonSQS.ListQueues", "{}"); }, &message),
            ErrorKind::unavailable);
  EXPECT_THAT(message, HasSubstr("AmazonSQS.ListQueues: InternalFailure: out of order (HTTP 500)"));
  EXPECT_EQ(service.requests().size(), 4u);
}

TEST_F(AwsClient, DoesNotRepeatWhatWasRefusedForGood) {
  FakeService service(
      {{.status = 400, .body = R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"})"}});
  SqsQueue queue(client_of(service), "missing");
  std::string message;
  EXPECT_EQ(kind_of([&] { queue.traits(); }, &message), ErrorKind::not_found);
  EXPECT_THAT(message, HasSubstr("looking for the queue missing"));
  EXPECT_EQ(service.requests().size(), 1u);
}

TEST_F(AwsClient, ReadsCodeAndTextOfAnXmlRefusalAndOfNothingElse) {
  const auto answer = [](const char* body) {
    return flox::HttpResponse{.status = 404, .headers = {}, .body = body};
  };
  const auto s3 = answer(
      "<?xml version=\"1.0\"?>\n<Error xmlns='x'><Code a='b'>NoSuchKey</Code><Message>no "
      "&lt;key&gt;</Message></Error>");
  EXPECT_EQ(error_code(s3), "NoSuchKey");
  EXPECT_EQ(error_text(s3), "no <key>");
  for (const char* other : {"<Error><Code>NoSuchKey</Code>",
                            "<!DOCTYPE a [<!ENTITY x 'y'>]><a><Code>&x;</Code></a>", "<html>", "Code", ""})
    EXPECT_EQ(error_code(answer(other)), "") << other;
}

TEST_F(AwsClient, SignsForRegionAndService) {
  FakeService service({{.body = "{}"}});
  client_of(service).call_json("dynamodb", "DynamoDB_20120810.ListTables", "{}");
  auto request = service.requests().at(0);
  EXPECT_THAT(request.headers["authorization"], HasSubstr("/eu-central-1/dynamodb/aws4_request"));
  EXPECT_EQ(request.headers["x-amz-target"], "DynamoDB_20120810.ListTables");
  EXPECT_EQ(request.headers["content-type"], "application/x-amz-json-1.0");
}

TEST_F(AwsClient, StopsBetweenAttemptsWhenCancelled) {
  FakeService service({ServerResponse{.status = 503}});
  int asked = 0;
  Client client = client_of(service).with_cancel([&] { return ++asked > 3; });
  EXPECT_EQ(kind_of([&] { client.call_json("sqs", "AmazonSQS.ListQueues", "{}"); }), ErrorKind::unavailable);
  EXPECT_LT(service.requests().size(), 4u);
}

TEST_F(AwsClient, BelievesTheServicesClockWhenItsOwnIsWrong) {
  auto service_time = std::chrono::system_clock::now() + std::chrono::hours(5);
  std::string date = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                                 fmt::gmtime(std::chrono::system_clock::to_time_t(service_time)));
  FakeService service({{.status = 403,
                        .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                        .headers = {{"Date", date}}},
                       ServerResponse{}});
  S3Store(client_of(service)).put("bucket", "key", "content");
  auto requests = service.requests();
  ASSERT_EQ(requests.size(), 2u);
  Time first = parse_utc("2000-01-01T00:00:00");
  std::string stamp = requests[1].headers["x-amz-date"];  // 20261123T120000Z
  Time second =
      parse_utc(fmt::format("{}-{}-{}T{}:{}:{}", stamp.substr(0, 4), stamp.substr(4, 2), stamp.substr(6, 2),
                            stamp.substr(9, 2), stamp.substr(11, 2), stamp.substr(13, 2)));
  EXPECT_GT(second, first);
  EXPECT_LT(std::chrono::abs(second - service_time), std::chrono::minutes(1));
}

TEST_F(AwsClient, AsksForNewCredentialsWhenTheServiceCallsThemExpired) {
  FakeService endpoint({{.body = R"({"AccessKeyId":"OLD","SecretAccessKey":"S"})"},
                        {.body = R"({"AccessKeyId":"NEW","SecretAccessKey":"S"})"}});
  FakeService service({{.status = 400, .body = R"({"__type":"x#ExpiredTokenException"})"}, {.body = "{}"}});
  environment_.set("AWS_ACCESS_KEY_ID", "");
  environment_.set("AWS_SECRET_ACCESS_KEY", "");
  environment_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint.url());
  client_of(service).call_json("dynamodb", "DynamoDB_20120810.ListTables", "{}");
  ASSERT_EQ(service.requests().size(), 2u);
  EXPECT_THAT(service.requests()[0].headers["authorization"], HasSubstr("Credential=OLD/"));
  EXPECT_THAT(service.requests()[1].headers["authorization"], HasSubstr("Credential=NEW/"));
}

TEST_F(AwsClient, TellsMissingObjectsFromMissingBuckets) {
  FakeService no_key({{.status = 404, .body = "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>"}});
  EXPECT_EQ(S3Store(client_of(no_key)).get("bucket", "key", 100), std::nullopt);
  FakeService no_bucket({{.status = 404, .body = "<Error><Code>NoSuchBucket</Code></Error>"}});
  EXPECT_EQ(kind_of([&] { S3Store(client_of(no_bucket)).get("bucket", "key", 100); }), ErrorKind::not_found);
}

TEST_F(AwsClient, RefusesObjectsOverTheLimit) {
  FakeService service({{.status = 206, .body = std::string(101, 'x')}});
  EXPECT_EQ(kind_of([&] { S3Store(client_of(service)).get("bucket", "key", 100); }),
            ErrorKind::invalid_input);
  EXPECT_EQ(service.requests().at(0).headers["range"], "bytes=0-100");
}

TEST_F(AwsClient, ReportsAnUnmetConditionAsSuch) {
  FakeService object_exists({{.status = 412, .body = "<Error><Code>PreconditionFailed</Code></Error>"}});
  EXPECT_FALSE(S3Store(client_of(object_exists)).put_if_absent("bucket", "key", "content"));
  EXPECT_EQ(object_exists.requests().at(0).headers["if-none-match"], "*");
  FakeService item_exists(
      {{.status = 400,
        .body = R"({"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"})"}});
  EXPECT_FALSE(
      DynamoTable(client_of(item_exists), "t").put_if_absent({{"ticket_id", "T"}, {"created_at", 1}}));
  EXPECT_THAT(item_exists.requests().at(0).body, HasSubstr("attribute_not_exists(ticket_id)"));
}

TEST_F(AwsClient, AddressesBucketsByPathAtAnEndpointAndByHostAtAws) {
  Config own{.endpoint = "http://localhost:4566"};
  EXPECT_EQ(object_url(own, "b", "a b/c=d.json"), "http://localhost:4566/b/a%20b/c%3Dd.json");
  Config aws{.region = "eu-west-1"};
  EXPECT_EQ(object_url(aws, "b", "k"), "https://b.s3.eu-west-1.amazonaws.com/k");
  EXPECT_EQ(object_url(aws, "b.c", "k"), "https://s3.eu-west-1.amazonaws.com/b.c/k");
  EXPECT_EQ(Config{.region = "cn-north-1"}.endpoint_of("sqs"), "https://sqs.cn-north-1.amazonaws.com.cn");
  for (const char* key : {"..", "a/../b", "./a"}) EXPECT_THROW(object_url(own, "b", key), flox::Error) << key;
}

TEST_F(AwsClient, WritesTextsAndNumbersAsDynamoDbWantsThem) {
  EXPECT_EQ(to_attributes({{"a", "x"}, {"n", 12}}).dump(), R"({"a":{"S":"x"},"n":{"N":"12"}})");
}

TEST_F(AwsClient, ReadsRegionAndEndpointsFromTheEnvironment) {
  EXPECT_EQ(Config::from_environment().region, "us-east-1");
  environment_.set("AWS_DEFAULT_REGION", "eu-west-2");
  EXPECT_EQ(Config::from_environment().region, "eu-west-2");
  environment_.set("AWS_REGION", "eu-west-3");
  EXPECT_EQ(Config::from_environment().region, "eu-west-3");
  environment_.set("USE_LOCALSTACK", "TRUE");
  EXPECT_EQ(Config::from_environment().endpoint_of("sqs"), "http://localhost:4566");
  environment_.set("AWS_ENDPOINT_URL", "https://one.example/");
  environment_.set("AWS_ENDPOINT_URL_S3", "https://two.example");
  EXPECT_EQ(Config::from_environment().endpoint_of("sqs"), "https://one.example");
  EXPECT_EQ(Config::from_environment().endpoint_of("s3"), "https://two.example");
  environment_.set("AWS_ENDPOINT_URL", "localhost:4566");
  EXPECT_THROW(Config::from_environment(), flox::Error);
}

TEST_F(AwsClient, AnswersThatNoServiceGivesAreRefused) {
  for (const std::string& value : nested_values(1'000'000)) {
    FakeService service({{.body = R"({"Messages":)" + value + "}"}});
    EXPECT_EQ(kind_of([&] { SqsQueue(client_of(service), "q").depth(); }), ErrorKind::unavailable);
    EXPECT_EQ(kind_of([&] { DynamoTable(client_of(service), "t").check(); }), ErrorKind::unavailable);
    FakeService refusal({{.status = 400, .body = R"({"__type":)" + value + "}"}});
    EXPECT_EQ(kind_of([&] { client_of(refusal).call_json("sqs", "AmazonSQS.ListQueues", "{}"); }),
              ErrorKind::invalid_input);
  }
  // Members of a form that no service gives count as absent.
  for (const char* body :
       {R"({"QueueUrl":"u","Messages":7})", R"({"QueueUrl":"u","Messages":[7,{"Attributes":[]}]})",
        R"({"QueueUrl":"u","Messages":[{"Attributes":{"ApproximateReceiveCount":"-9e9"}}]})"}) {
    FakeService odd({{.body = body}});
    for (const Message& message :
         SqsQueue(client_of(odd), "q").receive(10, std::chrono::seconds(0), std::nullopt, nullptr))
      EXPECT_EQ(message.receive_count, 1);
  }
}

}  // namespace
}  // namespace ticket::aws
