// The folder rules.d: a file for each rule that was added at run time. A change happens as a whole
// or not at all, also when this process is killed or the host loses its power in the midst of it:
// what is unfinished has a name that nobody reads. Throws OsError, and nothing has changed then.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "mcr/base/fd.hpp"

namespace mcr {

class RuleFolder {
 public:
  /// The text of each rule that changes, by its name; nothing: it goes.
  using Changes = std::map<std::string, std::optional<std::string>>;

  /// rules.d in this folder. "": there is none, and nothing may be written.
  explicit RuleFolder(std::string_view parent)
      : path_(parent.empty() ? "" : std::string(parent) + "/rules.d") {}

  [[nodiscard]] bool exists() const noexcept { return !path_.empty(); }
  /// The path of a rule's file. Letters, digits, '-', '_' and '.' stand for themselves, anything
  /// else, and a dot at the beginning, as %XX: so each name has one file, inside of the folder.
  [[nodiscard]] std::string file_of(std::string_view rule) const;

  /// Makes them, all or none. The folder is made if it is missing. When this returns, the disk has
  /// them.
  void change(const Changes& changes) const;

  /// Removes what a killed process has left unfinished. Errors do not matter: it harms nobody.
  void clean() const noexcept;

 private:
  [[nodiscard]] UniqueFd lock() const;
  void change_one(const std::string& name, const std::optional<std::string>& text) const;
  void change_many(const Changes& changes) const;
  void fill(const std::string& path, const Changes& changes) const;

  std::string path_;
};

}  // namespace mcr
