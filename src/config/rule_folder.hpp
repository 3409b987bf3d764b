// The folder rules.d: a file for each rule that was added at run time. A change happens as a whole
// or not at all, also when this process is killed or the host loses its power in the midst of it:
// what is unfinished has a name that nobody reads. Throws OsError, and nothing has changed then.
#pragma once

#include <exception>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "folder_removal.hpp"
#include "mcr/base/fd.hpp"

namespace mcr {

/// A file of a rule, as it shall be.
struct RuleFileChange {
  std::optional<std::string> text;  ///< nothing: it goes
  bool added = false;  ///< no rule has the file yet, as far as is known: one that is there stays
};

class RuleFolder {
 public:
  /// By the rule's name.
  using Changes = std::map<std::string, RuleFileChange>;

  /// rules.d in this folder. "": there is none, and nothing may be written.
  explicit RuleFolder(std::string_view parent)
      : path_(parent.empty() ? "" : std::string(parent) + "/rules.d") {}

  [[nodiscard]] bool exists() const noexcept { return !path_.empty(); }
  /// The path of a rule's file. Letters, digits, '-', '_' and '.' stand for themselves, anything
  /// else, and a dot at the beginning, as %XX: so each name has one file, inside of the folder.
  [[nodiscard]] std::string file_of(std::string_view rule) const;

  /// Removes what a killed process has left unfinished. Errors do not matter: it harms nobody.
  void clean() const noexcept;

 private:
  friend class RuleFolderChange;

  /// The folder itself, where rules.d is a link to one.
  [[nodiscard]] std::string real_path() const;

  std::string path_;
};

/// Several files are written from the beginning on, in a thread: what they shall be may be checked
/// meanwhile. What was not committed goes.
class RuleFolderChange {
 public:
  /// `removal` outlives it.
  RuleFolderChange(const RuleFolder& folder, RuleFolder::Changes changes, FolderRemoval& removal);
  RuleFolderChange(const RuleFolderChange&) = delete;
  RuleFolderChange& operator=(const RuleFolderChange&) = delete;
  ~RuleFolderChange();

  /// Makes them, all or none. The folder is made if it is missing. When this returns, the disk has
  /// them. Throws OsError, Failure (config) where a file is there that no rule is known to have.
  void commit();

 private:
  void prepare();
  void change_one();
  void change_many();
  void write_all() noexcept;
  void fill() const;
  void retire() noexcept;

  const std::string lock_path_;
  const std::string path_;   ///< no link
  const std::string draft_;  ///< the folder that is being filled
  const RuleFolder::Changes changes_;
  FolderRemoval& removal_;
  UniqueFd lock_;
  std::thread writer_;
  std::exception_ptr failure_;  ///< the writer's
  bool drafted_ = false;        ///< there is something at `draft_`
};

}  // namespace mcr
