// The specification language of `mqboard sync`, as the Python mqboard's mqsync defined it.
//
//   # comment
//   <target directory>: [--check-only] [--no-update]
//     <file> [<file> ...]                       shell wildcards * ? [] allowed
//     <source directory>: <file> [<file> ...]
//     <source directory>: <file>-><new name>    renamed on the board; no wildcards
//
// A block's files end up in the target directory itself, whatever directory they come from. Source paths are
// relative to where mqboard runs. --check-only never changes anything; --no-update puts missing files but
// leaves differing ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_status.hpp"

namespace mqboard::cli {

struct SyncFile {
  std::string source;  // path here; may have wildcards
  std::string name;    // on the board; empty: that of the source
  friend bool operator==(const SyncFile&, const SyncFile&) = default;
};

struct SyncBlock {
  std::string directory;
  bool check_only = false;
  bool no_update = false;
  std::vector<SyncFile> files;
  friend bool operator==(const SyncBlock&, const SyncBlock&) = default;
};

// Failures name the line.
[[nodiscard]] Result<std::vector<SyncBlock>> parse_sync_spec(std::string_view text, std::string_view name);

// Replaces wildcards by the files they match here, in order; a pattern without match is a failure.
[[nodiscard]] Result<std::vector<SyncFile>> expand(const std::vector<SyncFile>& files);

}  // namespace mqboard::cli
