// The legs that are in use, so that a rule which stays keeps what is known of its stream, and an
// input its number. Control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mcr/redundancy/legs.hpp"

namespace mcr {
struct Input;
struct Rule;
}  // namespace mcr

namespace mcr::redundancy {

class LegRegistry {
 public:
  LegRegistry();
  ~LegRegistry();
  LegRegistry(LegRegistry&&) noexcept;
  LegRegistry& operator=(LegRegistry&&) noexcept;

  /// The rule's: the same ones as before, unless `merge` has changed (but for `window` and `pace`),
  /// or more inputs have come and gone than there are numbers. Null: the rule has no legs. Throws
  /// OsError.
  std::shared_ptr<Legs> get(const Rule& rule);

  /// Those that get() gave, while something holds them; else null.
  [[nodiscard]] std::shared_ptr<Legs> find(const Rule& rule) const;

  /// Forgets legs that nothing else holds and no worker will come back to.
  void sweep();

  /// The number of an input among the legs that get() gave.
  [[nodiscard]] std::size_t number_of(const Rule& rule, const Input& input) const;

  /// The input without that which may change while it stays the same one.
  [[nodiscard]] static Input identity_of(const Input& input);

 private:
  struct Known {
    std::optional<Merge> merge;
    std::vector<Input> inputs;  ///< by number
    std::weak_ptr<Legs> legs;
  };

  [[nodiscard]] static bool same_legs(const Known& known, const Rule& rule);
  [[nodiscard]] static bool add_inputs(Known& known, const Rule& rule);

  std::map<std::string, Known> known_;
  std::vector<std::shared_ptr<Legs>> given_;  ///< a worker may come back to some after their table
};

}  // namespace mcr::redundancy
