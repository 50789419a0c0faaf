#include "ticket/aws/aws_backend.h"

#include "ticket/aws/dynamodb.h"
#include "ticket/aws/s3.h"
#include "ticket/aws/sqs.h"

namespace ticket::aws {

std::string AwsBackend::description() const {
  const Config& config = client_.config();
  return config.endpoint.empty() ? "AWS in " + config.region : config.endpoint;
}

std::unique_ptr<Queue> AwsBackend::queue(const std::string& name, CancelCheck cancelled) {
  return std::make_unique<SqsQueue>(client_.with_cancel(std::move(cancelled)), name);
}

std::unique_ptr<ObjectStore> AwsBackend::store(CancelCheck cancelled) {
  return std::make_unique<S3Store>(client_.with_cancel(std::move(cancelled)));
}

std::unique_ptr<Table> AwsBackend::table(const std::string& name, CancelCheck cancelled) {
  return std::make_unique<DynamoTable>(client_.with_cancel(std::move(cancelled)), name);
}

void AwsBackend::create(const Resources& wanted, CancelCheck cancelled) {
  Client client = client_.with_cancel(std::move(cancelled));
  create_bucket(client, wanted.raw_bucket);
  create_bucket(client, wanted.enriched_bucket);
  NewQueue queue{.name = wanted.queue,
                 .visibility = wanted.visibility,
                 .max_receives = wanted.max_receives,
                 .writable_by_bucket = wanted.raw_bucket};
  if (!wanted.dead_letter_queue.empty())
    queue.dead_letter_arn = create_queue(client, {.name = wanted.dead_letter_queue});
  std::string arn = create_queue(client, queue);
  if (wanted.announce) notify_queue(client, wanted.raw_bucket, arn);
  create_ticket_table(client, wanted.table);
}

}  // namespace ticket::aws
