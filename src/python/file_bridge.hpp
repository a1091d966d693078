// The interpreter's system calls on files, mapped to the board's flash and to the ROM at /rom. This is the
// wall of the sandbox: a path is made absolute here, "." and ".." resolved as names, before anything sees it.
//
// Every call answers 0 or more, or a negative errno. Flash is durable as
// on a board: a file that was written is synced when it is closed, a directory when a name in it changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/file_system.hpp"
#include "python/rom_tree.hpp"

namespace mqboard::python {

class FileBridge {
 public:
  struct Stat {
    bool directory = false;
    bool read_only = false;
    std::uint64_t size_bytes = 0;
    std::int64_t modified_s = 0;
    std::uint64_t inode = 1;
  };
  struct Entry {
    std::string name;
    bool directory = false;
    std::uint64_t inode = 1;
  };

  FileBridge(FileSystem& flash, const RomTree& rom, std::size_t open_files)
      : flash_(flash), rom_(rom), limit_(open_files) {}
  ~FileBridge();  // closes what is open
  FileBridge(const FileBridge&) = delete;
  FileBridge& operator=(const FileBridge&) = delete;

  std::int32_t open(std::string_view path, std::uint32_t flags);
  std::int32_t close(std::int32_t descriptor);
  std::int32_t read(std::int32_t descriptor, MutableBytes into);
  std::int32_t write(std::int32_t descriptor, Bytes data);
  std::int32_t seek(std::int32_t descriptor, std::int64_t offset, std::uint32_t whence,
                    std::uint64_t& position);
  std::int32_t sync(std::int32_t descriptor);
  std::int32_t stat(std::int32_t descriptor, Stat& stat);
  // The next entry of a directory opened for reading. 0: no more. An entry not consumed is offered again.
  std::int32_t next_entry(std::int32_t descriptor, Entry& entry, bool consume);

  std::int32_t stat(std::string_view path, Stat& stat);
  std::int32_t make_directory(std::string_view path);
  std::int32_t remove_file(std::string_view path);
  std::int32_t remove_directory(std::string_view path);
  std::int32_t rename(std::string_view from, std::string_view to);
  std::int32_t change_directory(std::string_view path);
  [[nodiscard]] const std::string& current_directory() const { return current_; }
  std::int32_t space(FlashSpace& space);

 private:
  struct FlashFile {
    FileId id;
    bool written = false;
  };
  struct RomFileOpen {
    std::string_view text;
    std::size_t position = 0;
  };
  struct Directory {
    std::vector<Entry> entries;
    std::size_t position = 0;
  };
  struct Closed {};
  using OpenFile = std::variant<Closed, FlashFile, RomFileOpen, Directory>;

  // Absolute and normal ("/", "/a/b"). Nothing when it leads above the root.
  [[nodiscard]] std::optional<std::string> absolute(std::string_view path) const;
  std::int32_t open_directory(const std::string& path);
  std::int32_t open_flash(const std::string& path, std::uint32_t flags);
  std::int32_t add(OpenFile file);
  OpenFile* find(std::int32_t descriptor);
  template<class Change>
  std::int32_t change_name(std::string_view path, Change change);

  FileSystem& flash_;
  const RomTree& rom_;
  std::size_t limit_;
  std::vector<OpenFile> files_;  // descriptor 3 first: 0 to 2 are the console
  std::string current_ = "/";
};

}  // namespace mqboard::python
