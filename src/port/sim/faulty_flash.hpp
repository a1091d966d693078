// A flash file system in memory whose power can be cut at any operation.
//
// Every change is a numbered operation: write, truncate, sync, creating, renaming and removing a name, and
// sync_directory. cut_at(k) cuts the power during operation k: it and everything after it answers
// FsError::io. power_on() then decides what the medium holds:
//
//   - content written before the last completed sync() of the file is there;
//   - of later writes: all lost, or torn (some whole, one only in part or with a garbage page, the rest
//   lost),
//     or reordered (every page kept, lost or garbage on its own);
//   - names changed before the last completed sync_directory() are there;
//   - of later changes of names: all lost, or the first few kept, or each on its own as long as the earlier
//     changes of the same names are kept. A rename happens whole or not at all.
//
// A garbage page spoils older content in the same page. Copying a FaultyFlash copies the medium and what is
// in flight: simulations branch that way. The same seed gives the same outcome. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file_system.hpp"
#include "core/base/random.hpp"

namespace mqboard::port::sim {

inline constexpr std::size_t kFlashPage = 256;

enum class Damage : std::uint8_t { lost, torn, reordered };
inline constexpr Damage kDamages[] = {Damage::lost, Damage::torn, Damage::reordered};
std::string_view name(Damage damage);

class FaultyFlash final : public FileSystem {
 public:
  FaultyFlash();

  // Operations since construction, power_on() or restart_count().
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  void restart_count() { operations_ = 0; }
  // Cuts the power during the operation with this number, counting from 1; 0 never.
  void cut_at(std::uint64_t operation) { cut_at_ = operation; }
  [[nodiscard]] bool is_off() const { return off_; }
  // Cuts the power now, if it is still on, and brings the medium back with this damage.
  void power_on(Damage damage, std::uint64_t seed);

  // The operation with this number fails with `error` and does nothing.
  void fail_at(std::uint64_t operation, FsError error) { fail_at_ = operation, failure_ = error; }
  // More content than this answers no_space; 0: no limit.
  void set_capacity(std::uint64_t bytes) { capacity_bytes_ = bytes; }
  // Spoils one byte of a file's content as the medium might.
  FsResult<void> flip_bit(std::string_view path, std::uint64_t offset);
  // Names and contents as a number: equal for equal trees.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint(0); }

  FsResult<FileId> open(std::string_view path, OpenMode mode) override;
  FsResult<std::size_t> read(FileId file, MutableBytes into) override;
  FsResult<std::size_t> write(FileId file, Bytes data) override;
  FsResult<std::uint64_t> seek(FileId file, std::int64_t offset, SeekFrom from) override;
  FsResult<void> truncate(FileId file, std::uint64_t size_bytes) override;
  FsResult<void> sync(FileId file) override;
  FsResult<FileInfo> stat(FileId file) override;
  FsResult<void> close(FileId file) override;

  FsResult<FileInfo> stat(std::string_view path) override;
  FsResult<void> list(std::string_view directory, DirectoryVisitor& visitor) override;
  FsResult<void> make_directory(std::string_view path) override;
  FsResult<void> remove_file(std::string_view path) override;
  FsResult<void> remove_directory(std::string_view path) override;
  FsResult<void> rename(std::string_view from, std::string_view to) override;
  FsResult<void> sync_directory(std::string_view path) override;
  FsResult<FlashSpace> space() override;

 private:
  using Node = std::size_t;  // index into nodes_; 0 is the root
  using Names = std::map<std::string, Node, std::less<>>;
  using Content = std::vector<std::uint8_t>;

  struct Change {  // of a file's content, not synced
    bool truncates = false;
    std::uint64_t offset = 0;  // or the new size
    Content data;
  };
  struct NodeState {
    bool is_directory = false;
    Content content, durable_content;
    std::vector<Change> changes;
    Names names, durable_names;
  };
  struct Entry {
    Node directory = 0;
    std::string name;
    bool operator==(const Entry&) const = default;
  };
  struct NameChange {  // not synced
    std::optional<Entry> removed;
    std::optional<Entry> added;
    Node node = 0;
  };
  struct Handle {
    Node node = 0;
    std::uint64_t offset = 0;
    OpenMode mode{};
    bool open = false;
  };
  struct Place {
    Entry entry;               // where the name is or would be
    std::optional<Node> node;  // what it is
  };

  FsResult<Place> find(std::string_view path) const;
  FsResult<Node> existing(std::string_view path) const;
  FsResult<Handle*> handle(FileId file);
  FileInfo info(Node node) const;
  [[nodiscard]] std::uint64_t fingerprint(Node node) const;
  [[nodiscard]] std::uint64_t used_bytes() const;

  // Counts an operation and runs effect(cut), unless it is to fail. A change whose operation is cut counts as
  // made but not synced.
  template<class Effect>
  FsResult<void> operate(Effect effect);
  void change_name(NameChange change);
  static bool depends(const NameChange& later, const NameChange& earlier);
  void make_durable(const NameChange& change);
  static void apply(Content& content, const Change& change);

  void settle_names(Damage damage, Random& random);
  static void tear(NodeState& node, Random& random);
  static void reorder(NodeState& node, Random& random);
  void drop_unreachable();

  std::vector<NodeState> nodes_;
  std::vector<NameChange> name_changes_;
  std::vector<Handle> handles_;
  std::uint64_t operations_ = 0;
  std::uint64_t cut_at_ = 0;
  std::uint64_t fail_at_ = 0;
  std::uint64_t capacity_bytes_ = 0;
  FsError failure_ = FsError::io;
  bool off_ = false;
};

}  // namespace mqboard::port::sim
