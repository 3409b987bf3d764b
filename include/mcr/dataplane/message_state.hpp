// The life of a message of Tx:
//
//            add()            flush()              accepted
//   unused --------> waiting --------> submitted -----------> sent ------+
//      ^                |              |   |  ^                          |
//      |                |      refused |   |  | flush()                  | no zero-copy
//      |                |      for now v   |  |                          | notification
//      |                |         returned |--+                          | is missing
//      |                |              |   |                             |
//      |                | stop    stop,|   | refused, or cut             |
//      |                |   overtaken  |   | into parts                  |
//      |                +------------->+-->+----------> not_sent --------+
//      |                                                                 |
//      +-----------------------------------------------------------------+
//
// A part of a message that was cut begins as `returned`: it goes before what waits.
#pragma once

#include <cstdint>

namespace mcr {

enum class MessageState : std::uint8_t { unused, waiting, submitted, returned, sent, not_sent };

/// True if the picture has an arrow from one to the other.
[[nodiscard]] constexpr bool can_become(MessageState from, MessageState to) noexcept {
  using enum MessageState;
  switch (from) {
    case unused:
      return to == waiting || to == returned;
    case waiting:
      return to == submitted || to == not_sent;
    case submitted:
      return to == sent || to == returned || to == not_sent;
    case returned:
      return to == submitted || to == not_sent;
    case sent:
    case not_sent:
      return to == unused;
  }
  return false;
}

}  // namespace mcr
