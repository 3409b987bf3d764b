// The counters of a merged rule as a whole.
#pragma once

#include "mcr/base/counter.hpp"

namespace mcr::redundancy {

/// Written by the worker of the rule's lane. Valid as all zeroes.
struct MergeCounts {
  Counter span;        ///< numbers from the first to the highest, of all runs of the sender
  Counter numbers;     ///< of these, those that went on
  Counter resets;      ///< the sender has begun anew
  Counter mismatches;  ///< datagrams of one number that are no copies
  // With order = "sequence".
  Counter waiting;  ///< datagrams that wait now
  Counter early;    ///< that went on before their time, since there was no room for more
};

}  // namespace mcr::redundancy
