// Operations on the flash other than transfers.
#include <algorithm>
#include <deque>
#include <vector>

#include "board/operation.hpp"
#include "board/services.hpp"
#include "board/text.hpp"

namespace mqboard::board {

using command::Field;
using command::FieldWriter;
using command::RecordKind;
using command::Request;
using command::Status;
using command::StatusCode;

namespace {

constexpr std::size_t kMaxDepth = 32;

std::string joined(std::string_view directory, std::string_view name) {
  if (directory.empty() || directory == "/") return concat(directory, name);
  return concat(directory, directory.ends_with('/') ? "" : "/", name);
}

void describe_file(FieldWriter& fields, const FileInfo& info) {
  fields.number(Field::kind, info.kind == FileInfo::Kind::directory ? 1 : 0)
      .number(Field::size, info.size_bytes)
      .number(Field::modified_s, static_cast<std::uint64_t>(std::max<std::int64_t>(0, info.modified_s)));
}

struct Entry {
  std::string name;
  FileInfo info;
};

// The entries of a directory by name. Fails with too_long when it has more than anybody could want to see.
FsResult<std::vector<Entry>> read_directory(FileSystem& files, const std::string& path) {
  constexpr std::size_t kMost = 10'000;
  struct Collector final : DirectoryVisitor {
    bool entry(std::string_view name, const FileInfo& info) override {
      entries.push_back({std::string(name), info});
      return entries.size() < kMost;
    }
    std::vector<Entry> entries;
  } collector;
  if (const auto listed = files.list(path, collector); !listed) return Failure<FsError>(listed.error());
  if (collector.entries.size() == kMost) return Failure<FsError>(FsError::too_long);
  std::ranges::sort(collector.entries, {}, &Entry::name);
  return std::move(collector.entries);
}

// Names are relative to the directory asked for. One directory is read at a time; its entries leave as the
// reply has room.
class List final : public Operation {
 public:
  List(const Request& request, Services& services, Reply& reply)
      : services_(services),
        reply_(reply),
        root_(request.path()),
        recursive_(request.fields.flag(Field::recursive)),
        hashes_(request.fields.flag(Field::hashes)) {
    const auto info = services_.files.stat(root_);
    if (!info) {
      reply_.finish(command::file_status(info.error(), root_));
    } else if (info->kind == FileInfo::Kind::directory) {
      directories_.push_back("");
    } else {
      single_ = true;
      entries_.push_back({root_.substr(root_.find_last_of('/') + 1), *info});
    }
  }

  void pump() override {
    constexpr std::size_t kEntriesAtOnce = 500;
    std::uint64_t hashed = 0;
    for (std::size_t count = 0; reply_.room() > command::kMaxFieldRecord; ++count) {
      if (entries_.empty() && !next_directory()) return;
      if (entries_.empty()) continue;
      if (count == kEntriesAtOnce || hashed > 4 * 1024 * 1024) return reply_.wake()();
      const Entry entry = std::move(entries_.front());
      entries_.pop_front();
      if (hashes_ && entry.info.kind == FileInfo::Kind::file) hashed += entry.info.size_bytes;
      write(entry);
      const bool descend = recursive_ && entry.info.kind == FileInfo::Kind::directory;
      if (descend && std::ranges::count(entry.name, '/') < static_cast<std::ptrdiff_t>(kMaxDepth)) {
        directories_.push_back(entry.name);
      }
    }
  }

 private:
  // False when there is none left, or it cannot be read: the reply is finished then.
  bool next_directory() {
    if (directories_.empty()) return reply_.finish(), false;
    const std::string directory = std::move(directories_.front());
    directories_.pop_front();
    auto found = read_directory(services_.files, joined(root_, directory));
    if (!found) {
      // A directory that was removed meanwhile is no failure; the one asked for is.
      if (!directory.empty() && found.error() == FsError::not_found) return true;
      return reply_.finish(command::file_status(found.error(), joined(root_, directory))), false;
    }
    for (auto& entry : *found) {
      entries_.push_back(
          {directory.empty() ? std::move(entry.name) : joined(directory, entry.name), entry.info});
    }
    return true;
  }

  void write(const Entry& entry) {
    std::optional<Sha256> hash;
    if (hashes_ && entry.info.kind == FileInfo::Kind::file) {
      if (const auto found = hash_file(services_.files, single_ ? root_ : joined(root_, entry.name)))
        hash = *found;
    }
    reply_.fields(RecordKind::entry, [&](FieldWriter& fields) {
      fields.text(Field::name, entry.name);
      describe_file(fields, entry.info);
      if (hash) fields.bytes(Field::sha256, *hash);
    });
  }

  Services& services_;
  Reply& reply_;
  const std::string root_;
  const bool recursive_, hashes_;
  bool single_ = false;
  std::deque<std::string> directories_;  // still to be read
  std::deque<Entry> entries_;            // still to be written
};

// An operation that is over when it was made.
class Done final : public Operation {};

Status stat_path(const Request& request, Services& services, Reply& reply) {
  const std::string path(request.path());
  const auto info = services.files.stat(path);
  if (!info) return command::file_status(info.error(), path);
  std::optional<Sha256> hash;
  if (request.fields.flag(Field::hashes) && info->kind == FileInfo::Kind::file) {
    const auto found = hash_file(services.files, path);
    if (!found) return command::file_status(found.error(), path);
    hash = *found;
  }
  reply.fields(RecordKind::head, [&](FieldWriter& fields) {
    describe_file(fields, *info);
    if (hash) fields.bytes(Field::sha256, *hash);
  });
  return {};
}

// A directory's name is durable once its parent is synced.
FsResult<void> sync_parent(FileSystem& files, std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.find_last_of('/');
  return files.sync_directory(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

Status make_directory(const Request& request, Services& services) {
  const std::string path(request.path());
  const bool parents = request.fields.flag(Field::parents);
  for (std::size_t slash = path.find('/', 1); parents && slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string ancestor = path.substr(0, slash);
    const auto made = services.files.make_directory(ancestor);
    if (!made && made.error() != FsError::exists) return command::file_status(made.error(), ancestor);
  }
  if (const auto made = services.files.make_directory(path); !made) {
    const auto there = services.files.stat(path);
    const bool is_directory = there && there->kind == FileInfo::Kind::directory;
    if (parents && made.error() == FsError::exists && is_directory) return {};
    return command::file_status(made.error(), path);
  }
  static_cast<void>(sync_parent(services.files, path));
  return {};
}

// Removes what is beneath `path`, deepest first, and `path` itself.
Status remove_tree(FileSystem& files, const std::string& path, std::size_t depth) {
  if (depth > kMaxDepth) return {StatusCode::too_large, concat(path, ": nested too deeply")};
  const auto entries = read_directory(files, path);
  if (!entries) return command::file_status(entries.error(), path);
  for (const auto& entry : *entries) {
    const std::string inner = joined(path, entry.name);
    if (entry.info.kind == FileInfo::Kind::directory) {
      if (const Status removed = remove_tree(files, inner, depth + 1); !removed.ok()) return removed;
    } else if (const auto removed = files.remove_file(inner); !removed) {
      return command::file_status(removed.error(), inner);
    }
  }
  if (const auto removed = files.remove_directory(path); !removed)
    return command::file_status(removed.error(), path);
  return {};
}

Status remove_path(const Request& request, Services& services) {
  const std::string path(request.path());
  if (path.find_first_not_of('/') == std::string::npos)
    return {StatusCode::invalid, "/: the flash itself stays"};
  const auto removed = services.files.remove_file(path);
  Status status;
  if (!removed && removed.error() == FsError::is_a_directory && request.fields.flag(Field::recursive)) {
    status = remove_tree(services.files, path, 0);
  } else if (!removed) {
    if (removed.error() == FsError::not_found && request.fields.flag(Field::missing_ok)) return {};
    status = command::file_status(removed.error(), path);
  }
  if (!status.ok()) return status;
  static_cast<void>(sync_parent(services.files, path));
  services.report(20, concat("removed ", path));
  return {};
}

Status remove_directory(const Request& request, Services& services) {
  const std::string path(request.path());
  if (const auto removed = services.files.remove_directory(path); !removed) {
    return command::file_status(removed.error(), path);
  }
  static_cast<void>(sync_parent(services.files, path));
  return {};
}

Status rename_path(const Request& request, Services& services) {
  const std::string from(request.path());
  std::string to(request.fields.text(Field::to).value_or(""));
  // Into a directory: under the old name.
  if (const auto target = services.files.stat(to); target && target->kind == FileInfo::Kind::directory) {
    to = joined(to, from.substr(from.find_last_of('/') + 1));
  }
  if (const auto renamed = services.files.rename(from, to); !renamed) {
    const bool missing = !services.files.stat(from);
    return command::file_status(renamed.error(), missing ? from : to);
  }
  static_cast<void>(sync_parent(services.files, to));
  static_cast<void>(sync_parent(services.files, from));
  services.report(20, concat("renamed ", from, " to ", to));
  return {};
}

Status tell_space(Services& services, Reply& reply) {
  const auto space = services.files.space();
  if (!space) return command::file_status(space.error(), "/");
  reply.fields(RecordKind::head, [&](FieldWriter& fields) {
    fields.number(Field::size, space->total_bytes).number(Field::free, space->free_bytes);
  });
  return {};
}

Status touch_file(const Request& request, Services& services) {
  const std::string path(request.path());
  const auto file = services.files.open(path, OpenMode::write | OpenMode::create);
  if (!file) return command::file_status(file.error(), path);
  // Setting the length to what it is updates the time of modification.
  const auto info = services.files.stat(*file);
  auto done = info ? services.files.truncate(*file, info->size_bytes)
                   : FsResult<void>(Failure<FsError>(info.error()));
  if (const auto closed = services.files.close(*file); !closed && done) done = closed;
  static_cast<void>(sync_parent(services.files, path));
  if (!done) return command::file_status(done.error(), path);
  return {};
}

}  // namespace

std::unique_ptr<Operation> make_file_operation(const Request& request, Services& services, Reply& reply) {
  using Kind = command::Operation;
  switch (request.operation) {
    case Kind::get:
    case Kind::put:
      return make_transfer_operation(request, services, reply);
    case Kind::list:
      return std::make_unique<List>(request, services, reply);
    case Kind::stat:
      reply.finish(stat_path(request, services, reply));
      break;
    case Kind::make_dir:
      reply.finish(make_directory(request, services));
      break;
    case Kind::remove:
      reply.finish(remove_path(request, services));
      break;
    case Kind::remove_dir:
      reply.finish(remove_directory(request, services));
      break;
    case Kind::rename:
      reply.finish(rename_path(request, services));
      break;
    case Kind::space:
      reply.finish(tell_space(services, reply));
      break;
    case Kind::touch:
      reply.finish(touch_file(request, services));
      break;
    default:
      return nullptr;
  }
  return std::make_unique<Done>();
}

}  // namespace mqboard::board
