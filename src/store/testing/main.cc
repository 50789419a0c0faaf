// The store's unit tests fetch as the programs do: in a confined process, which is this program again.
#include <gmock/gmock.h>

#include "base/confined/confined.h"
#include "store/fetch/fetcher.h"

int main(int argc, char** argv) {
  flox::store::add_fetcher_job();
  if (const auto code = flox::run_confined_job(argc, argv)) return *code;
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
