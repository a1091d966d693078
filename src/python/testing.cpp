#include "python/testing.hpp"

#include <algorithm>
#include <stdexcept>

namespace mqboard::python::testing {

namespace {

constexpr auto kDeadline = std::chrono::seconds(120);

template<class Done>
void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, const char* what,
                Done done) {
  if (!changed.wait_for(lock, kDeadline, done)) throw std::runtime_error(std::string("timed out: ") + what);
}

std::unexpected<FsError> failure(FsError error) { return std::unexpected(error); }

}  // namespace

FsResult<std::string> MemoryFileSystem::normal(std::string_view path) const {
  if (path.size() > kMaxPath) return failure(FsError::too_long);
  std::string result;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (name.size() > kMaxFileName) return failure(FsError::too_long);
    if (name == "..") {
      if (result.empty()) return failure(FsError::escapes);
      result.resize(result.rfind('/'));
    } else {
      result.append("/").append(name);
    }
  }
  return result;
}

FsResult<std::shared_ptr<MemoryFileSystem::Node>> MemoryFileSystem::parent_of(const std::string& path) {
  const std::string parent = path.substr(0, path.rfind('/'));
  if (parent.empty()) return nullptr;
  const auto found = nodes_.find(parent);
  if (found == nodes_.end()) return failure(FsError::not_found);
  if (!found->second->directory) return failure(FsError::not_a_directory);
  return found->second;
}

MemoryFileSystem::Open* MemoryFileSystem::find(FileId file) {
  const auto found = open_.find(static_cast<std::int32_t>(file));
  return found == open_.end() ? nullptr : &found->second;
}

std::uint64_t MemoryFileSystem::used() const {
  std::uint64_t total = 0;
  for (const auto& [path, node] : nodes_) total += node->data.size();
  return total;
}

bool MemoryFileSystem::has_entries(const std::string& path) const {
  const auto next = nodes_.upper_bound(path + "/");
  return next != nodes_.end() && next->first.starts_with(path + "/");
}

FsResult<FileId> MemoryFileSystem::open(std::string_view path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  const auto whole = normal(path);
  if (!whole) return failure(whole.error());
  if (whole->empty()) return failure(FsError::is_a_directory);
  if (const auto parent = parent_of(*whole); !parent) return failure(parent.error());
  auto found = nodes_.find(*whole);
  if (found == nodes_.end()) {
    if (!has(mode, OpenMode::create)) return failure(FsError::not_found);
    found = nodes_.emplace(*whole, std::make_shared<Node>(Node{.inode = ++last_inode_})).first;
  } else if (has(mode, OpenMode::create) && has(mode, OpenMode::exclusive)) {
    return failure(FsError::exists);
  }
  if (found->second->directory) return failure(FsError::is_a_directory);
  if (has(mode, OpenMode::truncate)) found->second->data.clear();
  open_[++last_id_] = {found->second, mode};
  return FileId{last_id_};
}

FsResult<std::size_t> MemoryFileSystem::read(FileId file, MutableBytes into) {
  const std::lock_guard lock(mutex_);
  Open* open = find(file);
  if (open == nullptr || !has(open->mode, OpenMode::read)) return failure(FsError::invalid);
  const std::string& data = open->node->data;
  const std::size_t from = std::min<std::size_t>(open->position, data.size());
  const std::size_t count = std::min(into.size(), data.size() - from);
  std::copy_n(data.data() + from, count, into.data());
  open->position += count;
  return count;
}

FsResult<std::size_t> MemoryFileSystem::write(FileId file, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  Open* open = find(file);
  if (open == nullptr || !has(open->mode, OpenMode::write)) return failure(FsError::invalid);
  if (failing_writes) return failure(fail_writes_with);
  std::string& data = open->node->data;
  if (has(open->mode, OpenMode::append)) open->position = data.size();
  const std::uint64_t end = open->position + bytes.size();
  if (end > data.size() && used() + (end - data.size()) > quota_bytes_) return failure(FsError::no_space);
  if (end > data.size()) data.resize(end);
  std::ranges::copy(bytes, data.begin() + static_cast<std::ptrdiff_t>(open->position));
  open->position = end;
  return bytes.size();
}

FsResult<std::uint64_t> MemoryFileSystem::seek(FileId file, std::int64_t offset, SeekFrom from) {
  const std::lock_guard lock(mutex_);
  Open* open = find(file);
  if (open == nullptr) return failure(FsError::invalid);
  const std::uint64_t base = from == SeekFrom::start     ? 0
                             : from == SeekFrom::current ? open->position
                                                         : open->node->data.size();
  const auto target = static_cast<std::int64_t>(base) + offset;
  if (target < 0) return failure(FsError::invalid);
  open->position = static_cast<std::uint64_t>(target);
  return open->position;
}

FsResult<void> MemoryFileSystem::truncate(FileId file, std::uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  Open* open = find(file);
  if (open == nullptr) return failure(FsError::invalid);
  open->node->data.resize(size_bytes);
  return {};
}

FsResult<void> MemoryFileSystem::sync(FileId) { return {}; }

FsResult<FileInfo> MemoryFileSystem::stat(FileId file) {
  const std::lock_guard lock(mutex_);
  Open* open = find(file);
  if (open == nullptr) return failure(FsError::invalid);
  return FileInfo{.size_bytes = open->node->data.size(), .inode = open->node->inode};
}

FsResult<void> MemoryFileSystem::close(FileId file) {
  const std::lock_guard lock(mutex_);
  if (open_.erase(static_cast<std::int32_t>(file)) == 0) return failure(FsError::invalid);
  return {};
}

FsResult<FileInfo> MemoryFileSystem::stat(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto whole = normal(path);
  if (!whole) return failure(whole.error());
  if (whole->empty()) return FileInfo{.kind = FileInfo::Kind::directory, .inode = 1};
  if (const auto parent = parent_of(*whole); !parent) return failure(parent.error());
  const auto found = nodes_.find(*whole);
  if (found == nodes_.end()) return failure(FsError::not_found);
  const Node& node = *found->second;
  return FileInfo{.kind = node.directory ? FileInfo::Kind::directory : FileInfo::Kind::file,
                  .size_bytes = node.data.size(),
                  .modified_s = 1'700'000'000,
                  .inode = node.inode};
}

FsResult<void> MemoryFileSystem::list(std::string_view directory, DirectoryVisitor& visitor) {
  std::vector<std::pair<std::string, FileInfo>> entries;
  {
    const std::lock_guard lock(mutex_);
    const auto whole = normal(directory);
    if (!whole) return failure(whole.error());
    if (!whole->empty()) {
      const auto found = nodes_.find(*whole);
      if (found == nodes_.end()) return failure(FsError::not_found);
      if (!found->second->directory) return failure(FsError::not_a_directory);
    }
    const std::string prefix = *whole + "/";
    for (auto at = nodes_.upper_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix); ++at) {
      if (at->first.find('/', prefix.size()) != std::string::npos) continue;
      const auto kind = at->second->directory ? FileInfo::Kind::directory : FileInfo::Kind::file;
      entries.emplace_back(
          at->first.substr(prefix.size()),
          FileInfo{.kind = kind, .size_bytes = at->second->data.size(), .inode = at->second->inode});
    }
  }
  for (const auto& [name, info] : entries) {
    if (!visitor.entry(name, info)) break;
  }
  return {};
}

FsResult<void> MemoryFileSystem::make_directory(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto whole = normal(path);
  if (!whole) return failure(whole.error());
  if (whole->empty() || nodes_.contains(*whole)) return failure(FsError::exists);
  if (const auto parent = parent_of(*whole); !parent) return failure(parent.error());
  nodes_[*whole] = std::make_shared<Node>(Node{.directory = true, .inode = ++last_inode_});
  return {};
}

FsResult<void> MemoryFileSystem::remove_file(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto whole = normal(path);
  if (!whole) return failure(whole.error());
  const auto found = nodes_.find(*whole);
  if (found == nodes_.end()) return failure(whole->empty() ? FsError::is_a_directory : FsError::not_found);
  if (found->second->directory) return failure(FsError::is_a_directory);
  nodes_.erase(found);
  return {};
}

FsResult<void> MemoryFileSystem::remove_directory(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto whole = normal(path);
  if (!whole) return failure(whole.error());
  const auto found = nodes_.find(*whole);
  if (found == nodes_.end()) return failure(whole->empty() ? FsError::access : FsError::not_found);
  if (!found->second->directory) return failure(FsError::not_a_directory);
  if (has_entries(*whole)) return failure(FsError::not_empty);
  nodes_.erase(found);
  return {};
}

FsResult<void> MemoryFileSystem::rename(std::string_view from, std::string_view to) {
  const std::lock_guard lock(mutex_);
  const auto source = normal(from);
  const auto target = normal(to);
  if (!source || !target) return failure(source ? target.error() : source.error());
  const auto found = nodes_.find(*source);
  if (found == nodes_.end()) return failure(FsError::not_found);
  if (const auto parent = parent_of(*target); !parent) return failure(parent.error());
  std::map<std::string, std::shared_ptr<Node>> moved{{*target, found->second}};
  const std::string prefix = *source + "/";
  for (auto at = nodes_.upper_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix);) {
    moved[*target + at->first.substr(source->size())] = at->second;
    at = nodes_.erase(at);
  }
  nodes_.erase(*source);
  for (auto& [path, node] : moved) nodes_[path] = node;
  return {};
}

FsResult<void> MemoryFileSystem::sync_directory(std::string_view) { return {}; }

FsResult<FlashSpace> MemoryFileSystem::space() {
  const std::lock_guard lock(mutex_);
  return FlashSpace{.total_bytes = quota_bytes_, .free_bytes = quota_bytes_ - used()};
}

void MemoryFileSystem::put(const std::string& path, std::string_view text) {
  const std::lock_guard lock(mutex_);
  nodes_[path] = std::make_shared<Node>(Node{.data = std::string(text), .inode = ++last_inode_});
}

std::string MemoryFileSystem::text(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? "(missing)" : found->second->data;
}

std::size_t MemoryFileSystem::open_files() {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void Result::output(Bytes chunk) {
  const std::lock_guard lock(mutex_);
  output_ += as_text(chunk);
  ++chunks_;
  changed_.notify_all();
}

void Result::done(Outcome outcome) {
  const std::lock_guard lock(mutex_);
  if (outcome_) throw std::logic_error("done twice");
  outcome_ = std::move(outcome);
  changed_.notify_all();
}

const Outcome& Result::wait() {
  std::unique_lock lock(mutex_);
  wait_until(lock, changed_, "job", [this] { return outcome_.has_value(); });
  return *outcome_;
}

void Result::wait_for_output(std::string_view text) {
  std::unique_lock lock(mutex_);
  wait_until(lock, changed_, "output", [&] { return output_.find(text) != std::string::npos; });
}

bool Result::is_done() {
  const std::lock_guard lock(mutex_);
  return outcome_.has_value();
}

std::string Result::output() {
  const std::lock_guard lock(mutex_);
  return output_;
}

std::size_t Result::chunks() {
  const std::lock_guard lock(mutex_);
  return chunks_;
}

void Watcher::console(Stream stream, Bytes line) {
  const std::lock_guard lock(mutex_);
  lines_.push_back((stream == Stream::out ? "out: " : "err: ") + std::string(as_text(line)));
  changed_.notify_all();
}

bool Watcher::crashed(const Crash& crash) {
  const std::lock_guard lock(mutex_);
  crashes_.push_back(crash);
  changed_.notify_all();
  return restart;
}

void Watcher::started(unsigned generation) {
  const std::lock_guard lock(mutex_);
  generation_ = generation;
  changed_.notify_all();
}

void Watcher::wait_for_line(std::string_view text) {
  std::unique_lock lock(mutex_);
  wait_until(lock, changed_, "console line", [&] {
    return std::ranges::any_of(lines_,
                               [&](const std::string& line) { return line.find(text) != std::string::npos; });
  });
}

void Watcher::wait_for_generation(unsigned generation) {
  std::unique_lock lock(mutex_);
  wait_until(lock, changed_, "restart", [&] { return generation_ >= generation; });
}

std::vector<std::string> Watcher::lines() {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::vector<Crash> Watcher::crashes() {
  const std::lock_guard lock(mutex_);
  return crashes_;
}

Python::Python(Limits limits, std::vector<HostModule> modules, Clock& clock)
    : runtime(Options{.flash = flash,
                      .observer = watcher,
                      .clock = clock,
                      .limits = limits,
                      .modules = std::move(modules)}) {
  runtime.start();
}

std::shared_ptr<Result> Python::start_eval(std::string source) {
  auto result = std::make_shared<Result>();
  runtime.eval(std::move(source), result);
  return result;
}

std::shared_ptr<Result> Python::start_exec(std::string source, std::string name) {
  auto result = std::make_shared<Result>();
  runtime.exec(std::move(source), std::move(name), result);
  return result;
}

Outcome Python::eval(std::string source) { return start_eval(std::move(source))->wait(); }

std::string Python::run(std::string source) {
  const auto result = start_exec(std::move(source));
  const Outcome& outcome = result->wait();
  if (outcome.status == Outcome::Status::ok) return result->output();
  return result->output() + "status " + std::to_string(static_cast<int>(outcome.status)) + ": " +
         outcome.text;
}

std::string Python::value(std::string source) {
  const Outcome outcome = eval(std::move(source));
  return outcome.status == Outcome::Status::ok ? outcome.text : last_line(outcome.text);
}

std::string last_line(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t start = text.rfind('\n');
  return std::string(start == std::string_view::npos ? text : text.substr(start + 1));
}

}  // namespace mqboard::python::testing
