// Serves the commands of the v1 wire: eval, get, put, ota and interrupt (docs/WIRE.md).
//
// Nothing here waits: files are read and written in place, evals run on the Python thread, replies leave
// through the outbox. Memory: kMaxStreams transfers and kMaxEvals evals at once, each with a bounded buffer;
// sources that wait or run hold at most kMaxSourceBytes together. More is refused, one error reply each.
// Threads: the I/O thread only.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <memory>

#include "board/outbox.hpp"
#include "board/output_pipe.hpp"
#include "board/services.hpp"
#include "core/command/v1.hpp"

namespace mqboard::board {

class V1Service {
 public:
  static constexpr std::size_t kMaxEvals = 16;
  static constexpr std::size_t kMaxSourceBytes = 2 * 1024 * 1024;
  // A reply up to this goes out as one message, as the original's does; longer ones are streamed.
  static constexpr std::size_t kReplyBytes = 16 * 1024;
  // Output of code that still runs is shown after so long.
  static constexpr Millis kLiveAfter{100};
  // A print() that waits for the connection for so long goes on; the reply ends with an error.
  static constexpr Millis kStuckAfter{10'000};

  struct Environment {
    std::string prefix;
    Outbox& outbox;
    Services& services;
    // Runs a function on the I/O thread soon; called from any thread.
    std::function<void(std::function<void()>)> post;
    // The last eval under way was answered. May be empty; called while the outbox takes messages.
    std::function<void()> idle = {};
  };

  explicit V1Service(Environment environment);
  ~V1Service();
  V1Service(const V1Service&) = delete;
  V1Service& operator=(const V1Service&) = delete;

  struct Request {
    std::string_view topic;
    Bytes payload;
    bool retained = false;
    bool duplicate = false;
  };
  // A message beneath `<prefix>/mqb/cmd/`. False when it is none of v1's.
  bool handle(const Request& request, TimePoint now);

  // Looks after what depends on time; call every kLiveAfter while busy().
  void tick(TimePoint now);
  // Gives up requests whose sender is gone; call now and then.
  void expire(TimePoint now);
  [[nodiscard]] bool busy() const;

  // A request is being worked on: an eval, or a get on its way out.
  [[nodiscard]] bool serving() const;
  // Further messages of a request are awaited: of a put, an ota, a long source.
  [[nodiscard]] bool receiving() const;

 private:
  class Transfer;
  class Source;
  class Get;
  class Put;
  class Eval;
  using Admission = command::v1::RequestAssembler::Admission;
  using Stream = command::v1::RequestAssembler::Stream;

  void begin(const command::RequestTopic& topic, const Admission& admission);
  void begin_put(const command::RequestTopic& topic, const Admission& admission);
  void begin_update(const command::RequestTopic& topic, const Admission& admission);
  void begin_get(const command::RequestTopic& topic, const Admission& admission);
  void begin_eval(const Admission& admission);
  void interrupt(const Admission& admission);
  void repeat(const Admission& admission);

  void run(Stream stream, std::string source);
  [[nodiscard]] bool runs(std::string_view id) const;
  void ended(const Eval& eval);
  void finish(Stream stream, Bytes reply);
  void fail(Stream stream, std::string_view text);
  void reply(command::ReplyKind kind, std::string_view id, std::string_view message);

  Environment env_;
  command::v1::RequestAssembler assembler_;
  TimePoint now_{};               // of the latest request
  std::size_t source_bytes_ = 0;  // in evals_ and in sources still arriving
  std::array<std::unique_ptr<Transfer>, command::v1::RequestAssembler::kMaxStreams> transfers_;
  std::list<std::shared_ptr<Eval>> evals_;  // running, or waiting for Python
  std::uint32_t unique_ = 0;                // tells simultaneous puts apart
};

}  // namespace mqboard::board
