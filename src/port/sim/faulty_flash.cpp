#include "port/sim/faulty_flash.hpp"

#include <algorithm>
#include <functional>

namespace mqboard::port::sim {
namespace {

constexpr std::size_t kMaxHandles = 64;

}  // namespace

FaultyFlash::FaultyFlash() : nodes_(1) { nodes_[0].is_directory = true; }

template<class Effect>
FsResult<void> FaultyFlash::operate(Effect effect) {
  if (off_) return Failure{FsError::io};
  ++operations_;
  if (operations_ == fail_at_) return Failure{failure_};
  off_ = operations_ == cut_at_;
  effect(off_);
  if (off_) return Failure{FsError::io};
  return {};
}

FsResult<FaultyFlash::Place> FaultyFlash::find(std::string_view path) const {
  if (path.size() > kMaxPath) return Failure{FsError::too_long};
  if (path.find('\0') != std::string_view::npos) return Failure{FsError::invalid};
  std::vector<Node> way{0};
  Place place{.entry = {}, .node = 0};
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(path.size(), slash + 1));
    if (part.empty() || part == ".") continue;
    if (part.size() > kMaxFileName) return Failure{FsError::too_long};
    if (!place.node) return Failure{FsError::not_found};
    if (!nodes_[*place.node].is_directory) return Failure{FsError::not_a_directory};
    if (part == "..") {
      if (way.size() == 1) return Failure{FsError::escapes};
      way.pop_back();
      place = {.entry = {}, .node = way.back()};
      continue;
    }
    const Names& names = nodes_[*place.node].names;
    const auto found = names.find(part);
    place.entry = {.directory = *place.node, .name = std::string(part)};
    place.node = found == names.end() ? std::nullopt : std::optional(found->second);
    if (place.node) way.push_back(*place.node);
  }
  return place;
}

FsResult<FaultyFlash::Node> FaultyFlash::existing(std::string_view path) const {
  if (off_) return Failure{FsError::io};
  const auto place = find(path);
  if (!place) return Failure{place.error()};
  if (!place->node) return Failure{FsError::not_found};
  return *place->node;
}

FsResult<FaultyFlash::Handle*> FaultyFlash::handle(FileId file) {
  if (off_) return Failure{FsError::io};
  const auto index = static_cast<std::size_t>(file);
  if (index >= handles_.size() || !handles_[index].open) return Failure{FsError::invalid};
  return &handles_[index];
}

FileInfo FaultyFlash::info(Node node) const {
  const NodeState& state = nodes_[node];
  return {.kind = state.is_directory ? FileInfo::Kind::directory : FileInfo::Kind::file,
          .size_bytes = state.content.size(),
          .modified_s = 0,
          .inode = node};
}

std::uint64_t FaultyFlash::fingerprint(Node node) const {
  const NodeState& state = nodes_[node];
  const auto hash = [](Bytes bytes) { return std::uint64_t{std::hash<std::string_view>{}(as_text(bytes))}; };
  Random mix(hash(state.content) + (state.is_directory ? 1 : 0));
  std::uint64_t result = mix.next();
  for (const auto& [entry, child] : state.names) {
    result = Random(result ^ hash(as_bytes(entry))).next() + fingerprint(child);
  }
  return result;
}

std::uint64_t FaultyFlash::used_bytes() const {
  std::uint64_t total = 0;
  for (const NodeState& directory : nodes_) {
    for (const auto& [entry, node] : directory.names) total += nodes_[node].content.size();
  }
  return total;
}

void FaultyFlash::apply(Content& content, const Change& change) {
  if (change.truncates) return content.resize(change.offset);
  content.resize(std::max<std::size_t>(content.size(), change.offset + change.data.size()));
  std::ranges::copy(change.data, content.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

void FaultyFlash::change_name(NameChange change) {
  if (change.removed) nodes_[change.removed->directory].names.erase(change.removed->name);
  if (change.added) nodes_[change.added->directory].names[change.added->name] = change.node;
  name_changes_.push_back(std::move(change));
}

FsResult<FileId> FaultyFlash::open(std::string_view path, OpenMode mode) {
  if (off_) return Failure{FsError::io};
  const auto place = find(path);
  if (!place) return Failure{place.error()};
  if (!has(mode, OpenMode::read) && !has(mode, OpenMode::write)) return Failure{FsError::invalid};
  if (!place->node && !has(mode, OpenMode::create)) return Failure{FsError::not_found};
  if (place->node && has(mode, OpenMode::create) && has(mode, OpenMode::exclusive)) {
    return Failure{FsError::exists};
  }
  if (place->node && nodes_[*place->node].is_directory) return Failure{FsError::is_a_directory};
  const auto slot = std::ranges::find_if(handles_, [](const Handle& held) { return !held.open; });
  if (slot == handles_.end() && handles_.size() == kMaxHandles) return Failure{FsError::too_many_open};
  const auto index = slot - handles_.begin();
  if (slot == handles_.end()) handles_.emplace_back();

  Node node = place->node.value_or(nodes_.size());
  if (!place->node) {
    const auto created = operate([&](bool) {
      nodes_.emplace_back();
      change_name({.removed = {}, .added = place->entry, .node = node});
    });
    if (!created) return Failure{created.error()};
  }
  Handle& opened = handles_[static_cast<std::size_t>(index)];
  opened = {.node = node, .offset = 0, .mode = mode, .open = true};
  const auto file = static_cast<FileId>(index);
  if (has(mode, OpenMode::truncate) && !nodes_[node].content.empty()) {
    if (const auto emptied = truncate(file, 0); !emptied) {
      opened.open = false;
      return Failure{emptied.error()};
    }
  }
  return file;
}

FsResult<std::size_t> FaultyFlash::read(FileId file, MutableBytes into) {
  const auto found = handle(file);
  if (!found) return Failure{found.error()};
  Handle& reading = **found;
  if (!has(reading.mode, OpenMode::read)) return Failure{FsError::access};
  const Content& content = nodes_[reading.node].content;
  if (reading.offset >= content.size()) return 0;
  const std::size_t count = std::min<std::size_t>(into.size(), content.size() - reading.offset);
  std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(reading.offset), count, into.begin());
  reading.offset += count;
  return count;
}

FsResult<std::size_t> FaultyFlash::write(FileId file, Bytes data) {
  const auto found = handle(file);
  if (!found) return Failure{found.error()};
  Handle& writing = **found;
  if (!has(writing.mode, OpenMode::write)) return Failure{FsError::access};
  if (data.empty()) return 0;
  NodeState& node = nodes_[writing.node];
  if (has(writing.mode, OpenMode::append)) writing.offset = node.content.size();
  if (capacity_bytes_ != 0 && used_bytes() + data.size() > capacity_bytes_) return Failure{FsError::no_space};
  const auto written = operate([&](bool) {
    node.changes.push_back(
        {.truncates = false, .offset = writing.offset, .data = {data.begin(), data.end()}});
    apply(node.content, node.changes.back());
  });
  if (!written) return Failure{written.error()};
  writing.offset += data.size();
  return data.size();
}

FsResult<std::uint64_t> FaultyFlash::seek(FileId file, std::int64_t offset, SeekFrom from) {
  const auto found = handle(file);
  if (!found) return Failure{found.error()};
  Handle& seeking = **found;
  const auto size = static_cast<std::int64_t>(nodes_[seeking.node].content.size());
  const std::int64_t base = from == SeekFrom::start ? 0
                            : from == SeekFrom::end ? size
                                                    : static_cast<std::int64_t>(seeking.offset);
  if (offset < -base) return Failure{FsError::invalid};
  seeking.offset = static_cast<std::uint64_t>(base + offset);
  return seeking.offset;
}

FsResult<void> FaultyFlash::truncate(FileId file, std::uint64_t size_bytes) {
  const auto found = handle(file);
  if (!found) return Failure{found.error()};
  if (!has((*found)->mode, OpenMode::write)) return Failure{FsError::access};
  NodeState& node = nodes_[(*found)->node];
  return operate([&](bool) {
    node.changes.push_back({.truncates = true, .offset = size_bytes, .data = {}});
    apply(node.content, node.changes.back());
  });
}

FsResult<void> FaultyFlash::sync(FileId file) {
  const auto found = handle(file);
  if (!found) return Failure{found.error()};
  NodeState& node = nodes_[(*found)->node];
  return operate([&](bool cut) {
    if (cut) return;
    node.durable_content = node.content;
    node.changes.clear();
  });
}

FsResult<FileInfo> FaultyFlash::stat(FileId file) {
  const auto found = handle(file);
  if (!found) return Failure{found.error()};
  return info((*found)->node);
}

FsResult<void> FaultyFlash::close(FileId file) {
  const auto found = handle(file);
  if (!found) return Failure{found.error()};
  (*found)->open = false;
  return {};
}

FsResult<FileInfo> FaultyFlash::stat(std::string_view path) {
  const auto node = existing(path);
  if (!node) return Failure{node.error()};
  return info(*node);
}

FsResult<void> FaultyFlash::list(std::string_view directory, DirectoryVisitor& visitor) {
  const auto node = existing(directory);
  if (!node) return Failure{node.error()};
  if (!nodes_[*node].is_directory) return Failure{FsError::not_a_directory};
  for (const auto& [entry, target] : nodes_[*node].names) {
    if (!visitor.entry(entry, info(target))) break;
  }
  return {};
}

FsResult<void> FaultyFlash::make_directory(std::string_view path) {
  if (off_) return Failure{FsError::io};
  const auto place = find(path);
  if (!place) return Failure{place.error()};
  if (place->node) return Failure{FsError::exists};
  return operate([&](bool) {
    const Node node = nodes_.size();
    nodes_.emplace_back().is_directory = true;
    change_name({.removed = {}, .added = place->entry, .node = node});
  });
}

FsResult<void> FaultyFlash::remove_file(std::string_view path) {
  const auto node = existing(path);
  if (!node) return Failure{node.error()};
  if (nodes_[*node].is_directory) return Failure{FsError::is_a_directory};
  return operate([&](bool) { change_name({.removed = find(path)->entry, .added = {}, .node = *node}); });
}

FsResult<void> FaultyFlash::remove_directory(std::string_view path) {
  const auto node = existing(path);
  if (!node) return Failure{node.error()};
  if (!nodes_[*node].is_directory) return Failure{FsError::not_a_directory};
  if (!nodes_[*node].names.empty()) return Failure{FsError::not_empty};
  if (*node == 0) return Failure{FsError::invalid};
  return operate([&](bool) { change_name({.removed = find(path)->entry, .added = {}, .node = *node}); });
}

FsResult<void> FaultyFlash::rename(std::string_view from, std::string_view to) {
  const auto node = existing(from);
  if (!node) return Failure{node.error()};
  const auto source = find(from);
  const auto target = find(to);
  if (!target) return Failure{target.error()};
  if (*node == 0 || target->entry.name.empty()) return Failure{FsError::invalid};
  if (target->node == *node) return {};
  if (target->node) {
    const NodeState& replaced = nodes_[*target->node];
    if (replaced.is_directory != nodes_[*node].is_directory) {
      return Failure{replaced.is_directory ? FsError::is_a_directory : FsError::not_a_directory};
    }
    if (!replaced.names.empty()) return Failure{FsError::not_empty};
  }
  return operate(
      [&](bool) { change_name({.removed = source->entry, .added = target->entry, .node = *node}); });
}

FsResult<void> FaultyFlash::sync_directory(std::string_view path) {
  const auto node = existing(path);
  if (!node) return Failure{node.error()};
  if (!nodes_[*node].is_directory) return Failure{FsError::not_a_directory};
  const auto touches = [&](const NameChange& change) {
    return (change.removed && change.removed->directory == *node) ||
           (change.added && change.added->directory == *node);
  };
  return operate([&](bool cut) {
    if (cut) return;
    // A change that is made durable takes along the earlier ones of the same names.
    std::vector<bool> kept(name_changes_.size());
    for (std::size_t i = name_changes_.size(); i-- > 0;) {
      kept[i] = kept[i] || touches(name_changes_[i]);
      for (std::size_t j = 0; kept[i] && j < i; ++j) {
        if (depends(name_changes_[i], name_changes_[j])) kept[j] = true;
      }
    }
    std::vector<NameChange> pending;
    for (std::size_t i = 0; i < name_changes_.size(); ++i) {
      if (kept[i]) make_durable(name_changes_[i]);
      if (!kept[i]) pending.push_back(name_changes_[i]);
    }
    name_changes_ = std::move(pending);
  });
}

FsResult<FlashSpace> FaultyFlash::space() {
  if (off_) return Failure{FsError::io};
  const std::uint64_t total = capacity_bytes_ == 0 ? 1u << 30 : capacity_bytes_;
  return FlashSpace{total, total - std::min(total, used_bytes())};
}

FsResult<void> FaultyFlash::flip_bit(std::string_view path, std::uint64_t offset) {
  const auto node = existing(path);
  if (!node) return Failure{node.error()};
  NodeState& state = nodes_[*node];
  if (offset >= state.content.size()) return Failure{FsError::invalid};
  state.content[offset] ^= 1;
  if (offset < state.durable_content.size()) state.durable_content[offset] ^= 1;
  return {};
}

}  // namespace mqboard::port::sim
