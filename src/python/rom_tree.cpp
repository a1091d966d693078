#include "python/rom_tree.hpp"

#include <algorithm>

namespace mqboard::python {

RomTree::RomTree(std::span<const Rom> roms) {
  nodes_[""].directory = true;
  for (const Rom& rom : roms) {
    for (const RomFile& file : rom) {
      if (nodes_.contains(file.path)) continue;
      nodes_[std::string(file.path)].text = file.text;
      std::string_view child = file.path;
      for (bool known = false; !known && !child.empty();) {
        const std::size_t slash = child.rfind('/');
        const std::string_view parent = slash == std::string_view::npos ? "" : child.substr(0, slash);
        known = nodes_.contains(parent) && !parent.empty();
        Node& directory = nodes_[std::string(parent)];
        directory.directory = true;
        directory.names.emplace_back(slash == std::string_view::npos ? child : child.substr(slash + 1));
        child = parent;
      }
    }
  }
  for (auto& [path, node] : nodes_) std::ranges::sort(node.names);
}

const RomTree::Node* RomTree::find(std::string_view path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

}  // namespace mqboard::python
