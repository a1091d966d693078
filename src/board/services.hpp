// What the operations of an operator may use of the board.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file_system.hpp"
#include "core/base/hasher.hpp"
#include "core/base/time.hpp"
#include "core/boot/reset.hpp"
#include "core/command/status.hpp"
#include "core/command/transfer.hpp"
#include "python/runtime.hpp"

namespace mqboard::board {

class LogService;

// The interpreter as the services use it: python::Runtime, or a test's stand-in.
class Interpreter {
 public:
  virtual python::JobId eval(std::string source, std::shared_ptr<python::JobSink> sink) = 0;
  virtual python::JobId exec(std::string source, std::string name, std::shared_ptr<python::JobSink> sink) = 0;
  virtual python::JobId complete(std::string prefix, std::shared_ptr<python::JobSink> sink) = 0;
  virtual void interrupt() = 0;
  virtual bool interrupt(python::JobId job) = 0;

 protected:
  ~Interpreter() = default;
};

// How a run of the board ended, and how it wants to be started again.
struct Ending {
  boot::ResetRequest request = boot::ResetRequest::none;  // none: it was stopped
  boot::ResetOrigin origin = boot::ResetOrigin::operator_;
  boot::ModeRequest mode = boot::ModeRequest::none;
  std::chrono::milliseconds sleep{0};
  bool starved = false;  // a watchdog wants it
};

struct CrashSummary {
  std::string name;
  std::uint64_t size_bytes = 0;
  std::int64_t time_s = 0;  // UTC; 0: not known
  std::string headline;
};

// The crash reports the board keeps.
class CrashReports {
 public:
  virtual std::vector<CrashSummary> list() = 0;
  virtual std::expected<std::string, FsError> read(std::string_view name) = 0;
  virtual std::expected<void, FsError> remove(std::string_view name) = 0;

 protected:
  ~CrashReports() = default;
};

// Who installs. The functions are called only while his sink lives.
struct UpdateOperator {
  std::string who;                      // for others to read, e.g. "session 1f2e"
  std::function<TimePoint()> heard_at;  // the last sign of life
  std::function<void()> ask;            // for another one; null: he cannot be asked
  // Another installation took the place of his, whose sink takes nothing more. May destroy the sink.
  std::function<void(const command::Status&)> displaced;
};

// Where an update goes. Destroyed after commit, abort or suspend.
class UpdateSink : public command::TransferSink {
 public:
  virtual ~UpdateSink() = default;

  // What Updates::resume() found: the whole image, installed already, or `bytes` of one with this hash.
  struct Found {
    bool identical = false;
    std::uint64_t bytes = 0;
    Sha256 hash{};
  };
  [[nodiscard]] virtual Found found() const { return {}; }
  virtual command::Status go_on() { return {command::StatusCode::internal, ""}; }  // behind what was found
  virtual void suspend() { abort(); }                                              // keeps what has arrived
};

// The firmware slots.
class Updates {
 public:
  // Begins writing the inactive slot; `announced` is the SHA-256 of the whole image file.
  virtual Result<std::unique_ptr<UpdateSink>, command::Status> open(const Sha256& announced,
                                                                    UpdateOperator installer) = 0;
  // … and finds what there is of it.
  virtual Result<std::unique_ptr<UpdateSink>, command::Status> resume(const Sha256& announced,
                                                                      UpdateOperator installer) {
    return open(announced, std::move(installer));
  }
  // The last refusal was for now: whoever installs must show first that he is there. Try again.
  [[nodiscard]] virtual bool undecided() const { return false; }
  virtual command::Status confirm() = 0;
  virtual command::Status roll_back() = 0;  // takes effect with the next reset
  virtual std::string status_json() = 0;

 protected:
  ~Updates() = default;
};

struct Services {
  FileSystem& files;
  Hasher& hasher;
  Interpreter& interpreter;
  LogService& log;
  CrashReports* crashes = nullptr;  // null: the board keeps none
  Updates* updates = nullptr;       // null: the board has no slots
  // Puts under way, by path and hash, and what makes each give way to a newer one of the same.
  std::map<std::string, std::function<void()>> uploads{};
  // For the board's log, e.g. (20, "put /main.py: 1234 bytes"); levels as in config.hpp.
  std::function<void(int level, std::string_view)> report{};
  std::function<std::string()> info_json{};
  std::function<void(const Ending&)> end{};
  // A logger's level was changed: tell Python and keep it.
  std::function<void(std::string_view logger, int level)> level_changed{};
  // Calls a function on the I/O thread after so long, unless the board is gone by then.
  std::function<void(std::chrono::milliseconds, std::function<void()>)> after{};
};

}  // namespace mqboard::board
