// Standard output of a command. Nothing else may write to it: a result that is not written (a full
// disk, a closed pipe) must never end in exit code 0.
#pragma once

#include <string_view>

namespace mcr {

/// Writes all of it to standard output, unbuffered; waits for a slow reader. Throws OsError, which
/// main() turns into exit code 71. SIGPIPE must be ignored.
void write_output(std::string_view text);

/// Opens /dev/null for whichever of the descriptors 0 to 2 is closed: a socket or file that took
/// one of these numbers would get what others write to standard output and error. They are opened
/// the wrong way round (0 for writing, 1 and 2 for reading), so that using them fails as it did
/// while they were closed. Call it before anything opens a descriptor. Throws OsError.
void occupy_standard_descriptors();

}  // namespace mcr
