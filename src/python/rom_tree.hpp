// The read-only file system at /rom: several Roms laid over each other, the first that has a file wins.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "python/rom.hpp"

namespace mqboard::python {

// Immutable after construction, so any thread may read it.
class RomTree {
 public:
  struct Node {
    bool directory = false;
    std::string_view text;
    std::vector<std::string> names;  // entries of a directory
  };

  explicit RomTree(std::span<const Rom> roms);

  // `path` without the mount point: "" is the root, else "asyncio/__init__.py". Null when there is none.
  [[nodiscard]] const Node* find(std::string_view path) const;

 private:
  std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace mqboard::python
