// The decisions of Tx: zero-copy, segmentation, quotas, and the states of a message.
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "mcr/dataplane/message_state.hpp"
#include "mcr/dataplane/quota.hpp"
#include "mcr/dataplane/segmentation_policy.hpp"
#include "mcr/dataplane/zerocopy_policy.hpp"

using namespace mcr;

namespace {

GsoBatch batch(std::uint32_t bytes, std::uint32_t pages = 1) {
  GsoBatch result;
  result.segment = result.bytes = bytes;
  result.datagrams = result.pieces = 1;
  result.pages = pages;
  return result;
}

constexpr std::uint32_t large = 1400;

/// Messages that are copied before one is sent without a copy; 0: the next one is.
std::uint32_t copies_before(ZerocopyPolicy& policy, ZerocopyHistory& history,
                            std::uint32_t at_most = 1U << 22U) {
  std::uint32_t copies = 0;
  while (copies < at_most && !policy.wants(history, batch(large)))
    ++copies;
  return copies;
}

}  // namespace

TEST_CASE("zero-copy is for messages that are worth it") {
  struct Row {
    std::string what;
    bool supported;
    std::uint32_t bytes;
    std::uint32_t pages;
    bool wanted;
  };
  const std::vector<Row> rows{
      {"a large one", true, large, 1, true},
      {"the smallest", true, 1024, 1, true},
      {"a small one", true, 1023, 1, false},
      {"as many pages as the kernel takes", true, 60'000, 17, true},
      {"more pages", true, 60'000, 18, false},
      {"a kernel without", false, large, 1, false},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    ZerocopyPolicy policy(row.supported);
    ZerocopyHistory history;
    CHECK(policy.wants(history, batch(row.bytes, row.pages)) == row.wanted);
  }
}

TEST_CASE("where the kernel copies all the same, an output copies for a while") {
  ZerocopyPolicy policy(true);
  ZerocopyHistory history;
  ZerocopyHistory other;
  for (int i = 0; i < 7; ++i)
    ZerocopyPolicy::learn(history, true);
  CHECK(copies_before(policy, history) == 0);
  ZerocopyPolicy::learn(history, false);  // the row is broken
  for (int i = 0; i < 8; ++i)
    ZerocopyPolicy::learn(history, true);
  CHECK(copies_before(policy, other) == 0);
  CHECK(ZerocopyPolicy::page_limit(history, large) == gso_limits::copied_pages);
  CHECK(copies_before(policy, history) == 1024);
  CHECK(ZerocopyPolicy::page_limit(history, large) == gso_limits::pages);
  ZerocopyPolicy::learn(history, true);  // one more failure of the next try is enough
  CHECK(copies_before(policy, history) == 1024);
}

TEST_CASE("small pieces are gathered to be copied") {
  CHECK(ZerocopyPolicy::page_limit({}, 512) == gso_limits::pages);
  CHECK(ZerocopyPolicy::page_limit({}, 511) == gso_limits::copied_pages);
}

TEST_CASE("without memory to pin all outputs copy, each time twice as long") {
  ZerocopyPolicy policy(true);
  ZerocopyHistory history;
  CHECK(policy.on_trial());
  policy.accepted();
  CHECK_FALSE(policy.on_trial());
  for (const std::uint32_t copies : {1024U, 2048U, 4096U}) {
    policy.no_memory();
    CHECK(policy.on_trial());
    policy.no_memory();  // others of the same round: no news
    CHECK(copies_before(policy, history) == copies);
  }
  for (int i = 0; i < 20; ++i) {
    policy.no_memory();
    copies_before(policy, history);
  }
  policy.no_memory();
  CHECK(copies_before(policy, history) == ZerocopyPolicy::most_copies_before_retry);
  for (std::uint32_t i = 0; i < ZerocopyPolicy::most_copies_before_retry; ++i)
    policy.accepted();
  policy.no_memory();
  CHECK(copies_before(policy, history) == 1024);
}

TEST_CASE("a kernel that refuses zero-copy is never asked again") {
  ZerocopyPolicy policy(true);
  ZerocopyHistory history;
  policy.unsupported();
  CHECK_FALSE(policy.supported());
  CHECK(copies_before(policy, history, 100'000) == 100'000);
}

TEST_CASE("a path that refuses segments gets single datagrams for a while") {
  SegmentationPolicy policy;
  CHECK(policy.gathers());
  CHECK_FALSE(policy.accepted_before());
  CHECK(policy.accepted());
  CHECK_FALSE(policy.accepted());  // no news
  CHECK(policy.accepted_before());
  policy.refused();
  CHECK_FALSE(policy.accepted_before());
  std::uint32_t single = 0;
  while (!policy.gathers())
    ++single;
  CHECK(single == SegmentationPolicy::single_before_retry);
  CHECK(policy.gathers());
}

TEST_CASE("what refuses a segmented send as such") {
  for (const int error : {EMSGSIZE, EINVAL, EIO})
    CHECK(SegmentationPolicy::is_refusal(error));
  for (const int error : {EAGAIN, ENOBUFS, ENOMEM, EPERM, ENETDOWN, ECONNREFUSED})
    CHECK_FALSE(SegmentationPolicy::is_refusal(error));
}

TEST_CASE("what a blocked slot may hold") {
  struct Row {
    std::string what;
    Stock stock;
    std::uint32_t held;
    bool full;
  };
  const std::vector<Row> rows{
      {"little, of plenty", {4096, 4096, 512, 512, true}, 255, false},
      {"its share of buffers", {4096, 4096, 512, 512, true}, 256, true},
      {"a quarter of the messages is left", {1024, 4096, 512, 512, true}, 0, false},
      {"fewer messages", {1023, 4096, 512, 512, true}, 0, true},
      {"a quarter of the buffers is left", {4096, 4096, 128, 512, true}, 0, false},
      {"fewer buffers", {4096, 4096, 127, 512, true}, 0, true},
      {"no room for content of blocks", {4096, 4096, 512, 512, false}, 0, true},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    CHECK(quota::blocked_slot_is_full(row.stock, row.held) == row.full);
  }
}

TEST_CASE("what zero-copy sends may pin") {
  struct Row {
    std::string what;
    Stock stock;
    std::uint32_t by_slot;
    std::uint32_t by_all;
    bool may;
  };
  const std::vector<Row> rows{
      {"half of the buffers is free: all may", {4096, 4096, 256, 512, true}, 256, 512, true},
      {"fewer: a slot half of them", {4096, 4096, 255, 512, true}, 255, 255, true},
      {"and no more", {4096, 4096, 255, 512, true}, 256, 256, false},
      {"all slots three quarters", {4096, 4096, 128, 512, true}, 0, 383, true},
      {"and no more", {4096, 4096, 128, 512, true}, 0, 384, false},
      {"messages are short", {1023, 4096, 512, 512, true}, 0, 0, false},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    CHECK(quota::may_pin(row.stock, row.by_slot, row.by_all, 1) == row.may);
  }
}

TEST_CASE("copies of one frame pin its buffer once") {
  const auto pins = std::make_unique<Pins>();
  pins->add(3);
  pins->add(3);
  pins->add(4);
  CHECK(pins->buffers() == 2);
  pins->remove(3);
  CHECK(pins->buffers() == 2);
  pins->remove(3);
  CHECK(pins->buffers() == 1);
}

TEST_CASE("a message goes by the arrows of its picture") {
  using enum MessageState;
  const std::vector all{unused, waiting, submitted, returned, sent, not_sent};
  const std::vector<std::pair<MessageState, MessageState>> arrows{
      {unused, waiting},    {unused, returned},    {waiting, submitted},  {waiting, not_sent},
      {submitted, sent},    {submitted, returned}, {submitted, not_sent}, {returned, submitted},
      {returned, not_sent}, {sent, unused},        {not_sent, unused},
  };
  for (const auto from : all)
    for (const auto to : all)
      CHECK(can_become(from, to) ==
            (std::ranges::find(arrows, std::pair(from, to)) != arrows.end()));
}
